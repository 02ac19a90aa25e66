//! What follows a complete sequence: openings, and their commands in turn.

use std::net::IpAddr;

use super::timers::{later, start_command, stop_command};
use super::{
    Admitted, Attempt, Cooldown, ModelState, Owed, RecentOpening, Running, SequencesOfDoor, Used,
};
use crate::model::{Door, Line, OnReknock, Packet, Sequences, text};

impl ModelState {
    /// A client has made all knocks of a sequence. If it is a one-time sequence, it is used, and its line
    /// must be marked before the door opens.
    pub(super) fn complete(&mut self, packet: &Packet, door: usize, period: Option<u64>) {
        let client = packet.src;
        if matches!(self.doors[door].sequences, Sequences::Fixed(_)) {
            self.open(client, door);
            return;
        }
        if self.is_full() {
            self.out.counts.refused += 1;
            return;
        }
        if let Some(period) = period {
            self.use_period(packet, door, period);
            return;
        }
        let Sequences::OneTime(lines) = &mut self.doors[door].sequences else { return };
        lines.remove(0);
        self.mark(client, door);
        let mut others: Vec<Attempt> =
            self.attempts.iter().filter(|other| other.door == door).cloned().collect();
        others.sort_by_key(|other| (other.due_ns, other.created));
        for other in others {
            self.end(other.created);
        }
        self.out.counts.one_time_used += 1;
    }

    /// A door opens when it is marked that its sequence is used.
    fn mark(&mut self, client: IpAddr, door: usize) {
        if self.answers_at_once {
            self.open(client, door);
        } else {
            self.marks.push((self.marks_asked, client, door));
            self.marks_asked += 1;
        }
    }

    /// A client has made a derived sequence: it opens the door once in its period.
    fn use_period(&mut self, packet: &Packet, door: usize, period: u64) {
        let client = packet.src;
        self.forget_uses(packet.at_ns, door);
        if self.used.len() >= self.limit {
            for at in self.listed.clone() {
                self.forget_uses(packet.at_ns, at);
            }
        }
        let has_room = self.used.len() < self.limit;
        let new = Used { client, sequences: self.sequences_of(door), period };
        let is_forgotten =
            self.forgotten.iter().any(|(one, last)| *one == new.sequences && period <= *last);
        if self.used.contains(&new) {
            self.out.counts.repeated += 1;
        } else if is_forgotten {
            self.out.counts.repeated += 1;
            self.used.extend(has_room.then_some(new));
        } else if has_room {
            self.used.push(new);
            self.mark(client, door);
        } else {
            self.out.counts.refused += 1;
        }
    }

    /// Forgets who used sequences of a door that no longer count at a time of day. They never count again.
    fn forget_uses(&mut self, at_ns: i64, door: usize) {
        let Sequences::Derived(derived) = &self.doors[door].sequences else { return };
        let first = derived.period(at_ns).saturating_sub(1);
        let sequences = self.sequences_of(door);
        let (gone, stay): (Vec<Used>, Vec<Used>) = std::mem::take(&mut self.used)
            .into_iter()
            .partition(|used| used.sequences == sequences && used.period < first);
        self.used = stay;
        self.forgotten.extend(gone.into_iter().map(|used| (used.sequences, used.period)));
    }

    /// Returns the name and the key of a door, and how many doors before it have the same.
    fn sequences_of(&self, door: usize) -> SequencesOfDoor {
        let of = |at: usize| match &self.doors[at].sequences {
            Sequences::Derived(derived) => Some((self.doors[at].name.clone(), derived.key)),
            Sequences::Fixed(_) | Sequences::OneTime(_) => None,
        };
        let mine = of(door).expect("the door derives its sequences");
        let before = self.listed.iter().take_while(|&&at| at != door);
        let number = before.filter(|&&at| of(at).as_ref() == Some(&mine)).count();
        (mine, number)
    }

    pub(super) fn end_mark(&mut self, number: u64, is_marked: bool) {
        let at = self.marks.iter().position(|&(other, ..)| other == number);
        let (_, client, door) = self.marks.remove(at.expect("each line is marked once"));
        if is_marked {
            self.open(client, door);
        } else {
            self.out.counts.not_marked += 1;
        }
    }

    fn open(&mut self, client: IpAddr, door: usize) {
        let waits = self.waiting.contains(&(client, door));
        let start = start_command(&self.doors[door], client).filter(|_| !waits);
        let ignores = self.doors[door].on_reknock == OnReknock::Ignore;
        let lasts_s = self.admission_lasts_s(client, door);
        // Time ends in the year 2262.
        let until_ns = lasts_s.map(|lasts_s| later(self.now_ns, lasts_s));
        let before_ns = self.admitted(client, door).map(|at| self.admitted[at].due.0);
        let at_max = before_ns.is_some_and(|before_ns| until_ns <= Some(before_ns));
        let is_new = until_ns.is_some() && before_ns.is_none();
        let needs = usize::from(start.is_some()) + usize::from(is_new);
        if self.is_cooling_down(client, door)
            || ignores && self.is_open(client, door)
            || at_max && !ignores
        {
            self.out.counts.ignored += 1;
        } else if waits && lasts_s.is_none() {
            self.out.counts.merged += 1;
        } else if self.is_at_limit(client, door) {
            self.out.counts.ignored += 1;
        } else if needs > 0 && !self.has_room(needs) {
            self.out.counts.refused += 1;
        } else {
            self.out.counts.opened += 1;
            self.push_line(client, door, "OPEN SESAME");
            self.begin_cooldown(client, door);
            self.count_opening(client, door);
            if let Some(lasts_s) = lasts_s {
                self.admit(client, door, lasts_s);
            }
            if start.is_some() {
                self.waiting.push((client, door));
                self.forget_common_deadline(client, door);
                self.take_turn(self.now_ns, client, door);
            }
        }
    }

    /// Returns whether as many commands and lines to be marked are pending as the limit allows.
    fn is_full(&self) -> bool {
        !self.has_room(1)
    }

    fn has_room(&self, needs: usize) -> bool {
        let pending = self.commands_pending() + self.marks.len() + self.admitted.len();
        pending.saturating_add(needs) <= self.limit
    }

    fn admitted(&self, client: IpAddr, door: usize) -> Option<usize> {
        self.admitted.iter().position(|one| (one.client, one.door) == (client, door))
    }

    /// Returns for how many seconds an opening now would let a client in: never longer than until the maximum
    /// after it was let in first.
    fn admission_lasts_s(&self, client: IpAddr, door: usize) -> Option<u32> {
        let admission = self.doors[door].admission.as_ref()?;
        let mut lasts_s = admission.lasts_s;
        if let (Some(at), Some(max_s)) = (self.admitted(client, door), admission.max_s) {
            let remaining_ns = later(self.admitted[at].since_ns, max_s).saturating_sub(self.now_ns);
            let left_s = u32::try_from(remaining_ns.max(0) / 1_000_000_000).unwrap_or(u32::MAX);
            lasts_s = lasts_s.min(left_s);
        }
        Some(lasts_s)
    }

    fn admit(&mut self, client: IpAddr, door: usize, lasts_s: u32) {
        // What else is due at that moment comes first.
        let due = (later(self.now_ns, lasts_s), self.next_timer() | 1 << 63);
        match self.admitted(client, door) {
            Some(at) => self.admitted[at].due = due,
            None => self.admitted.push(Admitted { due, since_ns: self.now_ns, client, door }),
        }
        let admission = self.doors[door].admission.as_ref().expect("it has one");
        let (ports, address) = (text::ports(&admission.ports), text::address(client));
        let text = format!(": admit {address} to {ports} for {lasts_s} s");
        self.push_door_line(self.now_ns, door, &text);
    }

    /// The moment has come at which an admission ends.
    pub(super) fn end_admission(&mut self, due: (i64, u64)) {
        let Some(at) = self.admitted.iter().position(|one| one.due == due) else { return };
        let Admitted { client, door, .. } = self.admitted.remove(at);
        let text = format!(": {}: admission ended", text::address(client));
        self.push_door_line(due.0, door, &text);
    }

    fn push_door_line(&mut self, at_ns: i64, door: usize, text: &str) {
        let text = [&self.doors[door].name, text.as_bytes()].concat();
        self.out.lines.push(Line { at_ns, text });
    }

    /// Returns how many commands run, wait for their turn, or are to come some time.
    fn commands_pending(&self) -> usize {
        self.running.len() + self.waiting.len() + self.owed.len() + self.due_stops.len()
    }

    /// Returns whether the door is open for a client, is being opened, or is about to.
    fn is_open(&self, client: IpAddr, door: usize) -> bool {
        let lessee = (client, door);
        self.running.iter().any(|one| (one.client, one.door) == lessee && one.is_start)
            || self.admitted(client, door).is_some()
            || self.waiting.contains(&lessee)
            || self.owed.iter().any(|one| (one.client, one.door) == lessee)
            || self.due_stops.contains(&lessee)
    }

    fn is_cooling_down(&self, client: IpAddr, door: usize) -> bool {
        self.cooldowns
            .iter()
            .any(|one| (one.client, one.door) == (client, door) && self.now_ns < one.until_ns)
    }

    /// Returns whether the openings of the last 60 seconds are as many as the door allows.
    fn is_at_limit(&self, client: IpAddr, door: usize) -> bool {
        let count = |is_one: &dyn Fn(&RecentOpening) -> bool| {
            let counts = |one: &&RecentOpening| {
                self.now_ns < one.until_ns && one.door == door && is_one(one)
            };
            self.openings.iter().filter(counts).count()
        };
        let is_reached = |limit: Option<u16>, count| limit.is_some_and(|most| count >= most.into());
        is_reached(self.doors[door].openings_per_minute, count(&|_| true))
            || is_reached(
                self.doors[door].client_openings_per_minute,
                count(&|one| one.client == client),
            )
    }

    /// At the limit of memory the oldest opening no longer counts.
    fn count_opening(&mut self, client: IpAddr, door: usize) {
        let Door { openings_per_minute, client_openings_per_minute, .. } = &self.doors[door];
        if openings_per_minute.is_none() && client_openings_per_minute.is_none() {
            return;
        }
        self.openings.retain(|one| self.now_ns < one.until_ns);
        if self.openings.len() >= self.limit {
            self.openings.remove(0);
            self.out.counts.forgotten_openings += 1;
        }
        let until_ns = later(self.now_ns, 60);
        self.openings.push(RecentOpening { until_ns, client, door });
    }

    /// At the limit the cooldown that is to be forgotten next goes.
    fn begin_cooldown(&mut self, client: IpAddr, door: usize) {
        let Some(seconds) = self.doors[door].seq_cooldown_s else { return };
        self.cooldowns.retain(|one| self.now_ns < one.until_ns);
        if self.cooldowns.len() >= self.limit {
            let order = |&at: &usize| (self.cooldowns[at].until_ns, self.cooldowns[at].created);
            let next = (0..self.cooldowns.len()).min_by_key(order);
            self.cooldowns.remove(next.expect("a limit is at least 1"));
            self.out.counts.forgotten_cooldowns += 1;
        }
        let (created, until_ns) = (self.next_timer(), later(self.now_ns, seconds));
        self.cooldowns.push(Cooldown { created, until_ns, client, door });
    }

    /// The stop commands that were to come together come after the start command that waits now.
    fn forget_common_deadline(&mut self, client: IpAddr, door: usize) {
        if self.doors[door].on_reknock == OnReknock::Separate {
            return;
        }
        for owed in &mut self.owed {
            if (owed.client, owed.door) == (client, door) {
                owed.deadline = None;
            }
        }
    }

    /// Does what is next for a client at a door, if no command of theirs runs: stop commands first,
    /// then the start command that waits; then the wait for the deadline begins.
    pub(super) fn take_turn(&mut self, at_ns: i64, client: IpAddr, door: usize) {
        let lessee = (client, door);
        if self.running.iter().any(|one| (one.client, one.door) == lessee) {
            return;
        }
        let is_separate = self.doors[door].on_reknock == OnReknock::Separate;
        if let Some(at) = self.due_stops.iter().position(|&one| one == lessee) {
            self.due_stops.remove(at);
            if !is_separate {
                self.push_line_at(at_ns, client, door, "command timeout");
            }
            let stop = stop_command(&self.doors[door], client).expect("it is owed");
            self.run(at_ns, client, door, &stop, false);
        } else if let Some(at) = self.waiting.iter().position(|&one| one == lessee) {
            self.waiting.remove(at);
            let start = start_command(&self.doors[door], client).expect("it waits");
            self.run(at_ns, client, door, &start, true);
        } else if self
            .owed
            .iter()
            .any(|one| (one.client, one.door) == lessee && one.deadline.is_none())
        {
            let due_ns = later(at_ns, self.doors[door].cmd_timeout_s);
            let deadline = Some((due_ns, self.next_timer()));
            for owed in self.owed.iter_mut().filter(|one| (one.client, one.door) == lessee) {
                owed.deadline = deadline;
            }
        }
    }

    pub(super) fn end_command(&mut self, at_ns: i64, number: u64) {
        let at = self.running.iter().position(|running| running.number == number);
        let at = at.expect("only a command that runs can end");
        let Running { client, door, is_start, .. } = self.running.remove(at);
        if is_start && stop_command(&self.doors[door], client).is_some() {
            let mut deadline = None;
            if self.doors[door].on_reknock == OnReknock::Separate {
                let due_ns = later(at_ns, self.doors[door].cmd_timeout_s);
                deadline = Some((due_ns, self.next_timer()));
            }
            self.owed.push(Owed { deadline, client, door });
        }
        self.take_turn(at_ns, client, door);
    }

    /// The moment has come for the stop commands with a deadline.
    pub(super) fn close(&mut self, deadline: (i64, u64)) {
        let is_due = |one: &Owed| one.deadline == Some(deadline);
        let Some(&Owed { client, door, .. }) = self.owed.iter().find(|one| is_due(one)) else {
            return;
        };
        let before = self.owed.len();
        self.owed.retain(|one| !is_due(one));
        let count = before - self.owed.len();
        self.due_stops.extend(std::iter::repeat_n((client, door), count));
        let (due_ns, _) = deadline;
        if self.doors[door].on_reknock == OnReknock::Separate {
            self.push_line_at(due_ns, client, door, "command timeout");
        }
        self.take_turn(due_ns, client, door);
    }
}

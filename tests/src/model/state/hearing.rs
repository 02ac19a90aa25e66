//! The effect of a packet.

use std::net::IpAddr;

use super::timers::later;
use super::{Attempt, ModelState, Remembered};
use crate::model::{Door, Knock, Packet, SYN, Sequences, Transport, is_of_a_host};

/// The mark by which a later packet is recognized as the same SYN sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Syn {
    client: IpAddr,
    sport: u16,
    dport: u16,
    seq: u32,
}

impl Syn {
    fn of(packet: &Packet) -> Option<Self> {
        let Transport::Tcp { seq: Some(seq), flags: Some(flags) } = packet.transport else {
            return None;
        };
        if flags & SYN == 0 || seq == 0 {
            return None;
        }
        Some(Self { client: packet.src, sport: packet.sport, dport: packet.dport, seq })
    }
}

impl ModelState {
    // ---- admission

    fn admits(&self, packet: &Packet) -> bool {
        if !is_of_a_host(packet.src) || self.ipv4_only && packet.dst.is_ipv6() {
            return false;
        }
        self.listed.iter().any(|&at| {
            let door = &self.doors[at];
            let named = match &door.sequences {
                Sequences::Derived(derived) => derived.names(packet.knock()),
                Sequences::Fixed(_) | Sequences::OneTime(_) => {
                    let current = door.sequences.current();
                    current.is_some_and(|s| s.contains(&packet.knock()))
                }
            };
            self.belongs_to(packet, door)
                && named
                && flags_satisfy(packet, door)
                && door.hears(packet.src)
        })
    }

    fn belongs_to(&self, packet: &Packet, door: &Door) -> bool {
        match (door.target, &self.local) {
            (Some(target), _) => packet.dst == target,
            (None, Some(local)) => local.contains(&packet.dst),
            (None, None) => true,
        }
    }

    fn attempt(&self, created: u64) -> &Attempt {
        let found = self.attempts.iter().find(|attempt| attempt.created == created);
        found.expect("a packet ends no attempt of its client but the one it is compared with")
    }

    // ---- what a packet does

    pub(super) fn hear(&mut self, packet: &Packet) {
        if !self.admits(packet) {
            return;
        }
        self.out.counts.admitted += 1;
        if self.is_retransmission(packet) {
            self.out.counts.retransmissions += 1;
            return;
        }
        if !self.advance_attempts(packet) {
            self.start_attempts(packet);
        }
    }

    /// Rule 1.
    fn is_retransmission(&self, packet: &Packet) -> bool {
        let Some(syn) = Syn::of(packet) else { return false };
        let remembered = |one: &Remembered| one.knock == syn && self.now_ns < one.forgotten_ns;
        self.attempts.iter().any(|attempt| attempt.last_knock == Some(syn))
            || self.remembered.iter().any(remembered)
    }

    /// Rule 2. Returns whether any attempt advanced.
    fn advance_attempts(&mut self, packet: &Packet) -> bool {
        let of_client = self.attempts.iter().filter(|attempt| attempt.client == packet.src);
        let in_order_of_creation: Vec<u64> = of_client.map(|attempt| attempt.created).collect();
        let mut advanced = false;
        for created in in_order_of_creation {
            let attempt = self.attempt(created);
            let door = &self.doors[attempt.door];
            if !self.belongs_to(packet, door) || !flags_satisfy(packet, door) {
                continue;
            }
            let Some(sequence) = sequence(door, attempt.period, packet.at_ns) else {
                // It was derived for a time that is over.
                self.end(created);
                self.out.counts.voided += 1;
                continue;
            };
            if sequence[attempt.stage] == packet.knock() {
                self.count_knock(created, packet);
                advanced = true;
            } else if attempt.stage > 0 && sequence[attempt.stage - 1] == packet.knock() {
                if attempt.stage == 1 {
                    self.restart(created, packet);
                }
            } else {
                self.end(created);
                self.out.counts.voided += 1;
            }
        }
        advanced
    }

    /// A second try of the first knock: the attempt starts over, in its place among the client's.
    fn restart(&mut self, created: u64, packet: &Packet) {
        self.stages_reached += 1;
        let reached = self.stages_reached;
        let timer = self.next_timer();
        let due_ns = later(self.now_ns, self.doors[self.attempt(created).door].seq_timeout_s);
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.created == created);
        let attempt = attempt.expect("the caller has seen it");
        let first = attempt.last_knock;
        let Attempt { client, door, .. } = *attempt;
        (attempt.created, attempt.due_ns, attempt.reached) = (timer, due_ns, reached);
        attempt.last_knock = Syn::of(packet);
        self.remember(door, first);
        self.push_line(client, door, "Stage 1");
    }

    /// Ends an attempt whose last knock may still come again.
    pub(super) fn end(&mut self, created: u64) {
        let at = self.attempts.iter().position(|attempt| attempt.created == created);
        let attempt = self.attempts.remove(at.expect("the caller has seen it"));
        self.remember(attempt.door, attempt.last_knock);
    }

    /// Rule 3.
    fn start_attempts(&mut self, packet: &Packet) {
        for at in self.listed.clone() {
            let periods = match &self.doors[at].sequences {
                Sequences::Derived(derived) => derived.valid(packet.at_ns),
                Sequences::Fixed(_) | Sequences::OneTime(_) => vec![],
            };
            self.start_at(packet, at, None);
            for period in periods {
                self.start_at(packet, at, Some(period));
            }
        }
    }

    /// Starts an attempt at a door, or at its sequence of a period, if the packet is its first knock.
    fn start_at(&mut self, packet: &Packet, at: usize, period: Option<u64>) {
        let door = &self.doors[at];
        let Some(knocks) = sequence(door, period, packet.at_ns) else { return };
        let is_same = |a: &Attempt| a.client == packet.src && (a.door, a.period) == (at, period);
        let busy = self.attempts.iter().any(is_same);
        let starts = !busy
            && knocks.first() == Some(&packet.knock())
            && self.belongs_to(packet, door)
            && flags_satisfy(packet, door)
            && door.hears(packet.src);
        if starts {
            let due_ns = later(self.now_ns, door.seq_timeout_s);
            if knocks.len() > 1 {
                self.make_room();
            }
            let created = self.next_timer();
            self.attempts.push(Attempt {
                created,
                due_ns,
                client: packet.src,
                door: at,
                period,
                stage: 0,
                reached: 0,
                last_knock: None,
            });
            self.count_knock(created, packet);
        }
    }

    /// At the limit, evicts the attempt with the least progress; among those, the one that has been at its
    /// stage longest.
    fn make_room(&mut self) {
        if self.attempts.len() < self.limit {
            return;
        }
        let order = |&at: &usize| (self.attempts[at].stage, self.attempts[at].reached);
        if let Some(least) = (0..self.attempts.len()).min_by_key(order) {
            self.attempts.remove(least);
            self.out.counts.evicted += 1;
        }
    }

    /// Moves an attempt one stage further, and opens the door at the last.
    fn count_knock(&mut self, created: u64, packet: &Packet) {
        self.stages_reached += 1;
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.created == created);
        let attempt = attempt.expect("the caller has seen it");
        attempt.stage += 1;
        attempt.reached = self.stages_reached;
        let before = attempt.last_knock;
        attempt.last_knock = Syn::of(packet);
        let Attempt { client, door, period, stage, .. } = *attempt;
        self.remember(door, before);
        self.push_line(client, door, &format!("Stage {stage}"));
        let sequence = sequence(&self.doors[door], period, packet.at_ns);
        if sequence.map(|knocks| knocks.len()) == Some(stage) {
            self.attempts.retain(|attempt| attempt.created != created);
            self.remember(door, Syn::of(packet));
            self.complete(packet, door, period);
        }
    }

    /// Remembers a knock for `seq_timeout` from now, where it counted at two doors as long as the
    /// longer of the two. At the limit the one that is to be forgotten next goes.
    fn remember(&mut self, door: usize, knock: Option<Syn>) {
        self.remember_from(self.now_ns, door, knock);
    }

    pub(super) fn remember_from(&mut self, at_ns: i64, door: usize, knock: Option<Syn>) {
        let Some(knock) = knock else { return };
        let forgotten_ns = later(at_ns, self.doors[door].seq_timeout_s);
        self.remembered.retain(|one| at_ns < one.forgotten_ns);
        let same = self.remembered.iter().position(|one| one.knock == knock);
        if let Some(same) = same {
            if self.remembered[same].forgotten_ns >= forgotten_ns {
                return;
            }
            self.remembered.remove(same);
        }
        if self.remembered.len() >= self.limit {
            let order =
                |&at: &usize| (self.remembered[at].forgotten_ns, self.remembered[at].created);
            let next = (0..self.remembered.len()).min_by_key(order);
            self.remembered.remove(next.expect("a limit is at least 1"));
            self.out.counts.forgotten_knocks += 1;
        }
        let created = self.next_timer();
        self.remembered.push(Remembered { created, knock, forgotten_ns });
    }
}

/// Returns the sequence of an attempt at a door, if it counts at this time of day.
fn sequence(door: &Door, period: Option<u64>, at_ns: i64) -> Option<Vec<Knock>> {
    match (&door.sequences, period) {
        (Sequences::Derived(derived), Some(period)) => {
            let counts = derived.valid(at_ns).contains(&period);
            counts.then(|| derived.sequence(&door.name, period))
        }
        (Sequences::Derived(_), None) => None,
        (Sequences::Fixed(_) | Sequences::OneTime(_), _) => {
            door.sequences.current().map(<[Knock]>::to_vec)
        }
    }
}

fn flags_satisfy(packet: &Packet, door: &Door) -> bool {
    match packet.transport {
        Transport::Udp => true,
        Transport::Tcp { flags: Some(flags), .. } => {
            flags & door.wanted == door.wanted && flags & door.refused == 0
        }
        Transport::Tcp { flags: None, .. } => door.wanted == 0 && door.refused == 0,
    }
}

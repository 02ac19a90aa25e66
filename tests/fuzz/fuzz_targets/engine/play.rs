//! The engine and the model, with the same events at the same moments.

use std::collections::BTreeMap;

use knock_compat::{AnyRules, Effect, Engine, Rules, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{
    CommandStatus, Doors, Event, KnockRules, Limits, MarkId, Note, Obstacle, RunId, Timestamp,
};
use knock_tests::boundary;
use knock_tests::model::{Door, Line, ModelState, Packet, Setting};

use crate::plan::{Happening, Plan};

/// An engine, its driver, and the model.
pub(crate) struct Play<'a> {
    plan: &'a Plan,
    engine: Engine,
    /// The model, where it has the same rules.
    house: Option<ModelState>,
    /// How many lines were compared.
    compared: usize,
    /// The moment of the current event.
    now_ns: i64,
    /// The transcript so far.
    lines: Vec<Line>,
    /// Commands that run and lines that are being marked, by the moment of their ends and the order in
    /// which they were asked for.
    running: BTreeMap<(i64, u64), Running>,
    asked: u64,
    commands: u64,
    marks: u64,
    ended: Vec<RunId>,
    answered: Vec<MarkId>,
    seen: Seen,
}

#[derive(Clone, Copy, PartialEq)]
enum Running {
    Command {
        run: RunId,
        status: CommandStatus,
        /// Its place in the order of all commands, from 0.
        number: u64,
    },
    Mark {
        mark: MarkId,
        is_marked: bool,
        /// Its place in the order of all lines, from 0.
        number: u64,
    },
}

/// What the effects so far report.
#[derive(Default)]
struct Seen {
    last_ns: Option<i64>,
    opened: u64,
    timed_out: u64,
    refused: u64,
    skipped: u64,
    not_marked: u64,
    /// Attempts that ended because their door changed, or its sequence.
    taken: u64,
    failed: u64,
    expected_to_fail: u64,
    admitted: u64,
}

impl<'a> Play<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let limits = Limits { hash_seed: plan.hash_seed, ..boundary::limits(plan.limit) };
        let doors = boundary::doors(&plan.doors);
        let setting = Setting {
            doors: plan.doors.clone(),
            local: plan.place.local.clone(),
            ipv4_only: plan.place.ipv4_only,
        };
        let house = || {
            let house =
                ModelState::new(&setting).with_limit(limits.attempts.get().try_into().unwrap());
            if plan.is_live { house } else { house.answering_at_once() }
        };
        Self {
            plan,
            engine: if plan.is_live && plan.rules == Rules::Knock {
                let rules = AnyRules::Knock(KnockRules::new(&limits));
                Engine::with_rules(doors, plan.place.listening(), rules)
            } else {
                plan.rules.engine(doors, plan.place.listening(), &limits)
            },
            house: (plan.rules == Rules::Knock).then(house),
            compared: 0,
            now_ns: plan.start_ns,
            lines: Vec::new(),
            running: BTreeMap::new(),
            asked: 0,
            commands: 0,
            marks: 0,
            ended: Vec::new(),
            answered: Vec::new(),
            seen: Seen::default(),
        }
    }

    /// Handles events, one after another, then lets time run until nothing is due and no command runs.
    /// Returns the transcript.
    pub(crate) fn plays(mut self, happenings: Vec<(i64, Happening)>) -> Vec<Line> {
        for (wait_ns, happening) in happenings {
            self.happens(wait_ns, happening);
        }
        if self.plan.is_live {
            self.live_until(i64::MAX);
        }
        self.deadline_reached(i64::MAX);
        self.compare();
        assert!(self.running.is_empty());
        assert_eq!(self.engine.poll_deadline(), None);
        if self.plan.rules == Rules::Knock {
            assert_eq!(self.engine.live_attempts(), 0);
        }
        self.lines
    }

    /// Handles an event after a time, which may be negative.
    fn happens(&mut self, wait_ns: i64, happening: Happening) {
        let stamp_ns = self.now_ns.saturating_add(wait_ns);
        self.now_ns = self.now_ns.max(stamp_ns);
        if self.plan.is_live {
            self.live_until(self.now_ns);
        }
        match happening {
            Happening::Packet(packet) => self.packet(Packet { at_ns: stamp_ns, ..packet }),
            Happening::Wait => self.deadline_reached(self.now_ns),
            Happening::Move(place) => {
                self.hand_over(stamp_ns, Event::AddressesChanged(place.listening()));
                self.change_model(|house| house.addresses(stamp_ns, place.local, place.ipv4_only));
            }
            Happening::Reload { kept, new } => self.reload(stamp_ns, &kept, &new),
            Happening::EndAgain(choice) => {
                if let Some(at) = usize::from(choice).checked_rem(self.ended.len()) {
                    let (run, status) = (self.ended[at], CommandStatus(choice));
                    // The end of a command is not queued: what is due before it comes first.
                    self.deadline_reached(stamp_ns);
                    self.hand_over(stamp_ns, Event::CommandEnded { run, status });
                }
                if let Some(at) = usize::from(choice).checked_rem(self.answered.len()) {
                    let mark = self.answered[at];
                    self.deadline_reached(stamp_ns);
                    self.hand_over(stamp_ns, Event::Marked { mark, is_marked: true });
                }
            }
        }
        self.compare();
    }

    /// Handles everything that is due up to a moment: deadlines, then ends of commands.
    fn live_until(&mut self, until_ns: i64) {
        loop {
            let deadline = self.engine.poll_deadline().map(|deadline| deadline.at.as_nanos());
            let end = self.running.first_key_value().map(|(&(at_ns, _), _)| at_ns);
            match (deadline, end) {
                (Some(at_ns), end) if at_ns <= until_ns && end.is_none_or(|end| at_ns <= end) => {
                    self.deadline_reached(at_ns);
                }
                (_, Some(at_ns)) if at_ns <= until_ns => self.end_next(),
                _ => break,
            }
            self.compare();
        }
    }

    fn deadline_reached(&mut self, at_ns: i64) {
        self.hand_over(at_ns, Event::DeadlineReached);
        self.change_model(|house| house.time(at_ns));
    }

    fn packet(&mut self, packet: Packet) {
        let translated = boundary::packet(&packet);
        self.engine.anticipate([&translated]);
        let admitted = self.engine.doors().admit(self.engine.listening(), &translated);
        self.seen.admitted += u64::from(admitted);
        self.hand_over(packet.at_ns, Event::Packet(translated));
        self.change_model(|house| house.packet(&packet));
    }

    fn reload(&mut self, at_ns: i64, kept: &[u8], new: &[Door]) {
        let there: Vec<_> = self.engine.doors().in_order().map(|(_, door)| door.clone()).collect();
        let kept = kept.iter().filter_map(|&choice| usize::from(choice).checked_rem(there.len()));
        let kept: Vec<usize> = kept.collect();
        let doors = kept.iter().map(|&at| there[at].clone());
        let doors = Doors::new(doors.chain(new.iter().map(boundary::door)).collect());
        let doors = doors.expect("there are few");
        self.hand_over(at_ns, Event::Reloaded(Box::new(doors)));
        self.change_model(|house| {
            // Deadlines do not change the doors.
            let there: Vec<_> = house.doors().cloned().collect();
            let doors = kept.iter().map(|&at| there[at].clone());
            house.reload(at_ns, doors.chain(new.iter().cloned()).collect());
        });
    }

    /// Ends the command or the mark that ends first.
    fn end_next(&mut self) {
        let Some(((at_ns, _), running)) = self.running.pop_first() else { return };
        match running {
            Running::Command { run, status, number } => {
                self.ended.push(run);
                self.seen.expected_to_fail += u64::from(status != CommandStatus::SUCCESS);
                self.hand_over(at_ns, Event::CommandEnded { run, status });
                self.change_model(|house| house.command_ended(at_ns, number));
            }
            Running::Mark { mark, is_marked, number } => {
                self.answered.push(mark);
                self.hand_over(at_ns, Event::Marked { mark, is_marked });
                self.change_model(|house| house.one_time_marked(at_ns, number, is_marked));
            }
        }
    }

    fn change_model(&mut self, what: impl FnOnce(&mut ModelState)) {
        if let Some(house) = &mut self.house {
            what(house);
        }
    }

    /// Hands an event to the engine, and takes its effects.
    fn hand_over(&mut self, at_ns: i64, event: Event) {
        self.engine.handle(Timestamp::from_nanos(at_ns), event);
        while let Some(timed) = self.engine.poll_effect() {
            self.takes(timed);
        }
    }

    fn takes(&mut self, TimedEffect { at, effect }: TimedEffect) {
        let at_ns = at.as_nanos();
        assert!(self.seen.last_ns.is_none_or(|last_ns| last_ns <= at_ns), "{effect:?} at {at_ns}");
        self.seen.last_ns = Some(at_ns);
        let mut text = Vec::new();
        if transcript::write(&effect, self.engine.doors(), &mut text) == Channel::Transcript {
            self.lines.push(Line { at_ns, text });
        }
        match effect {
            Effect::Opened { .. } => self.seen.opened += 1,
            Effect::SequenceTimedOut { .. } => self.seen.timed_out += 1,
            Effect::OpeningRefused { why: Obstacle::Limit, .. } => self.seen.refused += 1,
            Effect::OpeningRefused { why: Obstacle::NotMarked, .. } => self.seen.not_marked += 1,
            Effect::MarkOneTime { mark, .. } | Effect::MarkPeriod { mark, .. } => {
                self.mark(at_ns, mark);
            }
            Effect::OpeningSkipped { .. } => self.seen.skipped += 1,
            Effect::CommandFailed { .. } => self.seen.failed += 1,
            Effect::Note(Note::SequenceChanged { .. } | Note::DoorChanged { .. }) => {
                self.seen.taken += 1;
            }
            Effect::RunCommand { run, .. } => self.run(at_ns, run),
            _ => {}
        }
    }

    fn run(&mut self, at_ns: i64, run: RunId) {
        let is_run =
            |other: &Running| matches!(other, Running::Command { run: one, .. } if *one == run);
        assert!(!self.running.values().any(is_run));
        let number = self.commands;
        self.commands += 1;
        let (takes_ns, status) = self.plan.ends[usize::try_from(number % 4).unwrap()];
        if self.plan.is_live {
            self.ask(at_ns.saturating_add(takes_ns), Running::Command { run, status, number });
        } else {
            self.ended.push(run);
            self.seen.expected_to_fail += u64::from(status != CommandStatus::SUCCESS);
            self.engine.handle(Timestamp::from_nanos(at_ns), Event::CommandEnded { run, status });
        }
    }

    /// A line is to be marked, which fails where a command would.
    fn mark(&mut self, at_ns: i64, mark: MarkId) {
        if self.plan.is_live && self.plan.rules == Rules::Knock {
            let number = self.marks;
            self.marks += 1;
            let (takes_ns, status) = self.plan.ends[usize::try_from(number % 4).unwrap()];
            let is_marked = status == CommandStatus::SUCCESS;
            self.ask(at_ns.saturating_add(takes_ns), Running::Mark { mark, is_marked, number });
        }
    }

    fn ask(&mut self, end_ns: i64, running: Running) {
        self.running.insert((end_ns, self.asked), running);
        self.asked += 1;
    }

    fn compare(&mut self) {
        self.check_counts();
        let Some(house) = &self.house else { return };
        let outcome = house.outcome();
        assert_eq!(shown(&self.lines[self.compared..]), shown(&outcome.lines[self.compared..]));
        self.compared = self.lines.len();
        let deadline = self.engine.poll_deadline().map(|deadline| deadline.at.as_nanos());
        assert_eq!(deadline, house.next_due_ns());
        assert_eq!(self.engine.live_attempts(), house.live_attempts());
        let (counts, modelled) = (self.engine.counts(), outcome.counts);
        assert_eq!(counts.admitted, modelled.admitted);
        assert_eq!(counts.retransmissions, modelled.retransmissions);
        assert_eq!(counts.voided, modelled.voided);
        assert_eq!(counts.evicted, modelled.evicted);
        assert_eq!(counts.forgotten_knocks, modelled.forgotten_knocks);
        assert_eq!(counts.refused, modelled.refused);
        assert_eq!(counts.not_marked, modelled.not_marked);
        assert_eq!(counts.merged, modelled.merged);
        assert_eq!(counts.ignored, modelled.ignored);
        assert_eq!(counts.forgotten_cooldowns, modelled.forgotten_cooldowns);
        assert_eq!(counts.forgotten_openings, modelled.forgotten_openings);
        let doors = self.engine.doors().in_order().map(|(_, door)| door.clone());
        assert!(doors.eq(house.doors().map(boundary::door)));
    }

    fn check_counts(&self) {
        let (counts, seen) = (self.engine.counts(), &self.seen);
        let limit = usize::try_from(self.plan.limit.get()).unwrap();
        assert!(self.engine.live_attempts() <= limit);
        assert!(self.running.len() <= limit);
        assert_eq!(counts.opened, seen.opened);
        assert_eq!(counts.timed_out, seen.timed_out);
        assert_eq!(counts.refused, seen.refused);
        assert_eq!(counts.not_marked, seen.not_marked);
        assert_eq!(counts.merged + counts.ignored, seen.skipped);
        assert_eq!(seen.failed, seen.expected_to_fail);
        if self.plan.rules == Rules::Knock {
            let is_mark = |running: &&Running| matches!(running, Running::Mark { .. });
            let marking = u64::try_from(self.running.values().filter(is_mark).count()).unwrap();
            let completed =
                counts.opened + counts.refused + seen.skipped + seen.not_marked + marking;
            let over = completed + counts.timed_out + counts.voided;
            let live = u64::try_from(self.engine.live_attempts()).unwrap();
            assert_eq!(counts.attempts, over + counts.evicted + seen.taken + live, "{counts:?}");
            assert_eq!(counts.admitted, seen.admitted);
        }
    }
}

/// The compared state, in a readable form.
pub(crate) fn shown(lines: &[Line]) -> Vec<(i64, String)> {
    lines.iter().map(|line| (line.at_ns, line.text.escape_ascii().to_string())).collect()
}

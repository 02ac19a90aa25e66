//! knockd 0.8 and all rule sets between it and knock, which are compared with what knock does.

use knock_compat::{Difference, Incoming, Neighbours, TimedEffect};
use knock_engine::{Counts, DoorName, Doors, Event, Limits, Listening, Timestamp};

use super::bound::is_met;
use super::differing::{Differing, Line, Side};
use super::knock::Shown;
use super::seen::Seen;
use super::shown::{are_same, is_shown, may_have_messages, write};
use crate::diff::rules::lines::{LineAt, Lines, Occurrences};

/// All rule sets but knock.
///
/// Those that have done the same so far are one [`Neighbours`], which is parted where they begin to
/// differ: as long as nothing differs, all of them are one.
#[derive(Debug)]
pub(in crate::diff::rules) struct Older {
    /// knockd 0.8 first.
    steps: Vec<Step>,
    /// The latest time so far.
    now: Timestamp,
    /// Whether the same effect has the same line under knockd 0.8 and knock.
    are_lines_alike: bool,
    /// The lines of knock, where they are looked at.
    lines: Lines,
    /// What knockd 0.8 says on standard error.
    messages: Vec<Line>,
}

/// Some of the rule sets between knockd 0.8 and knock.
#[derive(Clone, Debug)]
struct Step {
    sets: Neighbours,
    /// What each did last, as far as it is shown.
    effects: Vec<TimedEffect>,
    /// Its lines, where they are looked at.
    lines: Lines,
}

impl Older {
    pub(super) fn new(doors: &Doors, listening: &Listening, limits: &Limits) -> Self {
        let step = |sets| Step { sets, effects: Vec::new(), lines: Lines::default() };
        let steps: Vec<Step> =
            Neighbours::all(doors, listening, limits).into_iter().map(step).collect();
        // knockd 0.8 cuts long names.
        let are_lines_alike =
            steps.first().is_some_and(|first| names(first.sets.engine().doors()).eq(names(doors)));
        let (lines, messages) = (Lines::default(), Vec::new());
        Self { steps, now: Timestamp::MIN, are_lines_alike, lines, messages }
    }

    /// Lets something happen at `at`, and compares it with what knock does with it, and before it. Returns the
    /// lines that differ, in the order of their times. `doors` are those of knock.
    pub(in crate::diff::rules) fn handle<'a>(
        &mut self,
        at: Timestamp,
        seen: &Seen,
        by_knock: impl Iterator<Item = Shown<'a>>,
        doors: &Doors,
    ) -> Vec<Differing> {
        if let Seen::Event(Event::Reloaded(_)) = seen {
            // A door may have a number of its own under each from now on.
            self.are_lines_alike = false;
        }
        let mut differing = Vec::new();
        // Lines of different times are never the same line, so nothing is lost by comparing those of
        // one time after those of another; and a pause after a flood does not make all lines at once.
        for shown in by_knock {
            let end = shown.due.unwrap_or(at);
            let mut due = self.next_deadline();
            while let Some(next) = due.filter(|&due| due < end) {
                self.step(next, due, &Seen::Event(Event::DeadlineReached));
                self.compare(Shown { effects: &[], ..shown }, doors, &mut differing);
                due = self.next_deadline();
            }
            match shown.due {
                Some(time) => self.step(time, due, &Seen::Event(Event::DeadlineReached)),
                None => self.step(at, due, seen),
            }
            self.compare(shown, doors, &mut differing);
        }
        differing
    }

    /// Returns when something is due next for any of them.
    fn next_deadline(&self) -> Option<Timestamp> {
        self.steps.iter().filter_map(|step| step.sets.due()).min()
    }

    /// Lets something happen, when something is due next at `due`.
    fn step(&mut self, at: Timestamp, due: Option<Timestamp>, seen: &Seen) {
        self.now = self.now.max(at);
        for step in &mut self.steps {
            step.effects.clear();
        }
        if due.is_some_and(|due| due <= self.now) {
            self.let_time_pass(at);
        }
        let (now, incoming) = (self.now, seen.by_others());
        self.part(|sets| sets.parts_at(now, at, incoming));
        for step in &mut self.steps {
            step.handle(at, incoming);
        }
    }

    /// Does what is due up to `at`.
    fn let_time_pass(&mut self, at: Timestamp) {
        let now = self.now;
        self.part(|sets| sets.parts_in_time(now));
        for step in
            self.steps.iter_mut().filter(|step| step.sets.due().is_some_and(|due| due <= now))
        {
            step.handle(at, Incoming::Event(&Event::DeadlineReached));
        }
    }

    /// Parts the rule sets that will differ, as `parts` says.
    fn part(&mut self, parts: impl Fn(&Neighbours) -> Option<Difference>) {
        let mut place = 0_usize;
        while let Some(step) = self.steps.get_mut(place) {
            let after = place.saturating_add(1);
            match parts(&step.sets) {
                Some(difference) => {
                    let step = Step { sets: step.sets.split_off(difference), ..step.clone() };
                    self.steps.insert(after, step);
                }
                None => place = after,
            }
        }
    }

    /// Returns for how many groups of rule sets there are engines.
    #[cfg(test)]
    pub(super) const fn groups(&self) -> usize {
        self.steps.len()
    }

    /// Takes what knockd 0.8 has said on standard error.
    pub(in crate::diff::rules) fn take_messages(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.messages)
    }

    /// Returns what knockd 0.8 has done so far, in numbers.
    pub(super) fn counts(&self) -> Counts {
        let counts = self.steps.first().map(|step| step.sets.engine().counts());
        // It remembers none; rule sets that have done the same so far do.
        Counts { forgotten_knocks: 0, ..counts.unwrap_or_default() }
    }

    /// Adds the lines that differ from those of knock.
    fn compare(&mut self, by_knock: Shown<'_>, doors: &Doors, differing: &mut Vec<Differing>) {
        let Self { steps, are_lines_alike, lines, messages, .. } = self;
        let Some(first) = steps.first() else { return };
        if *are_lines_alike
            && are_same(&first.effects, by_knock.effects)
            && !may_have_messages(&first.effects)
        {
            return;
        }
        write(by_knock.effects, doors, lines, |_| {});
        for step in steps {
            step.write_lines(messages);
        }
        differing.extend(self.differing(doors, by_knock.has_met_its_bound));
    }

    fn differing(&self, doors: &Doors, has_knock_met_its_bound: bool) -> Vec<Differing> {
        let Some(first) = self.steps.first().filter(|first| first.lines != self.lines) else {
            return Vec::new();
        };
        let all = self.steps.iter().map(|step| &step.lines).chain([&self.lines]);
        let occurrences: Vec<Occurrences<'_>> = all.map(Lines::occurrences).collect();
        let (Some(of_first), Some(of_last)) = (occurrences.first(), occurrences.last()) else {
            return Vec::new();
        };
        let theirs = first.lines.missing_in(of_last.clone()).map(|line| (Side::Knockd08, line));
        let ours = self.lines.missing_in(of_first.clone()).map(|line| (Side::Knock, line));
        let due_to = |side, line| match self.cause(side, line, &occurrences) {
            Some(Difference::Unbounded)
                if !has_knock_met_its_bound && !self.have_met_their_bound() =>
            {
                // Lines that only knock prints, if it hears signed packets.
                let is_signed = doors.signing().is_some() && side == Side::Knock;
                is_signed.then_some(Difference::SignedPackets)
            }
            cause => cause,
        };
        let mut differing: Vec<Differing> = theirs
            .chain(ours)
            .map(|(side, line)| Differing {
                side,
                due_to: due_to(side, line),
                line: Line::from(line),
            })
            .collect();
        differing.sort_by_key(|one| one.line.at);
        differing
    }

    /// Returns the last difference with which the line comes or goes for good; [`Difference::Unbounded`] if it
    /// comes or goes with knock itself.
    fn cause(
        &self,
        side: Side,
        line: LineAt<'_>,
        occurrences: &[Occurrences<'_>],
    ) -> Option<Difference> {
        let count = |lines: &Occurrences<'_>| lines.get(&line).copied().unwrap_or_default();
        let counts = occurrences.iter().map(count);
        let before = occurrences.iter().map(count);
        let fixed = self.steps.iter().skip(1).map(|step| step.sets.fixed());
        // That there is a bound shows only where knock itself meets it.
        let fixed = fixed.chain([Some(Difference::Unbounded)]);
        let turns =
            before.zip(counts.skip(1)).zip(fixed).filter(|((before, after), _)| match side {
                Side::Knockd08 => before > after,
                Side::Knock => before < after,
            });
        turns.last().and_then(|(_, fixes)| fixes)
    }

    fn have_met_their_bound(&self) -> bool {
        self.steps.iter().any(|step| is_met(step.sets.engine().counts()))
    }
}

impl Step {
    fn handle(&mut self, at: Timestamp, incoming: Incoming<'_>) {
        let Self { sets, effects, .. } = self;
        sets.handle(at, incoming, |_, timed| effects.extend(Some(timed).filter(is_shown)));
    }

    /// Writes the lines of what it did last. Those that knockd 0.8 has on standard error become messages.
    fn write_lines(&mut self, messages: &mut Vec<Line>) {
        let Self { sets, effects, lines } = self;
        let is_knockd_08 = sets.fixed().is_none();
        write(effects, sets.engine().doors(), lines, |line| {
            messages.extend(is_knockd_08.then(|| Line::from(line)));
        });
    }
}

fn names(doors: &Doors) -> impl Iterator<Item = &DoorName> {
    doors.in_order().map(|(_, door)| &door.name)
}

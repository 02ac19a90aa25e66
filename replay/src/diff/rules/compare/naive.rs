//! The same comparison, as simple as can be: every rule set has an engine of its own and handles
//! everything. What [`Comparison`](super::Comparison) says must be the same.

use std::collections::BTreeMap;
use std::convert::Infallible;

use knock_compat::{Difference, Engine, Rules, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{CommandsEnd, Counts, Doors, Event, Limits, LinkType, Listening, Timestamp};

use super::{Differing, Happening, Line, Side};

/// knockd 0.8, knock, and all rule sets in between, each of which fixes one more difference.
///
/// A line that knockd 0.8 prints and knock does not is due to the difference with which it goes; a
/// line that knock prints and knockd 0.8 does not, to the one with which it comes.
#[derive(Debug)]
pub(super) struct Naive {
    steps: Vec<Step>,
    /// What knockd 0.8 says on standard error.
    messages: Vec<Line>,
}

/// One of the rule sets.
#[derive(Debug)]
struct Step {
    /// The difference that it fixes and the one before does not; `None` for knockd 0.8 itself.
    fixes: Option<Difference>,
    engine: Engine,
    /// What it printed last.
    lines: Vec<Line>,
}

impl Naive {
    /// Begins a comparison. Commands succeed at once.
    pub(super) fn new(doors: &Doors, listening: &Listening, limits: &Limits) -> Self {
        let step = |fixes, rules: Rules| {
            let engine = rules.engine(doors.clone(), listening.clone(), limits);
            Step { fixes, engine, lines: Vec::new() }
        };
        // That there is a bound shows only where knock itself meets it.
        // Signed packets open doors only there, too.
        let is_bridged =
            |one: &Difference| !matches!(one, Difference::Unbounded | Difference::SignedPackets);
        let bridged = Difference::ALL.into_iter().filter(is_bridged);
        let mut steps = vec![step(None, Rules::Knockd08)];
        steps.extend(bridged.map(|one| step(Some(one), Rules::FixedUpTo(one))));
        steps.push(step(Some(Difference::Unbounded), Rules::Knock));
        Self { steps, messages: Vec::new() }
    }

    /// Lets something happen at `at`, and returns the lines that differ since the last time, in the
    /// order of their times.
    pub(super) fn step(&mut self, at: Timestamp, happening: &Happening<'_>) -> Vec<Differing> {
        let mut differing = Vec::new();
        // Lines of different times are never the same line, so nothing is lost by comparing those of
        // one time after those of another; and a pause after a flood does not make all lines at once.
        while let Some(due) = self.next_deadline().filter(|&due| due < at) {
            self.tell(due, &Happening::Time);
            differing.extend(self.differing());
        }
        self.tell(at, happening);
        differing.extend(self.differing());
        differing
    }

    fn next_deadline(&mut self) -> Option<Timestamp> {
        self.steps.iter().filter_map(|step| step.engine.poll_deadline()).map(|due| due.at).min()
    }

    fn tell(&mut self, at: Timestamp, happening: &Happening<'_>) {
        for step in &mut self.steps {
            step.lines.clear();
            let event = step.event(happening);
            step.handle(at, event, &mut self.messages);
        }
    }

    /// Takes what knockd 0.8 has said on standard error.
    pub(super) fn take_messages(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.messages)
    }

    /// Returns what one of the two has done so far, in numbers.
    pub(super) fn counts(&self, side: Side) -> Counts {
        let step = match side {
            Side::Knockd08 => self.steps.first(),
            Side::Knock => self.steps.last(),
        };
        step.map(|step| step.engine.counts()).unwrap_or_default()
    }

    fn differing(&mut self) -> Vec<Differing> {
        if self.steps.first().map(|step| &step.lines) == self.steps.last().map(|step| &step.lines) {
            return Vec::new();
        }
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else {
            return Vec::new();
        };
        let occurrences: Vec<Occurrences<'_>> =
            self.steps.iter().map(|step| occurrences(&step.lines)).collect();
        let (Some(of_first), Some(of_last)) = (occurrences.first(), occurrences.last()) else {
            return Vec::new();
        };
        let theirs = only_in(&first.lines, of_last).map(|line| (Side::Knockd08, line));
        let ours = only_in(&last.lines, of_first).map(|line| (Side::Knock, line));
        let mut differing: Vec<Differing> = theirs
            .chain(ours)
            .map(|(side, line)| Differing {
                side,
                due_to: self.cause(side, line, &occurrences),
                line: line.clone(),
            })
            .collect();
        differing.sort_by_key(|one| one.line.at);
        differing
    }

    /// Returns the last difference with which the line comes or goes for good.
    fn cause(
        &self,
        side: Side,
        line: &Line,
        occurrences: &[Occurrences<'_>],
    ) -> Option<Difference> {
        let count = |lines: &Occurrences<'_>| lines.get(line).copied().unwrap_or_default();
        let counts: Vec<u64> = occurrences.iter().map(count).collect();
        let fixed = self.steps.iter().skip(1).map(|step| step.fixes);
        let steps = counts.iter().zip(counts.iter().skip(1)).zip(fixed);
        let mut turns = steps.rev().filter(|((before, after), _)| match side {
            Side::Knockd08 => before > after,
            Side::Knock => before < after,
        });
        let cause = turns.next().and_then(|(_, fixes)| fixes);
        match cause {
            Some(Difference::Unbounded) if !self.has_met_its_bound() => self.signed(side),
            cause => cause,
        }
    }

    /// Returns the difference of lines that only knock prints, if it hears signed packets.
    fn signed(&self, side: Side) -> Option<Difference> {
        let doors = self.steps.last().map(|step| step.engine.doors());
        let is_signed = doors.is_some_and(|doors| doors.signing().is_some());
        (is_signed && side == Side::Knock).then_some(Difference::SignedPackets)
    }

    fn has_met_its_bound(&self) -> bool {
        self.steps.iter().any(|step| {
            let counts = step.engine.counts();
            let met = [
                counts.evicted,
                counts.forgotten_knocks,
                counts.forgotten_cooldowns,
                counts.forgotten_openings,
                counts.refused,
                counts.not_begun,
            ];
            met.iter().any(|&count| count > 0)
        })
    }
}

impl Step {
    /// Returns the event that it makes of a frame.
    fn event(&self, happening: &Happening<'_>) -> Event {
        match happening {
            Happening::Frame(link, frame) => self.frame(*link, frame),
            Happening::Addresses(listening) => Event::AddressesChanged(listening.clone()),
            Happening::Reloaded(doors) => Event::Reloaded(Box::new((*doors).clone())),
            Happening::Time => Event::DeadlineReached,
        }
    }

    fn frame(&self, link: LinkType, frame: &[u8]) -> Event {
        let decoded = knock_compat::decode(&self.engine, link, frame);
        let captured =
            |packet| Event::captured(link, frame, packet, self.engine.doors().signed_knock());
        decoded.map_or(Event::DeadlineReached, captured)
    }

    fn handle(&mut self, at: Timestamp, event: Event, messages: &mut Vec<Line>) {
        let Self { engine, lines, fixes } = self;
        let take = |engine: &Engine, TimedEffect { at, effect }: TimedEffect| {
            let mut text = Vec::new();
            match transcript::write(&effect, engine.doors(), &mut text) {
                Channel::Transcript => lines.push(Line { at, text }),
                Channel::Message if fixes.is_none() => messages.push(Line { at, text }),
                Channel::Message | Channel::Note => {}
            }
            Ok::<(), Infallible>(())
        };
        let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, take);
    }
}

/// How often each line was printed.
type Occurrences<'a> = BTreeMap<&'a Line, u64>;

fn occurrences(lines: &[Line]) -> Occurrences<'_> {
    let mut occurrences = Occurrences::new();
    for line in lines {
        let count = occurrences.entry(line).or_default();
        *count = count.saturating_add(1);
    }
    occurrences
}

/// Returns the lines that are more often in one list than in the other, as often as that.
fn only_in<'a>(one: &'a [Line], other: &Occurrences<'a>) -> impl Iterator<Item = &'a Line> {
    let mut rest = other.clone();
    one.iter().filter(move |line| match rest.get_mut(line) {
        Some(count) if *count > 0 => {
            *count = count.saturating_sub(1);
            false
        }
        Some(_) | None => true,
    })
}

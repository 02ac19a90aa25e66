//! Where knockd 0.8 and knock differ on the same packets, and why.

use std::collections::BTreeMap;
use std::convert::Infallible;

use knock_compat::{Difference, Engine, Rules, TimedEffect, Undecodable};
use knock_engine::transcript::{self, Channel};
use knock_engine::{CommandsEnd, Counts, Doors, Event, Limits, LinkType, Listening, Timestamp};

use super::kept::{Kept, What};

#[cfg(test)]
mod tests;

/// Whose transcript a line is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// That of knockd 0.8, and not that of knock.
    Knockd08,
    /// That of knock, and not that of knockd 0.8.
    Knock,
}

/// A line that only one of them prints, at least at that time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Who prints it.
    pub side: Side,
    /// The line and its time.
    pub line: Line,
    /// The difference that it is due to; `None` if it is none of those that are known, which is a
    /// fault of this program.
    pub due_to: Option<Difference>,
}

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// When it is printed.
    pub at: Timestamp,
    /// The text, without a newline.
    pub text: Vec<u8>,
}

/// What happens to all of them at once.
#[derive(Clone, Debug)]
pub enum Happening<'a> {
    /// A frame was captured.
    Frame(LinkType, &'a [u8]),
    /// The local addresses are other ones from now on.
    Addresses(Listening),
    /// The configuration was reloaded.
    Reloaded(&'a Doors),
    /// Nothing but time.
    Time,
}

/// knockd 0.8, knock, and all rule sets in between, each of which fixes one more difference.
///
/// A line that knockd 0.8 prints and knock does not is due to the difference with which it goes; a
/// line that knock prints and knockd 0.8 does not, to the one with which it comes.
///
/// As long as the two do the same, the rule sets in between are not asked: what happens is kept for them
/// until a line differs, or until it is too much to be kept.
#[derive(Debug)]
pub struct Comparison {
    steps: Vec<Step>,
    /// What those in between have not handled yet; `None` once they handle everything at once.
    kept: Option<Kept>,
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

impl Comparison {
    /// Begins a comparison. Commands succeed at once.
    #[must_use]
    pub fn new(doors: &Doors, listening: &Listening, limits: &Limits) -> Self {
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
        Self { steps, kept: Some(Kept::default()), messages: Vec::new() }
    }

    /// Lets something happen at `at`, and returns the lines that differ since the last time, in the
    /// order of their times.
    ///
    /// `undecodable` gets the reason why knock finds no port in a frame.
    pub fn step(
        &mut self,
        at: Timestamp,
        happening: &Happening<'_>,
        undecodable: impl FnOnce(Undecodable),
    ) -> Vec<Differing> {
        let mut differing = Vec::new();
        // Lines of different times are never the same line, so nothing is lost by comparing those of
        // one time after those of another; and a pause after a flood does not make all lines at once.
        while let Some(due) = self.next_deadline().filter(|&due| due < at) {
            self.tell(due, &Happening::Time);
            differing.extend(self.differing());
        }
        self.tell(at, happening).map(undecodable);
        differing.extend(self.differing());
        differing
    }

    /// Returns those that handle everything at once: all, or only knockd 0.8 and knock.
    fn driven(&mut self) -> impl Iterator<Item = &mut Step> {
        let all = self.kept.is_none();
        self.steps.iter_mut().filter(move |step| all || step.is_an_end())
    }

    /// Returns when something is due next for any of those that handle everything at once.
    fn next_deadline(&mut self) -> Option<Timestamp> {
        self.driven().filter_map(|step| step.engine.poll_deadline()).map(|due| due.at).min()
    }

    /// Lets something happen. Returns why knock finds no port in a frame.
    fn tell(&mut self, at: Timestamp, happening: &Happening<'_>) -> Option<Undecodable> {
        if matches!(happening, Happening::Reloaded(_)) {
            self.catch_up();
        }
        let (event, why) = self.decoded(happening);
        let mut messages = std::mem::take(&mut self.messages);
        for step in self.driven() {
            step.lines.clear();
            let event = event.clone().unwrap_or_else(|| step.event(happening));
            step.handle(at, event, &mut messages);
        }
        self.messages = messages;
        let has_room = self.kept.as_mut().is_none_or(|kept| kept.push(at, what(happening, event)));
        if !has_room {
            self.catch_up();
        }
        why
    }

    /// Returns the event, if it is the same for all, and why knock finds no port in a frame.
    fn decoded(&self, happening: &Happening<'_>) -> (Option<Event>, Option<Undecodable>) {
        match happening {
            Happening::Frame(link, frame) => {
                let Some(knock) = self.steps.last().map(|step| &step.engine) else {
                    return (None, None);
                };
                let decoded = knock_compat::decode(knock, *link, frame);
                let is_common = knock_compat::is_decoded_alike(knock.listening(), *link, frame);
                let captured =
                    |packet| Event::captured(*link, frame, packet, knock.doors().signed_knock());
                let event = decoded.map_or(Event::DeadlineReached, captured);
                (is_common.then_some(event), decoded.err())
            }
            Happening::Addresses(listening) => {
                (Some(Event::AddressesChanged(listening.clone())), None)
            }
            Happening::Reloaded(doors) => (Some(Event::Reloaded(Box::new((*doors).clone()))), None),
            Happening::Time => (Some(Event::DeadlineReached), None),
        }
    }

    /// Hands over what was kept to those in between. From now on they handle everything at once.
    fn catch_up(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        for step in self.steps.iter_mut().filter(|step| !step.is_an_end()) {
            for (at, what) in kept.iter() {
                step.lines.clear();
                let event = what.event(|link, frame| step.frame(link, frame));
                step.handle(at, event, &mut self.messages);
            }
        }
    }

    /// Takes what knockd 0.8 has said on standard error.
    pub fn take_messages(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.messages)
    }

    /// Returns what one of the two has done so far, in numbers.
    #[must_use]
    pub fn counts(&self, side: Side) -> Counts {
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
        self.catch_up();
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

/// Returns what is kept of something that happens, given the event if it is the same for all.
fn what(happening: &Happening<'_>, event: Option<Event>) -> What {
    match (happening, event) {
        (Happening::Addresses(listening), _) => What::Addresses(listening.clone()),
        (Happening::Frame(..), Some(Event::Packet(packet))) => What::Packet(packet),
        (Happening::Frame(..), Some(Event::SignedPacket(packet, payload))) => {
            What::SignedPacket(packet, payload)
        }
        (Happening::Frame(link, frame), None) => What::Frame(*link, (*frame).into()),
        (Happening::Frame(..) | Happening::Time | Happening::Reloaded(_), _) => What::Time,
    }
}

impl Step {
    /// Returns whether this is knockd 0.8 or knock.
    const fn is_an_end(&self) -> bool {
        matches!(self.fixes, None | Some(Difference::Unbounded))
    }

    /// Returns the event that it makes of a frame.
    fn event(&self, happening: &Happening<'_>) -> Event {
        let Happening::Frame(link, frame) = happening else { return Event::DeadlineReached };
        self.frame(*link, frame)
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

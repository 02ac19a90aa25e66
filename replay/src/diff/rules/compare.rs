//! Where knockd 0.8 and knock differ on the same packets, and why.

use std::convert::Infallible;

use knock_compat::{
    Decodings, Difference, Engine, Incoming, Neighbours, Rules, Sight, Undecodable,
};
use knock_engine::{CommandsEnd, Counts, Doors, Event, Limits, LinkType, Listening, Timestamp};

use super::lines::{LineAt, Lines, Occurrences};

#[cfg(test)]
mod naive;
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

/// What happens to all of them, decoded.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    /// The same for all.
    Event(Event),
    /// A frame came that they may decode in different ways.
    Frame {
        /// What knock sees.
        knock: Event,
        /// What the others see.
        others: Box<Decodings>,
    },
}

impl Seen {
    /// Decodes a frame. Also returns why knock finds no port in it.
    pub(super) fn of_frame(
        knock: Sight,
        listening: &Listening,
        link: LinkType,
        frame: &[u8],
    ) -> (Self, Result<(), Undecodable>) {
        let (event, found) = match knock.event(listening, link, frame) {
            Ok(event) => (event, Ok(())),
            Err(why) => (Event::DeadlineReached, Err(why)),
        };
        if knock_compat::is_decoded_alike(listening, link, frame) {
            return (Self::Event(event), found);
        }
        let others = Box::new(Decodings::of(listening, link, frame));
        (Self::Frame { knock: event, others }, found)
    }
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
/// Rule sets that have done the same so far are one [`Neighbours`], which is parted where they begin to
/// differ: as long as nothing differs, knockd 0.8 and all those in between are one.
#[derive(Debug)]
pub struct Comparison {
    /// knockd 0.8 first; all but knock.
    steps: Vec<Step>,
    knock: Engine,
    /// What knock printed last.
    lines: Lines,
    /// The latest time so far.
    now: Timestamp,
    /// What knockd 0.8 says on standard error.
    messages: Vec<Line>,
}

/// Some of the rule sets between knockd 0.8 and knock.
#[derive(Clone, Debug)]
struct Step {
    sets: Neighbours,
    /// What each printed last.
    lines: Lines,
}

impl Comparison {
    /// Begins a comparison. Commands succeed at once.
    #[must_use]
    pub fn new(doors: &Doors, listening: &Listening, limits: &Limits) -> Self {
        let all = Neighbours::all(doors, listening, limits);
        Self {
            steps: all.into_iter().map(|sets| Step { sets, lines: Lines::default() }).collect(),
            knock: Rules::Knock.engine(doors.clone(), listening.clone(), limits),
            lines: Lines::default(),
            now: Timestamp::MIN,
            messages: Vec::new(),
        }
    }

    /// Returns how knock sees frames.
    pub(super) fn sight(&self) -> Sight {
        Sight::of(&self.knock)
    }

    /// Prepares for something that will happen soon. This changes only the speed.
    pub(super) fn anticipate(&self, seen: &Seen) {
        if let Seen::Event(Event::Packet(packet)) = seen {
            self.knock.anticipate(packet);
        }
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
        let (seen, found) = match happening {
            Happening::Frame(link, frame) => {
                Seen::of_frame(self.sight(), self.knock.listening(), *link, frame)
            }
            Happening::Addresses(listening) => {
                (Seen::Event(Event::AddressesChanged(listening.clone())), Ok(()))
            }
            Happening::Reloaded(doors) => {
                (Seen::Event(Event::Reloaded(Box::new((*doors).clone()))), Ok(()))
            }
            Happening::Time => (Seen::Event(Event::DeadlineReached), Ok(())),
        };
        found.unwrap_or_else(undecodable);
        self.handle(at, seen)
    }

    /// Does the same with what is decoded.
    pub(super) fn handle(&mut self, at: Timestamp, seen: Seen) -> Vec<Differing> {
        let mut differing = Vec::new();
        // Lines of different times are never the same line, so nothing is lost by comparing those of
        // one time after those of another; and a pause after a flood does not make all lines at once.
        let mut due = self.next_deadline();
        while let Some(next) = due.filter(|&due| due < at) {
            self.tell(next, due, Seen::Event(Event::DeadlineReached));
            differing.extend(self.differing());
            due = self.next_deadline();
        }
        self.tell(at, due, seen);
        differing.extend(self.differing());
        differing
    }

    /// Returns when something is due next for any of them.
    fn next_deadline(&self) -> Option<Timestamp> {
        let knock = self.knock.poll_deadline().map(|deadline| deadline.at);
        self.steps.iter().filter_map(|step| step.sets.due()).chain(knock).min()
    }

    /// Lets something happen, when something is due next at `due`.
    fn tell(&mut self, at: Timestamp, due: Option<Timestamp>, seen: Seen) {
        self.now = self.now.max(at);
        for step in &mut self.steps {
            step.lines.clear();
        }
        if due.is_some_and(|due| due <= self.now) {
            self.let_time_pass(at);
        }
        let event = match seen {
            Seen::Event(event) => {
                self.tell_steps(at, Incoming::Event(&event));
                event
            }
            Seen::Frame { knock, others } => {
                self.tell_steps(at, Incoming::Frame(&others));
                knock
            }
        };
        let Self { knock, lines, .. } = self;
        lines.clear();
        let Ok(()) = knock.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            lines.add(engine.doors(), timed, |_| {});
            Ok::<(), Infallible>(())
        });
    }

    /// Lets all but knock do what is due up to `at`.
    fn let_time_pass(&mut self, at: Timestamp) {
        let now = self.now;
        self.part(|sets| sets.parts_in_time(now));
        for step in
            self.steps.iter_mut().filter(|step| step.sets.due().is_some_and(|due| due <= now))
        {
            step.handle(at, Incoming::Event(&Event::DeadlineReached), &mut self.messages);
        }
    }

    /// Lets something happen to all but knock, for whom nothing is due any more.
    fn tell_steps(&mut self, at: Timestamp, incoming: Incoming<'_>) {
        let now = self.now;
        self.part(|sets| sets.parts_at(now, at, incoming));
        for step in &mut self.steps {
            step.handle(at, incoming, &mut self.messages);
        }
    }

    /// Parts the rule sets that will differ, as `parts` says.
    fn part(&mut self, parts: impl Fn(&Neighbours) -> Option<Difference>) {
        let mut place = 0_usize;
        while let Some(step) = self.steps.get_mut(place) {
            let after = place.saturating_add(1);
            match parts(&step.sets) {
                Some(difference) => {
                    let sets = step.sets.split_off(difference);
                    let step = Step { sets, lines: step.lines.clone() };
                    self.steps.insert(after, step);
                }
                None => place = after,
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
        match side {
            Side::Knock => self.knock.counts(),
            Side::Knockd08 => {
                let counts = self.steps.first().map(|step| step.sets.engine().counts());
                // It remembers none; rule sets that have done the same so far do.
                Counts { forgotten_knocks: 0, ..counts.unwrap_or_default() }
            }
        }
    }

    fn differing(&self) -> Vec<Differing> {
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
        let mut differing: Vec<Differing> = theirs
            .chain(ours)
            .map(|(side, line)| Differing {
                side,
                due_to: self.cause(side, line, &occurrences),
                line: Line::from(line),
            })
            .collect();
        differing.sort_by_key(|one| one.line.at);
        differing
    }

    /// Returns the last difference with which the line comes or goes for good.
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
        let cause = turns.last().and_then(|(_, fixes)| fixes);
        match cause {
            Some(Difference::Unbounded) if !self.has_met_its_bound() => self.signed(side),
            cause => cause,
        }
    }

    /// Returns the difference of lines that only knock prints, if it hears signed packets.
    fn signed(&self, side: Side) -> Option<Difference> {
        let is_signed = self.knock.doors().signing().is_some();
        (is_signed && side == Side::Knock).then_some(Difference::SignedPackets)
    }

    fn has_met_its_bound(&self) -> bool {
        let steps = self.steps.iter().map(|step| step.sets.engine().counts());
        steps.chain([self.knock.counts()]).any(|counts| {
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
    fn handle(&mut self, at: Timestamp, incoming: Incoming<'_>, messages: &mut Vec<Line>) {
        let Self { sets, lines } = self;
        let is_knockd_08 = sets.fixed().is_none();
        sets.handle(at, incoming, |doors, timed| {
            lines.add(doors, timed, |line| {
                messages.extend(is_knockd_08.then(|| Line::from(line)));
            });
        });
    }
}

impl From<LineAt<'_>> for Line {
    fn from((at, text): LineAt<'_>) -> Self {
        Self { at, text: text.to_vec() }
    }
}

//! Who got in: every client for whom a door opened, also of those whose packets are not followed. A flood
//! of made-up knocks cannot crowd them out, as it opens nothing.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;

use knock_engine::{DoorId, Effect, Phase, TimedEffect, Timestamp};

/// All openings, by client and door.
#[derive(Debug)]
pub(super) struct Openings {
    limit: usize,
    list: Vec<Opening>,
    places: HashMap<(IpAddr, DoorId), usize>,
    /// How many openings are of further clients at doors.
    pub(super) left_out: u64,
    /// The lines of one-time sequences that opened their doors.
    pub(super) used: BTreeSet<(DoorId, u32)>,
}

/// A client for whom a door opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
    pub(super) times: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    /// When the stop command ran or the admission ended; `None` if the door is open ever since.
    pub(super) closed: Option<Timestamp>,
}

impl Openings {
    /// How many clients at doors are kept: some 100 MB.
    pub(super) const MOST: usize = 1_000_000;

    pub(super) fn new(limit: usize) -> Self {
        let (list, places, used) = (Vec::new(), HashMap::new(), BTreeSet::new());
        Self { limit, list, places, left_out: 0, used }
    }

    /// Takes an effect.
    #[inline]
    pub(super) fn see(&mut self, timed: &TimedEffect) {
        // Nearly all there is in a flood.
        if !matches!(
            timed.effect,
            Effect::StageReached { .. } | Effect::SequenceTimedOut { .. } | Effect::Note(_)
        ) {
            self.see_opening(*timed);
        }
    }

    fn see_opening(&mut self, TimedEffect { at, effect }: TimedEffect) {
        match effect {
            Effect::Opened { client, door } => self.opened(client, door, at),
            Effect::Admit { client, door, .. } => self.close(client, door, None),
            Effect::AdmissionEnded { client, door }
            | Effect::RunCommand { client, door, phase: Phase::Stop, .. } => {
                self.close(client, door, Some(at));
            }
            Effect::MarkOneTime { door, line, .. } => drop(self.used.insert((door, line))),
            Effect::StageReached { .. }
            | Effect::SequenceTimedOut { .. }
            | Effect::RunCommand { phase: Phase::Start, .. }
            | Effect::Closing { .. }
            | Effect::CommandTimedOut { .. }
            | Effect::CommandFailed { .. }
            | Effect::MarkPeriod { .. }
            | Effect::MarkMoment { .. }
            | Effect::NotSigned { .. }
            | Effect::DoorDisabled { .. }
            | Effect::OpeningRefused { .. }
            | Effect::OpeningSkipped { .. }
            | Effect::VoidedOften { .. }
            | Effect::ReloadRefused
            | Effect::Note(_) => {}
            Effect::Own(never) => match never {},
        }
    }

    fn opened(&mut self, client: IpAddr, door: DoorId, at: Timestamp) {
        if let Some(there) = self.get_mut(client, door) {
            there.times = there.times.saturating_add(1);
            (there.last, there.closed) = (at, None);
        } else if self.list.len() < self.limit {
            self.places.insert((client, door), self.list.len());
            self.list.push(Opening { client, door, times: 1, first: at, last: at, closed: None });
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    fn close(&mut self, client: IpAddr, door: DoorId, at: Option<Timestamp>) {
        if let Some(there) = self.get_mut(client, door) {
            there.closed = at;
        }
    }

    fn get_mut(&mut self, client: IpAddr, door: DoorId) -> Option<&mut Opening> {
        self.list.get_mut(*self.places.get(&(client, door))?)
    }

    /// Returns who got in, in the order in which they first did.
    pub(super) fn list(&self) -> &[Opening] {
        &self.list
    }
}

//! What a client's attempts at a door came to.

use std::cmp::Reverse;

use knock_engine::{Knock, Stage};
use smallvec::SmallVec;

use super::{Cause, Miss};
use crate::explain::explanation::{Late, Seen};

/// A miss at a stage, as it is kept for each client at a door: without room for what most have not.
#[derive(Clone, Debug)]
pub(super) struct Missed {
    pub(super) stage: Stage,
    pub(super) cause: Cause,
    pub(super) times: u64,
    expected: Option<Knock>,
    /// The miss, if there is more to it.
    pub(super) whole: Option<Box<Miss>>,
}

impl Missed {
    pub(super) fn new(stage: Stage, miss: Miss) -> Self {
        let Miss { cause, times, packet, expected, why, late_nanos, needed_seconds, signed } = miss;
        let is_plain = packet.is_none()
            && why.is_none()
            && late_nanos.is_none()
            && needed_seconds == 0
            && signed.is_none();
        let whole = (!is_plain).then(|| Box::new(miss));
        Self { stage, cause, times, expected, whole }
    }

    pub(super) fn miss(&self) -> Miss {
        let Self { stage: _, cause, times, expected, ref whole } = *self;
        whole.as_deref().map_or_else(
            || Miss { times, ..Miss::once(cause, None, expected) },
            |whole| Miss { times, ..*whole },
        )
    }

    /// Makes another miss of it.
    fn change(&mut self, change: impl FnOnce(&mut Miss)) {
        let mut miss = self.miss();
        change(&mut miss);
        *self = Self::new(self.stage, miss);
    }
}

/// What a client's attempts at a door came to.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Tally {
    pub(in super::super) openings: u64,
    pub(in super::super) attempts: u64,
    /// In order of stage and cause. Most clients fail in one way only, so this is no map.
    pub(super) misses: SmallVec<[Missed; 1]>,
}

impl Tally {
    pub(in super::super) const fn new() -> Self {
        Self { openings: 0, attempts: 0, misses: SmallVec::new_const() }
    }

    /// Counts a failure at `stage`.
    pub(in super::super) fn miss(&mut self, stage: Stage, miss: Miss) {
        match self.place(stage, miss.cause) {
            Ok(place) => {
                if let Some(there) = self.misses.get_mut(place) {
                    there.change(|there| there.add(miss));
                }
            }
            Err(place) => self.misses.insert(place, Missed::new(stage, miss)),
        }
    }

    /// Returns where the misses of a cause at a stage are, or where they would be.
    fn place(&self, stage: Stage, cause: Cause) -> Result<usize, usize> {
        self.misses.binary_search_by_key(&(stage, cause), |one| (one.stage, one.cause))
    }

    fn get_mut(&mut self, stage: Stage, cause: Cause) -> Option<&mut Missed> {
        let place = self.place(stage, cause).ok()?;
        self.misses.get_mut(place)
    }

    /// A failure that was counted for `cause` turns out to be a knock that came late.
    pub(in super::super) fn was_late(
        &mut self,
        stage: Stage,
        cause: Cause,
        packet: Seen,
        late: Late,
    ) {
        if let Some(there) = self.get_mut(stage, cause) {
            there.times = there.times.saturating_sub(1);
        }
        self.misses.retain(|miss| miss.times > 0);
        let by = late.by_nanos;
        self.miss(
            stage,
            Miss {
                late_nanos: Some((by, by)),
                needed_seconds: late.needed_seconds,
                ..Miss::once(Cause::Late, Some(packet), packet.knock)
            },
        );
    }

    /// Another knock of an attempt that was late came even later.
    pub(in super::super) fn was_later_still(&mut self, stage: Stage, late: Late) {
        if let Some(there) = self.get_mut(stage, Cause::Late) {
            there.change(|there| {
                there.needed_seconds = there.needed_seconds.max(late.needed_seconds);
            });
        }
    }

    /// Returns the greatest stage at which attempts failed, and how they did, the most frequent
    /// cause first.
    pub(super) fn nearest(&self) -> Option<(Stage, Vec<Miss>)> {
        let stage = self.misses.last()?.stage;
        let mut misses: Vec<Miss> = self.at(stage).map(Missed::miss).collect();
        misses.sort_by_key(|miss| (Reverse(miss.times), miss.cause));
        Some((stage, misses))
    }

    /// Returns those at a stage.
    pub(super) fn at(&self, stage: Stage) -> impl Iterator<Item = &Missed> {
        self.misses.iter().filter(move |miss| miss.stage == stage)
    }
}

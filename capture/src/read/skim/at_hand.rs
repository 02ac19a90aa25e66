//! Passing over packets of a stream: those at hand, one after another.
//!
//! They were just written, by a decompressor mostly, so they are in the cache of the processor, and there
//! is nothing to gain from walking at several places.

use knock_engine::{LinkType, Timestamp};

use super::lane::{Lane, Outcome};
use super::{Found, Passed, Walk};

/// How many packets are read plainly after many in a row that were all wanted.
const PAUSE_MAX: u32 = 64;

/// Where looking ahead saves something.
#[derive(Debug, Default)]
pub(in crate::read) struct AtHand {
    /// How many packets are read plainly now.
    plain: u32,
    /// How many are read plainly after the next one that is wanted at once.
    pause: u32,
}

impl AtHand {
    /// Returns where the first packet of these bytes is that is wanted or must be read plainly, what is passed
    /// over before it, and the latest time that was seen.
    pub(in crate::read) fn next(
        &mut self,
        walk: &impl Walk,
        bytes: &[u8],
        latest: Option<Timestamp>,
        is_unwanted: &(impl Fn(LinkType, &[u8]) -> bool + ?Sized),
    ) -> (usize, Passed, Option<Timestamp>) {
        if let Some(plain) = self.plain.checked_sub(1) {
            self.plain = plain;
            return (0, Passed::default(), latest);
        }
        let mut lane = Lane::new(0, bytes.len()).again(latest);
        while lane.has_found_none() && lane.step(walk, bytes, is_unwanted) {}
        let Outcome { mut found, rest, latest, end, .. } = lane.finish();
        let (at, passed) = found.pop().map_or((end, rest), |Found { at, before }| (at, before));
        if passed.packets > 0 {
            self.pause = 0;
        } else {
            self.plain = self.pause;
            self.pause = self.pause.saturating_mul(2).clamp(1, PAUSE_MAX);
        }
        (at, passed, latest)
    }
}

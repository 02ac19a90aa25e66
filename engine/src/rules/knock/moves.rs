//! What a packet does to attempts, door by door.

use super::attempt::Split;
use super::fingerprint::Fingerprint;
use crate::derived::PeriodMark;
use crate::doors::DoorId;
use crate::packet::Knock;
use crate::sequence::{Sequence, Stage, Step};

/// What a packet does to an attempt at one door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    /// Its place among those of the packet: attempts that began earlier come first, and those that began
    /// together are in the order of the file.
    pub(super) order: (usize, u64),
    pub(super) door: DoorId,
    pub(super) period: PeriodMark,
    pub(super) stage: Stage,
    /// The knock that counted last.
    pub(super) counted: Option<Fingerprint>,
    pub(super) what: What,
}

/// The effect of a packet on one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    /// The next knock.
    Advances,
    /// The last knock.
    Completes,
    /// A second try of the first knock.
    Restarts,
    /// A second try of another one.
    TriedAgain,
    /// The wrong flags.
    OtherFlags,
    /// The wrong knock.
    Voided,
}

impl What {
    /// Returns what a knock is to an attempt at a door with this sequence; `None` if it no longer counts.
    pub(super) fn of(
        knock: Knock,
        sequence: Option<&Sequence>,
        stage: Stage,
        has_flags: bool,
    ) -> Self {
        if !has_flags {
            return Self::OtherFlags;
        }
        let Some(sequence) = sequence else { return Self::Voided };
        match sequence.step(stage, knock) {
            Step::Next if sequence.is_complete_at(stage.next()) => Self::Completes,
            Step::Next => Self::Advances,
            Step::Again if stage == Stage::FIRST => Self::Restarts,
            Step::Again => Self::TriedAgain,
            Step::Wrong => Self::Voided,
        }
    }
}

impl Split {
    pub(super) fn count(&mut self, door: DoorId, what: What) {
        match what {
            What::Advances => {
                self.on = self.on.saturating_add(1);
                self.first_on = self.first_on.or(Some(door));
            }
            What::Completes | What::Voided => self.end = self.end.saturating_add(1),
            What::Restarts | What::TriedAgain | What::OtherFlags => {
                self.stay = self.stay.saturating_add(1);
                self.first_stay = self.first_stay.or(Some(door));
            }
        }
    }
}

//! The invariants.

use std::fmt;

/// What must be true after every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invariant {
    /// a: a door opens only for a client that made its knocks.
    OnlyKnocksOpen,
    /// b: an honest client gets in, whatever others do.
    HonestGetIn,
    /// c: every opening runs its start command, and every lease is closed once, when it is due.
    LeasesClose,
    /// j: a client is let in when a door opens that says so, and no longer than that, nor than the maximum
    /// in all.
    AdmissionsEnd,
    /// k: no door opens more often in a minute than it allows.
    OpeningsAreLimited,
    /// i: commands of one client and door run in turn, stop commands first.
    CommandsInTurn,
    /// d: nothing outlives its reason.
    NothingOutlivesItsReason,
    /// e: memory is bounded, and every loss is counted.
    MemoryIsBounded,
    /// f: time does not run backwards.
    TimeRunsForwards,
    /// g: the transcript and the counts are those of the model.
    ModelAgrees,
    /// h: nothing panics.
    NothingPanics,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnlyKnocksOpen => "a: a door opens only for a client that made its knocks",
            Self::HonestGetIn => "b: an honest client gets in, whatever others do",
            Self::LeasesClose => "c: every lease is closed once, when it is due",
            Self::AdmissionsEnd => "j: a client is let in for its time, and no longer",
            Self::OpeningsAreLimited => "k: no door opens more often in a minute than it allows",
            Self::CommandsInTurn => "i: commands of one client and door run in turn",
            Self::NothingOutlivesItsReason => "d: nothing outlives its reason",
            Self::MemoryIsBounded => "e: memory is bounded, and every loss is counted",
            Self::TimeRunsForwards => "f: time does not run backwards",
            Self::ModelAgrees => "g: the transcript is that of the model",
            Self::NothingPanics => "h: nothing panics",
        })
    }
}

/// A broken invariant, and what was seen.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) invariant: Invariant,
    pub(super) seen: String,
}

/// Fails if an invariant is broken.
pub(super) fn ensure(
    holds: bool,
    invariant: Invariant,
    seen: impl FnOnce() -> String,
) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken { invariant, seen: seen() }) }
}

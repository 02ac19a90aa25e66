//! A difference between the two configurations.

use std::net::IpAddr;

use knock_engine::{Phase, Timestamp};

use super::divergence::DivergenceId;
use super::event::{Key, Moment, Named, VisibleEvent, What};

/// An event that has no twin at the same time under the other configuration.
#[derive(Clone, Debug)]
pub(super) struct Unmatched {
    pub(super) event: VisibleEvent,
    /// Where the two had diverged.
    pub(super) divergence: Option<DivergenceId>,
}

impl Unmatched {
    /// If it is a command, returns whose it is, and whether it runs when the door closes.
    pub(super) fn command(&self) -> Option<(IpAddr, Named, bool)> {
        let Key { client, door, what } = &self.event.key;
        what.command().map(|(phase, _)| (*client, *door, phase == Phase::Stop))
    }
}

/// A difference under the new configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) client: IpAddr,
    pub(super) door: Named,
    pub(super) halves: Halves,
    /// Where the two had diverged.
    pub(super) divergence: Option<DivergenceId>,
}

/// What happens, and when.
pub(super) type Half = (What, Moment);

/// What happens under the old configuration, and what under the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Halves {
    /// It happens no more.
    Gone(Half),
    /// It did not happen before.
    New(Half),
    /// It happens at another time, or is a command with another text.
    Both(Half, Half),
}

/// In which way something is other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// It happens no more.
    Gone,
    /// It did not happen before.
    New,
    /// It happens at another time.
    Moved,
    /// It is a command with another text.
    Changed,
}

impl Change {
    pub(super) fn gone(one: Unmatched) -> Self {
        let Unmatched { event: VisibleEvent { key, moment }, divergence } = one;
        let Key { client, door, what } = key;
        Self { client, door, halves: Halves::Gone((what, moment)), divergence }
    }

    pub(super) fn appeared(one: Unmatched) -> Self {
        let Unmatched { event: VisibleEvent { key, moment }, divergence } = one;
        let Key { client, door, what } = key;
        Self { client, door, halves: Halves::New((what, moment)), divergence }
    }

    pub(super) fn pair(old: Unmatched, new: Unmatched) -> Self {
        let divergence = old.divergence.into_iter().chain(new.divergence).min();
        let Key { client, door, what } = old.event.key;
        let new = (new.event.key.what, new.event.moment);
        Self { client, door, halves: Halves::Both((what, old.event.moment), new), divergence }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.halves {
            Halves::Gone(_) => Kind::Gone,
            Halves::New(_) => Kind::New,
            Halves::Both((old, _), (new, _)) if old == new => Kind::Moved,
            Halves::Both(..) => Kind::Changed,
        }
    }

    pub(super) const fn old(&self) -> Option<&Half> {
        match &self.halves {
            Halves::Gone(old) | Halves::Both(old, _) => Some(old),
            Halves::New(_) => None,
        }
    }

    pub(super) const fn new_half(&self) -> Option<&Half> {
        match &self.halves {
            Halves::New(new) | Halves::Both(_, new) => Some(new),
            Halves::Gone(_) => None,
        }
    }

    /// Returns what it is about: of a command with another text, the old one.
    pub(super) const fn what(&self) -> &What {
        match &self.halves {
            Halves::Gone((what, _)) | Halves::New((what, _)) | Halves::Both((what, _), _) => what,
        }
    }

    /// Returns when it first happens under either.
    pub(super) fn at(&self) -> Timestamp {
        match &self.halves {
            Halves::Gone((_, one)) | Halves::New((_, one)) => one.at,
            Halves::Both((_, old), (_, new)) => old.at.min(new.at),
        }
    }
}

//! Effects that only one rule set has.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt::Debug;
use core::net::IpAddr;

#[cfg(doc)]
use super::kind::EffectKind;
use crate::doors::{DoorId, Doors};

/// Where the text of an effect belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The transcript: the lines that knockd 0.8 prints on standard output under `-v`.
    Transcript,
    /// Messages that an administrator should see at any verbosity.
    Message,
    /// Explanations for users who ask for them.
    Note,
}

/// An effect of a rule set beyond the common ones.
pub trait OwnEffect: Copy + Debug {
    /// Returns the name for programs, which no [`EffectKind`] has.
    #[must_use]
    fn name(&self) -> &'static str;

    /// Returns the client it is about, if it is about one.
    #[must_use]
    fn client(&self) -> Option<IpAddr>;

    /// Returns the door it is about, if it is about one.
    #[must_use]
    fn door(&self) -> Option<DoorId>;

    /// Appends its text to `out`, without a newline, and returns where it belongs.
    fn write(&self, doors: &Doors, out: &mut Vec<u8>) -> Channel;
}

impl OwnEffect for Infallible {
    fn name(&self) -> &'static str {
        match *self {}
    }

    fn client(&self) -> Option<IpAddr> {
        match *self {}
    }

    fn door(&self) -> Option<DoorId> {
        match *self {}
    }

    fn write(&self, _: &Doors, _: &mut Vec<u8>) -> Channel {
        match *self {}
    }
}

//! Why a frame is not a packet with a port, including the reasons of knockd 0.8 only.

use std::fmt;

use knock_engine::{LinkType, Reason as Common, Undecodable as Decode};

/// Why no port was found in a frame, under any rule set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// A reason under every rule set.
    Common(Decode),
    /// knockd 0.8 does not start on this link type.
    LinkTypeUnknownTo08(LinkType),
    /// knockd 0.8 does not understand IPv6 on this link type.
    Ipv6UnknownTo08(LinkType),
}

impl Undecodable {
    /// Returns the kind of the reason, to count by.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match *self {
            Self::Common(ref why) => Reason::Common(why.reason()),
            Self::LinkTypeUnknownTo08(_) | Self::Ipv6UnknownTo08(_) => Reason::UnknownTo08,
        }
    }
}

impl From<Decode> for Undecodable {
    fn from(why: Decode) -> Self {
        Self::Common(why)
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Common(why) => write!(out, "{why}"),
            Self::LinkTypeUnknownTo08(link) => write!(out, "knockd 0.8 does not know {link}"),
            Self::Ipv6UnknownTo08(link) => write!(out, "knockd 0.8 knows no IPv6 on {link}"),
        }
    }
}

impl std::error::Error for Undecodable {}

/// The kind of an [`Undecodable`]: few enough to count each in an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A kind under every rule set.
    Common(Common),
    /// [`Undecodable::LinkTypeUnknownTo08`], [`Undecodable::Ipv6UnknownTo08`].
    UnknownTo08,
}

impl Reason {
    /// How many reasons there are.
    pub const COUNT: usize = Common::COUNT + 1;

    /// Returns every kind once, in the order of [`index`](Self::index): first what is normal on a network,
    /// last what suggests damage.
    pub fn all() -> impl Iterator<Item = Self> {
        let common = Common::ALL.map(Self::Common).into_iter();
        let (sound, damage) = common.partition::<Vec<_>, _>(|reason| !reason.is_damage());
        sound.into_iter().chain([Self::UnknownTo08]).chain(damage)
    }

    /// Returns its place among all, below [`Reason::COUNT`].
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Common(reason) if reason.is_damage() => reason.index().saturating_add(1),
            Self::Common(reason) => reason.index(),
            Self::UnknownTo08 => Common::SOUND,
        }
    }

    /// Returns whether the frame is damaged or was cut short.
    #[must_use]
    pub const fn is_damage(self) -> bool {
        match self {
            Self::Common(reason) => reason.is_damage(),
            Self::UnknownTo08 => false,
        }
    }
}

/// Prints words that can follow any number of packets.
impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Common(reason) => write!(out, "{reason}"),
            Self::UnknownTo08 => out.write_str("of a kind that knockd 0.8 cannot read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_at_its_index() {
        assert!(Reason::all().map(Reason::index).eq(0..Reason::COUNT));
    }
}

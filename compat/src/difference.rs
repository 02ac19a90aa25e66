//! The differences between knock and knockd 0.8.

use std::fmt;

/// A difference between knock and knockd 0.8 that a transcript can show; `docs/differences.md` says
/// more about each, under the same number. The missing numbers are differences in other areas, such
/// as the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Difference {
    /// knockd 0.8 does not start on other link types than Ethernet, Linux cooked and raw IP.
    LinkTypes = 1,
    /// It does not understand IPv6 on Linux cooked and raw IP.
    CookedIpv6 = 2,
    /// It does not see frames with a VLAN tag.
    VlanTags = 3,
    /// It does not see IPv6 packets with extension headers.
    ExtensionHeaders = 4,
    /// It trusts an IPv4 header length below 20 bytes.
    HeaderLength = 5,
    /// It treats TCP flags that were not captured as not set.
    CutFlags = 6,
    /// It compares a target as text.
    TargetText = 7,
    /// It tests the TCP flags of packets to a target only if it has a local address of that family.
    TargetFamily = 8,
    /// Without a local address it sees every packet.
    NoAddress = 9,
    /// It hears an IPv6 target even with `-4`.
    Ipv4Only = 10,
    /// When the oldest of all attempts ends, it forgets all others.
    Forgetting = 11,
    /// It treats the retransmission of a knock as a wrong knock.
    Retransmission = 12,
    /// A knock that ends an attempt cannot begin another.
    WrongKnock = 13,
    /// A client that is at one door cannot begin at another.
    BusyClient = 14,
    /// It counts time in whole seconds.
    WholeSeconds = 15,
    /// When the clock goes back, attempts live longer.
    ClockBack = 16,
    /// It reports a sequence timeout when it sees the next packet, or never.
    LateTimeout = 17,
    /// It has no limit on the number of attempts.
    Unbounded = 18,
    /// It crashes when the last one-time sequence is used up.
    OneTimeCrash = 19,
    /// The attempt that opened a door goes on in a longer next one-time sequence.
    OneTimeOpener = 20,
    /// The attempts of others go on in the next one-time sequence.
    OneTimeOthers = 21,
    /// Over IPv6 it always sees the first one-time sequence.
    OneTimeFilter = 22,
    /// It does not start if no one-time sequence of a door is left.
    OneTimeNoneLeft = 24,
    /// It runs an empty stop command.
    EmptyStopCommand = 25,
    /// It runs no command of 4,096 bytes or more.
    LongCommand = 26,
    /// It cuts the names of doors to 127 bytes.
    LongName = 27,
    /// It forgets all attempts at a reload.
    Reload = 37,
    /// A second try of the knock just made voids the attempt.
    SecondTry = 56,
    /// It hears packets from addresses that no host has.
    NoHost = 57,
    /// Each opening has a deadline of its own, and there is neither `On_Reknock` nor `Seq_Cooldown`.
    Reknock = 58,
    /// It has no `Open`.
    Open = 70,
    /// It has no `Allow` and `Deny`, and no limits of openings.
    Limits = 73,
    /// It has no `Sequence_Key`.
    DerivedSequences = 75,
    /// It has no `Signed`.
    SignedPackets = 76,
}

impl Difference {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 34] = [
        Self::LinkTypes,
        Self::CookedIpv6,
        Self::VlanTags,
        Self::ExtensionHeaders,
        Self::HeaderLength,
        Self::CutFlags,
        Self::TargetText,
        Self::TargetFamily,
        Self::NoAddress,
        Self::Ipv4Only,
        Self::Forgetting,
        Self::Retransmission,
        Self::WrongKnock,
        Self::BusyClient,
        Self::WholeSeconds,
        Self::ClockBack,
        Self::LateTimeout,
        Self::Unbounded,
        Self::OneTimeCrash,
        Self::OneTimeOpener,
        Self::OneTimeOthers,
        Self::OneTimeFilter,
        Self::OneTimeNoneLeft,
        Self::EmptyStopCommand,
        Self::LongCommand,
        Self::LongName,
        Self::Reload,
        Self::SecondTry,
        Self::NoHost,
        Self::Reknock,
        Self::Open,
        Self::Limits,
        Self::DerivedSequences,
        Self::SignedPackets,
    ];

    /// Returns its number in `docs/differences.md`.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "the discriminants of the enum are the numbers")]
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What knockd 0.8 does, in a few words.
impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::LinkTypes => "knockd 0.8 does not start on this link type",
            Self::CookedIpv6 => "knockd 0.8 knows no IPv6 on Linux cooked and raw IP",
            Self::VlanTags => "knockd 0.8 does not see VLAN-tagged frames",
            Self::ExtensionHeaders => "knockd 0.8 does not see IPv6 with extension headers",
            Self::HeaderLength => "knockd 0.8 trusts an impossible IPv4 header length",
            Self::CutFlags => "knockd 0.8 treats TCP flags that were not captured as not set",
            Self::TargetText => "knockd 0.8 compares a target as text",
            Self::TargetFamily => {
                "knockd 0.8 tests the flags for a target only with a local address of its family"
            }
            Self::NoAddress => "knockd 0.8 sees every packet if it has no local address",
            Self::Ipv4Only => "knockd 0.8 hears an IPv6 target even with -4",
            Self::Forgetting => "knockd 0.8 forgets all attempts when the oldest ends",
            Self::Retransmission => "knockd 0.8 treats a retransmission as a wrong knock",
            Self::WrongKnock => "in knockd 0.8, a wrong knock begins no attempt at another door",
            Self::BusyClient => "in knockd 0.8, a client at one door cannot begin at another",
            Self::WholeSeconds => "knockd 0.8 counts time in whole seconds",
            Self::ClockBack => "in knockd 0.8, attempts live longer when the clock goes back",
            Self::LateTimeout => "knockd 0.8 reports a timeout at the next packet, or never",
            Self::Unbounded => "knockd 0.8 has no limit on the number of attempts",
            Self::OneTimeCrash => "knockd 0.8 crashes when the last one-time sequence is used up",
            Self::OneTimeOpener => {
                "in knockd 0.8, the client that used a one-time sequence is part-way through the next"
            }
            Self::OneTimeOthers => "in knockd 0.8, others keep their stage in the next one-time sequence",
            Self::OneTimeFilter => "knockd 0.8 sees only the first one-time sequence over IPv6",
            Self::OneTimeNoneLeft => "knockd 0.8 does not start without a one-time sequence left",
            Self::EmptyStopCommand => "knockd 0.8 runs an empty stop command",
            Self::LongCommand => "knockd 0.8 runs no command of 4,096 bytes or more",
            Self::LongName => "knockd 0.8 cuts the name of a door to 127 bytes",
            Self::Reload => "knockd 0.8 forgets all attempts at a reload",
            Self::SecondTry => "a second try of a knock voids the attempt in knockd 0.8",
            Self::NoHost => "knockd 0.8 hears packets from addresses that no host has",
            Self::Open => "knockd 0.8 opens no ports itself",
            Self::Limits => "knockd 0.8 limits neither clients nor openings",
            Self::DerivedSequences => "knockd 0.8 derives no sequences from a key",
            Self::SignedPackets => "knockd 0.8 knows no signed packets",
            Self::Reknock => "knockd 0.8 closes a door that is opened again at its first deadline",
        })
    }
}

/// The differences up to one are fixed, in the order of their numbers; none of them for `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FixedUpTo(pub Option<Difference>);

impl FixedUpTo {
    /// Returns whether this difference is fixed.
    #[must_use]
    pub fn has(self, difference: Difference) -> bool {
        self.0.is_some_and(|last| difference <= last)
    }

    /// Returns the differences before one.
    pub(crate) fn before(difference: Difference) -> Self {
        Self(Difference::ALL.into_iter().rfind(|&other| other < difference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_in_the_order_of_their_numbers() {
        assert!(Difference::ALL.is_sorted_by(|one, other| one.number() < other.number()));
    }
}

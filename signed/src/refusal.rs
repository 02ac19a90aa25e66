//! Why a signed packet opens nothing.

use core::fmt;

/// Why a signed packet opens nothing, in the order of the checks.
///
/// Those from [`Refusal::KeyExpired`] on, but for the clock, the server and the moment, are found by whoever
/// knows users and doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It has another length than such packets have.
    Length,
    /// It was made with none of the keys, or not about now.
    HintUnknown,
    /// It was changed on its way, or made by somebody who only knew the hint.
    Forged,
    /// It is of another version.
    Version {
        /// Its version.
        version: u8,
    },
    /// A field has a value that this version does not know.
    Field(Field),
    /// Its key is no longer valid.
    KeyExpired,
    /// The clock of the client is wrong.
    ClockOff {
        /// How many nanoseconds it is ahead of the time at which the packet came; negative if behind.
        ahead: i64,
    },
    /// It was made for another server.
    OtherServer,
    /// A packet with its moment was accepted before: this is a replay.
    MomentUsed,
    /// Its moment is older than those that are remembered.
    MomentOld,
    /// No door has its name.
    DoorUnknown,
    /// The door or the key does not admit this user there.
    DoorForbidden,
    /// The address to admit is not that of the sender.
    AddressMismatch,
    /// The address to admit is one that no host has, or that the door does not take from a packet.
    AddressForbidden,
    /// The prefix to admit is wider than the door allows.
    PrefixForbidden,
}

/// A field of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// What to do.
    Verb,
    /// Flags, of which this version has none.
    Flags,
    /// The length of the prefix to admit.
    Prefix,
}

impl Field {
    const fn unknown(self) -> &'static str {
        match self {
            Self::Verb => "an unknown verb",
            Self::Flags => "unknown flags",
            Self::Prefix => "an unknown prefix length",
        }
    }
}

impl Refusal {
    /// Returns its name in JSON and other output for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Length => "wrong-length",
            Self::HintUnknown => "unknown-key",
            Self::Forged => "not-authentic",
            Self::Version { .. } => "unknown-version",
            Self::Field(_) => "bad-field",
            Self::KeyExpired => "key-expired",
            Self::ClockOff { .. } => "clock-off",
            Self::OtherServer => "other-server",
            Self::MomentUsed => "moment-used",
            Self::MomentOld => "moment-old",
            Self::DoorUnknown => "unknown-door",
            Self::DoorForbidden => "door-not-allowed",
            Self::AddressMismatch => "address-differs",
            Self::AddressForbidden => "address-not-allowed",
            Self::PrefixForbidden => "prefix-too-wide",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match *self {
            Self::Length => "not as long as a signed packet",
            Self::HintUnknown => "made with an unknown key, or not about now",
            Self::Forged => "changed on its way, or forged",
            Self::Version { version } => return write!(out, "of the unknown version {version}"),
            Self::Field(field) => return write!(out, "with {}", field.unknown()),
            Self::KeyExpired => "made with a key that has expired",
            Self::ClockOff { ahead } => {
                let way = if ahead < 0 { "behind" } else { "ahead" };
                let seconds = ahead.unsigned_abs() / 1_000_000_000;
                return write!(out, "made by a clock that is {seconds} s {way}");
            }
            Self::OtherServer => "made for another server",
            Self::MomentUsed => "a replay of an accepted packet",
            Self::MomentOld => "older than the packets that are remembered",
            Self::DoorUnknown => "for an unknown door",
            Self::DoorForbidden => "for a door that this user may not open",
            Self::AddressMismatch => "for another address than its sender's",
            Self::AddressForbidden => "for an address that is not allowed",
            Self::PrefixForbidden => "for more addresses than are allowed",
        };
        out.write_str(text)
    }
}

impl core::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn each_has_a_name_and_words() {
        let clock = |ahead| Refusal::ClockOff { ahead };
        for (refusal, name, words) in [
            (Refusal::Length, "wrong-length", "not as long as a signed packet"),
            (Refusal::HintUnknown, "unknown-key", "made with an unknown key, or not about now"),
            (Refusal::Forged, "not-authentic", "changed on its way, or forged"),
            (Refusal::Version { version: 7 }, "unknown-version", "of the unknown version 7"),
            (Refusal::Field(Field::Verb), "bad-field", "with an unknown verb"),
            (Refusal::Field(Field::Flags), "bad-field", "with unknown flags"),
            (Refusal::Field(Field::Prefix), "bad-field", "with an unknown prefix length"),
            (Refusal::KeyExpired, "key-expired", "made with a key that has expired"),
            (clock(-90_999_999_999), "clock-off", "made by a clock that is 90 s behind"),
            (clock(90_999_999_999), "clock-off", "made by a clock that is 90 s ahead"),
            (clock(0), "clock-off", "made by a clock that is 0 s ahead"),
            (Refusal::OtherServer, "other-server", "made for another server"),
            (Refusal::MomentUsed, "moment-used", "a replay of an accepted packet"),
            (Refusal::MomentOld, "moment-old", "older than the packets that are remembered"),
            (Refusal::DoorUnknown, "unknown-door", "for an unknown door"),
            (Refusal::DoorForbidden, "door-not-allowed", "for a door that this user may not open"),
            (Refusal::AddressMismatch, "address-differs", "for another address than its sender's"),
            (
                Refusal::AddressForbidden,
                "address-not-allowed",
                "for an address that is not allowed",
            ),
            (Refusal::PrefixForbidden, "prefix-too-wide", "for more addresses than are allowed"),
        ] {
            assert_eq!((refusal.name(), refusal.to_string().as_str()), (name, words));
        }
    }
}

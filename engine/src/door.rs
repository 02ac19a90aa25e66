//! Doors: the meaning of the sections of a `knockd.conf`.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::net::IpAddr;

use crate::admission::Admission;
use crate::command::Commands;
use crate::derived::DerivedSequence;
use crate::one_time::OneTimeSequences;
use crate::packet::{Knock, TcpFlags, Transport};
use crate::per_minute::OpeningLimits;
use crate::sequence::Sequence;
use crate::signed_door::SignedDoor;
use crate::sources::Sources;
use crate::time::Seconds;

/// The name of a door, as bytes: knockd 0.8 prints whatever bytes are between the brackets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct DoorName(Box<[u8]>);

impl DoorName {
    /// Takes the text between the brackets.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for DoorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for DoorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DoorName(\"{}\")", self.0.escape_ascii())
    }
}

/// Which TCP flags a door asks for: each is wanted, refused or ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlagRule {
    wanted: TcpFlags,
    refused: TcpFlags,
}

impl FlagRule {
    /// Returns the rule with this flag wanted; the last mention of a flag counts.
    #[must_use]
    pub const fn want(self, flag: TcpFlags) -> Self {
        Self { wanted: self.wanted.union(flag), refused: self.refused.difference(flag) }
    }

    /// Returns the rule with this flag refused; the last mention of a flag counts.
    #[must_use]
    pub const fn refuse(self, flag: TcpFlags) -> Self {
        Self { wanted: self.wanted.difference(flag), refused: self.refused.union(flag) }
    }

    /// Returns the flags that a packet must have.
    #[must_use]
    pub const fn wanted(self) -> TcpFlags {
        self.wanted
    }

    /// Returns the flags that must not be set.
    #[must_use]
    pub const fn refused(self) -> TcpFlags {
        self.refused
    }

    /// Returns the mask and value of the rule: `flags & mask == value`.
    pub(crate) const fn mask_and_value(self) -> (u8, u8) {
        (self.wanted.union(self.refused).0, self.wanted.0)
    }

    /// Returns whether one packet can satisfy both rules.
    #[must_use]
    pub const fn agrees_with(self, other: Self) -> bool {
        let (mask, value) = self.mask_and_value();
        let (other_mask, other_value) = other.mask_and_value();
        let both = mask & other_mask;
        value & both == other_value & both
    }

    /// Returns whether a packet has the flags asked for.
    ///
    /// UDP always has (case `d-udp-step-has-no-flags`). A TCP packet that was cut before its flags
    /// matches only if the rule asks for none.
    #[must_use]
    #[inline]
    pub fn is_satisfied_by(self, transport: Transport) -> bool {
        match transport {
            Transport::Udp => true,
            Transport::Tcp(header) => match header.flags {
                Some(flags) => flags.contains(self.wanted) && !flags.intersects(self.refused),
                None => self == Self::default(),
            },
        }
    }
}

/// Where a door's sequence comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoorSequence {
    /// `Sequence`: always the same.
    Fixed(Sequence),
    /// `One_Time_Sequences`: each opens the door once.
    OneTime(OneTimeSequences),
    /// `Sequence_Key`: another one in each period of time.
    Derived(DerivedSequence),
    /// No sequence opens the door: only signed packets do.
    None,
}

/// The destination of a door's knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: IpAddr,
    /// Whether the configuration spells it as `inet_ntop` does. A door with another spelling never opens
    /// under knockd 0.8, which compares texts (case `a-target-is-literal-text`).
    pub is_as_printed: bool,
}

impl From<IpAddr> for Target {
    fn from(address: IpAddr) -> Self {
        Self { address, is_as_printed: true }
    }
}

/// A door: one named section of a `knockd.conf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The name of its section; two doors may share one.
    pub name: DoorName,
    /// The knocks that open it.
    pub sequence: DoorSequence,
    /// The signed packets that open it; `None` for none.
    pub signed: Option<SignedDoor>,
    /// The time from the first knock to the last, exclusive.
    pub seq_timeout: Seconds,
    /// The TCP flags that count.
    pub flags: FlagRule,
    /// The destination that counts; `None`: the local addresses.
    pub target: Option<Target>,
    /// The clients that count.
    pub sources: Sources,
    /// What to run.
    pub commands: Commands,
    /// The time from the end of the start command to the stop command.
    pub cmd_timeout: Seconds,
    /// What the door lets its clients reach, if it does not leave that to commands.
    pub admission: Option<Admission>,
    /// What an opening does for a client for whom the door is open.
    pub on_reknock: OnReknock,
    /// How long after an opening further ones of the same client are ignored; `None`: not at all.
    pub seq_cooldown: Option<Seconds>,
    /// How often it opens in a minute; beyond it, openings are ignored.
    pub opening_limits: OpeningLimits,
}

/// What an opening does for a client for whom the door is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnReknock {
    /// The start command runs again, and all stop commands run at the latest of their deadlines. An
    /// admission is renewed.
    #[default]
    Extend,
    /// The start command runs again, and each opening has a deadline of its own. An admission is renewed,
    /// as a client has one at most.
    Separate,
    /// Nothing.
    Ignore,
}

impl Door {
    /// Makes a door with the defaults of `knockd.conf`: 25 seconds for the sequence and 10 until the
    /// stop command, any TCP flags, the local addresses, all clients, no commands, nothing to reach, and no limits.
    #[must_use]
    pub fn new(name: DoorName, sequence: DoorSequence) -> Self {
        const SEQ_TIMEOUT: Seconds = Seconds::new(25).unwrap();
        const CMD_TIMEOUT: Seconds = Seconds::new(10).unwrap();
        Self {
            name,
            sequence,
            signed: None,
            seq_timeout: SEQ_TIMEOUT,
            flags: FlagRule::default(),
            target: None,
            sources: Sources::default(),
            commands: Commands::default(),
            cmd_timeout: CMD_TIMEOUT,
            admission: None,
            on_reknock: OnReknock::default(),
            seq_cooldown: None,
            opening_limits: OpeningLimits::default(),
        }
    }

    /// Returns the sequence that opens the door now; `None` if its one-time sequences are used up, if it
    /// derives them from the time, or if it has none.
    #[must_use]
    pub fn sequence(&self) -> Option<&Sequence> {
        match &self.sequence {
            DoorSequence::Fixed(sequence) => Some(sequence),
            DoorSequence::OneTime(sequences) => sequences.next().map(|line| &line.sequence),
            DoorSequence::Derived(_) | DoorSequence::None => None,
        }
    }

    /// Returns how many knocks open the door now; `None` if its one-time sequences are used up, or if it has no sequence.
    #[must_use]
    pub fn knock_count(&self) -> Option<usize> {
        match &self.sequence {
            DoorSequence::Derived(derived) => Some(derived.knocks().into()),
            DoorSequence::Fixed(_) | DoorSequence::OneTime(_) | DoorSequence::None => {
                self.sequence().map(|sequence| sequence.knocks().len())
            }
        }
    }

    /// Returns whether a knock is in the sequence that opens the door now, or may be in a derived one.
    #[must_use]
    pub fn names(&self, knock: Knock) -> bool {
        match &self.sequence {
            DoorSequence::Derived(derived) => derived.names(knock),
            DoorSequence::Fixed(_) | DoorSequence::OneTime(_) | DoorSequence::None => {
                self.sequence().is_some_and(|sequence| sequence.knocks().contains(&knock))
            }
        }
    }

    /// Returns whether no sequence opens the door any more, as its one-time sequences are used up.
    #[must_use]
    pub fn is_disabled(&self) -> bool {
        matches!(&self.sequence, DoorSequence::OneTime(sequences) if sequences.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;
    use crate::packet::TcpHeader;

    fn tcp(flags: Option<TcpFlags>) -> Transport {
        Transport::Tcp(TcpHeader { sequence_number: Some(1), flags })
    }

    #[test]
    fn flag_rules_agree_if_one_packet_satisfies_both() {
        let syn = FlagRule::default().want(TcpFlags::SYN);
        assert!(syn.agrees_with(FlagRule::default()));
        assert!(syn.agrees_with(FlagRule::default().want(TcpFlags::ACK)));
        assert!(!syn.agrees_with(FlagRule::default().refuse(TcpFlags::SYN)));
    }

    #[test]
    fn a_name_can_be_shown_whatever_its_bytes() {
        let name = DoorName::new(b"a \"b\"\xff\x1b");
        assert_eq!(name.to_string(), "a \"b\"\u{fffd}\x1b");
        assert_eq!(alloc::format!("{name:?}"), r#"DoorName("a \"b\"\xff\x1b")"#);
    }

    #[test]
    fn wanted_flags_must_be_set_and_refused_flags_must_not() {
        let rule = FlagRule::default().want(TcpFlags::SYN).refuse(TcpFlags::ACK);
        assert!(rule.is_satisfied_by(tcp(Some(TcpFlags::SYN))));
        assert!(rule.is_satisfied_by(tcp(Some(TcpFlags::SYN.union(TcpFlags(0xc0))))));
        assert!(!rule.is_satisfied_by(tcp(Some(TcpFlags::SYN.union(TcpFlags::ACK)))));
        assert!(!rule.is_satisfied_by(tcp(Some(TcpFlags(0)))));
    }

    #[test]
    fn the_last_mention_of_a_flag_counts() {
        let rule = FlagRule::default().refuse(TcpFlags::SYN).want(TcpFlags::SYN);
        assert!(rule.is_satisfied_by(tcp(Some(TcpFlags::SYN))));
        let rule = rule.refuse(TcpFlags::SYN);
        assert!(!rule.is_satisfied_by(tcp(Some(TcpFlags::SYN))));
    }

    #[test]
    fn a_flag_that_is_mentioned_twice_counts_as_one_mentioned_once() {
        let wanted = FlagRule::default().want(TcpFlags::SYN);
        assert_eq!(wanted.want(TcpFlags::SYN), wanted);
        let refused = FlagRule::default().refuse(TcpFlags::SYN);
        assert_eq!(refused.refuse(TcpFlags::SYN), refused);
    }

    #[test]
    fn missing_flags_satisfy_only_a_rule_without_flags() {
        assert!(FlagRule::default().is_satisfied_by(tcp(None)));
        assert!(!FlagRule::default().refuse(TcpFlags::ACK).is_satisfied_by(tcp(None)));
    }

    #[test]
    fn udp_satisfies_every_rule() {
        assert!(FlagRule::default().want(TcpFlags::SYN).is_satisfied_by(Transport::Udp));
    }
}

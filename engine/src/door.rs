//! Doors: what the sections of a `knockd.conf` mean.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use crate::command::Commands;
use crate::one_time::OneTimeSequences;
use crate::packet::{Knock, TcpFlags, Transport};
use crate::time::Seconds;

/// The name of a door, as bytes: knockd 0.8 prints whatever bytes stand between the brackets.
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

/// How many knocks of a sequence are made: 0 to 32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stage(u8);

impl Stage {
    /// No knock made.
    pub const NONE: Self = Self(0);
    /// One knock made.
    pub const FIRST: Self = Self(1);

    /// Takes a number of knocks made; `None` above [`Sequence::MAX_KNOCKS`].
    #[must_use]
    pub const fn new(knocks: u8) -> Option<Self> {
        if knocks <= Self::LAST { Some(Self(knocks)) } else { None }
    }

    /// [`Sequence::MAX_KNOCKS`] as a stage.
    const LAST: u8 = 32;

    /// Returns the number of knocks made.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Returns the stage after one more knock.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The knocks that open a door, in order: 1 to 32 of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sequence(Box<[Knock]>);

/// What a knock is to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The knock that comes next.
    Next,
    /// The knock that was made last, where another one comes next.
    Again,
    /// Any other knock.
    Wrong,
}

/// Why a list of knocks is not a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceError {
    /// There is no knock in it.
    Empty,
    /// There are more than [`Sequence::MAX_KNOCKS`].
    TooLong,
    /// Port 0 is in it; no packet can be sent there on purpose.
    PortZero,
}

impl Sequence {
    /// The most knocks a sequence may have, as in knockd 0.8.
    pub const MAX_KNOCKS: usize = 32;

    /// Takes 1 to 32 knocks.
    ///
    /// # Errors
    /// [`SequenceError`] if there are none, too many, or one is to port 0.
    pub fn new(knocks: Vec<Knock>) -> Result<Self, SequenceError> {
        if knocks.is_empty() {
            return Err(SequenceError::Empty);
        }
        if knocks.len() > Self::MAX_KNOCKS {
            return Err(SequenceError::TooLong);
        }
        if knocks.iter().any(|knock| knock.port.0 == 0) {
            return Err(SequenceError::PortZero);
        }
        Ok(Self(knocks.into_boxed_slice()))
    }

    /// Returns the knocks in order.
    #[must_use]
    pub fn knocks(&self) -> &[Knock] {
        &self.0
    }

    /// Returns the knock that takes an attempt beyond `stage`.
    #[must_use]
    pub fn after(&self, stage: Stage) -> Option<Knock> {
        self.0.get(usize::from(stage.get())).copied()
    }

    /// Returns what a knock is to an attempt at `stage`.
    #[must_use]
    pub fn step(&self, stage: Stage, knock: Knock) -> Step {
        let at = usize::from(stage.get());
        if self.0.get(at) == Some(&knock) {
            Step::Next
        } else if at.checked_sub(1).and_then(|last| self.0.get(last)) == Some(&knock) {
            Step::Again
        } else {
            Step::Wrong
        }
    }

    /// Returns whether `stage` is the whole sequence.
    #[must_use]
    pub fn is_complete_at(&self, stage: Stage) -> bool {
        usize::from(stage.get()) >= self.0.len()
    }
}

/// Which TCP flags a door asks for: each is wanted, refused or of no interest.
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

    /// Returns which bits count and how they must stand: `flags & mask == value`.
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
    /// has them only if none are asked for.
    #[must_use]
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
}

/// The destination of a door's knocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address.
    pub address: IpAddr,
    /// Whether the configuration writes it as `inet_ntop` does. A door with another spelling never
    /// opens under knockd 0.8, which compares texts (case `a-target-is-literal-text`).
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
    /// The time from the first knock to the last, exclusive.
    pub seq_timeout: Seconds,
    /// The TCP flags that count.
    pub flags: FlagRule,
    /// The destination that counts; `None`: the local addresses.
    pub target: Option<Target>,
    /// What to run.
    pub commands: Commands,
    /// The time from the end of the start command to the stop command.
    pub cmd_timeout: Seconds,
    /// What an opening does for a client for whom the door is open.
    pub on_reknock: OnReknock,
    /// How long after an opening further ones of the same client are ignored; `None`: not at all.
    pub seq_cooldown: Option<Seconds>,
}

/// What an opening does for a client for whom the door is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnReknock {
    /// The start command runs again, and all stop commands run at the latest of their deadlines.
    #[default]
    Extend,
    /// The start command runs again, and each opening has a deadline of its own.
    Separate,
    /// Nothing.
    Ignore,
}

impl Door {
    /// Returns the sequence that opens the door now; `None` if its one-time sequences are used up
    /// and the door is disabled.
    #[must_use]
    pub fn sequence(&self) -> Option<&Sequence> {
        match &self.sequence {
            DoorSequence::Fixed(sequence) => Some(sequence),
            DoorSequence::OneTime(sequences) => sequences.next().map(|line| &line.sequence),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;
    use crate::packet::{Port, Protocol, TcpHeader};

    fn tcp(flags: Option<TcpFlags>) -> Transport {
        Transport::Tcp(TcpHeader { sequence_number: Some(1), flags })
    }

    fn knock(port: u16) -> Knock {
        Knock { port: Port(port), protocol: Protocol::Tcp }
    }

    #[test]
    fn flag_rules_agree_where_one_packet_satisfies_both() {
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
    fn a_sequence_has_1_to_32_knocks_and_no_port_0() {
        assert_eq!(Sequence::new(vec![]), Err(SequenceError::Empty));
        assert_eq!(Sequence::new(vec![knock(7); 33]), Err(SequenceError::TooLong));
        assert_eq!(Sequence::new(vec![knock(7), knock(0)]), Err(SequenceError::PortZero));
        assert!(Sequence::new(vec![knock(7); 32]).is_ok());
    }

    #[test]
    fn the_last_stage_is_that_of_the_longest_sequence() {
        let longest = u8::try_from(Sequence::MAX_KNOCKS).unwrap();
        assert_eq!(Stage::new(longest).map(Stage::get), Some(longest));
        assert_eq!(Stage::new(longest + 1), None);
    }

    #[test]
    fn the_next_knock_is_the_one_behind_the_stage() {
        let sequence = Sequence::new(vec![knock(1), knock(2)]).unwrap();
        assert_eq!(sequence.after(Stage::NONE), Some(knock(1)));
        assert_eq!(sequence.after(Stage::FIRST), Some(knock(2)));
        assert_eq!(sequence.after(Stage::FIRST.next()), None);
        assert!(!sequence.is_complete_at(Stage::FIRST));
        assert!(sequence.is_complete_at(Stage::FIRST.next()));
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

//! The names of warnings, and what is said of each at length.

use std::collections::BTreeMap;
use std::fmt;

/// Gives every code its name and its explanation, so that neither can be forgotten.
macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The code of a warning: what it is called where it is allowed, denied or explained.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[$doc])* $variant,)*
        }

        impl Code {
            /// Every code, in the order of the alphabet.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Returns its name, such as `ascending-sequence`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns what it means, with an example where a text can show one, and the way out:
            /// Markdown, the first line of which says it in one sentence.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self {
                    $(Self::$variant => include_str!(concat!("explanations/", $name, ".md")),)*
                }
            }
        }
    };
}

codes! {
    /// A section that is nearly `[options]`.
    AlmostOptions = "almost-options",
    /// A port scan in ascending order opens a door.
    AscendingSequence = "ascending-sequence",
    /// Blanks inside the value of `TCPFlags`.
    BlankInFlags = "blank-in-flags",
    /// A byte order mark in front of the text.
    ByteOrderMark = "byte-order-mark",
    /// A program without its whole path.
    CommandNotAbsolute = "command-not-absolute",
    /// A program that is not there, or cannot be run.
    CommandNotFound = "command-not-found",
    /// A firewall rule with a port and without a protocol.
    DportWithoutProtocol = "dport-without-protocol",
    /// Two doors of one name.
    DuplicateDoorName = "duplicate-door-name",
    /// An interface that is named twice.
    DuplicateInterface = "duplicate-interface",
    /// A stop command without text.
    EmptyStopCommand = "empty-stop-command",
    /// A sequence of one or two knocks.
    FewKnocks = "few-knocks",
    /// TCP flags that clients which connect do not send.
    FlagsNoClientSends = "flags-no-client-sends",
    /// A sequence that is tried early by whoever guesses.
    GuessableSequence = "guessable-sequence",
    /// A door name that knockd 0.8 cuts off.
    LongDoorName = "long-door-name",
    /// A door that nothing can open.
    NeverOpens = "never-opens",
    /// A door without a command.
    NoCommand = "no-command",
    /// A configuration without a door.
    NoDoors = "no-doors",
    /// A command that opens for every address.
    NoIpToken = "no-ip-token",
    /// A door without `Seq_Timeout`.
    NoSeqTimeout = "no-seq-timeout",
    /// A file of one-time sequences that are all used.
    NoSequenceLeft = "no-sequence-left",
    /// A directive that a later line overrides.
    OverriddenDirective = "overridden-directive",
    /// A knock that stands twice in a sequence.
    RepeatedKnock = "repeated-knock",
    /// Two doors of which each is opened by the sequence of the other read backwards.
    ReversedSequence = "reversed-sequence",
    /// Two doors of one sequence.
    SameSequence = "same-sequence",
    /// A sequence that another one begins with.
    SequencePrefix = "sequence-prefix",
    /// A sequence that another one ends with.
    SequenceSuffix = "sequence-suffix",
    /// A knock at a port that services listen on.
    ServicePort = "service-port",
    /// Two doors with one file of one-time sequences.
    SharedOneTimeFile = "shared-one-time-file",
    /// A `Seq_Timeout` that slow clients cannot meet.
    ShortSeqTimeout = "short-seq-timeout",
    /// A stop command that leaves something of what the start command did.
    StopDoesNotUndo = "stop-does-not-undo",
    /// A stop command for IPv4 behind a start command for IPv6.
    StopForBothFamilies = "stop-for-both-families",
    /// A stop command that no client gets to.
    StopWithoutStart = "stop-without-start",
    /// A target that is not written as knockd 0.8 writes the address.
    TargetNotCanonical = "target-not-canonical",
    /// What knockd 0.8 refuses or takes for something else.
    UnknownToKnockd08 = "unknown-to-knockd-0.8",
    /// A `Cmd_Timeout` without a stop command.
    UnusedCmdTimeout = "unused-cmd-timeout",
    /// A file with secrets that every user may read.
    WorldReadable = "world-readable",
    /// An address of one family for a program of the other.
    WrongAddressFamily = "wrong-address-family",
    /// A door that closes as soon as it is open.
    ZeroCmdTimeout = "zero-cmd-timeout",
}

impl Code {
    /// Returns the code of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of a warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// It is not told.
    Allow,
    /// It is told and changes nothing.
    Warn,
    /// It is an error.
    Deny,
}

/// What becomes of each warning: by default all are told and none is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    named: BTreeMap<Code, Level>,
    denies_warnings: bool,
}

impl Levels {
    /// Returns the levels with every warning denied that is not allowed by name.
    #[must_use]
    pub fn deny_warnings(self) -> Self {
        Self { denies_warnings: true, ..self }
    }

    /// Returns the levels with this one for a code; the last one given counts.
    #[must_use]
    pub fn with(mut self, code: Code, level: Level) -> Self {
        self.named.insert(code, level);
        self
    }

    /// Returns what becomes of a warning.
    #[must_use]
    pub fn of(&self, code: Code) -> Level {
        let usual = if self.denies_warnings { Level::Deny } else { Level::Warn };
        self.named.get(&code).copied().unwrap_or(usual)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_order_of_the_alphabet_and_find_their_codes() {
        assert!(Code::ALL.is_sorted_by(|one, next| one.name() < next.name()));
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
        assert_eq!(Code::from_name("Few-Knocks"), None);
    }

    #[test]
    fn a_level_by_name_beats_the_one_for_all() {
        let levels = Levels::default().with(Code::FewKnocks, Level::Allow).deny_warnings();
        assert_eq!(levels.of(Code::FewKnocks), Level::Allow);
        assert_eq!(levels.of(Code::NoDoors), Level::Deny);
        let levels = Levels::default().with(Code::FewKnocks, Level::Deny);
        assert_eq!(levels.of(Code::FewKnocks), Level::Deny);
        assert_eq!(levels.of(Code::NoDoors), Level::Warn);
    }
}

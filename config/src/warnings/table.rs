//! The table of warnings.

use std::fmt;

use super::details::{
    BadAllow, Guess, KeyGap, Mismatch, NoIp, OneFamily, ProgramFault, Undoer, Unknown, Why,
};
use crate::directives::Directive;
use crate::text::Excerpt;
use knock_engine::Protocol;

/// When a warning is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Printed {
    /// Whenever the text is read: a line has no effect, or not the effect it seems to have.
    AtEveryStart,
    /// Only by a check.
    ByACheck,
}

/// Gives every warning its code, its name, its explanation and when it is printed, so that none can be
/// forgotten.
macro_rules! warnings {
    ($(
        $(#[$doc:meta])*
        $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })?
            = $name:literal, $printed:ident;
    )*) => {
        /// A warning. It never changes what a configuration means.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Warning {
            $($(#[$doc])* $variant $({ $($(#[$field_doc])* $field: $type,)* })?,)*
        }

        impl Warning {
            /// Returns its code.
            #[must_use]
            pub const fn code(&self) -> Code {
                match self { $(Self::$variant { .. } => Code::$variant,)* }
            }
        }

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

            /// Returns when it is printed.
            const fn printed(self) -> Printed {
                match self { $(Self::$variant => Printed::$printed,)* }
            }
        }
    };
}

warnings! {
    /// A section that is nearly `[options]`.
    AlmostOptions {
        /// The name.
        name: Excerpt,
    } = "almost-options", AtEveryStart;
    /// A port scan in ascending order opens a door.
    AscendingSequence {
        /// The protocol that is scanned.
        protocol: Protocol,
    } = "ascending-sequence", ByACheck;
    /// Blanks inside the value of `TCPFlags`.
    BlankInFlags {
        /// The value without its blanks.
        without: Excerpt,
    } = "blank-in-flags", AtEveryStart;
    /// A byte order mark before the text.
    ByteOrderMark = "byte-order-mark", AtEveryStart;
    /// A program without its absolute path.
    CommandNotAbsolute {
        /// The program.
        program: Excerpt,
    } = "command-not-absolute", ByACheck;
    /// A program that does not exist, or cannot be run.
    CommandNotFound {
        /// Its path.
        program: Excerpt,
        /// Why not.
        fault: ProgramFault,
    } = "command-not-found", ByACheck;
    /// A rule that is deleted by its number.
    DeleteByNumber = "delete-by-number", ByACheck;
    /// A firewall rule with a port and without a protocol.
    DportWithoutProtocol {
        /// The option that names the port.
        option: Excerpt,
    } = "dport-without-protocol", ByACheck;
    /// Two doors of one name.
    DuplicateDoorName {
        /// The name.
        name: Excerpt,
        /// The line of the first door of that name.
        first_line: u32,
    } = "duplicate-door-name", AtEveryStart;
    /// An interface that is named twice.
    DuplicateInterface {
        /// The name.
        name: Excerpt,
    } = "duplicate-interface", AtEveryStart;
    /// A stop command without text.
    EmptyStopCommand {
        /// `Stop_Command` or `Stop_Command_6`.
        directive: Directive,
    } = "empty-stop-command", AtEveryStart;
    /// A key that is no longer valid.
    ExpiredKey {
        /// The name of its file, fit to be printed.
        file: String,
        /// Whose it is.
        user: Excerpt,
    } = "expired-key", ByACheck;
    /// A sequence of one or two knocks.
    FewKnocks {
        /// How many there are.
        count: usize,
    } = "few-knocks", ByACheck;
    /// `Firewall` or `Guard`, and no door opens a port.
    FirewallWithoutOpen {
        /// The directive.
        directive: Directive,
    } = "firewall-without-open", ByACheck;
    /// TCP flags that clients which connect do not send.
    FlagsNoClientSends = "flags-no-client-sends", ByACheck;
    /// A sequence that is easy to guess.
    GuessableSequence {
        /// Why.
        guess: Guess,
    } = "guessable-sequence", ByACheck;
    /// A key that opens nothing, or not all that its file says.
    KeyWithoutDoor {
        /// The name of its file, fit to be printed.
        file: String,
        /// Why.
        gap: KeyGap,
    } = "key-without-door", ByACheck;
    /// A door name that knockd 0.8 cuts off.
    LongDoorName {
        /// The bytes of the name.
        length: usize,
    } = "long-door-name", AtEveryStart;
    /// A door that adds a rule which nothing removes.
    NeverCloses = "never-closes", ByACheck;
    /// A door that nothing can open.
    NeverOpens {
        /// Why.
        why: Why,
    } = "never-opens", ByACheck;
    /// A rule of nft that is deleted without its handle.
    NftRuleWithoutHandle = "nft-rule-without-handle", ByACheck;
    /// A door without a command.
    NoCommand {
        /// The name of the door.
        door: Excerpt,
    } = "no-command", AtEveryStart;
    /// A configuration without a door.
    NoDoors = "no-doors", AtEveryStart;
    /// A command that opens for every address.
    NoIpToken {
        /// Why.
        no_ip: NoIp,
    } = "no-ip-token", ByACheck;
    /// A door without `Seq_Timeout`.
    NoSeqTimeout = "no-seq-timeout", ByACheck;
    /// A file of one-time sequences that are all used.
    NoSequenceLeft = "no-sequence-left", AtEveryStart;
    /// A door with TCP knocks and without `TCPFlags`.
    NoTcpFlags = "no-tcpflags", ByACheck;
    /// A directive that a later line overrides.
    OverriddenDirective {
        /// The name it is given by.
        name: &'static str,
        /// The name in the later line, maybe an alias.
        by_name: &'static str,
        /// The later line.
        by_line: u32,
    } = "overridden-directive", AtEveryStart;
    /// A change of firewalld's files that is not loaded.
    PermanentWithoutReload = "permanent-without-reload", ByACheck;
    /// Several ports for a rule of iptables that takes one.
    PortsWithoutMultiport = "ports-without-multiport", ByACheck;
    /// A value in quotes, which are part of it.
    QuotedValue {
        /// The directive.
        directive: Directive,
    } = "quoted-value", AtEveryStart;
    /// A knock that is in a sequence twice.
    RepeatedKnock {
        /// Its port.
        port: u16,
    } = "repeated-knock", ByACheck;
    /// Two doors, the sequence of one being the reverse of the other's.
    ReversedSequence {
        /// The name of the other door.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    } = "reversed-sequence", ByACheck;
    /// A sequence that is in another one knocked twice.
    RotatedSequence {
        /// The name of the other door.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    } = "rotated-sequence", ByACheck;
    /// Two doors with the same sequence.
    SameSequence {
        /// The name of the other door.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    } = "same-sequence", ByACheck;
    /// A sequence that another one begins with.
    SequencePrefix {
        /// The name of the other door.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    } = "sequence-prefix", ByACheck;
    /// A sequence that another one ends with.
    SequenceSuffix {
        /// The name of the other door.
        door: Excerpt,
        /// The line of its name.
        line: u32,
    } = "sequence-suffix", ByACheck;
    /// A knock at a port that services listen on.
    ServicePort {
        /// The port.
        port: u16,
        /// Its protocol.
        protocol: Protocol,
        /// What usually listens there.
        service: &'static str,
    } = "service-port", ByACheck;
    /// Many doors whose sequences begin with the same knock.
    SharedFirstKnock {
        /// How many there are.
        count: usize,
    } = "shared-first-knock", ByACheck;
    /// Two doors with one file of one-time sequences.
    SharedOneTimeFile {
        /// The line of the first door's directive.
        first_line: u32,
    } = "shared-one-time-file", AtEveryStart;
    /// A `Seq_Timeout` that slow clients cannot meet.
    ShortSeqTimeout {
        /// How long it is.
        seconds: u32,
        /// The number of pauses between knocks.
        gaps: usize,
    } = "short-seq-timeout", ByACheck;
    /// A door that a sequence opens as well as signed packets.
    SignedBesideSequence = "signed-beside-sequence", ByACheck;
    /// A stop command that does not fully undo the start command.
    StopDoesNotUndo {
        /// How they differ.
        mismatch: Mismatch,
        /// The line of the start command.
        start_line: u32,
        /// What is to undo it.
        undoer: Undoer,
    } = "stop-does-not-undo", ByACheck;
    /// A stop command for IPv4 that follows a start command for IPv6.
    StopForBothFamilies = "stop-for-both-families", AtEveryStart;
    /// A stop command that never runs.
    StopWithoutStart {
        /// `Stop_Command` or `Stop_Command_6`.
        directive: Directive,
    } = "stop-without-start", AtEveryStart;
    /// A target that is not written as knockd 0.8 writes the address.
    TargetNotCanonical {
        /// The address as knockd 0.8 writes it.
        canonical: String,
    } = "target-not-canonical", AtEveryStart;
    /// A character that is not what it looks like.
    TypographicCharacter {
        /// The character.
        character: char,
        /// Its name.
        name: &'static str,
        /// What to write instead; `None` if it is to be removed.
        instead: Option<&'static str>,
    } = "typographic-character", ByACheck;
    /// A comment that is meant to allow a warning, and does not.
    UnknownAllow {
        /// What is wrong with it.
        what: BadAllow,
    } = "unknown-allow", AtEveryStart;
    /// What knockd 0.8 refuses or reads as something else.
    UnknownToKnockd08 {
        /// What.
        unknown: Unknown,
    } = "unknown-to-knockd-0.8", ByACheck;
    /// A `Cmd_Timeout` without a stop command.
    UnusedCmdTimeout = "unused-cmd-timeout", ByACheck;
    /// A user who may open a door, and has no key for it.
    UserWithoutKey {
        /// The user; `None` if all users may open it, and there is no key.
        user: Option<Excerpt>,
        /// The name of the door.
        door: Excerpt,
    } = "user-without-key", ByACheck;
    /// A file with secrets that every user can read.
    WorldReadable {
        /// Its permissions, as `chmod` takes them.
        mode: u32,
    } = "world-readable", ByACheck;
    /// An address of one family for a program of the other.
    WrongAddressFamily {
        /// Whether the command runs for IPv6 only because there is none for IPv6.
        falls_back: bool,
        /// What refuses the addresses.
        rule: OneFamily,
    } = "wrong-address-family", ByACheck;
    /// A door that closes as soon as it is open.
    ZeroCmdTimeout = "zero-cmd-timeout", ByACheck;
}

impl Code {
    /// Returns whether it is printed whenever the text is read, and not only by a check.
    #[must_use]
    pub fn is_printed_at_every_start(self) -> bool {
        self.printed() == Printed::AtEveryStart
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_alphabetical_order_and_find_their_codes() {
        assert!(Code::ALL.is_sorted_by(|one, next| one.name() < next.name()));
        for code in Code::ALL {
            assert_eq!(Code::from_name(code.name()), Some(*code));
        }
        assert_eq!(Code::from_name("Few-Knocks"), None);
    }
}

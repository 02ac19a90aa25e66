//! The details of warnings.

use crate::directives::Directive;
use crate::text::Excerpt;

/// Why a door never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its target is `0.0.0.0` or `::`.
    TargetUnspecified,
    /// Its target is an IPv6 address, and IPv6 is ignored.
    TargetIpv6,
    /// It allows only IPv6 clients, and IPv6 is ignored.
    Ipv6Clients,
    /// Each client that it allows is denied.
    AllDenied,
}

/// Why a key does not open what its file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyGap {
    /// The file names a door that is not in the configuration.
    NoSuchDoor {
        /// The name.
        door: Excerpt,
    },
    /// The file names a door that does not open for its user.
    OtherUsers {
        /// The name of the door.
        door: Excerpt,
        /// The user.
        user: Excerpt,
    },
    /// No door opens for its user.
    NoDoor {
        /// The user.
        user: Excerpt,
    },
}

/// Why a sequence is easy to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// It is an example in a file or in the manual page of knockd 0.8.
    Published,
    /// The step from each port to the next is the same.
    EqualSteps {
        /// The step.
        step: i32,
    },
}

/// Why a stop command does not undo a start command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// It is for the other family of addresses.
    OtherProgram,
    /// It adds the same again.
    AddsAgain,
    /// One word differs.
    OtherWord {
        /// The word of the start command.
        expected: Excerpt,
    },
    /// There are words that are not in the start command.
    MoreWords,
    /// There are words only in the start command.
    WordsMissing {
        /// The words.
        words: Excerpt,
    },
    /// Nothing in it removes one of the rules.
    NotRemoved {
        /// The command that adds the rule.
        rule: Excerpt,
    },
}

/// What is to undo a start command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undoer {
    /// The stop command of the same door.
    StopCommand,
    /// The start command of another door.
    Door {
        /// The name of the door with the start command that is to be undone.
        opener: Excerpt,
    },
}

/// What takes the addresses of one family only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OneFamily {
    /// iptables.
    Iptables,
    /// ip6tables.
    Ip6tables,
    /// `ip saddr` of nft.
    NftIp,
    /// `ip6 saddr` of nft.
    NftIp6,
    /// `family="ipv4"` in a rich rule of firewalld.
    RichIpv4,
    /// `family="ipv6"` in a rich rule of firewalld.
    RichIpv6,
    /// `ufw insert`, which inserts no rule for IPv6 before those for IPv4.
    UfwInsert,
}

impl OneFamily {
    /// Returns whether it takes addresses of IPv4 and not of IPv6.
    #[must_use]
    pub const fn is_of_ipv4(self) -> bool {
        match self {
            Self::Iptables | Self::NftIp | Self::RichIpv4 | Self::UfwInsert => true,
            Self::Ip6tables | Self::NftIp6 | Self::RichIpv6 => false,
        }
    }
}

/// Why a command does not use the address of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoIp {
    /// `%IP%` in the wrong case.
    Misspelled {
        /// The text found.
        token: Excerpt,
    },
    /// It opens the firewall without an address.
    OpensForAll,
    /// It removes a block without an address.
    UnblocksAll,
    /// It turns the firewall off.
    TurnsOff,
}

/// Why a comment allows no warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadAllow {
    /// Instead of `allow` it has a similar word.
    Word {
        /// The word.
        word: Excerpt,
    },
    /// There is nothing after `allow`.
    Nothing,
    /// There is no warning of this code.
    Code {
        /// The text found.
        code: Excerpt,
        /// The known code that is most like it.
        nearest: Option<&'static str>,
    },
}

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramFault {
    /// There is no such file.
    Missing,
    /// It is not a file.
    NotAFile,
    /// No user has permission to execute it.
    NotExecutable,
}

/// What knockd 0.8 does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A directive.
    Directive {
        /// Which one.
        directive: Directive,
    },
    /// Several interfaces.
    SeveralInterfaces,
    /// The interface `any`.
    AnyInterface,
}

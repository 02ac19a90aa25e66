//! What warnings say besides their codes.

use crate::directives::Directive;
use crate::text::Excerpt;

/// Why a door never opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its target is `0.0.0.0` or `::`.
    TargetUnspecified,
    /// Its target is an IPv6 address, and IPv6 is ignored.
    TargetIpv6,
}

/// Why a sequence is tried early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// It stands in a file or in the manual page that comes with knockd 0.8.
    Published,
    /// From each port to the next it is the same step.
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
    /// It deletes a rule by its number.
    ByNumber,
    /// It adds the same again.
    AddsAgain,
    /// One word is another.
    OtherWord {
        /// The word of the start command.
        expected: Excerpt,
    },
    /// There are words that the start command has not.
    MoreWords,
    /// There are words only in the start command.
    WordsMissing {
        /// They.
        words: Excerpt,
    },
}

/// How it is seen that a command does without the address of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoIp {
    /// `%IP%` in other letters.
    Misspelled {
        /// What stands there.
        token: Excerpt,
    },
    /// It opens something, and names no address.
    OpensForAll,
}

/// Why a program cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProgramFault {
    /// There is no such file.
    Missing,
    /// It is not a file.
    NotAFile,
    /// Nobody may execute it.
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

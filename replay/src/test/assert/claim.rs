//! What a file of assertions says.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use knock_compat::Rules;
use knock_config::Span;
use knock_engine::{DoorId, OpenPorts};

use crate::explain::Whom;

/// A file of assertions.
#[derive(Clone, Debug)]
pub struct Assertions {
    /// The name of the file, fit to be printed.
    pub name: String,
    /// Its text.
    pub text: Vec<u8>,
    /// With what a test is run.
    pub settings: Settings,
    /// What must hold, in the order of the file.
    pub(super) list: Vec<Assertion>,
}

impl Assertions {
    /// Returns how many assertions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

/// With what a test is run: the lines `config FILE`, `local ADDRESS...`, `rules RULES` and `only-ip-v4`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The configuration, as it is written: relative to the folder of the file.
    pub config: Option<PathBuf>,
    /// The local addresses.
    pub local: Vec<IpAddr>,
    /// The rules that decide.
    pub rules: Option<Rules>,
    /// Whether IPv6 is ignored.
    pub only_ip_v4: bool,
    /// The place of the first of these lines.
    pub place: Option<Span>,
}

/// Something that must hold, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Assertion {
    pub(super) span: Span,
    pub(super) claim: Claim,
}

/// What must hold.
#[derive(Clone, Debug)]
pub(super) enum Claim {
    /// A door opens.
    Opens { which: Which, within: Option<Duration> },
    /// A door does not open.
    StaysShut { which: Which },
    /// A door opens so often.
    OpensTimes { which: Which, count: Count },
    /// A door closes.
    Closes { which: Which, after: Option<Duration> },
    /// A client is let in to these ports, for so long.
    Admits { whom: Whom, ports: Option<OpenPorts>, lasts: Option<Duration> },
    /// A command runs so often.
    Runs { command: Vec<u8>, count: Count },
    /// No packet is admitted.
    NothingAdmitted,
}

/// Which doors, and for whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Which {
    pub(super) doors: Meant,
    pub(super) whom: Whom,
}

/// The doors that are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Meant {
    /// All.
    Any,
    /// Those of this name, fit to be printed.
    Named(String, Vec<DoorId>),
}

/// How often something must happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Exactly(u64),
    AtLeast(u64),
    AtMost(u64),
}

impl Count {
    pub(super) const fn holds(self, times: u64) -> bool {
        match self {
            Self::Exactly(wanted) => times == wanted,
            Self::AtLeast(least) => times >= least,
            Self::AtMost(most) => times <= most,
        }
    }

    /// Returns whether something did not happen often enough.
    pub(super) const fn is_too_few(self, times: u64) -> bool {
        match self {
            Self::Exactly(least) | Self::AtLeast(least) => times < least,
            Self::AtMost(_) => false,
        }
    }
}

impl Claim {
    /// Returns which doors it is about, and for whom.
    pub(super) const fn which(&self) -> Option<&Which> {
        match self {
            Self::Opens { which, .. }
            | Self::StaysShut { which }
            | Self::OpensTimes { which, .. }
            | Self::Closes { which, .. } => Some(which),
            Self::Admits { .. } | Self::Runs { .. } | Self::NothingAdmitted => None,
        }
    }
}

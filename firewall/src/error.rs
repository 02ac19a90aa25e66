//! What can go wrong, with the way out.

use std::fmt;
use std::net::IpAddr;

use knock_engine::PortRange;
use nix::errno::Errno;

use crate::place::Place;
use crate::transaction::Set;

/// Why something was not done. Nothing of it was: transactions happen as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The process has no `CAP_NET_ADMIN`.
    NotPermitted,
    /// The kernel has no nftables.
    NoNftables,
    /// The kernel cannot do something that a rule or a set needs.
    NoFeature {
        /// What.
        what: &'static str,
        /// The error of the kernel.
        errno: Errno,
    },
    /// Another process owns the table.
    Owned {
        /// The table.
        place: Place,
    },
    /// There is a table with the name of knockd's own that knockd has not made.
    Foreign {
        /// The table.
        place: Place,
    },
    /// A set has as many clients as it may.
    Full {
        /// The table.
        place: Place,
        /// The set.
        set: Set,
    },
    /// The table is not there.
    NoTable {
        /// The table.
        place: Place,
    },
    /// The set is not in the table.
    NoSet {
        /// The table.
        place: Place,
        /// The set.
        set: Set,
    },
    /// The set is not as knockd needs it.
    WrongSet {
        /// The table.
        place: Place,
        /// The set.
        set: Set,
        /// What it should be.
        needed: String,
    },
    /// The table is not for the addresses of the client.
    NoFamily {
        /// The table.
        place: Place,
        /// The client.
        client: IpAddr,
    },
    /// No door opens these ports.
    UnknownPorts {
        /// The ports.
        ports: PortRange,
    },
    /// The ruleset was changed again and again while it was read.
    Raced,
    /// The kernel did not answer, or not as it should.
    NoAnswer,
    /// Any other error of a system call or of the kernel's answer.
    System {
        /// What was tried.
        doing: &'static str,
        /// The error.
        errno: Errno,
    },
}

impl Error {
    /// Returns whether the table or a set is gone, for instance because somebody flushed the ruleset:
    /// [`restore`](crate::Firewall::restore) may help.
    #[must_use]
    pub const fn is_gone(&self) -> bool {
        matches!(self, Self::NoTable { .. } | Self::NoSet { .. })
    }
}

/// The cause, and after a semicolon the way out.
impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => out.write_str(
                "nftables cannot be changed without the capability CAP_NET_ADMIN; start knockd as root, or \
                 give it this capability (AmbientCapabilities= in its unit)",
            ),
            Self::NoNftables => out.write_str(
                "the kernel has no nftables; load the module nf_tables, or use Command instead of Open",
            ),
            Self::NoFeature { what, errno } => write!(
                out,
                "the kernel's nftables cannot do {what} ({}); load the module, use Linux 5.10 or later, or \
                 use Command instead of Open",
                errno.desc()
            ),
            Self::Owned { place } => write!(
                out,
                "the table {place} belongs to another running program; stop that program, or name another \
                 table in Firewall"
            ),
            Self::Foreign { place } => write!(
                out,
                "the table {place} was not made by knockd; rename it, or name it in Firewall if knockd is \
                 to fill sets in it"
            ),
            Self::Full { place, set } => write!(
                out,
                "the set {place} {set} is full, so no further client can be admitted; close doors \
                 (knockctl close), use a shorter Open_For, or open fewer separate ports"
            ),
            Self::NoTable { place } => write!(
                out,
                "there is no table {place}; somebody may have flushed the ruleset: load it again \
                 (nft -f /etc/nftables.conf), or correct Firewall"
            ),
            Self::NoSet { place, set } => write!(
                out,
                "the table {place} has no set {set}; somebody may have flushed the ruleset or deleted \
                 the set: load it again, with the lines of knockd --nft in it"
            ),
            Self::WrongSet { place, set, needed } => write!(
                out,
                "the set {place} {set} must have {needed}; delete it and the rules that use it, then \
                 add the lines of knockd --nft"
            ),
            Self::NoFamily { place, client } => write!(
                out,
                "the table {place} is not for {client}; name a table of the family inet in Firewall"
            ),
            Self::UnknownPorts { ports } => {
                write!(out, "no door opens all of {ports}; reload the configuration")
            }
            Self::Raced => out.write_str(
                "other programs changed the ruleset again and again while it was read; try again",
            ),
            Self::NoAnswer => out.write_str(
                "the kernel did not answer as nftables does; try again, and report it if it stays so",
            ),
            Self::System { doing, errno } => write!(out, "{doing}: {}", errno.desc()),
        }
    }
}

impl std::error::Error for Error {}

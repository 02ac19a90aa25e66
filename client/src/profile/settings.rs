//! What profiles say about a host.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use knock_config::InterfaceName;
use knock_engine::DoorName;

use crate::request::{Awaited, Family};
use knock_capture::hit::Hit;

/// Where the knocks of a host are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knocks {
    /// `Knocks`: here.
    Here(Vec<Hit>),
    /// `Door`: in a `knockd.conf`, which is [`Settings::config`].
    Door(DoorName),
    /// `OneTimeSequences`: in a file of one-time sequences.
    OneTime(PathBuf),
}

/// What profiles say about a host; `None` where they say nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `HostName`, with its `%h`.
    pub host_name: Option<String>,
    /// The knocks.
    pub knocks: Option<Knocks>,
    /// `Key`.
    pub key: Option<PathBuf>,
    /// `Config`.
    pub config: Option<PathBuf>,
    /// `Delay`.
    pub delay: Option<Duration>,
    /// `Then`.
    pub then: Option<Awaited>,
    /// `Wait`.
    pub wait: Option<Duration>,
    /// `Retry`.
    pub retry: Option<u32>,
    /// `Source`.
    pub source: Option<IpAddr>,
    /// `Interface`.
    pub interface: Option<InterfaceName>,
    /// `AddressFamily`; the inner `None` is `any`.
    pub family: Option<Option<Family>>,
}

impl Settings {
    /// Returns these settings, and those of `other` for what they leave open: the first value
    /// found for a host counts, as in `ssh_config`.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        // A key and knocks of another kind are one setting: whichever comes first counts.
        let (is_signed, is_plain) = (self.key.is_some(), self.has_plain_knocks());
        Self {
            host_name: self.host_name.or(other.host_name),
            knocks: self.knocks.or(other.knocks.filter(|knocks| !is_signed || knocks.is_door())),
            key: self.key.or(other.key.filter(|_| !is_plain)),
            config: self.config.or(other.config.filter(|_| !is_signed)),
            delay: self.delay.or(other.delay),
            then: self.then.or(other.then),
            wait: self.wait.or(other.wait),
            retry: self.retry.or(other.retry),
            source: self.source.or(other.source),
            interface: self.interface.or(other.interface),
            family: self.family.or(other.family),
        }
    }

    /// Returns whether they say how to knock without a key.
    fn has_plain_knocks(&self) -> bool {
        self.config.is_some() || self.knocks.as_ref().is_some_and(|knocks| !knocks.is_door())
    }
}

impl Knocks {
    const fn is_door(&self) -> bool {
        matches!(self, Self::Door(_))
    }
}

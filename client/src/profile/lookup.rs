//! What profiles say about a host.

use std::collections::BTreeSet;

use super::pattern::{Pattern, mean};
use super::settings::{Knocks, Settings};
use super::value::expanded;
use crate::request::Request;

/// The hosts that a profile is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hosts {
    /// All: the settings are before the first `Host`.
    All,
    /// Those that the patterns match.
    Meant(Vec<Pattern>),
}

/// The lines from one `Host` to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile {
    pub(super) hosts: Hosts,
    pub(super) settings: Settings,
}

impl Profile {
    fn is_for(&self, host: &str) -> bool {
        match &self.hosts {
            Hosts::All => true,
            Hosts::Meant(patterns) => mean(patterns, host.as_bytes()),
        }
    }
}

/// The profiles of a file, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles(Vec<Profile>);

impl Profiles {
    pub(super) fn new(profiles: Vec<Profile>) -> Self {
        Self(profiles)
    }

    /// Returns what the profiles say about the host that the user calls by this name. The first value
    /// that is found counts.
    #[must_use]
    pub fn settings(&self, host: &str) -> Settings {
        let found = self.0.iter().filter(|profile| profile.is_for(host));
        found.fold(Settings::default(), |sum, profile| sum.over(profile.settings.clone()))
    }

    /// Returns the hosts that are named, not only matched by a pattern: in the order of the file,
    /// each once.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut hosts = Vec::new();
        for profile in &self.0 {
            let Hosts::Meant(patterns) = &profile.hosts else { continue };
            let names = patterns.iter().filter_map(Pattern::concrete);
            for name in names.map(|name| String::from_utf8_lossy(name).into_owned()) {
                // A line can exclude a name that it lists.
                if profile.is_for(&name) && seen.insert(name.clone()) {
                    hosts.push(name);
                }
            }
        }
        hosts
    }
}

impl Settings {
    /// Returns the host to knock at for the name that the user gave: `HostName`, or the
    /// name itself.
    #[must_use]
    pub fn host(&self, asked: &str) -> String {
        let name = self.host_name.as_deref().and_then(|name| expanded(name, asked));
        name.unwrap_or_else(|| asked.to_owned())
    }

    /// Returns the request that the settings make of a name. It has the knocks only if they are in
    /// the profile itself.
    #[must_use]
    pub fn request(&self, asked: &str) -> Request {
        let hits = match &self.knocks {
            Some(Knocks::Here(hits)) => hits.clone(),
            Some(Knocks::Door(_) | Knocks::OneTime(_)) | None => Vec::new(),
        };
        Request {
            host: self.host(asked),
            hits,
            delay: self.delay,
            then: self.then,
            wait: self.wait,
            retry: self.retry,
            source: self.source,
            interface: self.interface.clone(),
            family: self.family.flatten(),
        }
    }
}

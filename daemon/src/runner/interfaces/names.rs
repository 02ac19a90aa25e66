//! The names of interfaces, and patterns of them.

use std::fmt;

use knock_config::matches;

use crate::links::{Links, device};

/// What is to be listened on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    /// All interfaces at once.
    Any,
    /// The interface of the default route, also when that moves to another one.
    DefaultRoute,
    /// One interface, perhaps by an alias such as `eth0:1`.
    Name(Vec<u8>),
    /// All interfaces whose names match, in which `*` means any bytes and `?` any single byte.
    Pattern(Vec<u8>),
}

impl Wanted {
    /// Reads names or patterns. If there are none, the interface of the default route is wanted.
    pub(crate) fn all(names: &[Vec<u8>]) -> Vec<Self> {
        if names.is_empty() {
            return vec![Self::DefaultRoute];
        }
        names.iter().map(|name| Self::new(name)).collect()
    }

    /// Reads a name or a pattern.
    pub(crate) fn new(name: &[u8]) -> Self {
        if name == b"any" {
            Self::Any
        } else if name.iter().any(|byte| matches!(byte, b'*' | b'?')) {
            Self::Pattern(name.to_vec())
        } else {
            Self::Name(name.to_vec())
        }
    }

    /// Returns whether an interface with this name is wanted as one of its own.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Any | Self::DefaultRoute => false,
            Self::Name(wanted) => device(wanted) == name,
            Self::Pattern(pattern) => matches(pattern, name),
        }
    }

    /// Returns whether an interface with this name is wanted now.
    pub(crate) fn is_there(&self, name: &[u8], links: &Links) -> bool {
        match self {
            Self::DefaultRoute => links.default_route.as_deref() == Some(name),
            Self::Any | Self::Name(_) | Self::Pattern(_) => self.matches(name),
        }
    }

    /// Returns whether an interface that is listened on can have this name without being other than was
    /// meant.
    pub(crate) fn may_be_named(&self, name: &[u8]) -> bool {
        *self == Self::DefaultRoute || self.matches(name)
    }

    pub(crate) const fn is_pattern(&self) -> bool {
        matches!(self, Self::Pattern(_))
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("any"),
            Self::DefaultRoute => out.write_str("a default route"),
            Self::Name(name) | Self::Pattern(name) => out.write_str(&String::from_utf8_lossy(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, name, is_match) in [
            ("ppp*", "ppp0", true),
            ("ppp*", "ppp", true),
            ("ppp*", "xppp0", false),
            ("*", "eth0", true),
            ("*0", "eth0", true),
            ("*0", "eth10", true),
            ("*0", "eth01", false),
            ("e?h*", "eth0", true),
            ("e?h*", "eh0", false),
            ("*a*b", "xaab", true),
            ("*a*b", "xaabc", false),
            ("eth?", "eth", false),
            ("??*", "lo", true),
        ] {
            let wanted = Wanted::new(pattern.as_bytes());
            assert!(wanted.is_pattern());
            assert_eq!(wanted.matches(name.as_bytes()), is_match, "{pattern} {name}");
        }
    }

    #[test]
    fn a_name_means_one_interface_and_an_alias_its_device() {
        assert!(Wanted::new(b"eth0").matches(b"eth0"));
        assert!(!Wanted::new(b"eth0").matches(b"eth01"));
        assert!(Wanted::new(b"eth0:1").matches(b"eth0"));
        assert_eq!(Wanted::new(b"any"), Wanted::Any);
        assert!(!Wanted::Any.matches(b"any"));
    }
}

//! The destinations that count.

use alloc::vec::Vec;
use core::net::IpAddr;

use crate::door::Target;

/// The destinations that count for a door without a target, and whether IPv6 counts at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    local: Option<Vec<IpAddr>>,
    ipv4_only: bool,
}

impl Listening {
    /// Every destination counts, because the local addresses are not known.
    #[must_use]
    pub const fn everywhere() -> Self {
        Self { local: None, ipv4_only: false }
    }

    /// These destinations count, and no others.
    #[must_use]
    pub fn at(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        let mut local: Vec<IpAddr> = addresses.into_iter().collect();
        local.sort_unstable();
        local.dedup();
        Self { local: Some(local), ipv4_only: false }
    }

    /// Returns the same without IPv6: no IPv6 packet counts, not even for a door with an IPv6
    /// target (which knockd 0.8 hears even with `-4`; case `a-target-ip6-only-ip4-used`).
    #[must_use]
    pub fn with_ipv4_only(self, ipv4_only: bool) -> Self {
        Self { ipv4_only, ..self }
    }

    /// Returns whether no IPv6 packet counts.
    #[must_use]
    pub const fn is_ipv4_only(&self) -> bool {
        self.ipv4_only
    }

    /// Returns the local addresses in order; `None` if every destination counts.
    #[must_use]
    pub fn local(&self) -> Option<&[IpAddr]> {
        self.local.as_deref()
    }

    /// Returns whether a destination belongs to a door with this target.
    #[must_use]
    #[inline]
    pub fn belongs(&self, destination: IpAddr, target: Option<Target>) -> bool {
        if self.ipv4_only && destination.is_ipv6() {
            return false;
        }
        // In a replay, most often.
        if target.is_none() && self.local.is_none() {
            return true;
        }
        self.is_for(destination, target)
    }

    fn is_for(&self, destination: IpAddr, target: Option<Target>) -> bool {
        match (target, &self.local) {
            (Some(target), _) => destination == target.address,
            // Few are compared faster than they are ordered.
            (None, Some(local)) if local.len() <= 8 => local.contains(&destination),
            (None, Some(local)) => local.binary_search(&destination).is_ok(),
            (None, None) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn without_addresses_every_destination_is_local() {
        assert!(Listening::everywhere().belongs(ip("192.0.2.1"), None));
        assert!(Listening::everywhere().belongs(ip("2001:db8::1"), None));
    }

    #[test]
    fn with_addresses_only_they_are_local() {
        let listening = Listening::at([ip("10.0.0.2"), ip("10.0.0.1"), ip("10.0.0.2")]);
        assert!(listening.belongs(ip("10.0.0.1"), None));
        assert!(listening.belongs(ip("10.0.0.2"), None));
        assert!(!listening.belongs(ip("10.0.0.3"), None));
        assert_eq!(listening.local(), Some(&[ip("10.0.0.1"), ip("10.0.0.2")][..]));
    }

    #[test]
    fn a_target_replaces_the_local_addresses() {
        let target = Some(ip("192.0.2.7").into());
        let listening = Listening::at([ip("10.0.0.1")]);
        assert!(listening.belongs(ip("192.0.2.7"), target));
        assert!(!listening.belongs(ip("10.0.0.1"), target));
        assert!(!Listening::everywhere().belongs(ip("10.0.0.1"), target));
    }

    #[test]
    fn ipv4_only_hears_no_ipv6_not_even_for_a_target() {
        let listening = Listening::everywhere().with_ipv4_only(true);
        assert!(listening.is_ipv4_only());
        assert!(!listening.clone().with_ipv4_only(false).is_ipv4_only());
        assert!(listening.belongs(ip("10.0.0.1"), None));
        assert!(!listening.belongs(ip("2001:db8::1"), None));
        assert!(!listening.belongs(ip("2001:db8::1"), Some(ip("2001:db8::1").into())));
    }
}

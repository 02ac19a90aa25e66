//! Which clients a door hears: `Allow` and `Deny`.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::address;

/// Addresses that begin with the same bits, such as `10.0.0.0/8` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// Its first address: the bits after the length are 0.
    first: IpAddr,
    length: u8,
}

/// Why there is no such prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrefixError {
    /// It is longer than an address of its version of IP: 32 or 128 bits.
    TooLong {
        /// The most bits.
        max: u8,
    },
    /// The address has bits after the length that are not 0.
    HostBits {
        /// The prefix of this length that the address is in.
        network: Prefix,
    },
}

impl Prefix {
    /// Makes a prefix from its first address and its length in bits.
    ///
    /// # Errors
    /// [`PrefixError`].
    pub fn new(first: IpAddr, length: u8) -> Result<Self, PrefixError> {
        let max = Self::bits(first);
        if length > max {
            return Err(PrefixError::TooLong { max });
        }
        let network = Self { first: masked(first, length), length };
        if network.first == first { Ok(network) } else { Err(PrefixError::HostBits { network }) }
    }

    /// Makes the prefix that has only one address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self { first: address, length: Self::bits(address) }
    }

    /// Returns the first address.
    #[must_use]
    pub const fn first(self) -> IpAddr {
        self.first
    }

    /// Returns the length in bits.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// Returns whether an address is in it.
    #[must_use]
    #[inline]
    pub fn contains(self, address: IpAddr) -> bool {
        self.first.is_ipv4() == address.is_ipv4() && masked(address, self.length) == self.first
    }

    /// Returns whether all addresses of another one are in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.length <= other.length && self.contains(other.first)
    }

    const fn bits(address: IpAddr) -> u8 {
        match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        }
    }
}

/// Returns an address with only the first bits, and 0 after them.
#[inline]
fn masked(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(length)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// As a configuration has it; a prefix with one address is written as that address.
impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&address::text(self.first))?;
        if self.length < Self::bits(self.first) {
            write!(f, "/{}", self.length)?;
        }
        Ok(())
    }
}

/// Which clients a door hears. Without prefixes, all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sources {
    allow: Box<[Prefix]>,
    deny: Box<[Prefix]>,
}

/// Why a door does not hear a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceRefusal {
    /// This prefix of its `Deny` has the client.
    Denied(Prefix),
    /// It has `Allow`, but no prefix with the client.
    NotAllowed,
}

impl Sources {
    /// The most prefixes in each list.
    pub const MAX_PREFIXES: usize = 256;

    /// Takes the prefixes of `Allow` and of `Deny`, each at most [`Sources::MAX_PREFIXES`]; `None` if
    /// there are more.
    #[must_use]
    pub fn new(allow: Vec<Prefix>, deny: Vec<Prefix>) -> Option<Self> {
        let fits = |list: &Vec<Prefix>| list.len() <= Self::MAX_PREFIXES;
        (fits(&allow) && fits(&deny)).then(|| Self { allow: allow.into(), deny: deny.into() })
    }

    /// Returns the prefixes of `Allow`.
    #[must_use]
    pub fn allow(&self) -> &[Prefix] {
        &self.allow
    }

    /// Returns the prefixes of `Deny`.
    #[must_use]
    pub fn deny(&self) -> &[Prefix] {
        &self.deny
    }

    /// Returns why the door does not hear a client; `None` if it does. `Deny` wins over `Allow`.
    #[must_use]
    pub fn refusal(&self, client: IpAddr) -> Option<SourceRefusal> {
        let with_client = |list: &[Prefix]| list.iter().copied().find(|one| one.contains(client));
        if let Some(prefix) = with_client(&self.deny) {
            return Some(SourceRefusal::Denied(prefix));
        }
        (!self.allow.is_empty() && with_client(&self.allow).is_none())
            .then_some(SourceRefusal::NotAllowed)
    }

    /// Returns whether the door hears a client.
    #[must_use]
    #[inline]
    pub fn hear(&self, client: IpAddr) -> bool {
        let hears_all = self.allow.is_empty() && self.deny.is_empty();
        hears_all || self.refusal(client).is_none()
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;
    use alloc::vec;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn prefix(text: &str, length: u8) -> Prefix {
        Prefix::new(address(text), length).unwrap()
    }

    #[test]
    fn a_prefix_has_the_addresses_that_begin_with_its_bits() {
        let ten = prefix("10.0.0.0", 8);
        assert!(ten.contains(address("10.255.255.255")));
        assert!(!ten.contains(address("11.0.0.0")));
        assert!(!ten.contains(address("::a00:0")));
        assert!(prefix("0.0.0.0", 0).contains(address("255.1.2.3")));
        assert!(!prefix("0.0.0.0", 0).contains(address("::1")));
        assert!(prefix("::", 0).contains(address("ffff::")));
        assert!(!prefix("::", 0).contains(address("1.2.3.4")));
        let six = prefix("2001:db8:0:8000::", 49);
        assert!(six.contains(address("2001:db8:0:ffff::1")));
        assert!(!six.contains(address("2001:db8:0:7fff::1")));
        let host = Prefix::host(address("192.0.2.7"));
        assert_eq!(host, prefix("192.0.2.7", 32));
        assert!(host.contains(address("192.0.2.7")) && !host.contains(address("192.0.2.6")));
    }

    #[test]
    fn bits_after_the_length_are_refused_with_the_prefix_that_may_be_meant() {
        let network = prefix("10.0.0.0", 8);
        assert_eq!(Prefix::new(address("10.0.0.5"), 8), Err(PrefixError::HostBits { network }));
        let network = prefix("2001:db8::", 32);
        assert_eq!(Prefix::new(address("2001:db8::1"), 32), Err(PrefixError::HostBits { network }));
        let too_long = |max| Err(PrefixError::TooLong { max });
        assert_eq!(Prefix::new(address("10.0.0.0"), 33), too_long(32));
        assert_eq!(Prefix::new(address("::"), 129), too_long(128));
    }

    #[test]
    fn a_prefix_covers_those_inside_it() {
        assert!(prefix("10.0.0.0", 8).covers(prefix("10.1.0.0", 16)));
        assert!(prefix("10.0.0.0", 8).covers(prefix("10.0.0.0", 8)));
        assert!(!prefix("10.1.0.0", 16).covers(prefix("10.0.0.0", 8)));
        assert!(!prefix("10.0.0.0", 8).covers(prefix("11.0.0.0", 16)));
    }

    #[test]
    fn a_prefix_is_written_as_in_a_configuration() {
        assert_eq!(prefix("10.0.0.0", 8).to_string(), "10.0.0.0/8");
        assert_eq!(prefix("2001:db8::", 32).to_string(), "2001:db8::/32");
        assert_eq!(Prefix::host(address("2001:db8::1")).to_string(), "2001:db8::1");
    }

    #[test]
    fn deny_wins_over_allow_and_allow_excludes_all_others() {
        let (ten, sub) = (prefix("10.0.0.0", 8), prefix("10.1.0.0", 16));
        let refusal = |sources: &Sources, client: &str| sources.refusal(address(client));
        let both = Sources::new(vec![ten], vec![sub]).unwrap();
        assert_eq!(refusal(&both, "10.2.0.1"), None);
        assert_eq!(refusal(&both, "10.1.0.1"), Some(SourceRefusal::Denied(sub)));
        assert_eq!(refusal(&both, "192.0.2.1"), Some(SourceRefusal::NotAllowed));
        let turned = Sources::new(vec![sub], vec![ten]).unwrap();
        assert_eq!(refusal(&turned, "10.1.0.1"), Some(SourceRefusal::Denied(ten)));
        let deny_only = Sources::new(vec![], vec![sub]).unwrap();
        assert_eq!(refusal(&deny_only, "192.0.2.1"), None);
        assert_eq!(refusal(&Sources::default(), "::1"), None);
        assert_eq!(Sources::new(vec![ten; 257], vec![]), None);
        assert_eq!(Sources::new(vec![], vec![ten; 257]), None);
    }
}

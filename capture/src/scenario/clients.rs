//! The sources of packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of one family that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clients {
    first: IpAddr,
    /// How many there are besides the first.
    more: u128,
}

/// Why a text does not name clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoClients {
    /// It is not like an address.
    NoAddress,
    /// The last address of a range comes before the first, or is of another family.
    Backwards,
    /// What follows the `/` is not the length of a prefix.
    NoPrefix,
}

impl From<IpAddr> for Clients {
    fn from(address: IpAddr) -> Self {
        Self { first: address, more: 0 }
    }
}

impl Clients {
    /// Reads an address, a range of them (`10.0.0.1-10.0.0.9`), or a network (`10.0.0.0/24`).
    pub(super) fn read(text: &str) -> Result<Self, NoClients> {
        let address = |text: &str| text.parse::<IpAddr>().map_err(|_| NoClients::NoAddress);
        if let Some((first, last)) = text.split_once('-') {
            let (first, last) = (address(first)?, address(last)?);
            let more = (first.is_ipv4() == last.is_ipv4())
                .then(|| number(last).checked_sub(number(first)))
                .flatten();
            return Ok(Self { first, more: more.ok_or(NoClients::Backwards)? });
        }
        if let Some((address_text, length)) = text.split_once('/') {
            let of_network = address(address_text)?;
            let bits: u32 = if of_network.is_ipv4() { 32 } else { 128 };
            let length: u32 = length.parse().map_err(|_| NoClients::NoPrefix)?;
            let host_bits = bits.checked_sub(length).ok_or(NoClients::NoPrefix)?;
            let more = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |all| all.saturating_sub(1));
            let first = number(of_network) & !more;
            return Ok(Self { first: like(of_network, first), more });
        }
        address(text).map(Self::from)
    }

    pub(super) const fn is_ipv4(self) -> bool {
        self.first.is_ipv4()
    }

    /// Returns how many there are, or the largest number if there are more.
    pub(super) fn len(self) -> usize {
        usize::try_from(self.more.saturating_add(1)).unwrap_or(usize::MAX)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = IpAddr> {
        let first = number(self.first);
        (0..=self.more).map(move |step| like(self.first, first.saturating_add(step)))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Returns the address with a number, of the family of another address.
fn like(family: IpAddr, number: u128) -> IpAddr {
    match family {
        IpAddr::V4(_) => Ipv4Addr::from_bits(u32::try_from(number).unwrap_or(u32::MAX)).into(),
        IpAddr::V6(_) => Ipv6Addr::from_bits(number).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        Clients::read(text).unwrap().iter().map(|address| address.to_string()).collect()
    }

    #[test]
    fn an_address_a_range_and_a_network_are_read() {
        assert_eq!(all("10.0.0.5"), ["10.0.0.5"]);
        assert_eq!(
            all("10.0.0.254-10.0.1.1"),
            ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]
        );
        assert_eq!(all("2001:db8::f-2001:db8::10"), ["2001:db8::f", "2001:db8::10"]);
        assert_eq!(all("10.0.0.7/31"), ["10.0.0.6", "10.0.0.7"]);
        assert_eq!(all("2001:db8::1/128"), ["2001:db8::1"]);
        assert_eq!(Clients::read("0.0.0.0/0").unwrap().len(), 1 << 32);
        assert_eq!(Clients::read("::/0").unwrap().len(), usize::MAX);
    }

    #[test]
    fn invalid_clients_have_different_errors() {
        for text in ["", "host", "10.0.0", "-", "10.0.0.1-", "10.0.0.1:80"] {
            assert_eq!(Clients::read(text), Err(NoClients::NoAddress), "{text}");
        }
        for text in ["10.0.0.2-10.0.0.1", "10.0.0.1-::2"] {
            assert_eq!(Clients::read(text), Err(NoClients::Backwards), "{text}");
        }
        for text in ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/x"] {
            assert_eq!(Clients::read(text), Err(NoClients::NoPrefix), "{text}");
        }
    }
}

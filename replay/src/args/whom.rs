//! Whose knocks are explained.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use knock_engine::address;

/// Whose knocks are explained: all clients', or those of one address or network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Whom {
    /// Everybody's.
    #[default]
    All,
    /// Those of the addresses in a network; a single address is a network of one.
    Network(IpNet),
}

impl Whom {
    /// The networks of all clients.
    pub(crate) const ALL: [IpNet; 2] = [
        IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
        IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
    ];

    /// Returns whether a single address is meant.
    #[must_use]
    pub fn is_one(&self) -> bool {
        match self {
            Self::All => false,
            Self::Network(network) => network.prefix_len() == network.max_prefix_len(),
        }
    }

    /// Returns whether the knocks of a client are to be explained.
    #[must_use]
    pub fn contains(&self, client: IpAddr) -> bool {
        match self {
            Self::All => true,
            Self::Network(network) => network.contains(&client),
        }
    }
}

/// Why it is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotWhom {
    /// It is neither an address nor a network.
    Neither,
    /// An address in a network, with the length of the prefix: either may be meant.
    Both(IpNet),
}

impl fmt::Display for NotWhom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Neither => out.write_str(
                "not the address of a client, such as 192.0.2.7 or 2001:db8::7, or a network, such as \
                 192.0.2.0/24",
            ),
            Self::Both(network) => {
                let (address, whole) = (address::text(network.addr()), network.trunc());
                write!(out, "either the client {address} or the network {whole}: write which is meant")
            }
        }
    }
}

impl std::error::Error for NotWhom {}

/// Reads `all`, an address, or a network: its first address with the length of the prefix.
impl FromStr for Whom {
    type Err = NotWhom;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse());
        match network {
            Ok(network) if network == network.trunc() => Ok(Self::Network(network)),
            Ok(network) => Err(NotWhom::Both(network)),
            Err(_) => Err(NotWhom::Neither),
        }
    }
}

/// `10.0.0.0/8`; a single address without its length.
impl fmt::Display for Whom {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("all"),
            Self::Network(network) if self.is_one() => {
                out.write_str(&address::text(network.addr()))
            }
            Self::Network(network) => write!(out, "{network}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_an_address_or_one_of_a_network() {
        let contains = |whom: &str, client: &str| {
            whom.parse::<Whom>().unwrap().contains(client.parse().unwrap())
        };
        assert!(contains("all", "10.0.0.5") && contains("all", "::1"));
        assert!(contains("10.0.0.5", "10.0.0.5") && !contains("10.0.0.5", "10.0.0.6"));
        assert!(contains("10.0.0.0/8", "10.0.0.5") && !contains("10.0.0.0/8", "11.0.0.5"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "10.0.0.5"));
        assert!(contains("0.0.0.0/0", "10.0.0.5"));
    }

    #[test]
    fn what_is_neither_is_refused_with_an_example() {
        for text in ["", "host.example", "10.0.0.5/33", "10.0.0/8", "10.0.0.5:22", "knocks.pcap"] {
            assert_eq!(text.parse::<Whom>(), Err(NotWhom::Neither), "{text}");
        }
        assert!(NotWhom::Neither.to_string().contains("192.0.2.0/24"));
    }

    #[test]
    fn of_an_address_in_a_network_it_is_asked_which_is_meant() {
        let asked = |text: &str| text.parse::<Whom>().unwrap_err().to_string();
        let which = "either the client 10.0.0.5 or the network 10.0.0.0/8: write which is meant";
        assert_eq!(asked("10.0.0.5/8"), which);
        let which =
            "either the client 2001:db8::5 or the network 2001:db8::/32: write which is meant";
        assert_eq!(asked("2001:db8::5/32"), which);
    }
}

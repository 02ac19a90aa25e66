//! Whose knocks are explained.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use knock_engine::address;

/// Whose knocks are explained: all clients', or those of one address or network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whom {
    /// Everybody's.
    #[default]
    All,
    /// Those of the addresses in a network; a single address is a network of one.
    Network(IpNet),
}

impl Whom {
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

/// Reads `all`, an address, or an address with the length of a prefix.
impl FromStr for Whom {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Self::All);
        }
        let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse());
        network.map(|network| Self::Network(network.trunc())).map_err(|_| {
            "not the address of a client, such as 192.0.2.7 or 2001:db8::7, or a network, such as \
             192.0.2.0/24"
        })
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
        assert!(contains("10.9.9.9/8", "10.0.0.5") && !contains("10.0.0.0/8", "11.0.0.5"));
        assert!(contains("::/0", "2001:db8::1") && !contains("::/0", "10.0.0.5"));
        assert!(contains("0.0.0.0/0", "10.0.0.5"));
    }

    #[test]
    fn what_is_neither_is_refused_with_an_example() {
        for text in ["", "host.example", "10.0.0.5/33", "10.0.0/8", "10.0.0.5:22", "knocks.pcap"] {
            assert!(text.parse::<Whom>().unwrap_err().contains("192.0.2.0/24"), "{text}");
        }
    }
}

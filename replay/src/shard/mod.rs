//! `--shard`: a part of the clients, and what `merge` must know to put the parts together.

mod facts;
mod order;
mod peaks;
mod refusal;
mod sharded;

use std::net::IpAddr;
use std::str::FromStr;

use knock_engine::address;
use sha2::{Digest as _, Sha256};

pub(crate) use self::facts::{RunFacts, ShardFacts};
pub(crate) use self::order::Order;
pub(crate) use self::peaks::{AtLimit, Peaks};
pub(crate) use self::refusal::refusal;
pub(crate) use self::sharded::Sharded;

/// A part of all clients: those whose hash falls on it. `docs/fleet.md` says how, so that others can compute it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1 to `of`.
    pub(crate) number: u32,
    /// How many parts there are.
    pub(crate) of: u32,
}

impl Shard {
    /// The most parts.
    const MAX: u32 = 65_536;

    /// Takes a part, from 1, and how many there are; `None` if there is no such part.
    pub(crate) fn new(number: u32, of: u32) -> Option<Self> {
        ((1..=of).contains(&number) && of <= Self::MAX).then_some(Self { number, of })
    }

    /// Returns whether a client is in it.
    pub(crate) fn contains(self, client: IpAddr) -> bool {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(address::text(client)).into();
        let hash = u32::from_be_bytes([a, b, c, d]);
        hash.checked_rem(self.of) == self.number.checked_sub(1)
    }
}

impl FromStr for Shard {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, of) = text.split_once('/').unwrap_or_default();
        let decimal = |text: &str| {
            let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| is_decimal)
        };
        let shard = decimal(number).zip(decimal(of)).and_then(|(number, of)| Self::new(number, of));
        shard.ok_or("not a shard, such as 2/4: the second of four, which may be up to 65536")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Others compute this, too: the numbers are those of `sha256sum`.
    #[test]
    fn the_hash_is_the_published_one() {
        for (client, hash) in [
            ("192.0.2.10", 0x6d99_cbd0_u32),
            ("192.0.2.11", 0x997c_7ba9_u32),
            ("203.0.113.7", 0xfec5_2565_u32),
            ("2001:db8::1", 0x5afd_19e8_u32),
            ("::ffff:192.0.2.10", 0xbf40_2e51_u32),
        ] {
            let client: IpAddr = client.parse().unwrap();
            for of in [1, 2, 3, 7, 1000, Shard::MAX] {
                let shards = (1..=of).filter(|&number| Shard { number, of }.contains(client));
                assert_eq!(shards.collect::<Vec<_>>(), [hash % of + 1], "{client} of {of}");
            }
        }
    }

    #[test]
    fn a_shard_is_one_of_some() {
        assert_eq!("2/4".parse(), Ok(Shard { number: 2, of: 4 }));
        assert_eq!("65536/65536".parse(), Ok(Shard { number: 65_536, of: 65_536 }));
        for text in ["", "2", "/", "0/4", "5/4", "1/0", "1/65537", "+1/2", "1/2/3", "a/b", " 1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}

//! Networks that contain an address, found without a look at the others.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::explain::Whom;

/// Numbers, each filed under a network or under everybody.
///
/// Of two networks that share an address, one is a part of the other. So those that contain an address
/// are one of them and all that this one is a part of: 33 for IPv4 and 129 for IPv6 at most, however many
/// there are.
#[derive(Debug, Default)]
pub(super) struct Networks {
    of_everybody: Vec<usize>,
    /// By first address, and the larger before the smaller of those that begin together.
    list: Vec<Filed>,
    /// The first addresses of those for IPv4, which come first in the list: close together in memory, because
    /// every packet is looked for among them.
    begin_4: Vec<u32>,
    /// Those of the rest.
    begin_6: Vec<u128>,
}

/// A network with what is filed under it.
#[derive(Debug)]
struct Filed {
    network: IpNet,
    numbers: Vec<usize>,
    /// The place of the smallest network that this one is a part of.
    part_of: Option<usize>,
}

impl Networks {
    pub(super) fn new(all: impl IntoIterator<Item = (Whom, usize)>) -> Self {
        let mut networks = Self::default();
        let mut filed = Vec::new();
        for (whom, number) in all {
            match whom {
                Whom::All => networks.of_everybody.push(number),
                Whom::Network(network) => filed.push((network.trunc(), number)),
            }
        }
        filed.sort_by_key(|(network, _)| (network.addr(), network.prefix_len()));
        for (network, number) in filed {
            networks.file(network, number);
        }
        networks
    }

    /// Files a number under a network that belongs at the end of the list.
    fn file(&mut self, network: IpNet, number: usize) {
        if let Some(last) = self.list.last_mut().filter(|last| last.network == network) {
            last.numbers.push(number);
            return;
        }
        let last = self.list.len().checked_sub(1);
        let part_of = self.smallest(last, |larger| larger.contains(&network));
        match network.addr() {
            IpAddr::V4(begin) => self.begin_4.push(begin.to_bits()),
            IpAddr::V6(begin) => self.begin_6.push(begin.to_bits()),
        }
        self.list.push(Filed { network, numbers: vec![number], part_of });
    }

    /// Returns the place of the first network that fits, of one and those that it is a part of.
    fn smallest(&self, from: Option<usize>, fits: impl Fn(&IpNet) -> bool) -> Option<usize> {
        let part_of = |&place: &usize| self.list.get(place).and_then(|filed| filed.part_of);
        let mut places = std::iter::successors(from, part_of);
        places.find(|&place| self.list.get(place).is_some_and(|filed| fits(&filed.network)))
    }

    /// Returns how many networks of the list begin at an address or before it.
    fn begun_at(&self, client: IpAddr) -> usize {
        let Self { begin_4, begin_6, .. } = self;
        match client {
            IpAddr::V4(client) => begin_4.partition_point(|begin| *begin <= client.to_bits()),
            IpAddr::V6(client) => {
                let of_ipv6 = begin_6.partition_point(|begin| *begin <= client.to_bits());
                begin_4.len().saturating_add(of_ipv6)
            }
        }
    }

    /// Returns what is filed under everybody and under the networks of a client.
    pub(super) fn of(&self, client: IpAddr) -> impl Iterator<Item = usize> {
        // A network that contains the client begins no later, and so does each of its parts before.
        let behind = self.begun_at(client);
        let smallest = self.smallest(behind.checked_sub(1), |network| network.contains(&client));
        let filed = |place: usize| self.list.get(place);
        let containing = std::iter::successors(smallest.and_then(filed), move |smaller| {
            smaller.part_of.and_then(filed)
        });
        let of_networks = containing.flat_map(|filed| &filed.numbers);
        self.of_everybody.iter().chain(of_networks).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// Addresses that differ in a few bits, so that many networks contain them.
    fn address() -> impl Strategy<Value = IpAddr> {
        let bits = prop::sample::select(vec![0_u32, 1, 2, 0x80, 0x100, 0x8000_0000, u32::MAX]);
        (any::<bool>(), bits.clone(), bits).prop_map(|(is_ipv6, one, two)| {
            if is_ipv6 {
                Ipv6Addr::from_bits(u128::from(one) << 96 | u128::from(two)).into()
            } else {
                Ipv4Addr::from_bits(one ^ two).into()
            }
        })
    }

    fn whom() -> impl Strategy<Value = Whom> {
        let network = (address(), 0..=128_u8).prop_map(|(address, length)| {
            let length = if address.is_ipv4() { length % 33 } else { length };
            Whom::Network(IpNet::new_assert(address, length).trunc())
        });
        prop_oneof![1 => Just(Whom::All), 9 => network]
    }

    proptest! {
        #[test]
        fn those_that_contain_a_client_are_found_and_no_others(
            all in prop::collection::vec(whom(), 0..200),
            clients in prop::collection::vec(address(), 1..20),
        ) {
            let numbered = || all.iter().copied().zip(0..);
            let networks = Networks::new(numbered());
            for client in clients {
                let mut found: Vec<usize> = networks.of(client).collect();
                found.sort_unstable();
                let contain = numbered().filter(|(whom, _)| whom.contains(client));
                let expected: Vec<usize> = contain.map(|(_, number)| number).collect();
                prop_assert_eq!(found, expected, "{}", client);
            }
        }
    }
}

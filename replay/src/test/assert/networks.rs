//! Networks that contain an address, found without a look at the others.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::explain::Whom;

/// Numbers, each filed under a network or under everybody.
///
/// Of two networks that share an address, one is a part of the other. So those that contain an address
/// are one of them and all that this one is a part of: 33 for IPv4 and 129 for IPv6 at most, however many
/// there are.
#[derive(Debug)]
pub(super) struct Networks {
    /// Everybody, and the networks by first address, the larger before the smaller of those that begin
    /// together.
    list: Vec<Filed>,
    of_ipv4: Spans<u32>,
    of_ipv6: Spans<u128>,
}

/// A network, or everybody, with what is filed under it.
#[derive(Debug)]
struct Filed {
    network: Option<IpNet>,
    numbers: Vec<usize>,
    /// The place of the smallest that this one is a part of.
    part_of: Option<usize>,
}

/// The place of everybody in the list.
const EVERYBODY: usize = 0;

impl Networks {
    pub(super) fn new(all: impl IntoIterator<Item = (Whom, usize)>) -> Self {
        let (mut of_everybody, mut filed) = (Vec::new(), Vec::new());
        for (whom, number) in all {
            match whom {
                Whom::All => of_everybody.push(number),
                Whom::Network(network) => filed.push((network.trunc(), number)),
            }
        }
        filed.sort_by_key(|(network, _)| (network.addr(), network.prefix_len()));
        let everybody = Filed { network: None, numbers: of_everybody, part_of: None };
        let (of_ipv4, of_ipv6) = (Spans::default(), Spans::default());
        let mut networks = Self { list: vec![everybody], of_ipv4, of_ipv6 };
        let mut smallest = EVERYBODY;
        for (network, number) in filed {
            smallest = networks.leave(smallest, |left| !left.contains(&network));
            smallest = networks.file(network, number, smallest);
        }
        networks.leave(smallest, |_| true);
        networks
    }

    /// Files a number under a network that belongs at the end of the list, and returns its place.
    fn file(&mut self, network: IpNet, number: usize, part_of: usize) -> usize {
        if let Some(last) = self.list.last_mut().filter(|last| last.network == Some(network)) {
            last.numbers.push(number);
            return part_of;
        }
        let place = self.list.len();
        let (numbers, part_of) = (vec![number], Some(part_of));
        self.list.push(Filed { network: Some(network), numbers, part_of });
        match network.addr() {
            IpAddr::V4(first) => self.of_ipv4.begin(first.to_bits(), place),
            IpAddr::V6(first) => self.of_ipv6.begin(first.to_bits(), place),
        }
        place
    }

    /// Goes on behind a network, and behind each that it is a part of, up to one that is not left. Returns the
    /// place of that one.
    fn leave(&mut self, mut smallest: usize, is_left: impl Fn(&IpNet) -> bool) -> usize {
        while let Some(Filed { network: Some(network), part_of: Some(part_of), .. }) =
            self.list.get(smallest)
            && is_left(network)
        {
            smallest = *part_of;
            match network.broadcast() {
                IpAddr::V4(last) => {
                    if let Some(behind) = last.to_bits().checked_add(1) {
                        self.of_ipv4.begin(behind, smallest);
                    }
                }
                IpAddr::V6(last) => {
                    if let Some(behind) = last.to_bits().checked_add(1) {
                        self.of_ipv6.begin(behind, smallest);
                    }
                }
            }
        }
        smallest
    }

    /// Returns how many places there are.
    pub(super) const fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether nothing is filed.
    pub(super) fn is_empty(&self) -> bool {
        self.list.iter().all(|filed| filed.numbers.is_empty())
    }

    /// Returns the place of the smallest network of a client; that of everybody if it is in none.
    pub(super) fn place(&self, client: IpAddr) -> usize {
        match client {
            IpAddr::V4(client) => self.of_ipv4.of(client.to_bits()),
            IpAddr::V6(client) => self.of_ipv6.of(client.to_bits()),
        }
    }

    /// Returns what is filed under the network of a place, under those that it is a part of, and under
    /// everybody.
    pub(super) fn at(&self, place: usize) -> impl Iterator<Item = usize> {
        let filed = |place: usize| self.list.get(place);
        let containing =
            std::iter::successors(filed(place), move |smaller| smaller.part_of.and_then(filed));
        containing.flat_map(|filed| &filed.numbers).copied()
    }

    /// Returns what is filed under everybody and under the networks of a client.
    pub(super) fn of(&self, client: IpAddr) -> impl Iterator<Item = usize> {
        self.at(self.place(client))
    }
}

/// The addresses of IPv4 or of IPv6 in spans: those of one are in the same networks. Those before the first are
/// in none.
#[derive(Debug, Default)]
struct Spans<A> {
    /// The first addresses in order: close together in memory, because every packet is looked for among them.
    begin: Vec<A>,
    /// The place of the smallest network of each.
    smallest: Vec<usize>,
}

impl<A: Copy + Ord> Spans<A> {
    /// Begins a span behind the last, or in the place of the last if that begins at the same address.
    fn begin(&mut self, first: A, smallest: usize) {
        if self.begin.last() == Some(&first) {
            self.smallest.pop();
        } else {
            self.begin.push(first);
        }
        self.smallest.push(smallest);
    }

    /// Returns the place of the smallest network that contains an address.
    fn of(&self, address: A) -> usize {
        let begun = self.begin.partition_point(|first| *first <= address);
        let last = begun.checked_sub(1).and_then(|last| self.smallest.get(last));
        last.copied().unwrap_or(EVERYBODY)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::*;

    /// Addresses that differ in a few bits, so that many networks contain them.
    pub(in super::super) fn address() -> impl Strategy<Value = IpAddr> {
        let bits = prop::sample::select(vec![0_u32, 1, 2, 0x80, 0x100, 0x8000_0000, u32::MAX]);
        (any::<bool>(), bits.clone(), bits).prop_map(|(is_ipv6, one, two)| {
            if is_ipv6 {
                Ipv6Addr::from_bits(u128::from(one) << 96 | u128::from(two)).into()
            } else {
                Ipv4Addr::from_bits(one ^ two).into()
            }
        })
    }

    pub(in super::super) fn whom() -> impl Strategy<Value = Whom> {
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

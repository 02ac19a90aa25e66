//! Whom and what assertions are about, each once: a flood costs the same for one assertion and for many.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use knock_engine::{DoorId, Doors, Knock, Packet};

use super::claim::{Meant, Which};
use super::networks::Networks;
use crate::explain::Whom;
use crate::session::names::PacketId;

/// The doors and clients that assertions are about, by number.
#[derive(Debug)]
pub(super) struct Subjects {
    numbers: HashMap<Which, usize>,
    /// Those about each door, by [`DoorId::index`].
    of_door: Vec<Networks>,
    /// All of whom assertions are, by number.
    whom: HashMap<Whom, usize>,
    comers: Networks,
    /// The number of that about all doors, of each of those.
    of_all_doors: Vec<Option<usize>>,
    /// Who came last, and the place among the comers: most of what happens is about the same client.
    last: Option<(IpAddr, usize)>,
}

impl Subjects {
    pub(super) fn new<'a>(all: impl IntoIterator<Item = &'a Which>, doors: &Doors) -> Self {
        let (list, numbers) = numbered(all.into_iter().cloned());
        let (comers, whom) = numbered(list.iter().map(|which| which.whom));
        let mut of_door = vec![Vec::new(); doors.len()];
        let mut of_all_doors = vec![None; comers.len()];
        for (number, which) in list.iter().enumerate() {
            match &which.doors {
                Meant::Any => {
                    let place = whom.get(&which.whom);
                    if let Some(of_all) = place.and_then(|&at| of_all_doors.get_mut(at)) {
                        *of_all = Some(number);
                    }
                }
                Meant::Named(_, named) => {
                    for door in named {
                        if let Some(of_door) = of_door.get_mut(door.index()) {
                            of_door.push((which.whom, number));
                        }
                    }
                }
            }
        }
        let of_door = of_door.into_iter().map(Networks::new).collect();
        let comers = Networks::new(comers.into_iter().zip(0..));
        Self { numbers, of_door, whom, comers, of_all_doors, last: None }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the number of one.
    pub(super) fn number(&self, which: &Which) -> Option<usize> {
        self.numbers.get(which).copied()
    }

    /// A client comes: returns its place among the comers.
    pub(super) fn comes(&mut self, client: IpAddr) -> usize {
        let place = self.comers.place(client);
        self.last = Some((client, place));
        place
    }

    /// Returns the place of a client among the comers.
    pub(super) fn place(&self, client: IpAddr) -> usize {
        match self.last {
            Some((last, place)) if last == client => place,
            _ => self.comers.place(client),
        }
    }

    /// Returns how many places there are among the comers.
    pub(super) const fn places(&self) -> usize {
        self.comers.len()
    }

    /// Returns the numbers of those about all doors that the clients of a place belong to.
    pub(super) fn of_all_doors(&self, place: usize) -> impl Iterator<Item = usize> {
        let number = |whom: usize| self.of_all_doors.get(whom).copied().flatten();
        self.comers.at(place).filter_map(number)
    }

    /// Returns the numbers of those about a door by its name that a client belongs to.
    pub(super) fn of_door(&self, client: IpAddr, door: DoorId) -> impl Iterator<Item = usize> {
        let of_door = self.of_door.get(door.index()).filter(|networks| !networks.is_empty());
        of_door.map(|networks| networks.of(client)).into_iter().flatten()
    }

    /// Returns the numbers of those that a client at a door belongs to.
    pub(super) fn of(&self, client: IpAddr, door: DoorId) -> impl Iterator<Item = usize> {
        self.of_door(client, door).chain(self.of_all_doors(self.place(client)))
    }

    /// Adds up what came from those whom an assertion is about, of what came from each place.
    pub(super) fn packets(&self, whom: Whom, packets: &Comers) -> Packets {
        let sum = || {
            let mut sum = vec![Packets::default(); self.whom.len()];
            for (place, packets) in packets.of_place.iter().enumerate() {
                for whom in self.comers.at(place) {
                    sum.get_mut(whom).into_iter().for_each(|sum| sum.add(packets));
                }
            }
            sum
        };
        let place = self.whom.get(&whom);
        place.and_then(|&at| packets.of_whom.get_or_init(sum).get(at)).copied().unwrap_or_default()
    }
}

/// The packets that came.
#[derive(Debug, Default)]
pub(super) struct Comers {
    /// How many came.
    count: u64,
    /// Those of each place, but not those of the smaller networks in it.
    of_place: Vec<Packets>,
    /// Those of whom assertions are about, added up when all have come.
    of_whom: OnceCell<Vec<Packets>>,
}

/// How many packets came, and the first of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packets {
    pub(super) count: u64,
    pub(super) first: Option<First>,
}

/// The first packet that came from somebody.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    /// How many had come from others.
    before: u64,
    pub(super) id: PacketId,
    pub(super) knock: Knock,
}

impl Packets {
    /// Adds those of others.
    fn add(&mut self, others: &Self) {
        self.count = self.count.saturating_add(others.count);
        let both = self.first.into_iter().chain(others.first);
        self.first = both.min_by_key(|first| first.before);
    }
}

impl Comers {
    pub(super) fn new(places: usize) -> Self {
        Self { of_place: vec![Packets::default(); places], ..Self::default() }
    }

    /// Takes a packet that could be read, from a client of a place.
    pub(super) fn packet(&mut self, place: usize, id: PacketId, packet: &Packet) {
        let Self { count, of_place, .. } = self;
        let before = *count;
        *count = count.saturating_add(1);
        let Some(packets) = of_place.get_mut(place) else { return };
        packets.count = packets.count.saturating_add(1);
        packets.first.get_or_insert_with(|| First { before, id, knock: packet.knock() });
    }
}

/// Numbers what there is, each once: in order of the numbers, and to find them.
fn numbered<T: Clone + Eq + Hash>(all: impl IntoIterator<Item = T>) -> (Vec<T>, HashMap<T, usize>) {
    let (mut list, mut numbers) = (Vec::new(), HashMap::new());
    for one in all {
        if !numbers.contains_key(&one) {
            numbers.insert(one.clone(), list.len());
            list.push(one);
        }
    }
    (list, numbers)
}

#[cfg(test)]
mod tests {
    use knock_engine::{Port, Transport};
    use proptest::prelude::*;

    use super::super::networks::tests::{address, whom};
    use super::*;

    proptest! {
        #[test]
        fn packets_of_a_network_are_those_of_all_its_parts(
            all in prop::collection::vec(whom(), 0..50),
            clients in prop::collection::vec(address(), 0..50),
        ) {
            let all = all.into_iter().map(|whom| Which { doors: Meant::Any, whom });
            let all: Vec<Which> = all.collect();
            let mut subjects = Subjects::new(&all, &Doors::new(Vec::new()).unwrap());
            let mut comers = Comers::new(subjects.places());
            // The first that comes is not the one with the least number: captures are merged by time.
            let numbered = || clients.iter().copied().zip((0_u64..1000).rev());
            for (source, number) in numbered() {
                let place = subjects.comes(source);
                let packet = Packet {
                    source,
                    destination: source,
                    source_port: Port(9),
                    destination_port: Port(9),
                    transport: Transport::Udp,
                };
                comers.packet(place, PacketId { capture: 0, number }, &packet);
            }
            for Which { whom, .. } in &all {
                let came = subjects.packets(*whom, &comers);
                let expected = || numbered().filter(|(client, _)| whom.contains(*client));
                prop_assert_eq!(came.count, u64::try_from(expected().count()).unwrap());
                let first = came.first.map(|first| first.id.number);
                prop_assert_eq!(first, expected().next().map(|(_, number)| number));
            }
        }
    }
}

//! Whom and what assertions are about, each once: a flood costs the same for one assertion and for many.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use knock_engine::{DoorId, Doors, Knock, Packet};

use super::claim::{Meant, Which};
use super::networks::Networks;
use crate::explain::Whom;
use crate::session::names::PacketId;

/// The doors and clients that assertions are about, by number.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    numbers: HashMap<Which, usize>,
    /// Those about each door, by [`DoorId::index`].
    of_door: Vec<Networks>,
    /// Those about all doors.
    of_any: Networks,
}

impl Subjects {
    pub(super) fn new<'a>(all: impl IntoIterator<Item = &'a Which>, doors: &Doors) -> Self {
        let (list, numbers) = numbered(all.into_iter().cloned());
        let mut of_door = vec![Vec::new(); doors.len()];
        let mut of_any = Vec::new();
        for (number, which) in list.iter().enumerate() {
            match &which.doors {
                Meant::Any => of_any.push((which.whom, number)),
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
        Self { numbers, of_door, of_any: Networks::new(of_any) }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Returns the number of one.
    pub(super) fn number(&self, which: &Which) -> Option<usize> {
        self.numbers.get(which).copied()
    }

    /// Returns the numbers of those that a client at a door belongs to.
    pub(super) fn of(&self, client: IpAddr, door: DoorId) -> impl Iterator<Item = usize> {
        let of_door = self.of_door.get(door.index()).map(|networks| networks.of(client));
        of_door.into_iter().flatten().chain(self.of_any.of(client))
    }
}

/// The packets of those whom assertions are about.
#[derive(Debug, Default)]
pub(super) struct Comers {
    numbers: HashMap<Whom, usize>,
    networks: Networks,
    packets: Vec<Packets>,
}

/// How many packets came, and the first of them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packets {
    pub(super) count: u64,
    pub(super) first: Option<(PacketId, Knock)>,
}

impl Comers {
    pub(super) fn new(all: impl IntoIterator<Item = Whom>) -> Self {
        let (list, numbers) = numbered(all);
        let packets = vec![Packets::default(); list.len()];
        let networks = Networks::new(list.into_iter().zip(0..));
        Self { numbers, networks, packets }
    }

    /// Takes a packet that could be read.
    pub(super) fn packet(&mut self, id: PacketId, packet: &Packet) {
        let Self { networks, packets, .. } = self;
        for number in networks.of(packet.source) {
            let Some(packets) = packets.get_mut(number) else { continue };
            packets.count = packets.count.saturating_add(1);
            packets.first.get_or_insert((id, packet.knock()));
        }
    }

    /// Returns which packets came.
    pub(super) fn packets(&self, whom: Whom) -> Packets {
        let number = self.numbers.get(&whom);
        number.and_then(|&number| self.packets.get(number)).copied().unwrap_or_default()
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

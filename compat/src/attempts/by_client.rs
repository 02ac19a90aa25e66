//! The attempts of each client.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::hint::black_box;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::chain::{Chain, Links, Slot};

use super::slots::{Serial, Slots};

/// The attempts of each client that has any, oldest first. A hash map: in a flood nearly every packet is of a client
/// that has none.
#[derive(Clone, Debug, Default)]
pub(super) struct ByClient(HashMap<Client, Chain, RandomState>);

/// A client as a key: its hash is made in one step, that of an address byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Client(IpAddr);

impl Hash for Client {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        match self.0 {
            IpAddr::V4(address) => hasher.write_u32(address.to_bits()),
            IpAddr::V6(address) => hasher.write_u128(address.to_bits()),
        }
    }
}

impl ByClient {
    /// How many clients fit when the map grows to many at once, as [`Slots`] do.
    const SMALL: usize = 7168;
    const LARGE: usize = 32 * Self::SMALL;
    /// What a map has room for at most that is emptied, and not given back.
    const KEPT: usize = 1024;

    /// Prepares for a packet of a client that comes soon: the waits for memory overlap then.
    pub(super) fn anticipate(&self, client: IpAddr) {
        black_box(self.0.get(&Client(client)));
    }

    pub(super) fn has(&self, client: IpAddr) -> bool {
        self.0.contains_key(&Client(client))
    }

    /// Returns where the oldest attempt of a client is.
    pub(super) fn oldest(&self, client: IpAddr) -> Slot {
        self.0.get(&Client(client)).map_or(Slot::NONE, |chain| chain.first)
    }

    /// Adds an attempt of a client, younger than all before.
    pub(super) fn add(&mut self, slots: &mut Slots, client: IpAddr, serial: Serial) {
        if self.0.len() == self.0.capacity() && self.0.len() >= Self::SMALL {
            self.0.reserve(Self::LARGE.saturating_sub(self.0.len()).max(1));
        }
        let chain = self.0.entry(Client(client)).or_default();
        chain.push(slots, serial.slot, of_client);
    }

    pub(super) fn remove(&mut self, slots: &mut Slots, client: IpAddr, serial: Serial) {
        let Entry::Occupied(mut there) = self.0.entry(Client(client)) else { return };
        there.get_mut().remove(slots, serial.slot, of_client);
        if there.get().is_empty() {
            there.remove();
        }
    }

    pub(super) fn clear(&mut self) {
        if self.0.capacity() > Self::KEPT {
            // To empty it would take as long as it is large.
            self.0 = HashMap::default();
        } else {
            self.0.clear();
        }
    }
}

fn of_client(slots: &mut Slots, slot: Slot) -> &mut Links {
    &mut slots.at_mut(slot).of_client
}

//! Which doors name a knock.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::entry::Entry;
use crate::door_id::DoorId;
use crate::packet::{Knock, Protocol};
use crate::periods::Periods;
use crate::ports::PortSet;
use crate::sequence::Sequence;

/// Which doors name a knock. Most packets are for no door, so that answer must be fast.
#[derive(Clone, Debug, Default)]
pub(super) struct KnockIndex {
    tcp: PortSet,
    udp: PortSet,
    /// The ports that derived sequences may have; they are in the sets above as well.
    derived: BTreeSet<(Protocol, u16, u16)>,
    /// Sorted by knock.
    named: Vec<Named>,
}

/// Where a knock is in the index, until that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KnockPlace(usize);

impl KnockPlace {
    /// The knock may be in a derived sequence, and is in no other that is there now.
    pub(super) const NONE: Self = Self(usize::MAX);
}

#[derive(Clone, Debug)]
struct Named {
    knock: Knock,
    /// Doors that have the knock anywhere in their sequence, in order.
    anywhere: Vec<DoorId>,
    /// Doors that have the knock first in their sequence, in order.
    first: Vec<DoorId>,
}

impl KnockIndex {
    pub(super) fn new(entries: &[Entry], in_order: &[DoorId], periods: &Periods) -> Self {
        let mut index = Self::default();
        for derived in periods.all() {
            let (ports, protocol) = (derived.ports(), derived.protocol());
            if index.derived.insert((protocol, ports.first(), ports.last())) {
                for port in ports.first()..=ports.last() {
                    index.ports_mut(protocol).insert(port);
                }
            }
        }
        let doors = in_order.iter().filter_map(|&id| {
            let entry = entries.get(id.index())?;
            Some((entry.place, id, entry.door.sequence()?.knocks()))
        });
        let mut pairs: Vec<(Knock, usize, DoorId, bool)> = doors
            .flat_map(|(place, id, knocks)| {
                knocks.iter().map(move |&knock| (knock, place, id, knocks.first() == Some(&knock)))
            })
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        for pair in pairs.chunk_by(|one, other| one.0 == other.0) {
            let Some(&(knock, ..)) = pair.first() else { continue };
            index.ports_mut(knock.protocol).insert(knock.port.0);
            let anywhere = pair.iter().map(|&(.., id, _)| id).collect();
            let first = pair.iter().filter(|(.., first)| *first).map(|&(.., id, _)| id).collect();
            index.named.push(Named { knock, anywhere, first });
        }
        index
    }

    /// Adds a door with its sequence. The time grows with the knocks that all doors name.
    pub(super) fn add(&mut self, id: DoorId, sequence: &Sequence, entries: &[Entry]) {
        for &knock in sequence.knocks() {
            insert(&mut self.entry(knock).anywhere, id, entries);
        }
        if let Some(&first) = sequence.knocks().first() {
            insert(&mut self.entry(first).first, id, entries);
        }
    }

    /// Removes a door that had this sequence.
    pub(super) fn remove(&mut self, id: DoorId, sequence: &Sequence) {
        for &knock in sequence.knocks() {
            let Ok(at) = self.find(knock) else { continue };
            let Some(named) = self.named.get_mut(at) else { continue };
            named.anywhere.retain(|&other| other != id);
            named.first.retain(|&other| other != id);
            if named.anywhere.is_empty() {
                self.named.remove(at);
                if !self.is_derived(knock) {
                    self.ports_mut(knock.protocol).remove(knock.port.0);
                }
            }
        }
    }

    fn entry(&mut self, knock: Knock) -> &mut Named {
        let at = match self.find(knock) {
            Ok(at) => at,
            Err(at) => {
                self.named.insert(at, Named { knock, anywhere: Vec::new(), first: Vec::new() });
                self.ports_mut(knock.protocol).insert(knock.port.0);
                at
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted there just now")]
        &mut self.named[at]
    }

    /// Returns whether derived sequences may have a knock.
    fn is_derived(&self, knock: Knock) -> bool {
        let port = knock.port.0;
        self.derived.iter().any(|&(protocol, first, last)| {
            protocol == knock.protocol && (first..=last).contains(&port)
        })
    }

    fn ports_mut(&mut self, protocol: Protocol) -> &mut PortSet {
        match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        }
    }

    fn find(&self, knock: Knock) -> Result<usize, usize> {
        // As numbers: comparing them takes no branch, which a processor could not predict.
        self.named.binary_search_by_key(&number(knock), |named| number(named.knock))
    }

    pub(super) fn names(&self, knock: Knock) -> bool {
        match knock.protocol {
            Protocol::Tcp => self.tcp.contains(knock.port.0),
            Protocol::Udp => self.udp.contains(knock.port.0),
        }
    }

    /// Returns where a knock is; `None` if no door names it.
    pub(super) fn place(&self, knock: Knock) -> Option<KnockPlace> {
        let place = || self.find(knock).map_or(KnockPlace::NONE, KnockPlace);
        self.names(knock).then(place)
    }

    /// Returns the doors that have the knock with this place.
    pub(super) fn naming(&self, KnockPlace(place): KnockPlace) -> &[DoorId] {
        self.named.get(place).map_or(&[], |named| &named.anywhere)
    }

    /// Returns the doors that have a knock first. It had this place; if it has another one by now, it is looked for.
    pub(super) fn starting_with(&self, knock: Knock, place: KnockPlace) -> &[DoorId] {
        let at = |KnockPlace(place): KnockPlace| self.named.get(place);
        let there = at(place).filter(|named| named.knock == knock);
        there.or_else(|| at(self.place(knock)?)).map_or(&[], |named| &named.first)
    }
}

/// Returns a number for each knock, in the order of knocks.
fn number(Knock { port, protocol }: Knock) -> u32 {
    u32::from(port.0) << 1 | u32::from(protocol == Protocol::Udp)
}

/// Inserts a door into a list in the order of the file, if it is not there.
fn insert(ids: &mut Vec<DoorId>, id: DoorId, entries: &[Entry]) {
    let place = |id: DoorId| entries.get(id.index()).map(|entry| entry.place);
    if let Err(at) = ids.binary_search_by_key(&place(id), |&other| place(other)) {
        ids.insert(at, id);
    }
}

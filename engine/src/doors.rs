//! All doors of a configuration, and which of them a packet concerns.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::door::{Door, DoorSequence};
use crate::listening::Listening;
use crate::one_time::OneTimeLine;
use crate::packet::{Knock, Packet, Protocol};

/// A door among [`Doors`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoorId(u16);

impl DoorId {
    /// Returns the place of the door in the order of the file, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// There are more doors than [`Doors::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDoors;

impl fmt::Display for TooManyDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are more than {} doors", Doors::MAX)
    }
}

impl core::error::Error for TooManyDoors {}

/// The doors of a configuration, in the order of the file.
#[derive(Clone, Debug)]
pub struct Doors {
    in_order: Vec<Door>,
    /// The name of each door as it stands in a line of the transcript: `: NAME: `.
    labels: Vec<Box<[u8]>>,
    index: KnockIndex,
}

impl Doors {
    /// The most doors a configuration may have.
    pub const MAX: usize = 65_535;

    /// Takes the doors in the order of the file.
    ///
    /// # Errors
    /// [`TooManyDoors`] if there are more than [`Doors::MAX`].
    pub fn new(doors: Vec<Door>) -> Result<Self, TooManyDoors> {
        if doors.len() > Self::MAX {
            return Err(TooManyDoors);
        }
        let index = KnockIndex::new(&doors);
        let label = |door: &Door| [b": ", door.name.as_bytes(), b": "].concat().into_boxed_slice();
        let labels = doors.iter().map(label).collect();
        Ok(Self { in_order: doors, labels, index })
    }

    #[cfg(test)]
    pub(crate) fn id_for_tests() -> DoorId {
        DoorId(0)
    }

    /// Returns the number of doors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Returns whether there is no door.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Returns a door.
    ///
    /// # Panics
    /// If `id` came from other doors than these.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "only this type makes ids, and never removes a door"
    )]
    pub fn door(&self, id: DoorId) -> &Door {
        &self.in_order[id.index()]
    }

    /// Returns `: NAME: `, which the lines about a client at this door have behind the address.
    pub(crate) fn label(&self, id: DoorId) -> &[u8] {
        self.labels.get(id.index()).map(|label| &**label).unwrap_or_default()
    }

    /// Returns whether a packet counts: whether any door would let it through its filter, with its
    /// destination, its port and protocol anywhere in the sequence, and its flags (rules.md,
    /// Admission).
    #[must_use]
    pub fn admit(&self, listening: &Listening, packet: &Packet) -> bool {
        self.index.naming(packet.knock()).iter().any(|&id| {
            let door = self.door(id);
            listening.belongs(packet.destination, door.target)
                && door.flags.is_satisfied_by(packet.transport)
        })
    }

    /// Returns whether any door has this knock in its sequence.
    pub(crate) fn names(&self, knock: Knock) -> bool {
        self.index.names(knock)
    }

    /// Returns the doors whose first knock this is, in the order of the file.
    pub(crate) fn starting_with(&self, knock: Knock) -> &[DoorId] {
        self.index.starting_with(knock)
    }

    /// Takes the one-time sequence that has just opened a door off its list; `None` if the door
    /// has a fixed sequence.
    pub(crate) fn use_up_sequence(&mut self, id: DoorId) -> Option<OneTimeLine> {
        let DoorSequence::OneTime(sequences) = &mut self.in_order.get_mut(id.index())?.sequence
        else {
            return None;
        };
        let used = sequences.use_up();
        self.index = KnockIndex::new(&self.in_order);
        used
    }
}

/// Which doors name a knock. Most packets of a network name none, so that answer comes first.
#[derive(Clone, Debug)]
struct KnockIndex {
    tcp: PortSet,
    udp: PortSet,
    /// Sorted by knock.
    named: Vec<Named>,
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
    fn new(doors: &[Door]) -> Self {
        let mut index = Self { tcp: PortSet::new(), udp: PortSet::new(), named: Vec::new() };
        for (id, door) in (0..).map(DoorId).zip(doors) {
            let Some(sequence) = door.sequence() else { continue };
            for &knock in sequence.knocks() {
                let anywhere = &mut index.entry(knock).anywhere;
                if anywhere.last() != Some(&id) {
                    anywhere.push(id);
                }
            }
            if let Some(&first) = sequence.knocks().first() {
                index.entry(first).first.push(id);
            }
        }
        index
    }

    fn entry(&mut self, knock: Knock) -> &mut Named {
        let at = match self.find(knock) {
            Ok(at) => at,
            Err(at) => {
                self.named.insert(at, Named { knock, anywhere: Vec::new(), first: Vec::new() });
                match knock.protocol {
                    Protocol::Tcp => self.tcp.insert(knock.port.0),
                    Protocol::Udp => self.udp.insert(knock.port.0),
                }
                at
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted there just now")]
        &mut self.named[at]
    }

    fn find(&self, knock: Knock) -> Result<usize, usize> {
        self.named.binary_search_by_key(&knock, |named| named.knock)
    }

    fn names(&self, knock: Knock) -> bool {
        match knock.protocol {
            Protocol::Tcp => self.tcp.contains(knock.port.0),
            Protocol::Udp => self.udp.contains(knock.port.0),
        }
    }

    fn lookup(&self, knock: Knock) -> Option<&Named> {
        if self.names(knock) { self.named.get(self.find(knock).ok()?) } else { None }
    }

    fn naming(&self, knock: Knock) -> &[DoorId] {
        self.lookup(knock).map_or(&[], |named| &named.anywhere)
    }

    fn starting_with(&self, knock: Knock) -> &[DoorId] {
        self.lookup(knock).map_or(&[], |named| &named.first)
    }
}

/// A set of ports as 65,536 bits: 8 KiB, which stay in the first-level cache.
#[derive(Clone, Debug)]
struct PortSet(Vec<u64>);

impl PortSet {
    fn new() -> Self {
        Self(vec![0; 1024])
    }

    fn insert(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }

    fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port >> 6)).is_some_and(|word| (word >> (port & 63)) & 1 == 1)
    }
}

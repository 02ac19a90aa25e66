//! Things with a due time: entries of a slab, chained by door in the order in which they are due.

use alloc::vec::Vec;

pub(super) use super::heads::Due;
use super::heads::Heads;
pub(super) use crate::chain::{Chain, Links, Slot};
use crate::doors::DoorId;
use crate::time::Timestamp;

/// An entry of a [`DueTable`].
pub(super) trait Entry: Copy {
    /// Returns the door whose chain the entry is in.
    fn door(&self) -> DoorId;
}

#[derive(Clone, Copy, Debug)]
struct Node<T> {
    due: KeptDue,
    links: Links,
    value: T,
}

/// A due time in bytes: in numbers of 8 bytes, each entry would be padded to a multiple of them.
#[derive(Clone, Copy, Debug)]
struct KeptDue {
    time: [u8; 8],
    serial: [u8; 8],
}

impl KeptDue {
    fn new((at, serial): Due) -> Self {
        Self { time: at.as_nanos().to_ne_bytes(), serial: serial.to_ne_bytes() }
    }

    fn get(self) -> Due {
        let at = Timestamp::from_nanos(i64::from_ne_bytes(self.time));
        (at, u64::from_ne_bytes(self.serial))
    }
}

/// A table of at most 2^32 - 1 entries, each of a door and due at some time.
///
/// Every operation takes constant time in the number of entries, because within a door entries
/// come in the order in which they are due, or nearly: time never runs backwards and a door has one
/// timeout.
/// Where the first entry of a door changes, it takes time in the logarithm of the number of doors.
#[derive(Debug)]
pub(super) struct DueTable<T> {
    nodes: Vec<Node<T>>,
    /// Unused nodes, chained by `links.after`.
    free: Slot,
    live: usize,
    /// By door.
    chains: Vec<Chain>,
    heads: Heads,
}

impl<T: Entry> DueTable<T> {
    #[cfg(test)]
    pub(super) const ENTRY_SIZE: usize = size_of::<Node<T>>();

    pub(super) const fn new() -> Self {
        Self::of(Vec::new())
    }

    /// Makes a table with space for some entries, so that it is not copied while they come. Unused space
    /// costs addresses, but no memory.
    pub(super) fn with_room_for(entries: usize) -> Self {
        Self::of(Vec::with_capacity(entries))
    }

    const fn of(nodes: Vec<Node<T>>) -> Self {
        Self { nodes, free: Slot::NONE, live: 0, chains: Vec::new(), heads: Heads::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, slot: Slot) -> &T {
        &self.node(slot).value
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.node_mut(slot).value
    }

    pub(super) fn due(&self, slot: Slot) -> Due {
        self.node(slot).due.get()
    }

    /// Returns the entry that is due first, and when it is.
    pub(super) fn earliest(&self) -> Option<(Due, Slot)> {
        let (due, door) = self.heads.first()?;
        Some((due, self.chain(door).first))
    }

    /// Returns the same if it is due at a moment or before.
    pub(super) fn earliest_until(&self, until: Timestamp) -> Option<(Due, Slot)> {
        self.earliest().filter(|&((at, _), _)| at <= until)
    }

    /// Returns an entry and those of its door that are due after it, in order.
    pub(super) fn from(&self, slot: Slot) -> impl Iterator<Item = Slot> + '_ {
        core::iter::successors(Some(slot), |&slot| self.node(slot).links.after.some())
    }

    /// Returns the doors that have entries.
    pub(super) fn doors(&self) -> impl Iterator<Item = DoorId> {
        self.heads.doors()
    }

    /// Returns the entry of a door that is due first.
    pub(super) fn earliest_of(&self, door: DoorId) -> Option<Slot> {
        self.chains.get(door.index())?.first.some()
    }

    /// Adds an entry. It takes constant time if the entry is due no earlier than the others of its door.
    pub(super) fn insert(&mut self, due: Due, value: T) -> Slot {
        let door = value.door();
        if self.chains.len() <= door.index() {
            self.chains.resize(door.index().saturating_add(1), Chain::EMPTY);
        }
        let links = self.before_or_at(due, door, self.chain(door).last);
        let slot = self.allocate(Node { due: KeptDue::new(due), links, value });
        self.lead_to(slot, due, door, links);
        self.live = self.live.saturating_add(1);
        slot
    }

    /// Adds an entry to the chain of another one, near which it is due.
    pub(super) fn insert_near(&mut self, near: Slot, due: Due, value: T) -> Slot {
        let door = value.door();
        let links = self.near(due, door, near);
        let slot = self.allocate(Node { due: KeptDue::new(due), links, value });
        self.lead_to(slot, due, door, links);
        self.live = self.live.saturating_add(1);
        slot
    }

    /// Has an entry be due later. It takes constant time if it is then due no earlier than the others of
    /// its door.
    pub(super) fn postpone(&mut self, slot: Slot, due: Due) {
        let door = self.get(slot).door();
        self.unchain(slot, door);
        let links = self.before_or_at(due, door, self.chain(door).last);
        self.chain_between(slot, due, door, links);
    }

    /// Has an entry be due a little later: at the same time, but perhaps after its neighbours.
    pub(super) fn defer(&mut self, slot: Slot, due: Due) {
        let door = self.get(slot).door();
        let Links { before, after } = self.node(slot).links;
        self.unchain(slot, door);
        let links = match before.some().or(after.some()) {
            Some(near) => self.near(due, door, near),
            None => Links::NONE,
        };
        self.chain_between(slot, due, door, links);
    }

    /// Removes an entry.
    pub(super) fn remove(&mut self, slot: Slot) -> T {
        let value = *self.get(slot);
        self.unchain(slot, value.door());
        self.node_mut(slot).links.after = self.free;
        self.free = slot;
        self.live = self.live.saturating_sub(1);
        value
    }

    /// Returns between which entries of a door one belongs that is due then: from this one on towards the end.
    fn near(&self, due: Due, door: DoorId, mut near: Slot) -> Links {
        while let Some(after) = self.node(near).links.after.some()
            && self.due(after) <= due
        {
            near = after;
        }
        self.before_or_at(due, door, near)
    }

    /// Returns the same: after this entry or, if that is due later, before it.
    fn before_or_at(&self, due: Due, door: DoorId, mut before: Slot) -> Links {
        while let Some(there) = before.some()
            && self.due(there) > due
        {
            before = self.node(there).links.before;
        }
        let after = match before.some() {
            Some(before) => self.node(before).links.after,
            None => self.chain(door).first,
        };
        Links { before, after }
    }

    /// Puts a node that is in no chain between two entries of a door.
    fn chain_between(&mut self, slot: Slot, due: Due, door: DoorId, links: Links) {
        let node = self.node_mut(slot);
        (node.due, node.links) = (KeptDue::new(due), links);
        self.lead_to(slot, due, door, links);
    }

    /// Has the entries before and after a node lead to it.
    #[inline]
    fn lead_to(&mut self, slot: Slot, due: Due, door: DoorId, links: Links) {
        let (chain, nodes) = self.chain_mut(door);
        chain.lead_to(nodes, slot, links, links_of);
        if links.before == Slot::NONE {
            self.heads.set(door, Some(due));
        }
    }

    #[inline]
    fn unchain(&mut self, slot: Slot, door: DoorId) {
        let (chain, nodes) = self.chain_mut(door);
        let Links { before, after } = chain.remove(nodes, slot, links_of);
        if before == Slot::NONE {
            let due = after.some().map(|first| self.due(first));
            self.heads.set(door, due);
        }
    }

    fn allocate(&mut self, node: Node<T>) -> Slot {
        if let Some(slot) = self.free.some() {
            self.free = self.node(slot).links.after;
            *self.node_mut(slot) = node;
            return slot;
        }
        let slot = Slot::at(self.nodes.len());
        debug_assert!(slot != Slot::NONE, "the limits are far below 2^32");
        self.nodes.push(node);
        slot
    }

    #[expect(clippy::indexing_slicing, reason = "a slot is the index of a node that is there")]
    fn node(&self, slot: Slot) -> &Node<T> {
        &self.nodes[slot.index()]
    }

    #[expect(clippy::indexing_slicing, reason = "a slot is the index of a node that is there")]
    fn node_mut(&mut self, slot: Slot) -> &mut Node<T> {
        &mut self.nodes[slot.index()]
    }

    #[expect(clippy::indexing_slicing, reason = "a door with an entry has a chain")]
    fn chain(&self, door: DoorId) -> &Chain {
        &self.chains[door.index()]
    }

    /// Returns the chain of a door, and what it goes through.
    #[expect(clippy::indexing_slicing, reason = "a door with an entry has a chain")]
    fn chain_mut(&mut self, door: DoorId) -> (&mut Chain, &mut [Node<T>]) {
        (&mut self.chains[door.index()], &mut self.nodes)
    }
}

#[expect(clippy::indexing_slicing, reason = "a slot is the index of a node that is there")]
fn links_of<T>(nodes: &mut [Node<T>], slot: Slot) -> &mut Links {
    &mut nodes[slot.index()].links
}

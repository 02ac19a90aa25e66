//! Which doors hear a packet.

use alloc::borrow::Cow;

use super::Doors;
use super::knock_index::KnockPlace;
use crate::address;
use crate::door_id::DoorId;
use crate::hearing::{self, Hearing};
use crate::listening::Listening;
use crate::packet::{Knock, Packet, Protocol};

/// Why a packet counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeardBy {
    /// A door that hears it. Others may, too.
    pub(crate) door: DoorId,
    /// Where its knock is in the index.
    pub(crate) place: KnockPlace,
}

impl Doors {
    /// Returns whether a packet counts: whether any door would let it through its filter, with its
    /// destination, its port and protocol anywhere in the sequence, its flags, and its source. One that no
    /// host has never counts.
    #[must_use]
    #[inline]
    pub fn admit(&self, listening: &Listening, packet: &Packet) -> bool {
        self.heard_by(listening, packet).is_some()
    }

    /// Returns a door that hears a packet, if the packet counts, and where the knock is.
    #[expect(
        clippy::inline_always,
        reason = "a call costs as much as the look that a packet to no door needs"
    )]
    #[inline(always)]
    pub(crate) fn heard_by(&self, listening: &Listening, packet: &Packet) -> Option<HeardBy> {
        let place = self.index.place(packet.knock())?;
        let mut named = self.index.naming(place).iter().copied();
        let door = match named.find(|&id| self.hears(id, listening, packet)) {
            Some(door) => door,
            None => self.derived_heard_by(listening, packet)?,
        };
        address::is_of_a_host(packet.source).then_some(HeardBy { door, place })
    }

    /// Does the same among the doors with derived sequences.
    fn derived_heard_by(&self, listening: &Listening, packet: &Packet) -> Option<DoorId> {
        self.periods.naming(packet.knock()).find(|&id| self.hears(id, listening, packet))
    }

    #[inline]
    fn hears(&self, id: DoorId, listening: &Listening, packet: &Packet) -> bool {
        hearing::of(self.door(id), listening, packet) == Hearing::Heard
    }

    /// Returns how each door that names the packet's port treats the packet: first the doors that name
    /// the port with its protocol, then those that name it with the other one only, both in the order of
    /// the file. [`Doors::admit`] returns whether any of them hears it.
    pub fn hearing<'a>(
        &'a self,
        listening: &'a Listening,
        packet: &'a Packet,
    ) -> impl Iterator<Item = (DoorId, Hearing)> + 'a {
        let knock = packet.knock();
        let protocol = match knock.protocol {
            Protocol::Tcp => Protocol::Udp,
            Protocol::Udp => Protocol::Tcp,
        };
        let (named, others) = (self.naming(knock), self.naming(Knock { protocol, ..knock }));
        let at = |doors: &Cow<'_, [DoorId]>, place: usize| doors.get(place).copied();
        let mut places = 0..named.len().saturating_add(others.len());
        core::iter::from_fn(move || {
            places.find_map(|place| match place.checked_sub(named.len()) {
                None => {
                    let id = at(&named, place)?;
                    Some((id, hearing::of(self.door(id), listening, packet)))
                }
                Some(place) => {
                    let other = at(&others, place).filter(|id| !named.contains(id))?;
                    Some((other, Hearing::OtherProtocol))
                }
            })
        })
    }

    /// Returns the doors that have a knock in their sequence, or may have, in the order of the file.
    fn naming(&self, knock: Knock) -> Cow<'_, [DoorId]> {
        let place = self.index.place(knock);
        let mut naming = Cow::Borrowed(place.map_or(&[][..], |place| self.index.naming(place)));
        let mut derived = self.periods.naming(knock).peekable();
        // Hardly ever, and only then is there anything to put in order.
        if derived.peek().is_some() {
            let naming = naming.to_mut();
            naming.extend(derived);
            naming.sort_by_key(|&id| self.place(id));
        }
        naming
    }

    /// Returns whether any door has this knock in its sequence.
    pub(crate) fn names(&self, knock: Knock) -> bool {
        self.index.names(knock)
    }
}

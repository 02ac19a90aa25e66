//! All doors of a configuration, and which of them a packet concerns.

mod entry;
mod knock_index;

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use knock_signed::{Digest, KeyId, Moment, PACKET_BYTES, SequenceId};

use self::entry::{Entry, label_of};
use self::knock_index::KnockIndex;
pub(crate) use self::knock_index::KnockPlace;
use crate::address;
use crate::derived::PeriodMark;
use crate::door::{Door, DoorName, DoorSequence};
pub use crate::door_id::DoorId;
use crate::groups::{GroupId, Groups};
use crate::hearing::{self, Hearing};
use crate::listening::Listening;
use crate::one_time::OneTimeLine;
use crate::packet::{Knock, Packet, Protocol};
use crate::periods::Periods;
use crate::sequence::Sequence;
use crate::signing::{Came, NamedDoor, NotSigned, SignedRequest, Signing};
use crate::time::Timestamp;
use crate::used_periods::{PeriodOfDoor, PeriodUse};

/// There are more doors than [`Doors::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyDoors;

impl fmt::Display for TooManyDoors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there are more than {} doors", Doors::MAX)
    }
}

impl core::error::Error for TooManyDoors {}

/// A list of indices that cannot be the ids of doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotIds;

impl fmt::Display for NotIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the list does not give every door its own id")
    }
}

impl core::error::Error for NotIds {}

/// The doors of a configuration, in the order of the file.
#[derive(Clone, Debug)]
pub struct Doors {
    /// By [`DoorId`]. A door that a reload removed stays as long as a lease refers to it.
    entries: Vec<Entry>,
    /// The doors of the configuration, in the order of the file.
    in_order: Vec<DoorId>,
    index: KnockIndex,
    groups: Groups,
    periods: Periods,
    signing: Option<Signing>,
}

/// Where an attempt begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The door.
    pub door: DoorId,
    /// The period whose sequence it is, if the door derives them.
    pub period: PeriodMark,
}

impl Begun {
    const fn without_period(door: DoorId) -> Self {
        Self { door, period: PeriodMark::NONE }
    }
}

/// Why a packet counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeardBy {
    /// A door that hears it. Others may, too.
    pub(crate) door: DoorId,
    /// Where its knock is in the index.
    pub(crate) place: KnockPlace,
}

impl Doors {
    /// The most doors a configuration may have: after a reload, the new configuration must fit beside the
    /// old one.
    pub const MAX: usize = 32_767;

    /// The most doors with derived sequences that a configuration may have: each packet to one of their ports
    /// is compared with all of them.
    pub const DERIVED_MAX: usize = 256;

    /// Takes the doors in the order of the file.
    ///
    /// # Errors
    /// [`TooManyDoors`] if there are more than [`Doors::MAX`].
    pub fn new(doors: Vec<Door>) -> Result<Self, TooManyDoors> {
        if doors.len() > Self::MAX {
            return Err(TooManyDoors);
        }
        let entries: Vec<Entry> =
            doors.into_iter().enumerate().map(|(place, door)| Entry::new(door, place)).collect();
        let in_order: Vec<DoorId> = (0..).map(DoorId).take(entries.len()).collect();
        let (index, groups) = (KnockIndex::default(), Groups::default());
        let mut doors =
            Self { entries, in_order, index, groups, periods: Periods::default(), signing: None };
        doors.find_again();
        Ok(doors)
    }

    /// Returns the same doors, with names cut to this many bytes.
    #[must_use]
    pub fn with_names_cut(mut self, bytes: usize) -> Self {
        for Entry { door, label, digest, .. } in &mut self.entries {
            if let Some(name) = door.name.as_bytes().get(..bytes) {
                door.name = DoorName::new(name);
                *label = label_of(&door.name);
                *digest = Digest::of_door(door.name.as_bytes());
            }
        }
        self
    }

    /// Returns the same doors, of which those with derived sequences have none: for rules that do not know
    /// them.
    #[must_use]
    pub fn without_derived(mut self) -> Self {
        for Entry { door, .. } in &mut self.entries {
            if let DoorSequence::Derived(_) = door.sequence {
                door.sequence = DoorSequence::None;
            }
        }
        self.find_again();
        self
    }

    #[cfg(test)]
    pub(crate) fn id_for_tests() -> DoorId {
        DoorId(0)
    }

    #[cfg(test)]
    pub(crate) fn ids_for_tests() -> impl Iterator<Item = DoorId> {
        (0..=u16::MAX).map(DoorId)
    }

    /// Returns whether no packet can change them: no door has one-time or derived sequences, and there are no keys of
    /// signed packets.
    #[must_use]
    pub fn stay_the_same(&self) -> bool {
        let is_fixed = |(_, door): (DoorId, &Door)| match door.sequence {
            DoorSequence::Fixed(_) | DoorSequence::None => true,
            DoorSequence::OneTime(_) | DoorSequence::Derived(_) => false,
        };
        self.signing.is_none() && self.in_order().all(is_fixed)
    }

    /// Returns the number of doors in the configuration.
    #[must_use]
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Returns whether there is no door in the configuration.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }

    /// Returns the doors of the configuration, in the order of the file.
    #[must_use]
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = (DoorId, &Door)> {
        self.in_order.iter().map(|&id| (id, self.door(id)))
    }

    /// Returns the door that has this [`DoorId::index`]; `None` if there never was one.
    #[must_use]
    pub fn with_index(&self, index: usize) -> Option<DoorId> {
        let id = DoorId(u16::try_from(index).ok()?);
        (index < self.entries.len()).then_some(id)
    }

    /// Becomes `new`, whose doors have the ids with these indices, in the order of the file: for a
    /// driver with doors in two processes, where the process of the engine sent the ids that it gave to
    /// the doors of [`Event::Reloaded`](crate::Event::Reloaded).
    ///
    /// # Errors
    /// [`NotIds`] if there are not as many ids as doors, an id occurs twice, or the new ids are not
    /// consecutive. `self` does not change then.
    pub fn adopt(&mut self, new: Self, indices: &[usize]) -> Result<(), NotIds> {
        let ids: Option<Vec<DoorId>> =
            indices.iter().map(|&index| u16::try_from(index).ok().map(DoorId)).collect();
        let ids = ids.filter(|ids| ids.len() == new.entries.len()).ok_or(NotIds)?;
        let there = self.entries.len();
        let fresh: Vec<usize> = indices.iter().copied().filter(|&index| index >= there).collect();
        let distinct: BTreeSet<DoorId> = ids.iter().copied().collect();
        if !fresh.into_iter().zip(there..).all(|(index, next)| index == next)
            || distinct.len() < ids.len()
        {
            return Err(NotIds);
        }
        self.replace(new, ids);
        Ok(())
    }

    /// Returns a door.
    ///
    /// # Panics
    /// If `id` came from other doors.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "only this type makes ids, and never removes an entry"
    )]
    pub fn door(&self, id: DoorId) -> &Door {
        &self.entries[id.index()].door
    }

    /// Returns `: NAME: `, which follows the address in lines about a client at this door.
    pub(crate) fn label(&self, id: DoorId) -> &[u8] {
        self.entries.get(id.index()).map(|entry| &*entry.label).unwrap_or_default()
    }

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

    /// Appends the doors whose first knock this is to a list, in the order of the file. A door with
    /// derived sequences may be there with several.
    pub fn starting_with(&self, knock: Knock, begun: &mut Vec<Begun>) {
        if let Some(place) = self.index.place(knock) {
            self.starting_at(knock, place, begun);
        }
    }

    /// Returns the only one of them, if there is one and no other, for a knock that had this place in the index.
    pub(crate) fn only_starting_at(&self, knock: Knock, place: KnockPlace) -> Option<Begun> {
        match *self.index.starting_with(knock, place) {
            [door] if self.periods.is_empty() => Some(Begun::without_period(door)),
            _ => None,
        }
    }

    /// Appends all of them to a list.
    pub(crate) fn starting_at(&self, knock: Knock, place: KnockPlace, begun: &mut Vec<Begun>) {
        let before = begun.len();
        let doors = self.index.starting_with(knock, place);
        begun.extend(doors.iter().copied().map(Begun::without_period));
        if self.periods.is_empty() {
            return;
        }
        let there = begun.len();
        let derived = self.periods.starting_with(knock);
        begun.extend(derived.map(|(door, period)| Begun { door, period }));
        if begun.len() > there
            && let Some(new) = begun.get_mut(before..)
        {
            new.sort_by_key(|begun| self.place(begun.door));
        }
    }

    /// Makes those derived sequences count that do at a time of day.
    #[inline]
    pub fn look_at(&mut self, time_of_day: Timestamp) {
        self.periods.look_at(time_of_day);
    }

    /// Returns the sequence that opens a door now, for an attempt that began with this mark; `None` if it
    /// no longer does.
    #[must_use]
    #[inline]
    pub fn sequence(&self, id: DoorId, period: PeriodMark) -> Option<&Sequence> {
        let door = self.door(id);
        match door.sequence {
            DoorSequence::Derived(_) => self.periods.sequence(id, period),
            DoorSequence::Fixed(_) | DoorSequence::OneTime(_) | DoorSequence::None => {
                door.sequence()
            }
        }
    }

    /// Removes the one-time sequence that has just opened a door from its list; `None` if the door has a
    /// fixed sequence.
    pub fn use_up_sequence(&mut self, id: DoorId) -> Option<OneTimeLine> {
        let DoorSequence::OneTime(sequences) = &mut self.entries.get_mut(id.index())?.door.sequence
        else {
            return None;
        };
        let used = sequences.use_up()?;
        let next = sequences.next().map(|next| next.sequence.clone());
        self.index.remove(id, &used.sequence);
        if let Some(next) = next {
            self.index.add(id, &next, &self.entries);
        }
        Some(used)
    }

    /// Returns the same doors for a driver that knows what was used of derived sequences before: by these
    /// clients or, where there is none, by any.
    #[must_use]
    pub fn with_used_periods(
        mut self,
        used: impl IntoIterator<Item = (PeriodOfDoor, Option<IpAddr>)>,
    ) -> Self {
        for (one, client) in used {
            self.periods.restore(one, client);
        }
        self
    }

    /// Returns the same doors with the keys of signed packets.
    #[must_use]
    pub fn with_signing(self, signing: Signing) -> Self {
        Self { signing: Some(signing), ..self }
    }

    /// Returns the same doors for a driver that knows which moments keys have used before: see
    /// [`Signing::with_moments`].
    #[must_use]
    pub fn with_used_moments(
        self,
        floor: Moment,
        used: impl IntoIterator<Item = (KeyId, Moment)>,
    ) -> Self {
        let signing = self.signing.map(|signing| signing.with_moments(floor, used));
        Self { signing, ..self }
    }

    /// Returns the keys of signed packets.
    #[must_use]
    pub const fn signing(&self) -> Option<&Signing> {
        self.signing.as_ref()
    }

    /// Returns where signed packets go, if there are keys.
    #[must_use]
    pub fn signed_knock(&self) -> Option<Knock> {
        self.signing.as_ref().map(Signing::knock)
    }

    /// Returns whether a packet goes to where signed packets go.
    #[must_use]
    pub fn hears_signed(&self, listening: &Listening, packet: &Packet) -> bool {
        let knock = packet.knock();
        self.signed_knock() == Some(knock)
            && listening.belongs(packet.destination, None)
            && address::is_of_a_host(packet.source)
    }

    /// Returns what a signed packet has a right to; `None` if there are no keys.
    pub(crate) fn judge(
        &mut self,
        source: IpAddr,
        payload: &[u8; PACKET_BYTES],
        time_of_day: Timestamp,
    ) -> Option<Result<SignedRequest, NotSigned>> {
        let Self { signing, in_order, entries, .. } = self;
        let named = |&id: &DoorId| {
            let Entry { door, digest, .. } = entries.get(id.index())?;
            Some(NamedDoor { id, door, digest })
        };
        let doors = in_order.iter().filter_map(named);
        Some(signing.as_mut()?.judge(Came { source, payload, time_of_day }, doors))
    }

    /// Returns all doors with the name of one, also those of earlier configurations that are still known.
    pub(crate) fn namesakes(&self, id: DoorId) -> impl Iterator<Item = DoorId> {
        let name = self.entries.get(id.index()).map(|entry| &entry.door.name);
        let all = (0..=u16::MAX).map(DoorId).zip(&self.entries);
        all.filter(move |(_, entry)| Some(&entry.door.name) == name).map(|(id, _)| id)
    }

    /// The key of a packet has used its moment.
    pub(crate) fn use_moment(&mut self, request: SignedRequest) {
        if let Some(signing) = &mut self.signing {
            signing.use_moment(request.key, request.moment);
        }
    }

    /// Returns what names the derived sequences of each door that has them.
    pub fn derived(&self) -> impl Iterator<Item = SequenceId> {
        self.periods.names()
    }

    /// A client has made the derived sequence that it began with: from now on it has used it. At most so many uses
    /// are remembered. `None` if the sequence does not count.
    pub fn use_up_period(
        &mut self,
        begun: Begun,
        client: IpAddr,
        limit: usize,
    ) -> Option<PeriodUse> {
        self.periods.use_up((begun.door, begun.period), client, limit)
    }

    /// Returns the current door that is the same as each door of `new`, in the order of `new`. Among
    /// equal doors, the first matches the first, and so on.
    pub(crate) fn unchanged(&self, new: &Self) -> Vec<Option<DoorId>> {
        let mut by_name: BTreeMap<&[u8], VecDeque<DoorId>> = BTreeMap::new();
        for (id, door) in self.in_order() {
            by_name.entry(door.name.as_bytes()).or_default().push_back(id);
        }
        let find = |(_, door): (DoorId, &Door)| {
            let candidates = by_name.get_mut(door.name.as_bytes())?;
            let at = candidates.iter().position(|&id| self.door(id) == door)?;
            candidates.remove(at)
        };
        new.in_order().map(find).collect()
    }

    /// Returns an id for each door of `new`: that of the same door, else one that no current door has and
    /// that is not in `held`; `None` if there are not enough.
    pub(crate) fn ids_for(
        &self,
        unchanged: &[Option<DoorId>],
        mut held: BTreeSet<DoorId>,
    ) -> Option<Vec<DoorId>> {
        held.extend(&self.in_order);
        let mut free = (0..=u16::MAX).map(DoorId).filter(|id| !held.contains(id));
        unchanged.iter().map(|&same| same.or_else(|| free.next())).collect()
    }

    /// Becomes `new`, whose doors have these ids from now on.
    pub(crate) fn replace(&mut self, new: Self, ids: Vec<DoorId>) {
        for (entry, id) in new.entries.into_iter().zip(&ids) {
            // New ids are consecutive, because free ones are taken in order.
            match self.entries.get_mut(id.index()) {
                Some(there) => *there = entry,
                None => self.entries.push(entry),
            }
        }
        // A door that is only there for what it has left open keeps no part of a key.
        let current: BTreeSet<DoorId> = ids.iter().copied().collect();
        for (id, Entry { door, .. }) in (0..).map(DoorId).zip(&mut self.entries) {
            if !current.contains(&id) && matches!(door.sequence, DoorSequence::Derived(_)) {
                door.sequence = DoorSequence::None;
            }
        }
        self.in_order = ids;
        let earlier = core::mem::replace(&mut self.signing, new.signing);
        if let (Some(signing), Some(earlier)) = (&mut self.signing, earlier) {
            signing.inherit(earlier);
        }
        self.find_again();
    }

    /// Makes everything that is found out about the entries.
    fn find_again(&mut self) {
        let used = self.periods.take_used();
        self.periods = Periods::new(self.in_order(), used);
        self.index = KnockIndex::new(&self.entries, &self.in_order, &self.periods);
        self.group();
    }

    /// Finds the groups of doors.
    fn group(&mut self) {
        let (groups, roots) = Groups::new(self.in_order());
        self.groups = groups;
        for entry in &mut self.entries {
            entry.group = None;
        }
        for (id, root) in roots {
            if let Some(entry) = self.entries.get_mut(id.index()) {
                entry.group = Some(root);
            }
        }
    }

    /// Returns the group at whose doors attempts begin together with those at this door.
    pub(crate) fn group_of(&self, id: DoorId) -> Option<GroupId> {
        self.entries.get(id.index())?.group
    }

    /// Returns the doors of a group from one of them on, in the order of the file.
    pub(crate) fn of_group_from(&self, group: GroupId, first: DoorId) -> &[DoorId] {
        let doors = self.groups.doors(group);
        if doors.first() == Some(&first) {
            return doors;
        }
        let place = self.place(first);
        let at = doors.partition_point(|&door| self.place(door) < place);
        doors.get(at..).unwrap_or_default()
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Returns the place of a door in the order of the file.
    pub(crate) fn place(&self, id: DoorId) -> u64 {
        let place = self.entries.get(id.index()).map_or(0, |entry| entry.place);
        u64::try_from(place).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;

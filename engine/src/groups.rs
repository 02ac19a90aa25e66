//! Groups of doors that one client's packets find at the same stage: one attempt can be at all of them.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::door::{Door, DoorSequence};
use crate::door_id::DoorId;
use crate::packet::Knock;
use crate::sources::Sources;

/// A group among [`Groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupId(u16);

impl GroupId {
    /// How many groups there may be: an attempt has 15 bits for its group.
    const COUNT: u16 = 1 << 15;

    /// Takes the lower 15 bits.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits & (Self::COUNT - 1))
    }

    /// Returns a number of 15 bits.
    pub(crate) const fn to_bits(self) -> u16 {
        self.0
    }
}

/// There are more groups than an attempt can name.
struct TooManyGroups;

/// The groups of a configuration.
///
/// A first group has doors that differ in nothing that decides when an attempt at them begins and
/// when it times out: they have the same first knock, target, flags, clients and timeout. Below it are groups
/// of those that also have the second knock in common, and so on. A group has at least two doors, and
/// none with one-time sequences.
///
/// Doors of which there would be too many groups are in none: then each has attempts of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    /// The doors whose sequence goes on after the common knocks, in the order of the file.
    doors: Box<[DoorId]>,
    /// Those that have one more knock in common, sorted by it.
    below: Vec<(Knock, GroupId)>,
}

/// What the doors of a first group have in common.
type Common<'a> = (Knock, Option<IpAddr>, (u8, u8), &'a Sources, u32);

impl Groups {
    /// Finds the groups of doors, which are in the order of the file. Returns the first group of each
    /// door that is in one, too.
    pub(crate) fn new<'a>(
        doors: impl Iterator<Item = (DoorId, &'a Door)>,
    ) -> (Self, Vec<(DoorId, GroupId)>) {
        let mut alike: BTreeMap<Common<'_>, Vec<(DoorId, &[Knock])>> = BTreeMap::new();
        for (id, door) in doors {
            let DoorSequence::Fixed(sequence) = &door.sequence else { continue };
            let knocks = sequence.knocks();
            let (&[first, _, ..], target) = (knocks, door.target.map(|target| target.address))
            else {
                continue;
            };
            let flags = door.flags.mask_and_value();
            let common = (first, target, flags, &door.sources, door.seq_timeout.get());
            alike.entry(common).or_default().push((id, knocks));
        }
        let mut groups = Self::default();
        let mut roots = Vec::new();
        for doors in alike.into_values() {
            let before = groups.groups.len();
            match groups.add(&doors, 1) {
                Ok(Some(root)) => roots.extend(doors.iter().map(|&(id, _)| (id, root))),
                Ok(None) => {}
                Err(TooManyGroups) => groups.groups.truncate(before),
            }
        }
        (groups, roots)
    }

    /// Adds a group of doors that have `depth` knocks in common and go on after them, and those below
    /// it. Returns `None` if there are not enough doors.
    fn add(
        &mut self,
        doors: &[(DoorId, &[Knock])],
        depth: usize,
    ) -> Result<Option<GroupId>, TooManyGroups> {
        if doors.len() < 2 {
            return Ok(None);
        }
        let number = u16::try_from(self.groups.len()).ok().filter(|&id| id < GroupId::COUNT);
        let id = GroupId(number.ok_or(TooManyGroups)?);
        let ids = doors.iter().map(|&(id, _)| id).collect();
        self.groups.push(Group { doors: ids, below: Vec::new() });
        let next = depth.saturating_add(1);
        let mut by_knock: BTreeMap<Knock, Vec<(DoorId, &[Knock])>> = BTreeMap::new();
        for &(id, knocks) in doors {
            if let Some(&knock) = knocks.get(depth)
                && knocks.len() > next
            {
                by_knock.entry(knock).or_default().push((id, knocks));
            }
        }
        let mut below = Vec::new();
        for (knock, doors) in by_knock {
            below.extend(self.add(&doors, next)?.map(|id| (knock, id)));
        }
        if let Some(group) = self.get_mut(id) {
            group.below = below;
        }
        Ok(Some(id))
    }

    /// Returns the doors of a group, in the order of the file.
    pub(crate) fn doors(&self, id: GroupId) -> &[DoorId] {
        self.get(id).map_or(&[], |group| &group.doors)
    }

    /// Returns the group of those doors of another that have this knock next and go on after it.
    pub(crate) fn below(&self, id: GroupId, knock: Knock) -> Option<GroupId> {
        let below = &self.get(id)?.below;
        let at = below.binary_search_by_key(&knock, |&(knock, _)| knock).ok()?;
        below.get(at).map(|&(_, id)| id)
    }

    fn get(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(usize::from(id.0))
    }

    fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.groups.get_mut(usize::from(id.0))
    }
}

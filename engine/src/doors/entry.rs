//! A door in the list of all.

use alloc::boxed::Box;

use knock_signed::Digest;

use crate::door::{Door, DoorName};
use crate::groups::GroupId;

/// A door, and what is found out about it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) door: Door,
    /// The name as a line of the transcript has it: `: NAME: `.
    pub(super) label: Box<[u8]>,
    /// The name as signed packets have it.
    pub(super) digest: Digest,
    /// The place in the order of the file.
    pub(super) place: usize,
    /// The doors that begin and time out as this one does, if there are any.
    pub(super) group: Option<GroupId>,
}

impl Entry {
    pub(super) fn new(door: Door, place: usize) -> Self {
        let digest = Digest::of_door(door.name.as_bytes());
        Self { label: label_of(&door.name), digest, door, place, group: None }
    }
}

pub(super) fn label_of(name: &DoorName) -> Box<[u8]> {
    [b": ", name.as_bytes(), b": "].concat().into_boxed_slice()
}

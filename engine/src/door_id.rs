//! The id of a door.

/// A door among [`Doors`](crate::Doors).
///
/// It means the same door for as long as anything in the engine refers to it, across reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DoorId(pub(crate) u16);

impl DoorId {
    /// Returns a small number that no other door has: before the first reload, the index of the door in
    /// the order of the file, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

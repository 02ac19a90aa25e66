//! Sets of ports.

use alloc::vec;
use alloc::vec::Vec;

/// A set of ports as 65,536 bits: 8 KiB, which stay in the first-level cache.
#[derive(Clone, Debug)]
pub(crate) struct PortSet(Vec<u64>);

impl PortSet {
    pub(crate) fn new() -> Self {
        Self(vec![0; 1024])
    }

    pub(crate) fn insert(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word |= 1 << (port & 63);
        }
    }

    pub(crate) fn remove(&mut self, port: u16) {
        if let Some(word) = self.0.get_mut(usize::from(port >> 6)) {
            *word &= !(1 << (port & 63));
        }
    }

    pub(crate) fn contains(&self, port: u16) -> bool {
        self.0.get(usize::from(port >> 6)).is_some_and(|word| (word >> (port & 63)) & 1 == 1)
    }
}

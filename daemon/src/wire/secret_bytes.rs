//! Bytes that may contain keys.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

/// Bytes that leave nothing in the memory where they were: neither when there are more and they move to a larger place,
/// nor when they are removed.
#[derive(Default)]
pub(crate) struct SecretBytes {
    bytes: Zeroizing<Vec<u8>>,
    /// How many of them are removed and erased.
    removed: usize,
}

impl SecretBytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.removed..).unwrap_or_default()
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.removed..).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub(crate) fn push(&mut self, byte: u8) {
        self.extend([byte]);
    }

    pub(crate) fn extend(&mut self, more: impl AsRef<[u8]>) {
        let more = more.as_ref();
        let room = self.bytes.capacity().saturating_sub(self.bytes.len());
        if room < more.len() {
            let needed = self.as_slice().len().saturating_add(more.len());
            let mut larger = Vec::with_capacity(needed.saturating_mul(2));
            larger.extend_from_slice(self.as_slice());
            // This erases the old place.
            *self = Self { bytes: Zeroizing::new(larger), removed: 0 };
        }
        self.bytes.extend_from_slice(more);
    }

    /// Removes the first bytes.
    pub(crate) fn erase_first(&mut self, count: usize) {
        self.as_mut_slice().iter_mut().take(count).for_each(Zeroize::zeroize);
        self.removed = self.removed.saturating_add(count).min(self.bytes.len());
        if self.is_empty() {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.zeroize();
        self.removed = 0;
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.as_slice().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_removed_in_the_order_in_which_they_came() {
        let mut bytes = SecretBytes::default();
        let (mut next, mut came) = (0_u8, Vec::new());
        for count in [1, 0, 7, 100, 3, 50] {
            let more: Vec<u8> = (0..count).map(|at| next.wrapping_add(at)).collect();
            next = next.wrapping_add(count);
            bytes.extend(&more);
            came.extend(more);
            let some = came.len() / 2;
            bytes.erase_first(some);
            came.drain(..some);
            assert_eq!(bytes.as_slice(), came);
        }
        assert!(bytes.bytes.iter().take(bytes.removed).all(|byte| *byte == 0));
        bytes.push(9);
        assert_eq!(bytes.as_slice().last(), Some(&9));
        assert_eq!(format!("{bytes:?}"), format!("{} bytes", came.len() + 1));
        bytes.erase_first(usize::MAX);
        assert!(bytes.is_empty() && bytes.bytes.is_empty());
    }
}

//! Keys: they are erased when they are no longer needed, and never printed.

use core::fmt;

use crate::bytes::Fields;
use crate::packet_key::PacketKey;
use crate::secret::{self, Secret};

/// What a server and its clients have in common.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Secret);

/// The part of a [`Key`] that sequences are made with. It says nothing about the key.
#[derive(Clone, PartialEq, Eq)]
pub struct SequenceKey(Secret);

/// A name for the sequences of a door: the same only for the same key and door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceId(u64);

impl SequenceId {
    /// Makes it from the number that another process has sent, or a file has.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns its number.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// Returns the name for the next door that has the same key and the same name.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl Key {
    /// How many bytes a key has.
    pub const BYTES: usize = secret::BYTES;

    /// Takes the bytes of a key, and erases them where they were.
    #[must_use]
    pub fn take(bytes: &mut [u8; Self::BYTES]) -> Self {
        Self(Secret::take(bytes))
    }

    /// Returns the bytes, to write them into a file that only its owner can read.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Self::BYTES] {
        self.0.as_bytes()
    }

    /// Returns the part that sequences are made with.
    #[must_use]
    pub fn for_sequences(&self) -> SequenceKey {
        SequenceKey(self.part(b"sequence"))
    }

    /// Returns the parts that signed packets are made with.
    #[must_use]
    pub fn for_packets(&self) -> PacketKey {
        PacketKey::new(&self.part(b"id"), self.part(b"hint"), self.part(b"aead"))
    }

    fn part(&self, name: &[u8]) -> Secret {
        Secret::take(&mut self.0.mac(&[b"knock/1 ", name]))
    }
}

impl SequenceKey {
    /// Copies the bytes of such a part.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Key::BYTES]) -> Self {
        Self(Secret::copy(bytes))
    }

    /// Returns the bytes, for a program whose parts talk over a socket.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; Key::BYTES] {
        self.0.as_bytes()
    }

    /// Returns what names the sequences of a door. It says nothing about the key.
    #[must_use]
    pub fn id(&self, door: &[u8]) -> SequenceId {
        let key = Secret::take(&mut self.mac(&[b"knock/1 id"]));
        SequenceId(u64::from_be_bytes(Fields(&key.mac(&[door])).next()))
    }

    /// Returns the HMAC-SHA256 of a message in parts.
    pub(crate) fn mac(&self, message: &[&[u8]]) -> [u8; Key::BYTES] {
        self.0.mac(message)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(secret)")
    }
}

impl fmt::Debug for SequenceKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SequenceKey(secret)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_key_is_taken_and_never_printed() {
        let mut bytes = [0xab; 32];
        let key = Key::take(&mut bytes);
        assert_eq!(bytes, [0; 32]);
        assert_eq!(format!("{key:?} {:?}", key.for_sequences()), "Key(secret) SequenceKey(secret)");
        assert_eq!(format!("{:?}", key.for_packets()), "PacketKey(secret)");
    }

    #[test]
    fn sequences_have_the_same_name_only_for_the_same_key_and_door() {
        let key = |byte| Key::take(&mut [byte; 32]).for_sequences();
        assert_eq!(key(1).id(b"SSH"), key(1).id(b"SSH"));
        assert_ne!(key(1).id(b"SSH"), key(2).id(b"SSH"));
        assert_ne!(key(1).id(b"SSH"), key(1).id(b"ssh"));
        let id = key(1).id(b"SSH");
        assert_eq!(SequenceId::from_bits(id.to_bits()), id);
        assert_ne!(id.next(), id);
        assert_eq!(SequenceId::from_bits(u64::MAX).next(), SequenceId::from_bits(0));
    }

    #[test]
    fn keys_are_equal_if_all_their_bytes_are() {
        let key = |last| {
            let mut bytes = [7; 32];
            bytes[31] = last;
            Key::take(&mut bytes)
        };
        assert_eq!(key(1), key(1));
        assert_ne!(key(1), key(2));
        assert_eq!(key(1).for_sequences(), key(1).for_sequences());
        assert_ne!(key(1).for_sequences(), key(2).for_sequences());
        assert_ne!(key(1).for_sequences().as_bytes(), key(1).as_bytes());
        assert_eq!(key(1).for_packets(), key(1).for_packets());
        assert_ne!(key(1).for_packets(), key(2).for_packets());
    }
}

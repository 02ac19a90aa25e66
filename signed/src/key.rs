//! Keys: they are erased when they are no longer needed, and never printed.

use core::fmt;

use ctutils::CtEq as _;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroize as _;

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

/// Bytes that are erased at the end, and compared in a time that says nothing about them.
#[derive(Clone)]
struct Secret([u8; Key::BYTES]);

impl Secret {
    fn take(bytes: &mut [u8; Key::BYTES]) -> Self {
        let secret = Self(*bytes);
        bytes.zeroize();
        secret
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).to_bool()
    }
}

impl Eq for Secret {}

impl Key {
    /// How many bytes a key has.
    pub const BYTES: usize = 32;

    /// Takes the bytes of a key, and erases them where they were.
    #[must_use]
    pub fn take(bytes: &mut [u8; Self::BYTES]) -> Self {
        Self(Secret::take(bytes))
    }

    /// Returns the part that sequences are made with.
    #[must_use]
    pub fn for_sequences(&self) -> SequenceKey {
        let mut bytes = mac(&self.0.0, &[b"knock/1 sequence"]);
        SequenceKey::take(&mut bytes)
    }
}

impl SequenceKey {
    /// Takes the bytes of such a part, and erases them where they were.
    #[must_use]
    pub fn take(bytes: &mut [u8; Key::BYTES]) -> Self {
        Self(Secret::take(bytes))
    }

    /// Returns the bytes, for a program whose parts talk over a socket.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Key::BYTES] {
        &self.0.0
    }

    /// Returns what names the sequences of a door. It says nothing about the key.
    #[must_use]
    pub fn id(&self, door: &[u8]) -> SequenceId {
        let mut key = self.mac(&[b"knock/1 id"]);
        let code = mac(&key, &[door]);
        key.zeroize();
        SequenceId(code.first_chunk().map_or(0, |first| u64::from_be_bytes(*first)))
    }

    /// Returns the HMAC-SHA256 of a message in parts.
    pub(crate) fn mac(&self, message: &[&[u8]]) -> [u8; Key::BYTES] {
        mac(&self.0.0, message)
    }
}

fn mac(key: &[u8; Key::BYTES], message: &[&[u8]]) -> [u8; Key::BYTES] {
    // A key of any other length would do as well, but only this one needs no error.
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    block.zeroize();
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
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

    /// RFC 4231, test case 1, whose key has 20 bytes and is filled with zeros as HMAC does.
    #[test]
    fn the_code_is_that_of_rfc_4231() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let found = mac(&key, &[b"Hi ", b"There"]);
        let expected = [
            0xb034_4c61_d8db_3853_u64,
            0x5ca8_afce_af0b_f12b,
            0x881d_c200_c983_3da7,
            0x26e9_376c_2e32_cff7,
        ];
        assert_eq!(found[..], expected.map(u64::to_be_bytes).concat());
    }

    #[test]
    fn a_key_is_taken_and_never_printed() {
        let mut bytes = [0xab; 32];
        let key = Key::take(&mut bytes);
        assert_eq!(bytes, [0; 32]);
        assert_eq!(format!("{key:?} {:?}", key.for_sequences()), "Key(secret) SequenceKey(secret)");
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
        assert_ne!(key(1).for_sequences().as_bytes(), &key(1).0.0);
    }
}

//! Keys as text.

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use knock_signed::Key;
use zeroize::{Zeroize as _, Zeroizing};

/// Reads a key in an alphabet of base64; `None` if it is anything but [`Key::BYTES`] bytes.
#[must_use]
pub fn decode_key(text: &[u8], alphabet: &GeneralPurpose) -> Option<Key> {
    // The decoder wants room for whole groups of three bytes.
    const ROOM: usize = Key::BYTES.next_multiple_of(3);
    let mut room = Zeroizing::new([0; ROOM]);
    let length = alphabet.decode_slice(text, &mut *room).ok()?;
    let mut bytes = Zeroizing::new([0; Key::BYTES]);
    bytes.copy_from_slice(room.get(..length).filter(|key| key.len() == Key::BYTES)?);
    room.zeroize();
    Some(Key::take(&mut bytes))
}

/// Writes a key in an alphabet of base64.
#[must_use]
pub fn encode_key(key: &Key, alphabet: &GeneralPurpose) -> Zeroizing<String> {
    // With this capacity no part of it is copied to another place.
    let mut text = Zeroizing::new(String::with_capacity(64));
    alphabet.encode_string(key.as_bytes(), &mut text);
    text
}

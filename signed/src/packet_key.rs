//! The parts of a key that signed packets are made with.

use core::fmt;

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};

use crate::bytes::{Fields, join};
use crate::key::Key;
use crate::packet::{PACKET_BYTES, Packet, TEXT_BYTES};
use crate::refusal::Refusal;
use crate::secret::Secret;
use crate::time::Minute;

/// The first bytes of a packet: which key it was made with, in one minute only. To everybody without the key they
/// are random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hint(pub [u8; 8]);

/// Names a key in public, such as in the file of used moments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

/// Random bytes that no two packets of a key have in common.
pub type Nonce = [u8; 24];

/// The parts of a [`Key`] that signed packets are made with. They say nothing about the key.
#[derive(Clone, PartialEq, Eq)]
pub struct PacketKey {
    id: KeyId,
    hint: Secret,
    aead: Secret,
}

impl PacketKey {
    pub(crate) fn new(id: &Secret, hint: Secret, aead: Secret) -> Self {
        let id = KeyId(Fields(id.as_bytes()).next());
        Self { id, hint, aead }
    }

    /// Makes it from the parts that another process has sent.
    #[must_use]
    pub fn from_parts(id: KeyId, hint: &[u8; Key::BYTES], aead: &[u8; Key::BYTES]) -> Self {
        Self { id, hint: Secret::copy(hint), aead: Secret::copy(aead) }
    }

    /// Returns its parts, for a program whose processes talk over a socket.
    #[must_use]
    pub fn parts(&self) -> (KeyId, &[u8; Key::BYTES], &[u8; Key::BYTES]) {
        (self.id, self.hint.as_bytes(), self.aead.as_bytes())
    }

    /// Returns its public name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the first bytes of its packets in a minute.
    #[must_use]
    pub fn hint(&self, minute: Minute) -> Hint {
        Hint(Fields(&self.hint.mac(&[&minute.0.to_be_bytes()])).next())
    }

    /// Makes a packet. The same nonce must never be used for two packets.
    #[must_use]
    pub fn seal(&self, packet: &Packet, nonce: &Nonce) -> [u8; PACKET_BYTES] {
        let hint = self.hint(packet.moment.minute());
        let mut text = packet.text();
        let tag = self.cipher().encrypt_inout_detached(
            &XNonce::from(*nonce),
            &associated(hint),
            text.as_mut_slice().into(),
        );
        // It fails only for texts of 256 GiB; a packet of zeros opens nothing.
        let Ok(tag) = tag else { return [0; PACKET_BYTES] };
        join(&[&hint.0, nonce, &text, &tag])
    }

    /// Makes a packet whose nonce depends on the key and on all that it says: the same packet every time, as a
    /// scenario needs it. Packets that say different things have different nonces.
    #[must_use]
    pub fn seal_again(&self, packet: &Packet) -> [u8; PACKET_BYTES] {
        // Hints are made of 8 bytes, so none is made of these.
        let mac = self.hint.mac(&[b"nonce", &packet.text()]);
        self.seal(packet, &Fields(&mac).next())
    }

    /// Opens a packet that was made with this key.
    ///
    /// # Errors
    /// [`Refusal::Forged`], [`Refusal::Version`] or [`Refusal::Field`].
    pub fn open(&self, packet: &[u8; PACKET_BYTES]) -> Result<Packet, Refusal> {
        let mut fields = Fields(packet);
        let (hint, nonce): (_, Nonce) = (Hint(fields.next()), fields.next());
        let (mut text, tag): ([u8; TEXT_BYTES], [u8; 16]) = (fields.next(), fields.next());
        let opened = self.cipher().decrypt_inout_detached(
            &XNonce::from(nonce),
            &associated(hint),
            text.as_mut_slice().into(),
            &Tag::from(tag),
        );
        opened.map_err(|_| Refusal::Forged)?;
        Packet::read(&text)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.aead.as_bytes().into())
    }
}

/// What the tag covers beside the text.
fn associated(hint: Hint) -> [u8; 15] {
    join(&[b"knock/1", &hint.0])
}

impl Hint {
    /// Returns the hint of a packet.
    #[must_use]
    pub fn of(packet: &[u8; PACKET_BYTES]) -> Self {
        Self(Fields(packet).next())
    }
}

impl fmt::Debug for PacketKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("PacketKey(secret)")
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::packet::Verb;
    use crate::refusal::Field;
    use crate::time::Moment;

    fn key(byte: u8) -> PacketKey {
        Key::take(&mut [byte; 32]).for_packets()
    }

    fn packet() -> Packet {
        Packet {
            verb: Verb::Open,
            prefix: None,
            seconds: None,
            moment: Moment(1_764_460_800_000_000_000),
            admit: None,
            server: Digest::of_server(b"home.example.com"),
            door: Digest::of_door(b"SSH"),
        }
    }

    /// Encrypts a text that no client makes.
    fn sealed(key: &PacketKey, mut text: [u8; TEXT_BYTES]) -> [u8; PACKET_BYTES] {
        let hint = key.hint(Minute(1));
        let nonce = [9; 24];
        let tag = key.cipher().encrypt_inout_detached(
            &XNonce::from(nonce),
            &associated(hint),
            text.as_mut_slice().into(),
        );
        join(&[&hint.0, &nonce, &text, &tag.unwrap()])
    }

    #[test]
    fn a_key_survives_the_way_over_a_socket() {
        let key = key(1);
        let (id, hint, aead) = key.parts();
        assert_eq!(PacketKey::from_parts(id, hint, aead), key);
    }

    #[test]
    fn its_id_is_public_and_its_own() {
        assert_eq!(key(1).id(), key(1).id());
        assert_ne!(key(1).id(), key(2).id());
        assert_eq!(format!("{:?}", key(1).id()).len(), "KeyId()".len() + 16);
        let secrets = [key(1).hint, key(1).aead];
        assert!(secrets.iter().all(|secret| !secret.as_bytes().starts_with(&key(1).id().0)));
    }

    #[test]
    fn a_packet_of_another_key_is_forged() {
        assert_eq!(key(1).open(&key(1).seal(&packet(), &[3; 24])), Ok(packet()));
        assert_eq!(key(2).open(&key(1).seal(&packet(), &[3; 24])), Err(Refusal::Forged));
    }

    #[test]
    fn a_nonce_that_is_made_of_a_packet_is_its_own() {
        let nonce = |key: &PacketKey, packet: &Packet| -> Nonce {
            let sealed = key.seal_again(packet);
            assert_eq!(key.open(&sealed), Ok(*packet));
            let mut fields = Fields(&sealed);
            let _: [u8; 8] = fields.next();
            fields.next()
        };
        let first = nonce(&key(1), &packet());
        assert_eq!(nonce(&key(1), &packet()), first);
        assert_ne!(nonce(&key(2), &packet()), first);
        let later = Packet { moment: Moment(packet().moment.0 + 1), ..packet() };
        assert_ne!(nonce(&key(1), &later), first);
        let other = Packet { door: Digest::of_door(b"web"), ..packet() };
        assert_ne!(nonce(&key(1), &other), first);
    }

    #[test]
    fn an_authentic_packet_with_other_contents_is_refused_by_name() {
        let refusals: Vec<_> = [0, 1, 2, 3]
            .map(|place| {
                let mut text = packet().text();
                text[place] = 200;
                key(1).open(&sealed(&key(1), text))
            })
            .into();
        let expected = [
            Refusal::Version { version: 200 },
            Refusal::Field(Field::Verb),
            Refusal::Field(Field::Flags),
            Refusal::Field(Field::Prefix),
        ];
        assert_eq!(refusals, expected.map(Err));
    }

    #[test]
    fn no_bit_of_a_packet_can_be_changed() {
        let sealed = key(1).seal(&packet(), &[3; 24]);
        for bit in 0..PACKET_BYTES * 8 {
            let mut changed = sealed;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key(1).open(&changed), Err(Refusal::Forged), "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn changed_packets_are_refused(
            seed: u8,
            nonce: [u8; 24],
            moment: u64,
            changes in prop::collection::vec((0..PACKET_BYTES, 1..=255_u8), 1..8),
        ) {
            let packet = Packet { moment: Moment(moment), ..packet() };
            let sealed = key(seed).seal(&packet, &nonce);
            prop_assert_eq!(key(seed).open(&sealed), Ok(packet));
            let mut changed = sealed;
            for (place, byte) in changes {
                changed[place] ^= byte;
            }
            if changed != sealed {
                prop_assert_eq!(key(seed).open(&changed), Err(Refusal::Forged));
            }
        }
    }
}

//! The packets of `testdata/signed`, which another program made.

#![cfg(test)]

use std::num::{NonZeroU8, NonZeroU32};

use chacha20poly1305::aead::{AeadInOut as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use knock_signed::{Digest, Key, Moment, Nonce, PACKET_BYTES, Packet, PacketKey, Verb};

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

struct Example {
    key: PacketKey,
    nonce: Nonce,
    says: Packet,
    packet: [u8; PACKET_BYTES],
}

fn examples() -> Vec<Example> {
    let text = include_str!("../../testdata/signed/vectors.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(example).collect()
}

fn example(line: &str) -> Example {
    let fields: Vec<&str> = line.split(' ').collect();
    let &[key, nonce, verb, prefix, seconds, moment, admit, server, door, packet] = &fields[..]
    else {
        panic!("{line}")
    };
    let says = Packet {
        verb: if verb == "1" { Verb::Open } else { Verb::Close },
        prefix: NonZeroU8::new(prefix.parse().unwrap()),
        seconds: NonZeroU32::new(seconds.parse().unwrap()),
        moment: Moment(moment.parse().unwrap()),
        admit: (admit != "-").then(|| admit.parse().unwrap()),
        server: Digest::of_server(&bytes(server)),
        door: Digest::of_door(&bytes(door)),
    };
    Example {
        key: Key::take(&mut bytes(key).try_into().unwrap()).for_packets(),
        nonce: bytes(nonce).try_into().unwrap(),
        says,
        packet: bytes(packet).try_into().unwrap(),
    }
}

#[test]
fn the_packets_are_those_that_another_program_makes() {
    let examples = examples();
    assert_eq!(examples.len(), 7);
    for Example { key, nonce, says, packet } in examples {
        assert_eq!(key.seal(&says, &nonce), packet, "{says:?}");
        assert_eq!(key.open(&packet), Ok(says));
    }
}

const TEXT: &[u8] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
                      sunscreen would be it.";

/// RFC 8439, 2.8.2.
#[test]
fn the_cipher_is_that_of_rfc_8439() {
    let mut text = TEXT.to_vec();
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce: [u8; 12] = bytes("070000004041424344454647").try_into().unwrap();
    let tag = ChaCha20Poly1305::new(&key.into())
        .encrypt_inout_detached(
            &nonce.into(),
            &bytes("50515253c0c1c2c3c4c5c6c7"),
            (&mut text[..]).into(),
        )
        .unwrap();
    assert_eq!(tag[..], bytes("1ae10b594f09e26a7e902ecbd0600691"));
    assert!(text.starts_with(&bytes("d31a8d34648e60db7b86afbc53ef7ec2")));
}

/// draft-irtf-cfrg-xchacha-03, A.3.1.
#[test]
fn the_cipher_with_the_long_nonce_is_that_of_the_draft() {
    let mut text = TEXT.to_vec();
    let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).unwrap());
    let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).unwrap());
    let tag = XChaCha20Poly1305::new(&key.into())
        .encrypt_inout_detached(
            &nonce.into(),
            &bytes("50515253c0c1c2c3c4c5c6c7"),
            (&mut text[..]).into(),
        )
        .unwrap();
    assert_eq!(tag[..], bytes("c0875924c1c7987947deafd8780acf49"));
    let expected = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7\
                    e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d\
                    3fff921f9664c97637da9768812f615c68b13b52e";
    assert_eq!(text, bytes(expected));
}

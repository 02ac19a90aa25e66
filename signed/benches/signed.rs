//! What a packet costs: one with an unknown hint, a forged one, and one that opens.

#![expect(clippy::unwrap_used, reason = "a benchmark may end at its first fault")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use knock_signed::{Digest, Key, Keyring, Moment, PACKET_BYTES, Packet, Verb};

fn main() {
    divan::main();
}

const NOW: i64 = 1_764_460_800_000_000_000;

/// Keys as different as 64 bits make them.
fn keyring(keys: u64) -> Keyring {
    let key = |number: u64| {
        let mut bytes = [7; Key::BYTES];
        bytes.first_chunk_mut::<8>().unwrap().copy_from_slice(&number.to_be_bytes());
        Key::take(&mut bytes).for_packets()
    };
    let mut keyring = Keyring::new((0..keys).map(key).collect());
    // The first packet of a minute makes the hints.
    assert!(keyring.open(&[0; PACKET_BYTES], NOW).is_err());
    keyring
}

fn sealed(keyring: &Keyring) -> [u8; PACKET_BYTES] {
    let packet = Packet {
        verb: Verb::Open,
        prefix: None,
        seconds: None,
        moment: Moment::from_nanos(NOW),
        admit: None,
        server: Digest::of_server(b"home.example.com"),
        door: Digest::of_door(b"SSH"),
    };
    keyring.keys().last().unwrap().seal(&packet, &[3; 24])
}

/// A thousand packets that somebody without a key made.
#[divan::bench(args = [1, 10, 1_000])]
fn unknown_hint(bencher: Bencher, keys: u64) {
    let mut keyring = keyring(keys);
    let mut packets = vec![[0; PACKET_BYTES]; 1_000];
    for (number, packet) in (1_u64..).zip(&mut packets) {
        let hint = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        packet.first_chunk_mut::<8>().unwrap().copy_from_slice(&hint.to_be_bytes());
    }
    bencher.counter(ItemsCount::new(packets.len())).bench_local(|| {
        for packet in &packets {
            black_box(keyring.open(black_box(packet), NOW)).unwrap_err();
        }
    });
}

/// The same hint as that of an honest packet, which whoever saw it can send.
#[divan::bench(args = [1, 1_000])]
fn forged(bencher: Bencher, keys: u64) {
    let mut keyring = keyring(keys);
    let mut packet = sealed(&keyring);
    if let Some(last) = packet.last_mut() {
        *last ^= 1;
    }
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| black_box(keyring.open(black_box(&packet), NOW)).unwrap_err());
}

#[divan::bench(args = [1, 1_000])]
fn authentic(bencher: Bencher, keys: u64) {
    let mut keyring = keyring(keys);
    let packet = sealed(&keyring);
    bencher
        .counter(ItemsCount::new(1_u32))
        .bench_local(|| black_box(keyring.open(black_box(&packet), NOW)).unwrap());
}

/// What the first packet of a minute costs besides.
#[divan::bench(args = [1, 1_000])]
fn next_minutes(bencher: Bencher, keys: u64) {
    let mut keyring = keyring(keys);
    let mut at = NOW;
    bencher.bench_local(|| {
        at = at.wrapping_add(180_000_000_000);
        black_box(keyring.open(black_box(&[0; PACKET_BYTES]), at)).unwrap_err();
    });
}

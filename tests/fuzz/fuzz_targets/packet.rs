//! Signed packets: any bytes as one, and an honest one with any change.

#![no_main]

use std::net::{IpAddr, Ipv6Addr};
use std::num::{NonZeroU8, NonZeroU32};

use knock_signed::{
    Digest, Hint, Key, Keyring, Minute, Moment, Moments, PACKET_BYTES, Packet, PacketKey, Refusal,
    Unopened, Verb,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut keyring = Keyring::new((0..3).map(key).collect());
    let at = i64::from_be_bytes(input.take());
    // Whoever has no key opens nothing.
    let refused = keyring.open(input.0, at).unwrap_err();
    let is_long = input.0.len() != PACKET_BYTES;
    assert_eq!(refused.refusal == Refusal::Length, is_long);
    let packet = packet(&mut input);
    let place = usize::from(u8::from_be_bytes(input.take()) % 3);
    let sealed = keyring.keys()[place].seal(&packet, &input.take());
    check_hint(&mut keyring, place, &packet, &sealed, at);
    let mut changed = sealed;
    for (byte, change) in changed.iter_mut().zip(input.0) {
        *byte ^= change;
    }
    let now = i64::try_from(packet.moment.0).unwrap_or(i64::MAX);
    match keyring.open(&changed, now) {
        Ok(opened) => assert_eq!((opened, changed), ((place, packet), sealed)),
        Err(Unopened { key, refusal }) => {
            let near = packet.moment.minute().0.abs_diff(Minute::of(now).0) <= 1;
            assert!(changed != sealed || !near);
            assert_eq!(refusal, if key.is_some() { Refusal::Forged } else { Refusal::HintUnknown });
        }
    }
    check_moments(input.0);
});

fn key(byte: u8) -> PacketKey {
    Key::take(&mut [byte; Key::BYTES]).for_packets()
}

fn packet(input: &mut Input<'_>) -> Packet {
    let admit = Ipv6Addr::from_octets(input.take()).to_canonical();
    let bits = if admit.is_ipv4() { 32 } else { 128 };
    let [prefix, verb] = input.take();
    Packet {
        verb: if verb & 1 == 0 { Verb::Open } else { Verb::Close },
        prefix: NonZeroU8::new(prefix % (bits + 1)),
        seconds: NonZeroU32::new(u32::from_be_bytes(input.take())),
        moment: Moment(u64::from_be_bytes(input.take())),
        admit: Some(admit).filter(|address| *address != IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        server: Digest::of_server(&input.take::<4>()),
        door: Digest::of_door(&input.take::<4>()),
    }
}

/// A key is found by a hint of the minutes beside that of the packet, and by no other.
fn check_hint(
    keyring: &mut Keyring,
    place: usize,
    packet: &Packet,
    sealed: &[u8; PACKET_BYTES],
    at: i64,
) {
    let (made, came) = (packet.moment.minute(), Minute::of(at));
    let expected = (made.0.abs_diff(came.0) <= 1).then_some(place);
    assert_eq!(keyring.find(Hint::of(sealed), came), expected);
    assert_eq!(keyring.keys()[place].open(sealed), Ok(*packet));
}

/// No moment is accepted twice.
fn check_moments(tries: &[u8]) {
    let mut moments = Moments::new(Moment(3));
    let mut accepted = std::collections::BTreeSet::new();
    for moment in tries.iter().map(|byte| Moment(u64::from(*byte))) {
        if moments.check(moment).is_ok() {
            assert!(moment > Moment(3) && accepted.insert(moment), "{moment:?}");
        }
        moments.insert(moment);
        assert!(moments.iter().is_sorted() && moments.iter().count() <= Moments::MOST);
    }
}

/// What is left of the input; zeros follow it.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (taken, rest) = self.0.split_at(N.min(self.0.len()));
        bytes[..taken.len()].copy_from_slice(taken);
        self.0 = rest;
        bytes
    }
}

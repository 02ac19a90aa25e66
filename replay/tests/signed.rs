//! Signed packets, explained and compared, with doors made by hand.

#![cfg(test)]

use std::net::IpAddr;

use fastrand::Rng;
use knock_capture::frame::datagram_frame;
use knock_compat::Difference;
use knock_engine::{
    Admits, Door, DoorName, DoorSequence, Doors, Limits, LinkType, Listening, Port, SignedDoor,
    Signing, Timestamp, User, UserKey, Users,
};
use knock_replay::diff::rules::compare::{Comparison, Happening, Side};
use knock_replay::explain::{CaptureNames, Explainer, PacketId, Places, Whom, Words};
use knock_signed::{Digest, Key, Moment, PACKET_BYTES, Packet, PacketKey, Verb};

const SECOND: i64 = 1_000_000_000;

/// 50 s after the begin of a minute.
const NOW: i64 = 1_764_806_450 * SECOND;

const PORT: Port = Port(62_201);

fn key(byte: u8) -> PacketKey {
    Key::take(&mut [byte; 32]).for_packets()
}

fn doors() -> Doors {
    let door = |name: &str, users| Door {
        signed: Some(SignedDoor { users, admits: Admits::Source }),
        ..Door::new(DoorName::new(name.as_bytes()), DoorSequence::None)
    };
    let user = |name: &[u8], byte, until| UserKey {
        user: User::new(name),
        key: key(byte),
        doors: vec![],
        until,
    };
    let expired = Some(Timestamp::from_nanos(NOW - 86_400 * SECOND));
    let keys = vec![user(b"alice", 1, None), user(b"bob", 2, expired), user(b"carol", 3, None)];
    let signing = Signing::new(PORT, b"home.example.com", Signing::SKEW_DEFAULT, keys).unwrap();
    let alice = Users::Named(vec![User::new(b"alice")]);
    Doors::new(vec![door("SSH", Users::Any), door("web", alice)]).unwrap().with_signing(signing)
}

fn said(at: i64) -> Packet {
    Packet {
        verb: Verb::Open,
        prefix: None,
        seconds: None,
        moment: Moment::from_nanos(at),
        admit: None,
        server: Digest::of_server(b"home.example.com"),
        door: Digest::of_door(b"SSH"),
    }
}

fn sealed(byte: u8, packet: &Packet) -> [u8; PACKET_BYTES] {
    key(byte).seal(packet, &[7; 24])
}

fn client(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

fn frame(last: u8, payload: &[u8]) -> Vec<u8> {
    let (from, to) = ((client(last), 40_000).into(), (IpAddr::from([192, 0, 2, 1]), PORT.0).into());
    datagram_frame(from, to, payload, &mut Rng::with_seed(0)).unwrap()
}

/// Explains packets, each with the last byte of its client's address and sent a second after the one before. Returns a
/// line for each explanation, and one for how near each client came.
fn explained(packets: &[(u8, [u8; PACKET_BYTES])]) -> (Vec<String>, Vec<String>) {
    let doors = doors();
    let (listening, limits) = (Listening::everywhere(), Limits::default());
    let mut explainer = Explainer::new(doors.clone(), listening.clone(), &limits, Whom::All);
    let (places, captures) = (Places::default(), CaptureNames::new(vec!["a.pcap".to_owned()]));
    let words =
        Words { doors: &doors, listening: &listening, places: &places, captures: &captures };
    let mut lines = Vec::new();
    for ((at, number), (last, payload)) in (NOW..).step_by(1_000_000_000).zip(1..).zip(packets) {
        let id = PacketId { capture: 0, number };
        let frame = frame(*last, payload);
        let at = Timestamp::from_nanos(at);
        let mut tell = |one: &knock_replay::explain::Explanation| {
            let (door, text) = (words.door(one.door), words.sentence(one));
            lines.push(format!("{number} {door} {}: {text}", one.verdict.name()));
        };
        explainer.frame(at, LinkType::Ethernet, &frame, id, &mut tell).unwrap();
    }
    let near = explainer.nearest().map(|one| words.nearest(&one)).collect();
    let totals = explainer.totals();
    assert_eq!(totals.explained, u64::try_from(packets.len()).unwrap(), "{totals:?}");
    (lines, near)
}

/// Returns what is explained of one packet that comes at [`NOW`].
fn one(byte: u8, packet: &Packet) -> Vec<String> {
    explained(&[(1, sealed(byte, packet))]).0
}

#[test]
fn who_has_opened_a_door_is_explained_and_what_repeats_it() {
    let honest = sealed(1, &said(NOW));
    let (lines, near) = explained(&[(1, honest), (2, honest)]);
    assert_eq!(
        lines[..2],
        ["1 SSH signed: signed packet of alice", "1 SSH opened: OPEN SESAME"],
        "{lines:#?}"
    );
    let replay = "2 SSH not-signed: ignored: signed packet of alice, but its moment is used: a replay of packet 1";
    assert_eq!(lines.last().unwrap(), replay);
    assert_eq!(near[0], "opened for 10.0.0.1 once");
    assert!(near[1].starts_with("10.0.0.2 did not get in; signed packet of alice"), "{near:?}");
}

#[test]
fn who_closes_a_door_is_explained() {
    let close = sealed(1, &Packet { verb: Verb::Close, ..said(NOW + 1) });
    let (lines, near) = explained(&[(1, sealed(1, &said(NOW))), (1, close)]);
    let closing = ["2 SSH signed: signed packet of alice", "2 SSH closing: closing, as asked"];
    assert_eq!(lines[2..], closing, "{lines:#?}");
    assert_eq!(near, ["opened for 10.0.0.1 once"]);
}

#[test]
fn an_explanation_says_by_how_much_a_clock_is_wrong() {
    for (seconds, words) in [
        (-11_520, "3 h 12 min behind"),
        (86_000, "23 h 53 min ahead"),
        // The key is found by the minute, but the clock is wrong all the same.
        (-65, "1 min behind"),
    ] {
        let lines = one(1, &said(NOW + seconds * SECOND));
        let begin = format!(
            "1 SSH not-signed: ignored: signed packet of alice, but the clock of alice is {words}, or"
        );
        assert!(lines.len() == 1 && lines[0].starts_with(&begin), "{lines:?}");
    }
}

#[test]
fn a_wrong_clock_is_found_after_any_number_of_packets_without_a_key() {
    let mut rng = Rng::with_seed(1);
    let garbage = |_| (9, std::array::from_fn(|_| rng.u8(..)));
    let mut packets: Vec<_> = (0..4_000).map(garbage).collect();
    packets.push((1, sealed(1, &said(NOW - 11_520 * SECOND))));
    let (lines, _) = explained(&packets);
    let last = lines.last().unwrap();
    assert!(last.contains("SSH not-signed: ignored: signed packet of alice"), "{last}");
    assert!(last.contains("behind"), "{last}");
}

#[test]
fn each_refusal_has_its_words() {
    let server = Digest::of_server(b"backup.example.com");
    let unknown = Digest::of_door(b"mail");
    let web = Digest::of_door(b"web");
    for (byte, packet, count, words) in [
        (1, Packet { server, ..said(NOW) }, 1, "signed for another server"),
        (
            1,
            Packet { door: unknown, ..said(NOW) },
            2,
            "for a door that is not in the configuration",
        ),
        (
            3,
            Packet { door: web, ..said(NOW) },
            1,
            "packet of carol, but for a door that this key may not",
        ),
        (2, said(NOW), 1, "packet of bob, but made with a key whose `until` is over"),
        (9, said(NOW), 2, "made with none of the keys: the key is revoked"),
        (
            1,
            Packet { admit: Some(client(9)), ..said(NOW) },
            1,
            "for 10.0.0.9, which is not its sender's address",
        ),
    ] {
        let lines = one(byte, &packet);
        assert!(
            lines.len() == count && lines.iter().all(|line| line.contains(words)),
            "{lines:#?}"
        );
    }
    // Changed on its way.
    let mut forged = sealed(1, &said(NOW));
    forged[50] ^= 1;
    let (lines, _) = explained(&[(1, forged)]);
    assert!(
        lines.iter().all(|line| line.contains("of alice, but changed on its way")),
        "{lines:?}"
    );
    // Too far off to be found.
    let lines = one(1, &said(NOW - 90_000 * SECOND));
    assert!(lines[0].contains("more than a day wrong"), "{lines:?}");
}

/// Number 76.
#[test]
fn knockd_08_never_opens_a_door_for_a_signed_packet() {
    let doors = doors();
    let mut comparison = Comparison::new(&doors, &Listening::everywhere(), &Limits::default());
    let frame = frame(1, &sealed(1, &said(NOW)));
    let happening = Happening::Frame(LinkType::Ethernet, &frame);
    let differing = comparison.step(Timestamp::from_nanos(NOW), &happening, |why| panic!("{why}"));
    let line = &differing[0];
    assert_eq!(line.side, Side::Knock);
    let texts: Vec<&[u8]> = differing.iter().map(|line| &line.line.text[..]).collect();
    let expected: [&[u8]; 2] =
        [b"10.0.0.1: SSH: signed packet of alice", b"10.0.0.1: SSH: OPEN SESAME"];
    assert_eq!(texts, expected);
    assert_eq!(line.due_to, Some(Difference::SignedPackets));
}

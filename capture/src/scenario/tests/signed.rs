//! Signed packets.

use std::io::Cursor;
use std::net::{IpAddr, SocketAddr};

use knock_engine::{
    Admits, Door, DoorName, DoorSequence, Doors, Port, SignedDoor, Signing, User, UserKey, Users,
    decode,
};
use knock_signed::{Digest, Key, Moment, PACKET_BYTES, Packet, PacketKey, Verb};

use super::{Capture, Signers, capture, diagnostics, is_one};
use knock_config::diagnostics::Style;

/// When scenarios start, in nanoseconds.
const START: u64 = 1_000_000_000_000_000_000;

const SECOND: u64 = 1_000_000_000;

fn key(byte: u8) -> PacketKey {
    Key::take(&mut [byte; 32]).for_packets()
}

/// Two doors; alice has two keys, bob one.
fn doors() -> Doors {
    let door = |name: &str| Door {
        signed: Some(SignedDoor { users: Users::Any, admits: Admits::Source }),
        ..Door::new(DoorName::new(name.as_bytes()), DoorSequence::None)
    };
    let user = |name: &[u8], byte| UserKey {
        user: User::new(name),
        key: key(byte),
        doors: vec![],
        until: None,
    };
    let keys = vec![user(b"alice", 1), user(b"alice", 2), user(b"bob", 3)];
    let skew = Signing::SKEW_DEFAULT;
    let signing = Signing::new(Port(62_201), b"home.example.com", skew, keys).unwrap();
    Doors::new(vec![door("SSH"), door("a b")]).unwrap().with_signing(signing)
}

/// A packet of a capture.
#[derive(Debug)]
struct Seen {
    /// Nanoseconds since the start.
    at: u64,
    source: IpAddr,
    destination: SocketAddr,
    sealed: [u8; PACKET_BYTES],
}

impl Seen {
    /// Returns what it says to those who have a key.
    fn opened(&self, byte: u8) -> Packet {
        key(byte).open(&self.sealed).unwrap()
    }
}

fn seen(text: &str) -> Vec<Seen> {
    let doors = doors();
    let bytes = match capture("test", text.as_bytes(), Signers::of(&[&doors])) {
        Ok(bytes) => bytes,
        Err(source) => panic!("{}", diagnostics::render(&[*source], Style::Plain)),
    };
    let mut capture = Capture::from_stream(String::new(), Box::new(Cursor::new(bytes))).unwrap();
    let mut seen = Vec::new();
    while let Some(head) = capture.peek().unwrap() {
        let packet = decode(head.link, capture.frame()).unwrap();
        let payload = capture.frame().last_chunk::<PACKET_BYTES>().unwrap();
        seen.push(Seen {
            at: u64::try_from(head.at.as_nanos()).unwrap().checked_sub(START).unwrap(),
            source: packet.source,
            destination: SocketAddr::new(packet.destination, packet.knock().port.0),
            sealed: *payload,
        });
        capture.advance();
    }
    seen
}

fn refused(text: &str, doors: &[&Doors]) -> String {
    let made = capture("test", text.as_bytes(), Signers::of(doors)).map(|bytes| bytes.len());
    let source = made.unwrap_err();
    diagnostics::render(&[*source], Style::Plain)
}

#[test]
fn a_line_is_what_a_client_with_the_key_sends_at_this_time() {
    let all = seen("5 signed alice door SSH\n");
    let [packet] = &all[..] else { panic!("{all:?}") };
    let from: IpAddr = "192.0.2.10".parse().unwrap();
    assert_eq!((packet.at, packet.source), (5 * SECOND, from));
    assert_eq!(packet.destination, "192.0.2.1:62201".parse().unwrap());
    let expected = Packet {
        verb: Verb::Open,
        prefix: None,
        seconds: None,
        moment: Moment(START + 5 * SECOND),
        admit: None,
        server: Digest::of_server(b"home.example.com"),
        door: Digest::of_door(b"SSH"),
    };
    assert_eq!(packet.opened(1), expected);
}

#[test]
fn words_after_the_door_change_the_packet() {
    let one = |rest: &str| seen(&format!("signed alice door SSH {rest}")).remove(0);
    let said = |rest: &str| one(rest).opened(1);
    assert_eq!(said("skew +40s").moment, Moment(START + 40 * SECOND));
    assert_eq!(said("skew -3h").moment, Moment(START - 10_800 * SECOND));
    assert_eq!(said("admit 10.0.0.9").admit, Some([10, 0, 0, 9].into()));
    assert_eq!(said("for 10m").seconds.unwrap().get(), 600);
    assert_eq!(said("close").verb, Verb::Close);
    let backup = Digest::of_server(b"backup.example.com");
    assert_eq!(said("server Backup.example.com").server, backup);
    assert_eq!(one("key 2").opened(2).door, Digest::of_door(b"SSH"));
    let quoted = seen("signed bob door \"a b\"").remove(0).opened(3);
    assert_eq!(quoted.door, Digest::of_door(b"a b"));
    assert_eq!(one("from 10.0.0.5").source, IpAddr::from([10, 0, 0, 5]));
    assert_eq!(one("to 10.0.0.1:99").destination, "10.0.0.1:99".parse().unwrap());
    let by_ipv6 = one("to 2001:db8::9");
    assert_eq!(by_ipv6.destination, "[2001:db8::9]:62201".parse().unwrap());
    assert_eq!(by_ipv6.source, "2001:db8::10".parse::<IpAddr>().unwrap());
    assert_eq!(one("from 2001:db8::5").destination, "[2001:db8::1]:62201".parse().unwrap());
}

#[test]
fn a_packet_that_is_sent_again_is_the_same_whoever_sends_it() {
    let all = seen("signed alice door SSH again 2 every 5s\n");
    assert!(all.len() == 3 && all.iter().all(|one| one.sealed == all[0].sealed), "{all:?}");
    assert!(all.iter().all(|one| one.source == all[0].source));
    let all = seen("signed alice door SSH from 10.0.0.5 again 1 every 5s by 10.0.0.66\n");
    let [first, second] = &all[..] else { panic!("{all:?}") };
    assert_eq!((first.source, second.source), ([10, 0, 0, 5].into(), [10, 0, 0, 66].into()));
    assert_eq!((first.at, second.at), (0, 5 * SECOND));
    assert_eq!(first.sealed, second.sealed);
}

#[test]
fn every_other_packet_has_a_moment_of_its_own() {
    let text = "signed alice door SSH\n\
                0 signed alice door SSH\n\
                0 signed alice door SSH to 2001:db8::1\n\
                0 signed alice door \"a b\" from 10.0.0.1-10.0.0.3 apart 2s\n\
                9 signed alice door SSH repeat 2 every 1s\n";
    let all = seen(text);
    let moments: Vec<u64> = all.iter().map(|one| one.opened(1).moment.0 - START).collect();
    let [two, four] = [2, 4].map(|seconds| seconds * SECOND);
    assert_eq!(moments, [0, 1, 2, 3, two, four, 9 * SECOND, 10 * SECOND]);
    let mut nonces: Vec<&[u8]> = all.iter().map(|one| &one.sealed[8..32]).collect();
    nonces.sort_unstable();
    nonces.dedup();
    assert_eq!(nonces.len(), all.len());
}

#[test]
fn a_scenario_with_signed_packets_is_the_same_in_every_run() {
    let doors = doors();
    let text = b"signed alice door SSH\nknock 10.0.0.5 7000\nsigned bob door SSH\n";
    let bytes = || capture("test", text, Signers::of(&[&doors])).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn of_several_configurations_the_first_that_knows_a_user_signs() {
    let (none, doors) = (Doors::new(vec![]).unwrap(), doors());
    let bytes =
        |doors: &[&Doors]| capture("s", b"signed bob door SSH", Signers::of(doors)).unwrap();
    assert_eq!(bytes(&[&none, &doors]), bytes(&[&doors]));
}

#[test]
fn what_nobody_can_sign_is_an_error() {
    let text = "signed alcie door SSH
signed carol door SSH
signed alice door SHH
signed alice door \"front door\"
signed alice SSH
signed alice door
signed alice door SSH skew 40s
signed alice door SSH skew +soon
signed alice door SSH key 3
signed bob door SSH key 2
signed alice door SSH form 10.0.0.5
signed alice door SSH from 10.0.0.5 to 2001:db8::1
signed alice door SSH again 1 every 1s by 2001:db8::9
signed alice door SSH by 10.0.0.9
signed alice door SSH server \u{e9}
signed alice door SSH admit me
signed alice door SSH for 1.5s
signed alice door SSH for 0
singed alice door SSH
";
    insta::assert_snapshot!(refused(text, &[&doors()]));
    let before_1970 =
        refused("start 1970-01-01T00:00:01Z\nsigned bob door SSH skew -2s", &[&doors()]);
    assert!(before_1970.contains("before 1970"), "{before_1970}");
}

#[test]
fn without_keys_the_error_says_what_to_do() {
    insta::assert_snapshot!(refused("signed alice door SSH\nsigned bob door SSH\n", &[]));
    let none = refused("signed alice door SSH\n", &[&Doors::new(vec![]).unwrap()]);
    assert!(none.contains("help: the configuration has no doors"), "{none}");
    let door = Door::new(DoorName::new(b"SSH"), DoorSequence::None);
    let unsigned = refused("signed alice door SSH\n", &[&Doors::new(vec![door]).unwrap()]);
    assert!(unsigned.contains("help: write `Signed = USER` in a door"), "{unsigned}");
}

#[test]
fn a_text_is_a_scenario_whoever_signs_it() {
    assert!(is_one(b"signed alice door SSH\n"));
    assert!(!is_one(b"signed alice\n"));
    assert!(!is_one(b"must open SSH\n"));
}

#[test]
fn signed_packets_count_for_the_limit() {
    let doors = doors();
    for text in
        ["signed alice door SSH from 10.0.0.0/8", "signed alice door SSH again 1000000 every 1s"]
    {
        let error = refused(text, &[&doors]);
        assert!(error.contains("a scenario can have 1000000 packets at most"), "{text}: {error}");
    }
    let late = refused("signed alice door SSH again 2401 every 1h", &[&doors]);
    assert!(late.contains("later than 100 days"), "{late}");
}

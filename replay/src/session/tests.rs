//! Signed packets in a capture, by each way to replay it.

use std::convert::Infallible;
use std::io::Cursor;
use std::net::IpAddr;
use std::thread;

use fastrand::Rng;
use knock_capture::frame::datagram_frame;
use knock_capture::write::{Packet, Writer};
use knock_capture::{Capture, Merge};
use knock_compat::{Rules, TimedEffect};
use knock_engine::{
    Admits, Door, DoorName, DoorSequence, Doors, EffectKind, LinkType, Port, SignedDoor, Signing,
    Timestamp, User, UserKey, Users,
};
use knock_signed::{Digest, Key, Moment, PACKET_BYTES, PacketKey, Verb};

use super::drive::{Played, watch};
use super::load::limits;
use super::outgoing::{Batch, outgoing};
use super::player::Player;
use super::reader::Reader;
use super::terminal::Streams;

const NOW: i64 = 1_764_806_450_000_000_000;

const PORT: Port = Port(62_201);

fn key() -> PacketKey {
    Key::take(&mut [1; 32]).for_packets()
}

fn doors() -> Doors {
    let signed = Some(SignedDoor { users: Users::Any, admits: Admits::Source });
    let door = Door { signed, ..Door::new(DoorName::new(b"SSH"), DoorSequence::None) };
    let alice = UserKey { user: User::new(b"alice"), key: key(), doors: vec![], until: None };
    let signing = Signing::new(PORT, b"home", Signing::SKEW_DEFAULT, vec![alice]).unwrap();
    Doors::new(vec![door]).unwrap().with_signing(signing)
}

fn sealed() -> [u8; PACKET_BYTES] {
    let packet = knock_signed::Packet {
        verb: Verb::Open,
        prefix: None,
        seconds: None,
        moment: Moment::from_nanos(NOW),
        admit: None,
        server: Digest::of_server(b"home"),
        door: Digest::of_door(b"SSH"),
    };
    key().seal(&packet, &[7; 24])
}

/// A capture with a packet that opens the door, packets to other ports, and the first one again.
fn reader() -> Reader {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes).unwrap();
    let source = (IpAddr::from([10, 0, 0, 5]), 40_000).into();
    for (at, port) in (NOW..).zip([PORT.0, 53, 53, PORT.0]) {
        let to = (IpAddr::from([192, 0, 2, 1]), port).into();
        let frame = datagram_frame(source, to, &sealed(), &mut Rng::with_seed(0)).unwrap();
        let at = Timestamp::from_nanos(at);
        let original_length = u32::try_from(frame.len()).unwrap();
        let (name, link, frame, comment) = ("a", LinkType::Ethernet, &frame[..], "");
        let capture = 0;
        writer
            .packet(&Packet { capture, name, at, link, original_length, frame, comment })
            .unwrap();
    }
    writer.flush().unwrap();
    drop(writer);
    let capture = Capture::from_stream("a".to_owned(), Box::new(Cursor::new(bytes))).unwrap();
    Reader::at(&[], false, Merge::new(vec![capture]))
}

/// Returns what happens as the names of the effects.
fn names(effects: &[TimedEffect]) -> Vec<&'static str> {
    effects.iter().map(|timed| timed.effect.kind().name()).collect()
}

fn expected() -> [&'static str; 3] {
    [EffectKind::MarkMoment, EffectKind::Opened, EffectKind::NotSigned].map(EffectKind::name)
}

#[test]
fn a_signed_packet_opens_once_for_a_watcher() {
    let mut effects = Vec::new();
    let mut see = |played: &Played<'_>| {
        effects.push(played.timed);
        Ok(())
    };
    let limits = limits(knock_engine::Limits::DEFAULT_ATTEMPTS);
    let mut reader = reader();
    let engine = Rules::Knock.engine(doors(), reader.listening(), &limits);
    let (done, written) = watch(Rules::Knock, engine, &mut reader, &mut see);
    written.unwrap();
    assert_eq!(names(&effects), expected());
    let counts = done.counts;
    assert_eq!((counts.admitted, counts.opened, counts.not_signed), (2, 1, 1));
}

#[test]
fn a_signed_packet_opens_once_for_a_player() {
    let limits = limits(knock_engine::Limits::DEFAULT_ATTEMPTS);
    for (rules, expected) in [(Rules::Knock, &expected()[..]), (Rules::Knockd08, &[])] {
        let mut reader = reader();
        let engine = rules.engine(doors(), reader.listening(), &limits);
        let (outgoing, to_print) = outgoing(false);
        let printing = thread::spawn(move || {
            let mut all = Vec::new();
            let Ok(()) = to_print.each(|Batch { effects, .. }| {
                all.append(effects);
                Ok::<_, Infallible>(())
            });
            all
        });
        reader.begin(super::unwanted::unwanted(
            rules,
            engine.doors(),
            super::unwanted::SomeClients::nobody(),
        ));
        let sight = knock_compat::Sight::of(&engine);
        let player = Player::new(engine, outgoing);
        player.play(|events| reader.read(&sight, 16, events));
        assert_eq!(names(&printing.join().unwrap()), expected, "{rules}");
    }
}

#[test]
fn a_packet_that_was_accepted_before_opens_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("used");
    let limits = limits(knock_engine::Limits::DEFAULT_ATTEMPTS);
    let id = u64::from_be_bytes(key().id().0);
    for (moment, opened) in [(NOW - 1, 1), (NOW, 0)] {
        std::fs::write(&file, format!("moment {id:016x} {moment}\n")).unwrap();
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut streams = Streams::plain(&mut output, &mut errors);
        let doors = super::state::restore(doors(), &file, &mut streams).unwrap();
        let mut see = |_: &Played<'_>| Ok(());
        let mut reader = reader();
        let engine = Rules::Knock.engine(doors, reader.listening(), &limits);
        let (done, _) = watch(Rules::Knock, engine, &mut reader, &mut see);
        assert_eq!(done.counts.opened, opened, "{moment}");
    }
}

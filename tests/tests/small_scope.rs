//! Every short string of packets: compares the engine with a naive model of each rule set, and with the
//! real knockd 0.8.
//!
//! Most bugs in the handling of sequences need few packets, few clients and few doors to show. So this is
//! not a sample but complete: every string of up to four packets of two clients, each to one of five
//! places, each soon after the one before or after every timeout.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::num::NonZeroU32;
use std::path::Path;

use knock_compat::{Engine, Rules, TimedEffect};
use knock_engine::{Event, Timestamp};
use knock_replay::{Exit, Streams};
use knock_tests::capture_builder::{Capture, Format, Link, Record, Shape};
use knock_tests::generators::{Style, conf};
use knock_tests::model::{
    ACK, Door, Knock, ModelState, Packet, SYN, Sequences, Setting, Transport,
};
use knock_tests::model_08::Daemon;
use knock_tests::oracle::{Oracle, Run};
use knock_tests::{boundary, drive};
use tempfile::TempDir;

/// The reference for the engine, after any string of packets.
trait Reference: Clone {
    fn packet(&mut self, packet: &Packet);

    /// Returns the whole transcript, had no other packet come.
    fn transcript(&self) -> String;
}

impl Reference for ModelState {
    fn packet(&mut self, packet: &Packet) {
        Self::packet(self, packet);
    }

    fn transcript(&self) -> String {
        let mut house = self.clone();
        house.time(i64::MAX);
        String::from_utf8(house.into_outcome().transcript()).unwrap()
    }
}

impl Reference for Daemon {
    fn packet(&mut self, packet: &Packet) {
        Self::packet(self, packet);
    }

    fn transcript(&self) -> String {
        let mut daemon = self.clone();
        daemon.time(i64::MAX);
        let line = |line: &Vec<u8>| [&String::from_utf8_lossy(line), "\n"].concat();
        let lines = daemon.lines().iter().map(line);
        lines.collect()
    }
}

const LENGTH: usize = 4;
const SECOND: i64 = 1_000_000_000;
/// The doors' sequence timeout lies between a short gap times four and a long one; so does, of two
/// short and one long, the command timeout.
const GAPS: [i64; 2] = [SECOND, 6 * SECOND];
const CLIENTS: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];

/// The five packets that a client may send.
fn alphabet(sequence_number: u32) -> [(u16, Transport); 5] {
    let tcp = |flags| Transport::Tcp { seq: Some(sequence_number), flags: Some(flags) };
    [(1, tcp(SYN)), (2, tcp(SYN)), (3, tcp(SYN)), (1, Transport::Udp), (2, tcp(ACK))]
}

#[test]
fn one_door() {
    walk(&[door("a", "1,2,3")]);
}

#[test]
fn doors_with_a_common_beginning_and_one_inside_the_other() {
    walk(&[door("a", "1,2,3"), door("b", "1,2"), door("c", "1,3")]);
}

#[test]
fn doors_that_share_two_knocks() {
    let later = Door { seq_timeout_s: 8, ..door("e", "1,2,3") };
    walk(&[
        door("a", "1,2,3"),
        door("b", "1,2,2"),
        later,
        door("c", "1,2,2,3"),
        door("d", "1,1,2"),
    ]);
}

#[test]
fn doors_that_share_a_repeated_knock() {
    walk(&[door("a", "1,1,1,2"), door("b", "1,2,2"), door("c", "1,1,2"), door("d", "1,2,1,1")]);
}

#[test]
fn a_door_that_opens_and_one_that_closes() {
    walk(&[door("open", "1,2,3"), door("close", "3,2,1")]);
}

#[test]
fn repeated_knocks() {
    walk(&[door("a", "1,1,2"), door("b", "1,2,1")]);
}

#[test]
fn one_time_sequences() {
    let lines = ["1,2", "2", "1,2,3"].map(knocks).to_vec();
    walk(&[door("b", "2,1"), Door { sequences: Sequences::OneTime(lines), ..door("a", "1") }]);
}

#[test]
fn flags_and_udp() {
    let flagged = Door { wanted: SYN, refused: ACK, ..door("a", "1,2") };
    walk(&[flagged, door("b", "1u,2"), door("c", "1,1u,3")]);
}

#[test]
fn commands_and_their_ends() {
    let runs = |door: Door, cmd_timeout_s| Door {
        start: Some("open %IP%".into()),
        stop: Some("close %IP%".into()),
        cmd_timeout_s,
        ..door
    };
    walk(&[runs(door("a", "1"), 2), runs(door("b", "1,2"), 0), door("c", "2")]);
}

#[test]
fn equal_doors() {
    walk(&[door("a", "1,2"), door("a", "1,2"), door("b", "2,1")]);
}

#[test]
fn every_repeat_is_a_retransmission() {
    let setting = setting(&[door("a", "1,2,1"), door("b", "2,2"), door("c", "2")]);
    let reference = ModelState::new(&setting).answering_at_once();
    walk_with(7, setting, &reference, Rules::Knock);
}

// ---- how it is done

fn knocks(text: &str) -> Vec<Knock> {
    let knock = |word: &str| match word.strip_suffix('u') {
        Some(port) => Knock::udp(port.parse().unwrap()),
        None => Knock::tcp(word.parse().unwrap()),
    };
    text.split(',').map(knock).collect()
}

fn door(name: &str, sequence: &str) -> Door {
    Door { seq_timeout_s: 5, ..Door::new(name, Sequences::Fixed(knocks(sequence))) }
}

fn setting(doors: &[Door]) -> Setting {
    Setting { doors: doors.to_vec(), local: None, ipv4_only: false }
}

/// Compares every string of packets at these doors under both rule sets, where no packet can be recognized
/// as a retransmission.
fn walk(doors: &[Door]) {
    let setting = setting(doors);
    let house = ModelState::new(&setting).answering_at_once();
    walk_with(0, setting.clone(), &house, Rules::Knock);
    let daemon = Daemon::new(&setting);
    walk_with(0, setting, &daemon, Rules::Knockd08);
}

/// Compares every string of packets with this TCP sequence number.
fn walk_with<R: Reference>(sequence_number: u32, setting: Setting, reference: &R, rules: Rules) {
    let alphabet = alphabet(sequence_number);
    let mut walk = Walk { setting, rules, alphabet, string: Vec::new(), strings: 0 };
    walk.go_on(reference);
    // The first packet is one of 5; each of the others one of 5 of two clients after two gaps.
    assert_eq!(walk.strings, 5 * (1 + 20 + 20 * 20 + 20 * 20 * 20));
}

/// A walk through the tree of all strings.
struct Walk {
    setting: Setting,
    rules: Rules,
    alphabet: [(u16, Transport); 5],
    string: Vec<Packet>,
    strings: usize,
}

impl Walk {
    /// Compares every longer string that begins with the current one.
    fn go_on<R: Reference>(&mut self, reference: &R) {
        if self.string.len() == LENGTH {
            return;
        }
        // The clients differ only in their address, and nothing comes before the first packet, so it
        // is always from the first client and after the first gap.
        let choices = if self.string.is_empty() { 1 } else { 2 };
        for client in &CLIENTS[..choices] {
            for gap in &GAPS[..choices] {
                for (dport, transport) in self.alphabet {
                    let before_ns = self.string.last().map_or(0, |packet| packet.at_ns);
                    let at_ns = before_ns.saturating_add(*gap);
                    let src = (*client).into();
                    let dst = [10, 0, 0, 1].into();
                    let packet = Packet { at_ns, src, dst, sport: 40_000, dport, transport };
                    self.with(packet, reference.clone());
                }
            }
        }
    }

    fn with<R: Reference>(&mut self, packet: Packet, mut reference: R) {
        reference.packet(&packet);
        self.string.push(packet);
        self.strings = self.strings.saturating_add(1);
        let (said, expected) = (replay(self.engine(), &self.string), reference.transcript());
        assert_eq!(said, expected, "after {:#?}", self.string);
        self.go_on(&reference);
        self.string.pop();
    }
}

impl Walk {
    fn engine(&self) -> Engine {
        let Setting { doors, local, ipv4_only } = &self.setting;
        let listening = boundary::listening(local.as_deref(), *ipv4_only);
        let limits = boundary::limits(NonZeroU32::new(64).unwrap());
        self.rules.engine(boundary::doors(doors), listening, &limits)
    }
}

/// Returns the transcript of the engine, driven as a replay does.
fn replay(mut engine: Engine, packets: &[Packet]) -> String {
    let mut out = String::new();
    let mut take = |engine: &Engine, timed: TimedEffect| {
        if let Some(line) = drive::line(engine, &timed.effect) {
            out += &line;
            out.push('\n');
        }
    };
    for packet in packets {
        let at = Timestamp::from_nanos(packet.at_ns);
        drive::tell(&mut engine, at, Event::Packet(boundary::packet(packet)), &mut take);
    }
    while let Some(deadline) = engine.poll_deadline() {
        drive::tell(&mut engine, deadline.at, Event::DeadlineReached, &mut take);
    }
    out
}

// ---- the real knockd

/// Every string of four packets in one capture, each from other clients and long after the one before, so
/// that they interact only through what the real knockd still has in its list.
#[test]
fn the_real_knockd_prints_the_same_for_every_string() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(oracle) = Oracle::required_by("every short string for the real knockd", cache) else {
        return;
    };
    let flagged = Door { wanted: SYN, refused: ACK, ..door("a", "1,2") };
    let sets = [
        vec![door("a", "1,2,3"), door("b", "1,2"), door("c", "1,3")],
        vec![door("open", "1,2,3"), door("close", "3,2,1")],
        vec![door("a", "1,1,2"), door("b", "1,2,1")],
        vec![flagged, door("b", "1u,2"), door("c", "1,1u,3")],
    ];
    let capture = every_string().to_bytes();
    for doors in sets {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("knockd.conf"), conf(&doors, &Style::plain()).text).unwrap();
        fs::write(folder.path().join("capture.pcap"), &capture).unwrap();
        let verdict = oracle.run(&Run {
            folder: folder.path().into(),
            conf: "knockd.conf".into(),
            capture: "capture.pcap".into(),
            local: vec![[10, 0, 0, 1].into()],
            ..Run::default()
        });
        let output = replayed(folder.path());
        assert!(output.len() > 1_000_000, "{} bytes", output.len());
        let lines =
            |text: &[u8]| String::from_utf8_lossy(text).lines().map(str::to_owned).collect();
        let (expected, found): (Vec<String>, Vec<String>) =
            (lines(&verdict.output), lines(&output));
        let differs = expected.iter().zip(&found).position(|(one, other)| one != other);
        assert_eq!(differs.map(|at| (&expected[at], &found[at])), None);
        assert_eq!(expected.len(), found.len());
    }
}

/// What `knock-replay` prints under the rules of knockd 0.8.
fn replayed(folder: &Path) -> Vec<u8> {
    let words = ["knock-replay", "-q", "--rules", "knockd-0.8", "--local", "10.0.0.1", "--config"];
    let paths = ["knockd.conf", "capture.pcap"].map(|name| folder.join(name).into_os_string());
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut output, &mut errors);
    let exit = knock_replay::run(words.map(OsString::from).into_iter().chain(paths), &mut streams);
    assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&errors));
    output
}

fn every_string() -> Capture {
    const STRINGS: u32 = 5 * 20 * 20 * 20;
    let mut records = Vec::new();
    let mut at_ns = 0;
    for string in 0..STRINGS {
        // Each string has a number: the first packet is one of 5, the others one of 20.
        let mut rest = string;
        at_ns += 100 * SECOND;
        for place in 0..LENGTH {
            let choices = if place == 0 { 5 } else { 20 };
            let choice = usize::try_from(rest % choices).unwrap();
            rest /= choices;
            let (dport, transport) = alphabet(0)[choice % 5];
            let (client, gap) = (choice / 5 % 2, choice / 10);
            at_ns += GAPS[gap];
            let client = 0xb000_0000 + 2 * string + u32::try_from(client).unwrap();
            let src = Ipv4Addr::from(client).into();
            let dst = [10, 0, 0, 1].into();
            let packet = Packet { at_ns, src, dst, sport: 40_000, dport, transport };
            let (frame, kept) = Shape::default().frame(&packet, Link::Ethernet, false);
            records.push(Record::of(at_ns, &frame, kept));
        }
    }
    Capture { format: Format::Pcap { big_endian: false }, ..Capture::new(Link::Ethernet, records) }
}

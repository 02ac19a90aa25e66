//! Every short string of packets: the engine against a naive reading of each rule set.
//!
//! Most faults in the handling of sequences need few packets, few clients and few doors to show.
//! So here is not a sample but all of it: every string of up to four packets of two clients, each
//! to one of five places, each soon after the one before or after every timeout.

#![cfg(test)]

use std::num::NonZeroU32;

use knock_engine::{Engine, Event, Limits, Rules, TimedEffect, Timestamp};
use knock_tests::model::{ACK, Door, House, Knock, Packet, SYN, Sequences, Setting, Transport};
use knock_tests::model_08::Daemon;
use knock_tests::{boundary, drive};

/// What the engine is compared with, after any string of packets.
trait Reference: Clone {
    fn packet(&mut self, packet: &Packet);

    /// Returns the whole transcript, had no other packet come.
    fn transcript(&self) -> String;
}

impl Reference for House {
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
    let reference = House::new(&setting).ending_commands_at_once();
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

/// Compares every string of packets at these doors under both rule sets, where no packet can be told
/// to be a retransmission.
fn walk(doors: &[Door]) {
    let setting = setting(doors);
    let house = House::new(&setting).ending_commands_at_once();
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
    /// Compares every string that begins with the present one and is longer.
    fn go_on<R: Reference>(&mut self, reference: &R) {
        if self.string.len() == LENGTH {
            return;
        }
        // The clients differ in nothing but their address, and before the first packet there is
        // nothing, so it is always of the first client and after the first gap.
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
        let limits = Limits { attempts: NonZeroU32::new(64).unwrap(), hash_seed: 1 };
        Engine::new(boundary::doors(doors), listening, self.rules, &limits)
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

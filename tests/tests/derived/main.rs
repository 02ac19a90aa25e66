//! Derived sequences: the engine, the machine of knockd 0.8 with all differences fixed, and the model do the
//! same, and nobody opens a door who does not know its key.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod world;

use std::convert::Infallible;
use std::net::IpAddr;

use knock_compat::{Difference, Rules};
use knock_engine::transcript::{self, Channel};
use knock_engine::{CommandsEnd, Event, Limits, Timestamp};
use knock_tests::boundary;
use knock_tests::model::{
    self, Counts, Derived, Door, Knock, OnReknock, Packet, Protocol, SYN, Sequences, Setting,
    Transport,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

const SECOND: i64 = 1_000_000_000;

/// Some time of day: the middle of a minute.
const BEGIN: i64 = (29_413_440 * 60 + 30) * SECOND;

/// What a client does next.
#[derive(Clone, Debug)]
enum Act {
    /// It knocks at a door as one with the key would whose clock is so many periods wrong: from the first
    /// knock up to another.
    Knock { door: usize, periods: i64, knocks: usize, every_ms: i64 },
    /// It sends once more what it sent last: a fresh try, or a retransmission.
    Again { is_retransmission: bool },
    /// It repeats all packets that any client has sent so far, or the last so many.
    Replay(usize),
    /// It knocks at any port.
    Stray(u16),
    /// Time passes.
    Wait(i64),
    /// The clock is set back or forward.
    Step(i64),
}

fn act() -> impl Strategy<Value = Act> {
    let every_ms = select(vec![0, 1, 100, 2_000]);
    let knock = (0..3_usize, -3..=3_i64, 1..=6_usize, every_ms);
    let port = prop_oneof![20_000..21_000_u16, select(vec![20_000, 20_007, 20_999, 7000, 7001])];
    prop_oneof![
        8 => knock.prop_map(|(door, periods, knocks, every_ms)| Act::Knock {
            door,
            // Most clocks are right.
            periods: if periods.abs() == 3 { 0 } else { periods },
            knocks: if knocks > 3 { 32 } else { knocks },
            every_ms,
        }),
        2 => any::<bool>().prop_map(|is_retransmission| Act::Again { is_retransmission }),
        2 => (1..12_usize).prop_map(Act::Replay),
        2 => port.prop_map(Act::Stray),
        3 => select(vec![SECOND / 2, 10 * SECOND, 30 * SECOND, 59 * SECOND, 200 * SECOND])
            .prop_map(Act::Wait),
        1 => select(vec![-3600 * SECOND, -61 * SECOND, -SECOND, 100 * SECOND]).prop_map(Act::Step),
    ]
}

fn door() -> impl Strategy<Value = Door> {
    let period_s = select(vec![10, 60]);
    let derived = (0..2_u8, select(vec![4, 5, 32]), period_s, any::<bool>());
    let rest = (
        select(vec![2, 25]),
        select(vec![OnReknock::Extend, OnReknock::Separate, OnReknock::Ignore]),
        option::weighted(0.2, 1..100_u32),
        option::weighted(0.6, Just(b"open %IP%".to_vec())),
    );
    (derived, rest, any::<bool>()).prop_map(|((key, knocks, period_s, udp), rest, only_syn)| {
        let (seq_timeout_s, on_reknock, seq_cooldown_s, start) = rest;
        let derived = Derived {
            key: [key; 32],
            knocks,
            ports: (20_000, 59_999),
            protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
            period_s,
        };
        Door {
            seq_timeout_s,
            on_reknock,
            seq_cooldown_s,
            stop: start.as_ref().map(|_| b"close %IP%".to_vec()),
            start,
            wanted: if only_syn { SYN } else { 0 },
            ..Door::new("d", Sequences::Derived(derived))
        }
    })
}

/// Draws doors: one or two with derived sequences, and one with knocks among their ports.
fn doors() -> impl Strategy<Value = Vec<Door>> {
    vec(door(), 1..=2).prop_map(|mut doors| {
        for (door, name) in doors.iter_mut().zip(["SSH", "web"]) {
            door.name = name.into();
        }
        let knocks = [7000, 20_007, 7001].map(Knock::tcp).to_vec();
        doors.insert(1, Door::new("fixed", Sequences::Fixed(knocks)));
        doors
    })
}

/// Returns the packets that clients send.
fn packets(doors: &[Door], acts: &[(bool, Act)]) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    let mut now = BEGIN;
    let mut sent = 0_u16;
    for (is_second, act) in acts {
        let source: IpAddr = if *is_second { [192, 0, 2, 2] } else { [192, 0, 2, 1] }.into();
        let mut packet = |knock: Knock, at_ns: i64| {
            sent += 1;
            let transport = match knock.protocol {
                Protocol::Tcp => Transport::Tcp { seq: Some(sent.into()), flags: Some(SYN) },
                Protocol::Udp => Transport::Udp,
            };
            let (dst, sport) = ([10, 0, 0, 1].into(), 1024 + sent);
            Packet { at_ns, src: source, dst, sport, dport: knock.port, transport }
        };
        match *act {
            Act::Knock { door, periods, knocks, every_ms } => {
                let door = &doors[door % doors.len()];
                let sequence = match &door.sequences {
                    Sequences::Derived(derived) => {
                        let ahead = periods * i64::from(derived.period_s) * SECOND;
                        derived.sequence(&door.name, derived.period(now + ahead))
                    }
                    Sequences::Fixed(knocks) => knocks.clone(),
                    Sequences::OneTime(_) => unreachable!(),
                };
                for knock in sequence.into_iter().take(knocks) {
                    packets.push(packet(knock, now));
                    now += every_ms * 1_000_000;
                }
            }
            Act::Again { is_retransmission } => {
                let Some(last) = packets.last().copied() else { continue };
                let again = packet(last.knock(), now);
                packets.push(if is_retransmission { Packet { at_ns: now, ..last } } else { again });
            }
            Act::Replay(count) => {
                let from = packets.len().saturating_sub(count);
                let knocks: Vec<Knock> = packets[from..].iter().map(Packet::knock).collect();
                packets.extend(knocks.into_iter().map(|knock| packet(knock, now)));
            }
            Act::Stray(port) => packets.push(packet(Knock::tcp(port), now)),
            Act::Wait(ns) | Act::Step(ns) => now += ns,
        }
    }
    packets
}

/// Replays packets with the engine under some rules. Returns the lines, each after its time, and counts.
fn replay(rules: Rules, setting: &Setting, packets: &[Packet]) -> (Vec<String>, Counts) {
    let doors = boundary::doors(&setting.doors);
    let listening = boundary::listening(setting.local.as_deref(), setting.ipv4_only);
    let mut engine = rules.engine(doors, listening, &Limits::default());
    let mut lines = Vec::new();
    let ends = packets.iter().map(|packet| (packet.at_ns, Event::Packet(boundary::packet(packet))));
    for (at_ns, event) in ends.chain([(i64::MAX, Event::DeadlineReached)]) {
        let at = Timestamp::from_nanos(at_ns);
        let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
            let mut line = Vec::new();
            if transcript::write(&timed.effect, engine.doors(), &mut line) == Channel::Transcript {
                let line = String::from_utf8_lossy(&line);
                lines.push(format!("{} {line}", timed.at.as_nanos()));
            }
            Ok::<(), Infallible>(())
        });
    }
    let counts = engine.counts();
    let counts = Counts {
        admitted: counts.admitted,
        retransmissions: counts.retransmissions,
        voided: counts.voided,
        opened: counts.opened,
        timed_out: counts.timed_out,
        merged: counts.merged,
        ignored: counts.ignored,
        repeated: counts.repeated,
        ..Counts::default()
    };
    (lines, counts)
}

fn setting(doors: Vec<Door>) -> Setting {
    Setting { doors, local: None, ipv4_only: false }
}

/// Returns what the model says.
fn expected(setting: &Setting, packets: &[Packet]) -> (Vec<String>, Counts) {
    let outcome = model::replay(setting, packets);
    let line =
        |line: &model::Line| format!("{} {}", line.at_ns, String::from_utf8_lossy(&line.text));
    let counts = Counts { backwards: 0, ..outcome.counts };
    (outcome.lines.iter().map(line).collect(), counts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn engine_and_model_do_the_same(doors in doors(), acts in vec((any::<bool>(), act()), 1..25)) {
        let packets = packets(&doors, &acts);
        let setting = setting(doors);
        let (lines, counts) = replay(Rules::Knock, &setting, &packets);
        let (expected, expected_counts) = expected(&setting, &packets);
        prop_assert_eq!(&lines, &expected);
        prop_assert_eq!(counts, expected_counts);
    }

    #[test]
    fn knockd_08_with_all_differences_fixed_does_the_same(
        doors in doors(),
        acts in vec((any::<bool>(), act()), 1..25),
    ) {
        let packets = packets(&doors, &acts);
        let setting = setting(doors);
        let last = *Difference::ALL.last().unwrap();
        let (lines, _) = replay(Rules::FixedUpTo(last), &setting, &packets);
        prop_assert_eq!(lines, replay(Rules::Knock, &setting, &packets).0);
    }
}

/// Returns a door with the usual numbers.
fn usual() -> Door {
    let derived = Derived {
        key: [7; 32],
        knocks: 5,
        ports: (20_000, 59_999),
        protocol: Protocol::Tcp,
        period_s: 60,
    };
    Door::new("SSH", Sequences::Derived(derived))
}

/// Returns the packets of a client that knocks at a time as one does whose clock is wrong by some seconds.
fn knocks(client: u8, at_ns: i64, wrong_by_s: i64) -> Vec<Packet> {
    let door = usual();
    let Sequences::Derived(derived) = &door.sequences else { unreachable!() };
    let sequence = derived.sequence(&door.name, derived.period(at_ns + wrong_by_s * SECOND));
    let packet = |(number, knock): (u16, &Knock)| Packet {
        at_ns: at_ns + i64::from(number) * SECOND / 10,
        src: [192, 0, 2, client].into(),
        dst: [10, 0, 0, 1].into(),
        sport: 40_000 + number,
        dport: knock.port,
        transport: Transport::Tcp { seq: Some(u32::from(number) + 1), flags: Some(SYN) },
    };
    (0..).zip(&sequence).map(packet).collect()
}

fn openings(packets: &[Packet]) -> u64 {
    let setting = setting(vec![usual()]);
    let (_, counts) = replay(Rules::Knock, &setting, packets);
    counts.opened
}

#[test]
fn a_clock_may_be_wrong_by_one_period() {
    // In the middle of a period.
    let by = |seconds| openings(&knocks(1, BEGIN, seconds));
    assert_eq!([-91, -90, 0, 89, 90].map(by), [0, 1, 1, 1, 0]);
}

#[test]
fn a_period_opens_once_for_each_client() {
    let later = BEGIN + 20 * SECOND;
    let twice = |client| [knocks(1, BEGIN, 0), knocks(client, later, 0)].concat();
    assert_eq!(openings(&twice(1)), 1);
    assert_eq!(openings(&twice(2)), 2);
    // The next period opens, and so does the next one's sequence before its time.
    assert_eq!(openings(&[knocks(1, BEGIN, 0), knocks(1, BEGIN + 60 * SECOND, 0)].concat()), 2);
    assert_eq!(openings(&[knocks(1, BEGIN, 0), knocks(1, later, 60)].concat()), 2);
}

#[test]
fn what_was_recorded_opens_nothing_after_two_periods() {
    let recorded = knocks(1, BEGIN, 0);
    let replayed = |seconds: i64| {
        let late = |packet: &Packet| Packet {
            at_ns: packet.at_ns + seconds * SECOND,
            src: [198, 51, 100, 9].into(),
            ..*packet
        };
        openings(&recorded.iter().map(late).collect::<Vec<_>>())
    };
    assert_eq!([60, 89, 90, 3600].map(replayed), [1, 1, 0, 0]);
}

#[test]
fn a_scan_of_all_ports_opens_nothing() {
    let door = usual();
    let Sequences::Derived(derived) = &door.sequences else { unreachable!() };
    let mut ascending = 0;
    let mut scan = Vec::new();
    for minute in 0..1000_i64 {
        let begin = BEGIN + minute * 60 * SECOND;
        // Of all ports, those that may count and their neighbours are enough.
        let sequence = derived.sequence(&door.name, derived.period(begin));
        ascending += u32::from(sequence.is_sorted_by_key(|knock| knock.port));
        let mut ports: Vec<u16> =
            sequence.iter().flat_map(|knock| [knock.port, knock.port.saturating_add(1)]).collect();
        ports.sort_unstable();
        scan.extend((0..).zip(ports).map(|(number, port)| Packet {
            at_ns: begin + number * 1_000_000,
            dport: port,
            ..knocks(1, begin, 0)[0]
        }));
    }
    assert!(ascending > 0, "a scan of the ports of the sequences alone would open the door");
    assert_eq!(openings(&scan), 0);
}

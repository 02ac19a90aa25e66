//! Scenarios of the rule set `knock`, through the boundary that drivers use.

use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::num::NonZeroU32;

use crate::transcript::Channel;
use crate::*;

const A: &str = "192.0.2.10";
const B: &str = "192.0.2.11";
const A6: &str = "2001:db8:a::10";
const ME: &str = "10.0.0.1";

// Building doors.

fn knocks(text: &str) -> Sequence {
    let knock = |part: &str| match part.split_once(':') {
        Some((port, _)) => Knock { port: Port(port.parse().unwrap()), protocol: Protocol::Udp },
        None => Knock { port: Port(part.parse().unwrap()), protocol: Protocol::Tcp },
    };
    Sequence::new(text.split(',').map(knock).collect()).unwrap()
}

fn door(name: &str, sequence: &str) -> Door {
    Door {
        name: DoorName::new(name.as_bytes()),
        sequence: DoorSequence::Fixed(knocks(sequence)),
        seq_timeout: Seconds::new(5).unwrap(),
        flags: FlagRule::default(),
        target: None,
        commands: Commands::default(),
        cmd_timeout: Seconds::new(10).unwrap(),
    }
}

fn one_time(name: &str, lines: &[&str]) -> Door {
    let line = |(number, text): (u32, &&str)| OneTimeLine {
        number,
        offset: u64::from(number) * 100,
        sequence: knocks(text),
    };
    let lines = (1..).zip(lines).map(line).collect();
    Door { sequence: DoorSequence::OneTime(OneTimeSequences::new(lines)), ..door(name, "1") }
}

impl Door {
    fn syn(self) -> Self {
        Self { flags: self.flags.want(TcpFlags::SYN), ..self }
    }

    fn target(self, target: &str) -> Self {
        Self { target: Some(target.parse().unwrap()), ..self }
    }

    fn runs(mut self, start: &str, stop: &str) -> Self {
        let command = |text: &str| (text != "-").then(|| Command::new(text.as_bytes()));
        self.commands.start = command(start);
        self.commands.stop = command(stop);
        self
    }

    fn runs_6(mut self, start: &str, stop: &str) -> Self {
        let command = |text: &str| (text != "-").then(|| Command::new(text.as_bytes()));
        self.commands.start_6 = command(start);
        self.commands.stop_6 = command(stop);
        self
    }
}

// Building packets.

fn syn(client: &str, port: u16) -> Packet {
    let header = TcpHeader { sequence_number: Some(0), flags: Some(TcpFlags::SYN) };
    Packet {
        source: client.parse().unwrap(),
        destination: if client.contains(':') { "2001:db8::1" } else { ME }.parse().unwrap(),
        source_port: Port(40_000),
        destination_port: Port(port),
        transport: Transport::Tcp(header),
    }
}

fn udp(client: &str, port: u16) -> Packet {
    Packet { transport: Transport::Udp, ..syn(client, port) }
}

impl Packet {
    fn number(self, sequence_number: u32) -> Self {
        let Transport::Tcp(header) = self.transport else { panic!("UDP has no such number") };
        let header = TcpHeader { sequence_number: Some(sequence_number), ..header };
        Self { transport: Transport::Tcp(header), ..self }
    }

    fn flags(self, flags: Option<TcpFlags>) -> Self {
        let Transport::Tcp(header) = self.transport else { panic!("UDP has no flags") };
        Self { transport: Transport::Tcp(TcpHeader { flags, ..header }), ..self }
    }

    fn to(self, destination: &str) -> Self {
        Self { destination: destination.parse().unwrap(), ..self }
    }

    fn source_port(self, port: u16) -> Self {
        Self { source_port: Port(port), ..self }
    }
}

// Driving the engine as replay does.

struct Play {
    engine: Engine,
    lines: Vec<String>,
    messages: Vec<String>,
    notes: Vec<String>,
    status: CommandStatus,
}

fn seconds(at: f64) -> Timestamp {
    #[expect(clippy::as_conversions, clippy::cast_possible_truncation, reason = "test times")]
    Timestamp::from_nanos((at * 1e9) as i64)
}

impl Play {
    fn new(doors: Vec<Door>) -> Self {
        Self::with_limit(doors, 1000)
    }

    fn with_limit(doors: Vec<Door>, limit: u32) -> Self {
        let limits = Limits { attempts: NonZeroU32::new(limit).unwrap(), hash_seed: 7 };
        let local: [IpAddr; 2] = [ME.parse().unwrap(), "2001:db8::1".parse().unwrap()];
        Self {
            engine: Engine::new(Doors::new(doors).unwrap(), Listening::at(local), &limits),
            lines: vec![],
            messages: vec![],
            notes: vec![],
            status: CommandStatus::SUCCESS,
        }
    }

    fn event(&mut self, at: Timestamp, event: Event) {
        self.engine.handle(at, event);
        while let Some(TimedEffect { at, effect }) = self.engine.poll_effect() {
            let mut text = Vec::new();
            let channel = transcript::write(&effect, self.engine.doors(), &mut text);
            let text = String::from_utf8(text).unwrap();
            match channel {
                Channel::Transcript => self.lines.push(text),
                Channel::Message => self.messages.push(text),
                Channel::Note => self.notes.push(text),
            }
            if let Effect::RunCommand { run, .. } = effect {
                self.engine.handle(at, Event::CommandEnded { run, status: self.status });
            }
        }
    }

    fn packets(mut self, packets: &[(f64, Packet)]) -> Self {
        for &(at, packet) in packets {
            self.event(seconds(at), Event::Packet(packet));
        }
        self
    }

    /// Lets time run on until nothing is due.
    fn end(mut self) -> Self {
        while let Some(deadline) = self.engine.poll_deadline() {
            self.event(deadline.at, Event::DeadlineReached);
        }
        assert_eq!(self.engine.live_attempts(), 0);
        self
    }
}

#[track_caller]
fn expect(doors: Vec<Door>, packets: &[(f64, Packet)], lines: &[&str]) -> Play {
    let play = Play::new(doors).packets(packets).end();
    assert_eq!(play.lines, lines);
    play
}

/// The lines of one client at one door: a number for a stage, `!` for OPEN SESAME.
fn lines(client: &str, door: &str, what: &str) -> Vec<String> {
    what.split(' ')
        .map(|word| match word {
            "!" => [client, ": ", door, ": OPEN SESAME"].concat(),
            stage => [client, ": ", door, ": Stage ", stage].concat(),
        })
        .collect()
}

fn text(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).collect()
}

// Admission.

#[test]
fn a_port_that_no_door_names_does_not_exist() {
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 99)), (2.0, udp(A, 2)), (3.0, syn(A, 2))];
    let play = expect(vec![door("d", "1,2")], &packets, &text(&lines(A, "d", "1 2 !")));
    assert_eq!(play.engine.counts().admitted, 2);
}

#[test]
fn a_port_of_another_door_voids_an_attempt() {
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 99)), (2.0, syn(A, 2))];
    let play =
        expect(vec![door("d", "1,2"), door("e", "98,99")], &packets, &["192.0.2.10: d: Stage 1"]);
    assert_eq!(play.notes, ["192.0.2.10: d: void at stage 1: 99/tcp is not the next knock"]);
}

#[test]
fn a_destination_that_is_not_ours_does_not_exist() {
    let packets =
        [(0.0, syn(A, 1)), (1.0, syn(A, 3).to("10.0.0.9")), (2.0, syn(A, 2)), (3.0, syn(A, 3))];
    expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

#[test]
fn a_target_replaces_the_local_addresses() {
    let doors = vec![door("d", "1").target("192.0.2.99")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1).to("192.0.2.99"))];
    expect(doors, &packets, &text(&lines(A, "d", "1 !")));
}

#[test]
fn flags_that_no_door_asks_for_make_a_packet_invisible() {
    let ack = Some(TcpFlags::ACK);
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1).flags(ack)), (2.0, syn(A, 2))];
    let play = expect(vec![door("d", "1,2").syn()], &packets, &text(&lines(A, "d", "1 2 !")));
    assert_eq!(play.engine.counts().admitted, 2);
}

#[test]
fn flags_that_are_missing_count_for_a_door_without_flags_only() {
    let doors = vec![door("d", "1"), door("e", "1").syn()];
    expect(doors, &[(0.0, syn(A, 1).flags(None))], &text(&lines(A, "d", "1 !")));
}

// Rule 1: retransmissions.

#[test]
fn a_retransmitted_syn_is_ignored() {
    let packets = [
        (0.0, syn(A, 1).number(77)),
        (1.0, syn(A, 1).number(77)),
        (1.5, syn(A, 2).number(78)),
        (2.5, syn(A, 2).number(78)),
        (3.0, syn(A, 3).number(79)),
    ];
    let play = expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
    assert_eq!(play.engine.counts().retransmissions, 2);
    assert_eq!(
        play.notes.first().map(String::as_str),
        Some("192.0.2.10: 1/tcp repeats the last knock (TCP retransmission), ignored")
    );
}

#[test]
fn a_fresh_packet_to_the_same_port_is_no_retransmission() {
    for fresh in [
        syn(A, 1).number(78),
        syn(A, 1).number(77).source_port(40_001),
        syn(A, 1).number(0),
        syn(A, 1).number(77).flags(Some(TcpFlags::ACK)),
    ] {
        let packets = [(0.0, syn(A, 1).number(77)), (1.0, fresh), (2.0, syn(A, 2))];
        let play = Play::new(vec![door("d", "1,2")]).packets(&packets).end();
        assert_eq!(play.engine.counts().voided, 1, "{fresh:?}");
        // The packet that voided the attempt began the next one.
        assert_eq!(play.engine.counts().opened, 1, "{fresh:?}");
    }
}

#[test]
fn sequence_number_0_proves_nothing() {
    let packets = [(0.0, syn(A, 1).number(0)), (1.0, syn(A, 1).number(0))];
    let play = Play::new(vec![door("d", "1,2")]).packets(&packets);
    assert_eq!(play.engine.counts().attempts, 2);
}

#[test]
fn only_the_knock_that_counted_last_is_a_retransmission() {
    let packets =
        [(0.0, syn(A, 1).number(77)), (1.0, syn(A, 2).number(78)), (2.0, syn(A, 1).number(77))];
    let play = Play::new(vec![door("d", "1,2,3")]).packets(&packets);
    assert_eq!(play.engine.counts().voided, 1);
    assert_eq!(play.engine.counts().attempts, 2);
}

#[test]
fn the_repeat_of_a_last_knock_does_not_begin_the_reverse_door() {
    let doors = || vec![door("open", "1,2"), door("close", "2,1")];
    let knocks = [(0.0, syn(A, 1).number(7)), (1.0, syn(A, 2).number(8))];
    let repeat = syn(A, 2).number(8);
    let play = Play::new(doors()).packets(&knocks).packets(&[(5.999, repeat)]);
    assert_eq!(play.lines, lines(A, "open", "1 2 !"));
    // seq_timeout after the opening it is forgotten.
    let play = Play::new(doors()).packets(&knocks).packets(&[(6.0, repeat)]);
    assert_eq!(play.lines.last().map(String::as_str), Some("192.0.2.10: close: Stage 1"));
}

#[test]
fn every_opening_is_remembered_on_its_own() {
    let packets = [
        (0.0, syn(A, 1).number(7)),
        (0.1, syn(A, 1).number(8)),
        (1.0, syn(A, 1).number(7)),
        (1.1, syn(A, 1).number(8)),
    ];
    let play = Play::new(vec![door("d", "1")]).packets(&packets);
    assert_eq!(play.engine.counts().opened, 2);
}

#[test]
fn a_packet_that_opens_two_doors_is_remembered_for_the_longer_timeout() {
    let short = Door { seq_timeout: Seconds::new(2).unwrap(), ..door("short", "1") };
    for doors in [vec![short.clone(), door("long", "1")], vec![door("long", "1"), short]] {
        let packets = [(0.0, syn(A, 1).number(7)), (4.0, syn(A, 1).number(7))];
        let play = Play::new(doors).packets(&packets);
        assert_eq!(play.engine.counts().opened, 2);
        assert_eq!(play.engine.counts().retransmissions, 1);
    }
}

#[test]
fn the_knock_of_another_client_is_no_retransmission() {
    let packets = [(0.0, syn(A, 1).number(7)), (1.0, syn(B, 1).number(7))];
    let play = Play::new(vec![door("d", "1")]).packets(&packets);
    assert_eq!(play.engine.counts().opened, 2);
}

// Rules 2 and 3: advancing, voiding, beginning.

#[test]
fn the_packet_that_voids_an_attempt_can_begin_the_next() {
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1)), (2.0, syn(A, 2)), (3.0, syn(A, 3))];
    expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 1 2 3 !")));
}

#[test]
fn the_packet_that_completes_a_door_begins_no_other() {
    let doors = vec![door("open", "1,2"), door("close", "2,1")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 2)), (2.0, syn(A, 1))];
    let mut wanted = lines(A, "open", "1 2 ! 1");
    wanted.push("192.0.2.10: open: sequence timeout (stage 1)".to_string());
    expect(doors, &packets, &text(&wanted));
}

#[test]
fn a_first_knock_is_heard_while_another_door_is_pending() {
    let doors = vec![door("d", "1,2"), door("e", "5,6").target("192.0.2.99")];
    let elsewhere = |port| syn(A, port).to("192.0.2.99");
    let packets = [(0.0, syn(A, 1)), (1.0, elsewhere(5)), (2.0, syn(A, 2)), (3.0, elsewhere(6))];
    expect(
        doors,
        &packets,
        &[
            "192.0.2.10: d: Stage 1",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: d: Stage 2",
            "192.0.2.10: d: OPEN SESAME",
            "192.0.2.10: e: Stage 2",
            "192.0.2.10: e: OPEN SESAME",
        ],
    );
}

#[test]
fn other_flags_leave_an_attempt_as_it_is_while_another_door_begins() {
    let doors = vec![door("d", "1,2").syn(), door("e", "9")];
    let rst = Some(TcpFlags::RST);
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 9).flags(rst)), (2.0, syn(A, 2))];
    let play = expect(
        doors,
        &packets,
        &[
            "192.0.2.10: d: Stage 1",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: e: OPEN SESAME",
            "192.0.2.10: d: Stage 2",
            "192.0.2.10: d: OPEN SESAME",
        ],
    );
    assert_eq!(
        play.notes,
        ["192.0.2.10: d: still at stage 1: the packet has other TCP flags than tcpflags asks for"]
    );
}

#[test]
fn doors_that_share_a_prefix_advance_together() {
    let doors = vec![door("short", "1,2"), door("long", "1,2,3")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 2)), (2.0, syn(A, 3))];
    expect(
        doors,
        &packets,
        &[
            "192.0.2.10: short: Stage 1",
            "192.0.2.10: long: Stage 1",
            "192.0.2.10: short: Stage 2",
            "192.0.2.10: short: OPEN SESAME",
            "192.0.2.10: long: Stage 2",
            "192.0.2.10: long: Stage 3",
            "192.0.2.10: long: OPEN SESAME",
        ],
    );
}

#[test]
fn a_client_has_one_attempt_at_a_door() {
    // The packet advances nothing and voids nothing at `d`, whose flags it lacks, so `d` does not
    // begin again.
    let doors = vec![door("d", "1,2").syn(), door("e", "1")];
    let ack = Some(TcpFlags::ACK);
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1).flags(ack)), (2.0, syn(A, 2))];
    let play = Play::new(doors).packets(&packets).end();
    assert_eq!(play.engine.counts().attempts, 3);
    assert_eq!(play.engine.counts().opened, 3);
}

#[test]
fn nobody_disturbs_another_client() {
    let packets = [
        (0.0, syn(B, 1)),
        (0.5, syn(A, 1)),
        (1.0, syn(B, 3)),
        (1.5, syn(A, 2)),
        (2.0, syn(B, 1)),
        (2.5, syn(A, 3)),
    ];
    let play = Play::new(vec![door("d", "1,2,3")]).packets(&packets);
    let of_a: Vec<_> = play.lines.iter().filter(|line| line.starts_with(A)).cloned().collect();
    assert_eq!(of_a, lines(A, "d", "1 2 3 !"));
}

#[test]
fn udp_and_tcp_knocks_mix() {
    let packets = [(0.0, udp(A, 1)), (1.0, syn(A, 1)), (2.0, udp(A, 2))];
    expect(vec![door("d", "1:udp,1,2:udp").syn()], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

// Time.

#[test]
fn timeouts_are_exact() {
    let door = || vec![door("d", "1,2")];
    let last = |at| Play::new(door()).packets(&[(0.9, syn(A, 1)), (at, syn(A, 2))]).lines;
    assert_eq!(last(5.899_999_999), lines(A, "d", "1 2 !"));
    assert_eq!(last(5.9), ["192.0.2.10: d: Stage 1", "192.0.2.10: d: sequence timeout (stage 1)"]);
}

#[test]
fn the_timeout_counts_from_the_first_knock() {
    let packets = [(0.0, syn(A, 1)), (4.0, syn(A, 2)), (6.0, syn(A, 3))];
    let play = Play::new(vec![door("d", "1,2,3")]).packets(&packets);
    assert_eq!(
        play.lines.last().map(String::as_str),
        Some("192.0.2.10: d: sequence timeout (stage 2)")
    );
}

#[test]
fn what_is_due_happens_in_order_of_time_then_of_creation() {
    let slow = Door { seq_timeout: Seconds::new(7).unwrap(), ..door("slow", "1,2") };
    let doors = vec![slow, door("a", "1,3"), door("b", "1,4"), door("run", "9").runs("s", "t")];
    let doors =
        doors.into_iter().map(|door| Door { cmd_timeout: Seconds::new(5).unwrap(), ..door });
    let packets = [(0.0, syn(A, 1)), (0.0, syn(B, 9))];
    let play = Play::new(doors.collect()).packets(&packets).end();
    assert_eq!(
        play.lines.get(6..).unwrap(),
        [
            "192.0.2.10: a: sequence timeout (stage 1)",
            "192.0.2.10: b: sequence timeout (stage 1)",
            "192.0.2.11: run: command timeout",
            "run: running command: t",
            "192.0.2.10: slow: sequence timeout (stage 1)",
        ]
    );
}

#[test]
fn time_that_runs_backwards_stands_still() {
    let packets = [(10.0, syn(A, 1)), (2.0, syn(A, 2)), (14.9, syn(A, 3))];
    expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

#[test]
fn a_deadline_says_when_for_whom_and_why() {
    let mut play = Play::new(vec![door("d", "1,2"), door("e", "9").runs("s", "t")]);
    play.event(seconds(1.0), Event::Packet(syn(A, 1)));
    let deadline = play.engine.poll_deadline().unwrap();
    assert_eq!((deadline.at, deadline.why), (seconds(6.0), DeadlineReason::SequenceTimeout));
    assert_eq!((deadline.client, deadline.door.index()), (A.parse().unwrap(), 0));
    play.event(seconds(2.0), Event::Packet(syn(B, 9)));
    play.event(seconds(6.0), Event::DeadlineReached);
    let deadline = play.engine.poll_deadline().unwrap();
    assert_eq!((deadline.at, deadline.why), (seconds(12.0), DeadlineReason::CommandTimeout));
    assert_eq!((deadline.client, deadline.door.index()), (B.parse().unwrap(), 1));
}

// Commands and leases.

#[test]
fn the_stop_command_comes_after_the_command_timeout() {
    let play = Play::new(vec![door("d", "1").runs("open %IP%", "close %IP%")]).packets(&[
        (0.0, syn(A, 1)),
        (9.999, syn(B, 1)),
        (10.0, syn(B, 7)),
    ]);
    let mut wanted = lines(A, "d", "1 !");
    wanted.push("d: running command: open 192.0.2.10".to_string());
    wanted.extend(lines(B, "d", "1 !"));
    wanted.push("d: running command: open 192.0.2.11".to_string());
    wanted.push("192.0.2.10: d: command timeout".to_string());
    wanted.push("d: running command: close 192.0.2.10".to_string());
    assert_eq!(play.lines, wanted);
}

#[test]
fn the_stop_command_waits_for_the_end_of_the_start_command() {
    let doors = Doors::new(vec![door("d", "1").runs("s", "t")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(A, 1)));
    let effects: Vec<_> = core::iter::from_fn(|| engine.poll_effect()).collect();
    let Some(TimedEffect { effect: Effect::RunCommand { run, .. }, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    assert_eq!(engine.poll_deadline(), None);
    let status = CommandStatus::SUCCESS;
    engine.handle(seconds(3.0), Event::CommandEnded { run: *run, status });
    assert_eq!(engine.poll_effect(), None);
    assert_eq!(engine.poll_deadline().map(|deadline| deadline.at), Some(seconds(13.0)));
    // The same end told twice opens no second lease.
    engine.handle(seconds(4.0), Event::CommandEnded { run: *run, status });
    engine.handle(seconds(13.0), Event::DeadlineReached);
    let stops = core::iter::from_fn(|| engine.poll_effect())
        .filter(|timed| matches!(timed.effect, Effect::CommandTimedOut { .. }));
    assert_eq!(stops.count(), 1);
    assert_eq!(engine.poll_deadline(), None);
}

#[test]
fn every_opening_is_closed_once() {
    let packets = [(0.0, syn(A, 1)), (4.0, syn(A, 1))];
    let play = Play::new(vec![door("d", "1").runs("s", "t")]).packets(&packets).end();
    let count = |line: &str| play.lines.iter().filter(|other| *other == line).count();
    assert_eq!(count("d: running command: s"), 2);
    assert_eq!(count("d: running command: t"), 2);
}

#[test]
fn a_failed_command_is_told_and_its_stop_command_runs_all_the_same() {
    let mut play = Play::new(vec![door("d", "1").runs("s", "t")]);
    play.status = CommandStatus(3);
    let play = play.packets(&[(0.0, syn(A, 1))]).end();
    assert_eq!(play.messages, ["d: command returned non-zero status code (3)"; 2]);
    assert_eq!(play.lines.last().map(String::as_str), Some("d: running command: t"));
}

#[test]
fn ipv6_clients_run_the_ipv6_commands() {
    let doors = vec![door("d", "1").runs("s %IP%", "t").runs_6("s6 %IP%", "-")];
    let play = Play::new(doors).packets(&[(0.0, syn(A6, 1))]).end();
    assert_eq!(
        play.lines,
        [
            "2001:db8:a::10: d: Stage 1",
            "2001:db8:a::10: d: OPEN SESAME",
            "d: running command: s6 2001:db8:a::10",
            "2001:db8:a::10: d: command timeout",
            "d: running command: t",
        ]
    );
}

#[test]
fn a_door_without_a_start_command_opens_and_runs_nothing() {
    for door in [door("d", "1").runs("-", "t"), door("d", "1").runs("", "t"), door("d", "1")] {
        expect(vec![door], &[(0.0, syn(A, 1))], &text(&lines(A, "d", "1 !")));
    }
}

// One-time sequences.

#[test]
fn a_one_time_sequence_opens_once_and_the_next_takes_its_place() {
    let packets = [
        (0.0, syn(A, 1)),
        (1.0, syn(A, 2)),
        (2.0, syn(A, 1)),
        (3.0, syn(A, 2)),
        (4.0, syn(A, 3)),
        (5.0, syn(A, 4)),
    ];
    let mut play = Play::new(vec![one_time("d", &["1,2", "3,4", "5,6"])]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    play.engine.handle(seconds(1.0), Event::Packet(syn(A, 2)));
    let mark = core::iter::from_fn(|| play.engine.poll_effect()).find_map(|timed| {
        if let Effect::MarkOneTime { line, offset, .. } = timed.effect {
            Some((line, offset))
        } else {
            None
        }
    });
    assert_eq!(mark, Some((1, 100)));
    let play = Play::new(vec![one_time("d", &["1,2", "3,4", "5,6"])]).packets(&packets);
    assert_eq!(play.lines, lines(A, "d", "1 2 ! 1 2 !"));
    assert_eq!(
        play.notes,
        ["d: one-time sequence on line 1 is used up", "d: one-time sequence on line 2 is used up"]
    );
}

#[test]
fn attempts_at_a_used_one_time_sequence_end() {
    let packets = [
        (0.0, syn(B, 1)),
        (0.5, syn(B, 2)),
        (1.0, syn(A, 1)),
        (1.1, syn(A, 2)),
        (1.2, syn(A, 3)),
        (2.0, syn(B, 7)),
    ];
    let play = Play::new(vec![one_time("d", &["1,2,3", "5,6,7"])]).packets(&packets).end();
    let mut wanted = lines(B, "d", "1 2");
    wanted.extend(lines(A, "d", "1 2 3 !"));
    assert_eq!(play.lines, wanted);
    assert_eq!(
        play.notes.last().map(String::as_str),
        Some("192.0.2.11: d: dropped at stage 2: another client used the one-time sequence")
    );
}

#[test]
fn a_door_whose_sequences_are_used_up_is_disabled_and_others_go_on() {
    let doors = vec![one_time("d", &["1"]).runs("s", "t"), door("e", "1")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1))];
    let play = expect(
        doors,
        &packets,
        &[
            "192.0.2.10: d: Stage 1",
            "192.0.2.10: d: OPEN SESAME",
            "d: running command: s",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: e: OPEN SESAME",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: e: OPEN SESAME",
            "192.0.2.10: d: command timeout",
            "d: running command: t",
        ],
    );
    assert_eq!(play.messages, ["d: no one-time sequence is left, the door is disabled"]);
}

#[test]
fn a_door_that_starts_without_a_sequence_is_disabled() {
    let play = expect(vec![one_time("d", &[])], &[(0.0, syn(A, 1))], &[]);
    assert_eq!(play.engine.counts().admitted, 0);
}

#[test]
fn the_repeat_of_the_last_knock_of_a_one_time_sequence_is_ignored() {
    let packets = [(0.0, syn(A, 1).number(7)), (1.0, syn(A, 1).number(7))];
    let play = Play::new(vec![one_time("d", &["1", "1"])]).packets(&packets);
    assert_eq!(play.engine.counts().opened, 1);
}

// Limits.

fn client(number: u8) -> String {
    ["192.0.2.", &number.to_string()].concat()
}

#[test]
fn at_the_limit_the_least_progress_makes_room_oldest_first() {
    let door = || vec![door("d", "1,2,3")];
    let mut play = Play::with_limit(door(), 3);
    for number in 1..=3 {
        play.event(seconds(f64::from(number)), Event::Packet(syn(&client(number), 1)));
    }
    // Client 1 is further than 2 and 3, so 2 goes, then 3.
    play.event(seconds(3.1), Event::Packet(syn(&client(1), 2)));
    play.event(seconds(3.2), Event::Packet(syn(&client(4), 1)));
    play.event(seconds(3.3), Event::Packet(syn(&client(5), 1)));
    assert_eq!(
        play.notes,
        [
            "192.0.2.2: d: dropped at stage 1: made room for another attempt at the limit",
            "192.0.2.3: d: dropped at stage 1: made room for another attempt at the limit",
        ]
    );
    assert_eq!(play.engine.live_attempts(), 3);
    assert_eq!(play.engine.counts().evicted, 2);
    play.event(seconds(3.4), Event::Packet(syn(&client(1), 3)));
    assert_eq!(play.lines.last().map(String::as_str), Some("192.0.2.1: d: OPEN SESAME"));
}

#[test]
fn at_the_limit_the_opening_next_to_be_forgotten_goes_first() {
    let mut play = Play::with_limit(vec![door("d", "1")], 2);
    for number in 1..=3 {
        let packet = syn(&client(number), 1).number(7);
        play.event(seconds(f64::from(number) / 10.0), Event::Packet(packet));
    }
    assert_eq!(play.engine.counts().forgotten_openings, 1);
    let play = play.packets(&[(1.0, syn(&client(1), 1).number(7))]);
    assert_eq!(play.engine.counts().opened, 4);
    let play = play.packets(&[(1.1, syn(&client(3), 1).number(7))]);
    assert_eq!(play.engine.counts().opened, 4);
}

#[test]
fn at_the_limit_a_packet_that_opens_two_doors_is_remembered_for_the_longer_timeout() {
    let short = Door { seq_timeout: Seconds::new(2).unwrap(), ..door("short", "1") };
    let packets = [(0.0, syn(A, 1).number(7)), (4.0, syn(A, 1).number(7))];
    let play = Play::with_limit(vec![door("long", "1"), short], 1).packets(&packets);
    assert_eq!(play.engine.counts().opened, 2);
    assert_eq!(play.engine.counts().forgotten_openings, 0);
}

#[test]
fn at_the_limit_of_leases_a_door_with_a_command_stays_shut() {
    let doors = vec![door("d", "1").runs("s", "t"), door("quiet", "2")];
    let mut play = Play::with_limit(doors, 2);
    for number in 1..=3 {
        play.event(seconds(f64::from(number)), Event::Packet(syn(&client(number), 1)));
    }
    assert_eq!(play.engine.counts().opened, 2);
    assert_eq!(play.engine.counts().refused, 1);
    assert_eq!(
        play.messages,
        ["192.0.2.3: d: not opened: too many commands and open doors are pending"]
    );
    play.event(seconds(4.0), Event::Packet(syn(A, 2)));
    assert_eq!(play.engine.counts().opened, 3);
    // The first lease is over, so there is room again.
    play.event(seconds(11.0), Event::Packet(syn(A, 1)));
    assert_eq!(play.engine.counts().opened, 4);
}

// The boundary.

#[test]
fn the_end_of_a_stop_command_is_taken_before_the_packet_that_let_time_pass() {
    let doors = Doors::new(vec![door("d", "1").runs("s", "t")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    let status = CommandStatus(9);
    let mut seen = Vec::new();
    for (at, packet) in [(0.0, syn(A, 1)), (60.0, syn(A, 1))] {
        engine.handle(seconds(at), Event::Packet(packet));
        while let Some(TimedEffect { at, effect }) = engine.poll_effect() {
            seen.push((at, effect));
            if let Effect::RunCommand { run, .. } = effect {
                engine.handle(at, Event::CommandEnded { run, status });
            }
        }
    }
    let times: Vec<_> = seen.iter().map(|&(at, _)| at).collect();
    assert!(times.is_sorted(), "{seen:?}");
    let failed = |(at, effect): &(Timestamp, Effect)| {
        matches!(effect, Effect::CommandFailed { .. }).then_some(*at)
    };
    let failures: Vec<_> = seen.iter().filter_map(failed).collect();
    assert_eq!(failures, [seconds(0.0), seconds(10.0), seconds(60.0)]);
}

#[test]
fn commands_of_one_packet_end_in_the_order_in_which_they_were_asked_for() {
    // The first lease is due at once, when the second and third are not even open.
    let at_once = Door { cmd_timeout: Seconds::new(0).unwrap(), ..door("a", "1").runs("s", "t") };
    let doors = vec![at_once, door("b", "1").runs("s", "t"), door("c", "1").runs("s", "t")];
    let play = Play::new(doors).packets(&[(0.0, syn(A, 1)), (0.0, syn(A, 1))]).end();
    let timeouts: Vec<_> = play.lines.iter().filter(|line| line.ends_with("timeout")).collect();
    let order: Vec<_> = timeouts.iter().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(order, ["a", "a", "b", "c", "b", "c"]);
}

#[test]
fn an_event_handed_over_before_the_last_was_polled_loses_nothing() {
    let doors = Doors::new(vec![door("d", "1,2")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(A, 1)));
    engine.handle(seconds(1.0), Event::Packet(syn(A, 2)));
    let effects: Vec<_> = core::iter::from_fn(|| engine.poll_effect()).collect();
    assert_eq!(effects.len(), 3);
    assert!(matches!(effects.last().unwrap().effect, Effect::Opened { .. }));
}

#[test]
fn addresses_that_change_count_from_then_on() {
    let mut play = Play::new(vec![door("d", "1")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1).to("10.0.0.2")));
    let moved = Listening::at(["10.0.0.2".parse().unwrap()]);
    play.event(seconds(1.0), Event::AddressesChanged(moved));
    play.event(seconds(2.0), Event::Packet(syn(A, 1)));
    play.event(seconds(3.0), Event::Packet(syn(A, 1).to("10.0.0.2")));
    assert_eq!(play.engine.counts().admitted, 1);
}

//! Cases that were observed with the real program.
//!
//! A case has doors, `NAME=SEQUENCE`, and packets, `SECOND:PORT` (`u` after the port for UDP, a letter
//! before the packet for a client other than A). The expected lines are without commands: the client, the
//! door and `1`, `2` .. for a stage, `!` for an opening, `-N` for a timeout.

use super::*;
use crate::model::{ACK, SYN};

/// 5 seconds for a sequence.
fn door(text: &str) -> Door {
    let (name, sequence) = text.split_once('=').unwrap();
    let sequences = match sequence.split_once('|') {
        None => Sequences::Fixed(ports(sequence)),
        Some(_) => Sequences::OneTime(sequence.split('|').map(ports).collect()),
    };
    Door { seq_timeout_s: 5, ..Door::new(name, sequences) }
}

fn ports(text: &str) -> Vec<Knock> {
    text.split(',').map(knock).collect()
}

fn knock(text: &str) -> Knock {
    match text.strip_suffix('u') {
        Some(port) => Knock::udp(port.parse().unwrap()),
        None => Knock::tcp(text.parse().unwrap()),
    }
}

fn packet(text: &str) -> Packet {
    let client = text.chars().next().filter(char::is_ascii_uppercase);
    let (second, port) = text.trim_start_matches(char::is_alphabetic).split_once(':').unwrap();
    let [high, low] = [knock(port).port / 256, knock(port).port % 256];
    let at = second.parse::<f64>().unwrap() * 1000.0;
    let last = client.map_or(b'A', |client| u8::try_from(client).unwrap());
    Packet {
        at_ns: format!("{at:.0}").parse::<i64>().unwrap() * 1_000_000,
        src: [192, 0, 2, last].into(),
        dst: [10, 0, 0, 1].into(),
        sport: 40_000,
        dport: u16::from_be_bytes([u8::try_from(high).unwrap(), u8::try_from(low).unwrap()]),
        transport: match knock(port).protocol {
            crate::model::Protocol::Tcp => Transport::Tcp { seq: Some(7), flags: Some(SYN) },
            crate::model::Protocol::Udp => Transport::Udp,
        },
    }
}

fn daemon(doors: Vec<Door>) -> Daemon {
    let local = Some(vec![[10, 0, 0, 1].into(), "2001:db8::1".parse().unwrap()]);
    Daemon::new(&Setting { doors, local, ipv4_only: false })
}

#[track_caller]
fn check(doors: &str, packets: &str, expected: &str) {
    let mut daemon = daemon(doors.split(' ').map(door).collect());
    daemon.packets(&packets.split(' ').map(packet).collect::<Vec<_>>());
    assert_eq!(short(&daemon), expected);
}

fn short(daemon: &Daemon) -> String {
    let short = |line: &Vec<u8>| {
        let line = String::from_utf8(line.clone()).unwrap();
        let [client, door, what] = line.splitn(3, ": ").collect::<Vec<_>>()[..] else {
            return line;
        };
        let client = client.strip_prefix("192.0.2.").map(|last| last.parse::<u8>().unwrap());
        let what = what.replace("Stage ", "").replace("OPEN SESAME", "!");
        let what = what.replace("sequence timeout (stage ", "-").replace(')', "");
        format!("{}{door}{what}", char::from(client.unwrap_or(b'?')))
    };
    daemon.lines().iter().map(short).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_packet_that_cancels_does_not_start() {
    check("d=1,2,3", "0:1 0:1 0:1 0:2 0:3", "Ad1 Ad1 Ad2 Ad3 Ad!");
    check("d=1,2,3", "0:1 0:1 0:2 0:3", "Ad1");
    check("d=1,2 e=9", "0:1 0:9 0:1 0:2", "Ad1 Ad1 Ad2 Ad!");
}

#[test]
fn an_unnamed_port_is_invisible_and_a_named_one_cancels() {
    check("d=1,2", "0:1 0:7 0:1u 0:2", "Ad1 Ad2 Ad!");
    check("d=1,2 e=7,8", "0:1 0:8 0:2", "Ad1");
}

#[test]
fn a_client_with_an_attempt_cannot_start_elsewhere() {
    check("d=1,2 e=5,6", "0:1 0:5 0:6", "Ad1");
    check("d=1,2,3 e=1,4,5", "0:1 0:4 0:5", "Ad1 Ae1 Ae2");
    check("d=1,2,3 e=1,2,4", "0:1 0:2 0:4", "Ad1 Ae1 Ad2 Ae2 Ae3 Ae!");
}

#[test]
fn when_the_oldest_attempt_goes_all_are_forgotten() {
    check("d=1,2", "A0:1 B0:1 A0:2 C0:1 B0:2", "Ad1 Bd1 Ad2 Ad! Cd1");
    check("d=1,2", "A0:1 B0:1 B0:2 C0:1 A0:2", "Ad1 Bd1 Bd2 Bd! Cd1 Ad2 Ad!");
    check("short=1 long=1,2", "0:1 0:2", "Ashort1 Ashort! Along1");
    check("long=1,2 short=1", "0:1 0:2", "Along1 Ashort1 Ashort! Along2 Along!");
}

#[test]
fn those_that_expire_with_the_oldest_still_time_out() {
    check("d=1,2 e=9", "A0:1 B1:1 C2:1 D6:9 D9:9", "Ad1 Bd1 Cd1 Ad-1 Bd-1 De1 De! De1 De!");
}

#[test]
fn whole_seconds_count_from_the_first_knock() {
    check("d=1,2", "0.9:1 5.0:2", "Ad1 Ad-1");
    check("d=1,2", "0.999:1 4.999:2", "Ad1 Ad2 Ad!");
    check("d=1,2,3", "0:1 4:2 5:3", "Ad1 Ad2 Ad-2");
    check("d=1,2", "9:1 3:2", "Ad1 Ad2 Ad!");
}

#[test]
fn the_late_packet_is_a_new_clients() {
    check("d=1,2", "0:1 7:1 8:2", "Ad1 Ad-1 Ad1 Ad2 Ad!");
    check("d=1,2", "0:1 7:7 8:3", "Ad1");
}

#[test]
fn a_finished_or_failed_attempt_goes_in_silence() {
    check("d=1,2", "0:1 0:1 9:1", "Ad1 Ad1");
    check("d=1", "0:1 9:1", "Ad1 Ad! Ad1 Ad!");
}

#[test]
fn flags_that_do_not_match_are_ignored_and_block_a_start_elsewhere() {
    let doors = || vec![Door { wanted: SYN, ..door("d=1,2") }, door("e=3,4")];
    let mut seen = daemon(doors());
    let ack = |text: &str| {
        let seq = Some(7);
        Packet { transport: Transport::Tcp { seq, flags: Some(ACK) }, ..packet(text) }
    };
    seen.packets(&[packet("0:1"), ack("0:3"), ack("0:4"), packet("0:2")]);
    assert_eq!(short(&seen), "Ad1 Ad2 Ad!");
}

#[test]
fn the_stop_command_comes_after_the_command_timeout_even_if_it_is_empty() {
    let stops = Door { start: Some("s %IP%".into()), stop: Some("".into()), ..door("d=1") };
    let mut seen = daemon(vec![stops]);
    seen.packet(&packet("0:1"));
    seen.packet(&packet("9:1"));
    seen.time(18_000_000_000);
    let lines: Vec<_> = seen.lines().iter().map(|line| String::from_utf8_lossy(line)).collect();
    let wanted = [
        "192.0.2.65: d: Stage 1",
        "192.0.2.65: d: OPEN SESAME",
        "d: running command: s 192.0.2.65",
        "192.0.2.65: d: Stage 1",
        "192.0.2.65: d: OPEN SESAME",
        "d: running command: s 192.0.2.65",
        "192.0.2.65: d: command timeout",
        "d: running command: ",
    ];
    assert_eq!(lines, wanted);
}

#[test]
fn one_time_sequences_follow_one_another() {
    check("d=1,2|5,6|8", "0:1 0:2 0:1 0:2 0:5 0:6", "Ad1 Ad2 Ad! Ad1 Ad2 Ad!");
    // The attempt that opened goes on in the longer sequence that follows.
    check("d=1,2|5,6,7|8", "0:1 0:2 0:7", "Ad1 Ad2 Ad! Ad3 Ad!");
    // The last sequence ends the program.
    check("d=1|2 e=9", "0:1 0:2 0:9", "Ad1 Ad! Ad1 Ad!");
}

#[test]
fn the_filter_never_hears_of_a_later_sequence_over_ipv6() {
    let mut seen = daemon(vec![door("d=1|2|3")]);
    let ipv6 = |text: &str| Packet { dst: "2001:db8::1".parse().unwrap(), ..packet(text) };
    seen.packets(&[ipv6("0:1"), ipv6("0:2"), packet("0:2")]);
    assert_eq!(short(&seen), "Ad1 Ad! Ad1 Ad!");
}

#[test]
fn flags_are_tested_once_for_each_family_of_local_addresses() {
    let target = "2001:db8::9".parse().unwrap();
    let plain = Door { target: Some(target), ..door("d=1") };
    let flagged = Door { wanted: SYN, name: "e".into(), ..plain.clone() };
    let to_target = Packet { dst: target, ..packet("0:1") };
    let hear = |doors: Vec<Door>| {
        let local = Some(vec![[10, 0, 0, 1].into()]);
        let mut seen = Daemon::new(&Setting { doors, local, ipv4_only: true });
        seen.packet(&to_target);
        short(&seen)
    };
    assert_eq!(hear(vec![plain]), "Ad1 Ad!");
    assert_eq!(hear(vec![flagged]), "");
}

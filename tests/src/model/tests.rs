//! Scenarios derived by hand from the written rules.
//!
//! Times are milliseconds. By default, packets go from 192.0.2.1 to 10.0.0.1 and have sequence number 0,
//! which proves nothing.

mod admission;
mod commands;
mod events;
mod one_time;
mod rule_1_retransmissions;
mod rule_2_attempts;
mod rule_3_starts;
mod time;

use std::net::IpAddr;

use super::*;

#[test]
fn the_transcript_has_the_words_of_knockd() {
    let house = vec![
        door("openSSH", "7000,8000").lasting(5).starting("add %IP%").stopping("del %IP%").after(10),
    ];
    let seen = [tcp(0, 7000), tcp(1, 8000), tcp(2, 7000)];
    let transcript = outcome(house, &seen).transcript();
    assert_eq!(
        String::from_utf8(transcript).unwrap(),
        "192.0.2.1: openSSH: Stage 1\n\
         192.0.2.1: openSSH: Stage 2\n\
         192.0.2.1: openSSH: OPEN SESAME\n\
         openSSH: running command: add 192.0.2.1\n\
         192.0.2.1: openSSH: Stage 1\n\
         192.0.2.1: openSSH: sequence timeout (stage 1)\n\
         192.0.2.1: openSSH: command timeout\n\
         openSSH: running command: del 192.0.2.1\n"
    );
}

// ---- how the scenarios are written

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn knocks(text: &str) -> Vec<Knock> {
    let one = |word: &str| match word.strip_suffix('u') {
        Some(port) => Knock::udp(port.parse().unwrap()),
        None => Knock::tcp(word.parse().unwrap()),
    };
    text.split(',').map(one).collect()
}

fn door(name: &str, sequence: &str) -> Door {
    Door::new(name, Sequences::Fixed(knocks(sequence)))
}

fn one_time(name: &str, lines: &[&str]) -> Door {
    Door::new(name, Sequences::OneTime(lines.iter().map(|line| knocks(line)).collect()))
}

impl Door {
    fn lasting(self, seq_timeout_s: u32) -> Self {
        Self { seq_timeout_s, ..self }
    }

    fn wanting(self, wanted: u8) -> Self {
        Self { wanted, ..self }
    }

    fn refusing(self, refused: u8) -> Self {
        Self { refused, ..self }
    }

    fn at(self, target: &str) -> Self {
        Self { target: Some(ip(target)), ..self }
    }

    fn starting(self, command: &str) -> Self {
        Self { start: Some(command.into()), ..self }
    }

    fn stopping(self, command: &str) -> Self {
        Self { stop: Some(command.into()), ..self }
    }

    fn after(self, cmd_timeout_s: u32) -> Self {
        Self { cmd_timeout_s, ..self }
    }
}

fn udp(at_ms: i64, dport: u16) -> Packet {
    Packet {
        at_ns: at_ms * 1_000_000,
        src: ip("192.0.2.1"),
        dst: ip("10.0.0.1"),
        sport: 40_000,
        dport,
        transport: Transport::Udp,
    }
}

fn tcp(at_ms: i64, dport: u16) -> Packet {
    let transport = Transport::Tcp { seq: Some(0), flags: Some(SYN) };
    Packet { transport, ..udp(at_ms, dport) }
}

impl Packet {
    fn from(self, src: &str) -> Self {
        Self { src: ip(src), ..self }
    }

    fn to(self, dst: &str) -> Self {
        Self { dst: ip(dst), ..self }
    }

    fn sport(self, sport: u16) -> Self {
        Self { sport, ..self }
    }

    fn seq(self, number: u32) -> Self {
        let Transport::Tcp { flags, .. } = self.transport else { panic!("not TCP") };
        Self { transport: Transport::Tcp { seq: Some(number), flags }, ..self }
    }

    fn flags(self, bits: u8) -> Self {
        let Transport::Tcp { seq, .. } = self.transport else { panic!("not TCP") };
        Self { transport: Transport::Tcp { seq, flags: Some(bits) }, ..self }
    }

    fn cut_after_ports(self) -> Self {
        Self { transport: Transport::Tcp { seq: None, flags: None }, ..self }
    }
}

fn outcome(doors: Vec<Door>, packets: &[Packet]) -> Outcome {
    replay(&Setting { doors, local: None, ipv4_only: false }, packets)
}

/// Compares what the doors do, where every destination counts, with lines such as
/// `1200 C a Stage 1`: the time, the client (`C` for 192.0.2.1), the door, the event.
#[track_caller]
fn check(doors: Vec<Door>, packets: &[Packet], expected: &str) {
    assert_eq!(short(&outcome(doors, packets)), expected);
}

fn short(outcome: &Outcome) -> String {
    let shorten = |line: &Line| {
        let text = String::from_utf8(line.text.clone()).unwrap();
        assert_eq!(line.at_ns % 1_000_000, 0, "the scenarios use whole milliseconds");
        let at_ms = line.at_ns / 1_000_000;
        if let Some((door, command)) = text.split_once(": running command: ") {
            return format!("{at_ms} {door} runs {command}");
        }
        let [client, door, event] = text.splitn(3, ": ").collect::<Vec<_>>()[..] else {
            panic!("{text} has no three parts");
        };
        let client = if client == "192.0.2.1" { "C" } else { client };
        let event = match event.strip_prefix("sequence timeout (stage ") {
            Some(stage) => format!("timeout {}", stage.trim_end_matches(')')),
            None => event.to_owned(),
        };
        format!("{at_ms} {client} {door} {event}")
    };
    outcome.lines.iter().map(shorten).collect::<Vec<_>>().join("|")
}

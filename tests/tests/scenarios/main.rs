//! Scenarios of the rule set `knock`, through the interface that drivers use.

#![cfg(test)]

mod admission;
mod advancing;
mod boundary;
mod commands;
mod limits;
mod lint;
mod one_time;
mod reload;
mod retransmissions;
mod rule_sets;
mod time;
mod voids;

use std::convert::Infallible;
use std::net::IpAddr;
use std::num::NonZeroU32;

use knock_compat::{Difference, Rules};
use knock_engine::transcript::Channel;
use knock_engine::*;
use knock_tests::drive;

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
    let name = DoorName::new(name.as_bytes());
    Door {
        seq_timeout: Seconds::new(5).unwrap(),
        ..Door::new(name, DoorSequence::Fixed(knocks(sequence)))
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

/// Doors as tests write them.
trait DoorExt: Sized {
    fn syn(self) -> Self;
    fn target(self, target: &str) -> Self;
    fn runs(self, start: &str, stop: &str) -> Self;
    fn runs_6(self, start: &str, stop: &str) -> Self;
}

impl DoorExt for Door {
    fn syn(self) -> Self {
        Self { flags: self.flags.want(TcpFlags::SYN), ..self }
    }

    fn target(self, target: &str) -> Self {
        Self { target: Some(target.parse::<IpAddr>().unwrap().into()), ..self }
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

/// Packets as tests write them.
trait PacketExt: Sized {
    fn number(self, sequence_number: u32) -> Self;
    fn flags(self, flags: Option<TcpFlags>) -> Self;
    fn to(self, destination: &str) -> Self;
    fn source_port(self, port: u16) -> Self;
}

impl PacketExt for Packet {
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
    engine: knock_compat::Engine,
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
        Self::under(Rules::Knock, doors, limit)
    }

    fn under(rules: Rules, doors: Vec<Door>, limit: u32) -> Self {
        let limits = Limits {
            hash_seed: 7,
            ..knock_tests::boundary::limits(NonZeroU32::new(limit).unwrap())
        };
        let local: [IpAddr; 2] = [ME.parse().unwrap(), "2001:db8::1".parse().unwrap()];
        Self {
            engine: rules.engine(Doors::new(doors).unwrap(), Listening::at(local), &limits),
            lines: vec![],
            messages: vec![],
            notes: vec![],
            status: CommandStatus::SUCCESS,
        }
    }

    fn event(&mut self, at: Timestamp, event: Event) {
        let Self { engine, lines, messages, notes, status } = self;
        let commands = CommandsEnd::AtOnce(*status);
        let Ok(()) = engine.drive(at, event, commands, |engine, timed| {
            let mut text = Vec::new();
            let channel = transcript::write(&timed.effect, engine.doors(), &mut text);
            let text = String::from_utf8(text).unwrap();
            match channel {
                Channel::Transcript => lines.push(text),
                Channel::Message => messages.push(text),
                Channel::Note => notes.push(text),
            }
            Ok::<(), Infallible>(())
        });
    }

    fn packets(mut self, packets: &[(f64, Packet)]) -> Self {
        for &(at, packet) in packets {
            self.event(seconds(at), Event::Packet(packet));
        }
        self
    }

    /// Lets time run until nothing is due.
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

//! Converts the data of the model for the engine.
//!
//! The model shares no type with the engine, so all conversions are here.

use std::net::IpAddr;
use std::num::NonZeroU32;

use knock_config as config;
use knock_engine::{
    Admission, Command, Commands, DerivedSequence, Door, DoorName, DoorSequence, Doors, FlagRule,
    Knock, Limits, Listening, OnReknock, OneTimeLine, OneTimeSequences, OpenPorts, OpeningLimits,
    Packet, PerMinute, Port, PortRange, Prefix, Protocol, Seconds, Sequence, Sources, Target,
    TcpFlags, TcpHeader, Transport,
};
use knock_signed::{Key, PortSpan};

use crate::generators::Conf;
use crate::model;

/// Returns limits under which only the total counts: the model knows no other. The seed is 1.
#[must_use]
pub fn limits(total: NonZeroU32) -> Limits {
    Limits {
        attempts: total,
        leases: total,
        leases_of_door: NonZeroU32::MAX,
        starts_of_door: NonZeroU32::MAX,
        void_reports: Limits::DEFAULT_VOID_REPORTS,
        hash_seed: 1,
    }
}

/// Returns doors as the engine takes them.
#[must_use]
pub fn doors(doors: &[model::Door]) -> Doors {
    Doors::new(doors.iter().map(door).collect()).expect("tests have few doors")
}

/// Returns the doors of a configuration and its files, as the engine reads them.
#[must_use]
pub fn configured(conf: &Conf) -> Doors {
    let parsed = config::parse(&conf.text);
    let mut config = parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    for door in &mut config.doors {
        let Some(file) = door.one_time_file() else { continue };
        let name = String::from_utf8_lossy(file.as_bytes());
        let file = conf.sequence_files.iter().find(|(other, _)| *other == name);
        let (sequences, _) = knock_config::parse_one_time(&file.expect("the file is there").1);
        door.set_one_time(sequences.expect("the file is good"));
    }
    Doors::new(config.doors.into_iter().map(|door| door.door()).collect())
        .expect("tests have few doors")
}

/// Returns a door as the engine takes it.
///
/// One-time sequences get their line numbers from the end of the file, so that those that are left
/// keep their numbers.
#[must_use]
pub fn door(door: &model::Door) -> Door {
    let command = |text: &Option<Vec<u8>>| text.as_deref().map(Command::new);
    let sequence = match &door.sequences {
        model::Sequences::Fixed(knocks) => DoorSequence::Fixed(sequence(knocks)),
        model::Sequences::OneTime(lines) => {
            let last = LAST_LINE.saturating_sub(u32::try_from(lines.len()).expect("few lines"));
            let line = |(number, knocks): (u32, &Vec<model::Knock>)| OneTimeLine {
                number,
                offset: u64::from(number) * 100,
                sequence: sequence(knocks),
            };
            DoorSequence::OneTime(OneTimeSequences::new((last..).zip(lines).map(line).collect()))
        }
        model::Sequences::Derived(derived) => DoorSequence::Derived(self::derived(derived)),
    };
    Door {
        name: DoorName::new(&door.name),
        signed: None,
        sequence,
        seq_timeout: seconds(door.seq_timeout_s),
        flags: flags(door.wanted, door.refused),
        target: door.target.map(Target::from),
        sources: Sources::new(prefixes(&door.allow), prefixes(&door.deny)).expect("few prefixes"),
        commands: Commands {
            start: command(&door.start),
            start_6: command(&door.start_6),
            stop: command(&door.stop),
            stop_6: command(&door.stop_6),
        },
        cmd_timeout: seconds(door.cmd_timeout_s),
        admission: door.admission.as_ref().map(|one| Admission {
            ports: OpenPorts::new(one.ports.iter().copied().map(range).collect())
                .expect("they do not overlap"),
            lasts: seconds(one.lasts_s),
            max: one.max_s.map(seconds),
        }),
        on_reknock: match door.on_reknock {
            model::OnReknock::Extend => OnReknock::Extend,
            model::OnReknock::Separate => OnReknock::Separate,
            model::OnReknock::Ignore => OnReknock::Ignore,
        },
        seq_cooldown: door.seq_cooldown_s.map(seconds),
        opening_limits: OpeningLimits {
            door: door.openings_per_minute.map(per_minute),
            client: door.client_openings_per_minute.map(per_minute),
        },
    }
}

fn per_minute(openings: u16) -> PerMinute {
    PerMinute::new(openings).expect("the tests' limits are valid")
}

fn prefixes(list: &[(IpAddr, u8)]) -> Vec<Prefix> {
    let prefix = |&(first, length)| Prefix::new(first, length);
    list.iter().map(prefix).collect::<Result<_, _>>().expect("the tests' prefixes are valid")
}

fn derived(derived: &model::Derived) -> DerivedSequence {
    let model::Derived { mut key, knocks, ports: (first, last), protocol, period_s } = *derived;
    let key = Key::take(&mut key).for_sequences();
    let ports = PortSpan::new(first, last).expect("there are enough ports");
    let protocol = match protocol {
        model::Protocol::Tcp => Protocol::Tcp,
        model::Protocol::Udp => Protocol::Udp,
    };
    let knocks = u8::try_from(knocks).expect("there are few");
    let derived = DerivedSequence::new(key, knocks, ports, protocol, seconds(period_s));
    derived.expect("its numbers are in their ranges")
}

fn range((protocol, first, last): (model::Protocol, u16, u16)) -> PortRange {
    let protocol = match protocol {
        model::Protocol::Tcp => Protocol::Tcp,
        model::Protocol::Udp => Protocol::Udp,
    };
    PortRange::new(protocol, Port(first), Port(last)).expect("the tests' ranges are valid")
}

/// The number of the last line of every sequence file, plus 1.
const LAST_LINE: u32 = 1000;

/// Returns the destinations that count as the engine takes them.
#[must_use]
pub fn listening(local: Option<&[IpAddr]>, ipv4_only: bool) -> Listening {
    let everywhere = Listening::everywhere();
    local.map_or(everywhere, |local| Listening::at(local.iter().copied())).with_ipv4_only(ipv4_only)
}

/// Returns a packet as the engine takes it, without its stamp.
#[must_use]
pub fn packet(packet: &model::Packet) -> Packet {
    Packet {
        source: packet.src,
        destination: packet.dst,
        source_port: Port(packet.sport),
        destination_port: Port(packet.dport),
        transport: match packet.transport {
            model::Transport::Tcp { seq, flags } => {
                Transport::Tcp(TcpHeader { sequence_number: seq, flags: flags.map(TcpFlags) })
            }
            model::Transport::Udp => Transport::Udp,
        },
    }
}

fn sequence(knocks: &[model::Knock]) -> Sequence {
    Sequence::new(knocks.iter().copied().map(knock).collect())
        .expect("the tests' sequences are valid")
}

fn knock(knock: model::Knock) -> Knock {
    let protocol = match knock.protocol {
        model::Protocol::Tcp => Protocol::Tcp,
        model::Protocol::Udp => Protocol::Udp,
    };
    Knock { port: Port(knock.port), protocol }
}

fn seconds(seconds: u32) -> Seconds {
    Seconds::new(seconds).expect("the tests' timeouts are short")
}

fn flags(wanted: u8, refused: u8) -> FlagRule {
    FlagRule::default().want(TcpFlags(wanted)).refuse(TcpFlags(refused))
}

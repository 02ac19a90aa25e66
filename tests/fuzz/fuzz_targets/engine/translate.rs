//! What the model is told, in the words of the engine.

use knock_engine as engine;
use knock_engine::{
    Command, Commands, DoorName, DoorSequence, Doors, FlagRule, Listening, OneTimeLine,
    OneTimeSequences, Port, Seconds, TcpFlags, TcpHeader,
};
use knock_tests::model::{Door, Knock, Packet, Place, Protocol, Sequences, Transport};

pub(crate) fn doors(doors: Vec<engine::Door>) -> Doors {
    Doors::new(doors).expect("there are few")
}

pub(crate) fn door(door: &Door) -> engine::Door {
    let command = |text: &Option<Vec<u8>>| text.as_ref().map(|text| Command::new(text));
    let flags = (0..8).map(|bit| 1 << bit).fold(FlagRule::default(), |rule, bit| {
        let flag = TcpFlags(bit);
        if door.wanted & bit != 0 {
            rule.want(flag)
        } else if door.refused & bit != 0 {
            rule.refuse(flag)
        } else {
            rule
        }
    });
    engine::Door {
        name: DoorName::new(&door.name),
        sequence: match &door.sequences {
            Sequences::Fixed(knocks) => DoorSequence::Fixed(sequence(knocks)),
            Sequences::OneTime(lines) => DoorSequence::OneTime(one_time(lines)),
        },
        seq_timeout: Seconds::new(door.seq_timeout_s).expect("it is at most the longest"),
        flags,
        target: door.target.map(Into::into),
        commands: Commands {
            start: command(&door.start),
            start_6: command(&door.start_6),
            stop: command(&door.stop),
            stop_6: command(&door.stop_6),
        },
        cmd_timeout: Seconds::new(door.cmd_timeout_s).expect("it is at most the longest"),
    }
}

/// The last line has the same number in every file, so that equal rests of files are equal lines:
/// the model knows lines by their knocks only.
fn one_time(lines: &[Vec<Knock>]) -> OneTimeSequences {
    let last = 1000 - u32::try_from(lines.len()).expect("there are few");
    let lines = (last..).zip(lines).map(|(number, knocks)| OneTimeLine {
        number,
        offset: u64::from(number) * 100,
        sequence: sequence(knocks),
    });
    OneTimeSequences::new(lines.collect())
}

fn sequence(knocks: &[Knock]) -> engine::Sequence {
    let knock = |knock: &Knock| engine::Knock {
        port: Port(knock.port),
        protocol: match knock.protocol {
            Protocol::Tcp => engine::Protocol::Tcp,
            Protocol::Udp => engine::Protocol::Udp,
        },
    };
    engine::Sequence::new(knocks.iter().map(knock).collect()).expect("1 to 4 knocks")
}

pub(crate) fn packet(packet: &Packet) -> engine::Packet {
    engine::Packet {
        source: packet.src,
        destination: packet.dst,
        source_port: Port(packet.sport),
        destination_port: Port(packet.dport),
        transport: match packet.transport {
            Transport::Udp => engine::Transport::Udp,
            Transport::Tcp { seq, flags } => engine::Transport::Tcp(TcpHeader {
                sequence_number: seq,
                flags: flags.map(TcpFlags),
            }),
        },
    }
}

pub(crate) fn listening(place: &Place) -> Listening {
    let listening = match &place.local {
        None => Listening::everywhere(),
        Some(local) => Listening::at(local.iter().copied()),
    };
    listening.with_ipv4_only(place.ipv4_only)
}

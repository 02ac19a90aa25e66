//! Reads a file of one-time sequences, and uses them up: its text.

#![no_main]

use std::net::{IpAddr, Ipv4Addr};

use knock_compat::{Effect, Engine, Rules};
use knock_engine::{
    Door, DoorName, DoorSequence, Doors, Event, Limits, Listening, OneTimeLine, OneTimeSequences,
    Packet, Protocol, Seconds, TcpFlags, TcpHeader, Timestamp, Transport,
};
use knock_fuzz::{check_diagnostics, line_number};
use knock_tests::drive;
use libfuzzer_sys::fuzz_target;

/// The most sequences that are used up.
const USED_MAX: usize = 24;

fuzz_target!(|text: &[u8]| {
    let (sequences, diagnostics) = knock_config::parse_one_time(text);
    check_diagnostics(text, &diagnostics);
    assert_eq!(sequences.is_some(), diagnostics.errors() == 0);
    if let Some(sequences) = sequences {
        use_up(text.to_vec(), sequences);
    }
});

/// Opens a door until its sequences are used up, marks them in the file as the engine says, and checks
/// that a new reading of the file gives the sequences that the engine has left.
fn use_up(mut text: Vec<u8>, sequences: OneTimeSequences) {
    let mut next = sequences.next().cloned();
    let mut engine = engine_with(sequences);
    for _ in 0..USED_MAX {
        let Some(line) = next else { break };
        let (number, offset, rest) = open(&mut engine, &line);
        assert_eq!((number, offset), (line.number, line.offset));
        mark(&mut text, number, offset);
        let (read, diagnostics) = knock_config::parse_one_time(&text);
        assert_eq!(diagnostics.errors(), 0);
        assert_eq!(DoorSequence::OneTime(read.unwrap()), rest);
        let DoorSequence::OneTime(rest) = rest else { unreachable!() };
        next = rest.next().cloned();
    }
}

/// Writes a `#` where the line starts.
fn mark(text: &mut [u8], number: u32, offset: u64) {
    let at = usize::try_from(offset).unwrap();
    let before = &text[..at];
    assert!(before.is_empty() || before == b"\xef\xbb\xbf" || before.ends_with(b"\n"), "{offset}");
    assert_eq!(usize::try_from(number), Ok(line_number(before)));
    assert!(text[at] != b'#' && text[at] != b'\n');
    text[at] = b'#';
}

/// Makes the knocks of a line. Returns the line to mark, and what is left.
fn open(engine: &mut Engine, line: &OneTimeLine) -> (u32, u64, DoorSequence) {
    let mut marked = None;
    for knock in line.sequence.knocks() {
        let transport = match knock.protocol {
            Protocol::Tcp => {
                Transport::Tcp(TcpHeader { sequence_number: None, flags: Some(TcpFlags::SYN) })
            }
            Protocol::Udp => Transport::Udp,
        };
        let packet = Packet {
            source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            destination: IpAddr::V4(Ipv4Addr::LOCALHOST),
            source_port: knock.port,
            destination_port: knock.port,
            transport,
        };
        assert_eq!(marked, None, "marked before the last knock");
        drive::tell(engine, Timestamp::EPOCH, Event::Packet(packet), |_, timed| {
            if let Effect::MarkOneTime { door, line, offset, .. } = timed.effect {
                marked = Some((line, offset, door));
            }
        });
    }
    let (number, offset, door) = marked.expect("the sequence opens its door");
    (number, offset, engine.doors().door(door).sequence.clone())
}

fn engine_with(sequences: OneTimeSequences) -> Engine {
    let door = Door {
        seq_timeout: Seconds::MAX,
        ..Door::new(DoorName::new(b"d"), DoorSequence::OneTime(sequences))
    };
    let limits = Limits { attempts: std::num::NonZeroU32::MIN, ..Limits::default() };
    let doors = Doors::new(vec![door]).unwrap();
    Rules::Knock.engine(doors, Listening::everywhere(), &limits)
}

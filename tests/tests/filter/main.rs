//! Compares the filters for the kernel with what the engine admits, with what the compiler and the
//! interpreter of the real libpcap make of the same doors, and in the real kernel.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod bounds;
mod extensions;
mod interpreter;
mod kernel;
mod libpcap;
mod properties;
mod signed;
mod texts;

use knock_engine::filter::{self, Framing, Instruction, Width};
use knock_engine::{Doors, LinkType, Listening, decode};
use knock_tests::boundary;
use knock_tests::generators::frames::LinkKind;
use knock_tests::model::{Door, Sequences, Setting};

/// A program, and what it is for.
struct Filter {
    framing: Framing,
    width: Width,
    program: Vec<Instruction>,
}

/// A packet as a filter of the kernel gets it.
struct Seen<'a> {
    framing: Framing,
    protocol: u16,
    bytes: &'a [u8],
}

/// Returns the filters at all widths at which they are not too long, the closest first.
fn filters(doors: &Doors, listening: &Listening, framing: Framing) -> Vec<Filter> {
    let program = |width| {
        let program = filter::program(doors, listening, framing, width)?;
        Some(Filter { framing, width, program })
    };
    Width::ALL.into_iter().filter_map(program).collect()
}

/// Returns how the kernel shows a frame to filters: as it is, without its link header, or both. None
/// for what is in files only.
fn seen(link: LinkKind, frame: &[u8]) -> Vec<Seen<'_>> {
    let cooked = |type_at: usize, header: usize| {
        let protocol = frame.get(type_at..type_at + 2)?.try_into().ok()?;
        let bytes = frame.get(header..)?;
        Some(Seen { framing: Framing::Cooked, protocol: u16::from_be_bytes(protocol), bytes })
    };
    // The protocol is not in a frame that ends before it, and the kernel does not pass that on.
    match link {
        LinkKind::Ethernet => {
            let Some(cooked) = cooked(12, 14) else { return vec![] };
            let Seen { protocol, .. } = cooked;
            vec![Seen { framing: Framing::Ethernet, protocol, bytes: frame }, cooked]
        }
        LinkKind::Sll => cooked(14, 16).into_iter().collect(),
        LinkKind::Sll2 => cooked(0, 20).into_iter().collect(),
        LinkKind::Raw | LinkKind::Ipv4 | LinkKind::Ipv6 => {
            // As a tunnel does.
            let protocol = match frame.first().map(|byte| byte >> 4) {
                Some(4) => 0x0800,
                Some(6) => 0x86dd,
                _ => return vec![],
            };
            vec![Seen { framing: Framing::Cooked, protocol, bytes: frame }]
        }
        LinkKind::Null | LinkKind::Loop | LinkKind::Ppp | LinkKind::PppHdlc => vec![],
    }
}

impl Filter {
    fn passes(&self, seen: &Seen<'_>) -> bool {
        assert_eq!(self.framing, seen.framing);
        interpreter::passes(&self.program, seen.protocol, seen.bytes)
    }
}

fn listening(setting: &Setting) -> Listening {
    boundary::listening(setting.local.as_deref(), setting.ipv4_only)
}

/// Returns whether the engine admits a frame.
fn admits(doors: &Doors, listening: &Listening, dlt: u16, frame: &[u8]) -> bool {
    let packet = decode(LinkType::from_number(dlt), frame);
    packet.is_ok_and(|packet| doors.admit(listening, &packet))
}

/// Returns doors for every one-time sequence at once, as filters see them.
fn with_all_sequences(doors: &[Door]) -> Vec<Door> {
    let each = |door: &Door| match &door.sequences {
        Sequences::Fixed(_) | Sequences::Derived(_) => vec![door.clone()],
        Sequences::OneTime(lines) => {
            let fixed = |knocks: &Vec<_>| Sequences::Fixed(knocks.clone());
            lines.iter().map(|knocks| Door { sequences: fixed(knocks), ..door.clone() }).collect()
        }
    };
    doors.iter().flat_map(each).collect()
}

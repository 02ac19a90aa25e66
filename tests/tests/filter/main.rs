//! Compares the filters for the kernel with what the engine admits, with the compiler and the interpreter
//! of the real libpcap, and in the real kernel.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod bounds;
mod kernel;
mod properties;
mod texts;

use knock_engine::filter::{self, Width};
use knock_engine::{Doors, LinkType, Listening, decode};
use knock_tests::boundary;
use knock_tests::model::{Door, Sequences, Setting};
use pcap::{BpfProgram, Capture, Linktype};

/// The longest program that the kernel accepts and older kernels have space for, in instructions.
const INSTRUCTIONS_MAX: usize = 2_500;

/// Returns an expression as libpcap compiles it.
fn compiled(dlt: u16, expression: &str) -> BpfProgram {
    let dead = Capture::dead(Linktype(i32::from(dlt))).unwrap();
    dead.compile(expression, true).unwrap_or_else(|error| panic!("{error}: {expression}"))
}

/// Returns the widths at which the filter is not too long.
fn texts(doors: &Doors, listening: &Listening, dlt: u16) -> Vec<(Width, String)> {
    let link = LinkType::from_number(dlt);
    let text = |width| Some((width, filter::expression(doors, listening, link, width)?));
    Width::ALL.into_iter().filter_map(text).collect()
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
        Sequences::Fixed(_) => vec![door.clone()],
        Sequences::OneTime(lines) => {
            let fixed = |knocks: &Vec<_>| Sequences::Fixed(knocks.clone());
            lines.iter().map(|knocks| Door { sequences: fixed(knocks), ..door.clone() }).collect()
        }
    };
    doors.iter().flat_map(each).collect()
}

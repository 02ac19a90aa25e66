//! Filters as programs for the kernel.

use knock_engine::LinkType;
use libc::sock_filter;
use pcap::{Capture, Linktype};

use crate::packet_socket::Framing;

/// The longest program that the kernel takes, in instructions.
const INSTRUCTIONS_MAX: usize = 4096;

/// A program that lets everything through.
pub(super) const EVERYTHING: sock_filter = sock_filter { code: RETURN, jt: 0, jf: 0, k: u32::MAX };

/// `ret` with a constant, of `linux/filter.h`.
const RETURN: u16 = 0x06;

/// The bits of an instruction with its class, and two classes: those that load something.
const CLASS: u16 = 0x07;
const LOADS: [u16; 2] = [0x00, 0x01];

/// The bits of an instruction with where it loads from, and those that mean a packet: a fixed offset, an
/// offset plus the index register, and the length of an IPv4 header.
const MODE: u16 = 0xe0;
const FROM_PACKET: [u16; 3] = [0x20, 0x40, 0xa0];

/// The length of a cooked header, and where its protocol is.
const COOKED_BYTES: u32 = 16;
const COOKED_PROTOCOL: u32 = 14;

/// The offset at which the kernel has the protocol of a packet: `SKF_AD_OFF + SKF_AD_PROTOCOL`.
const KERNEL_PROTOCOL: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PROTOCOL).cast_unsigned();

/// Returns the link type of the frames that are made of what is captured.
pub(super) const fn link(framing: Framing) -> LinkType {
    match framing {
        Framing::Ethernet => LinkType::Ethernet,
        Framing::Cooked => LinkType::LinuxSll,
    }
}

/// Compiles an expression; `None` if the kernel would not take the program.
pub(super) fn compile(expression: &str, framing: Framing) -> Option<Vec<sock_filter>> {
    let link = Linktype(i32::from(link(framing).number()));
    let program = Capture::dead(link).and_then(|dead| dead.compile(expression, true)).ok()?;
    let instructions = program.get_instructions();
    if instructions.len() > INSTRUCTIONS_MAX {
        return None;
    }
    let instructions = instructions.iter().map(|one| instruction(&one.to_string()));
    match framing {
        Framing::Ethernet => instructions.collect(),
        Framing::Cooked => instructions.map(|one| without_header(one?)).collect(),
    }
}

/// Reads an instruction. Its fields are private, but not its text.
fn instruction(text: &str) -> Option<sock_filter> {
    let mut fields = text.split(' ');
    let mut field = || fields.next()?.parse::<u32>().ok();
    let [code, jt, jf, k] = [field()?, field()?, field()?, field()?];
    Some(sock_filter {
        code: code.try_into().ok()?,
        jt: jt.try_into().ok()?,
        jf: jf.try_into().ok()?,
        k,
    })
}

/// Returns an instruction for packets with a cooked header as one for packets without it: so the kernel
/// shows them to a filter, and the header is added later. `None` if it needs anything of the header but
/// the protocol.
fn without_header(instruction: sock_filter) -> Option<sock_filter> {
    let sock_filter { code, k, .. } = instruction;
    let is_of_packet = LOADS.contains(&(code & CLASS)) && FROM_PACKET.contains(&(code & MODE));
    let k = match k {
        _ if !is_of_packet => k,
        COOKED_PROTOCOL => KERNEL_PROTOCOL,
        COOKED_BYTES.. => k.checked_sub(COOKED_BYTES)?,
        _ => return None,
    };
    Some(sock_filter { k, ..instruction })
}

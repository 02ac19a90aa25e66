//! Filters for the kernel: doors as programs that it runs for each packet (classic BPF).
//!
//! A filter only saves work. It may let through more than the doors admit, because the engine calls
//! [`Doors::admit`] again, but never less: a packet lost here is a failed knock without an explanation.
//! There are these pitfalls:
//!
//! - The kernel takes the outermost VLAN tag out of a frame before a filter sees it. A frame with a
//!   tag still in it passes, as does an IPv6 packet to us that has more than [`EXTENSION_HEADERS_MAX`]
//!   extension headers: both are rare. There are no loops, so each header that is walked makes it longer.
//! - A load from past the end of a frame drops the frame. So the flags of TCP, which can be cut off, come
//!   only after everything that needs no flags.

mod code;
mod program;
mod wanted;

use alloc::vec::Vec;

use crate::doors::Doors;
use crate::listening::Listening;
use wanted::Wanted;

pub use self::code::Instruction;

/// How many of the unused lines of a door's one-time sequences a filter lets through.
///
/// After fewer openings than this, of all one-time doors together, the filter is still complete. After
/// this many, and after anything else that changes doors or addresses, it must be rebuilt.
pub const ONE_TIME_LINES: usize = 64;

/// The longest program, in instructions. The kernel takes 4,096, but in older kernels about 2,500 fit into
/// the memory of a socket (`net.core.optmem_max`).
pub const INSTRUCTIONS_MAX: usize = 2_400;

/// How many extension headers of an IPv6 packet are walked. RFC 8200 knows six, of which a packet has one of
/// each, and options for the destination twice.
pub const EXTENSION_HEADERS_MAX: usize = 8;

/// The most port ranges in a list of ports that is shortened.
const RANGES_MAX: usize = 32;

/// What the bytes begin with that a filter sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// An Ethernet header.
    Ethernet,
    /// The network header: the kernel keeps what is before it, which differs between interfaces.
    Cooked,
}

/// How closely a filter follows the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// As closely as possible: the destinations, ports and flags that some door names.
    Exact,
    /// Ports between those that doors name count as well, so that there are few ranges.
    FewRanges,
    /// The same, whatever the flags.
    AnyFlags,
    /// The same, whatever the destination.
    AnyDestination,
    /// Whatever the port.
    AnyPort,
    /// Every frame.
    Everything,
}

impl Width {
    /// Every width, the closest first.
    pub const ALL: [Self; 6] = [
        Self::Exact,
        Self::FewRanges,
        Self::AnyFlags,
        Self::AnyDestination,
        Self::AnyPort,
        Self::Everything,
    ];
}

/// Returns a filter at a width; `None` if it would be longer than [`INSTRUCTIONS_MAX`], which it never is
/// at [`Width::AnyPort`] and [`Width::Everything`]. Where no packet is admitted, it lets nothing through.
#[must_use]
pub fn program(
    doors: &Doors,
    listening: &Listening,
    framing: Framing,
    width: Width,
) -> Option<Vec<Instruction>> {
    program::program(&Wanted::new(doors, listening), framing, width).ok()
}

/// Returns filters, the closest first. A driver uses the first that its kernel accepts. The last one lets
/// everything through.
pub fn programs<'a>(
    doors: &'a Doors,
    listening: &'a Listening,
    framing: Framing,
) -> impl Iterator<Item = Vec<Instruction>> + 'a {
    let wanted = Wanted::new(doors, listening);
    Width::ALL.into_iter().filter_map(move |width| program::program(&wanted, framing, width).ok())
}

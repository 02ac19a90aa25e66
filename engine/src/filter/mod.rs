//! Filters for the kernel: doors as expressions of libpcap (`man pcap-filter`).
//!
//! A filter only saves work. It may let through more than the doors admit, because the engine calls
//! [`Doors::admit`] again, but never less, on any link type: a packet lost here is a failed knock
//! without an explanation. The kernel's language has these pitfalls:
//!
//! - The kernel takes the outermost VLAN tag out of a frame before a filter sees it. A frame with a
//!   tag still in it passes, as does an IPv6 packet to us that has an extension header, and what is
//!   framed in a way that only decoding recognizes: all of them are rare.
//! - A load from past the end of a frame rejects the frame, whatever follows an `or`. So
//!   the flags of TCP, which can be cut off, come only after everything that needs no flags.
//! - `and` and `or` have the same precedence, so there are parentheses everywhere.

mod text;
mod wanted;

use alloc::string::String;

use crate::decode::LinkType;
use crate::doors::Doors;
use crate::listening::Listening;
use wanted::Wanted;

/// How many of the unused lines of a door's one-time sequences a filter lets through.
///
/// After fewer openings than this, of all one-time doors together, the filter is still complete. After
/// this many, and after anything else that changes doors or addresses, it must be rebuilt.
pub const ONE_TIME_LINES: usize = 64;

/// The longest expression, in bytes.
///
/// The time of libpcap grows faster than the square of the length: a few hundredths of a second for
/// this, half a minute for ten times as much. It compiles to a thousand instructions, which is below
/// the 4,096 of the kernel, and below the 2,500 or so that fit into the memory of a socket in older
/// kernels (`net.core.optmem_max`).
pub const LENGTH_MAX: usize = 4_000;

/// The most port ranges in a list of ports that is shortened.
const RANGES_MAX: usize = 32;

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

/// Returns a filter for frames of a link type at a width; `None` if it would be longer than
/// [`LENGTH_MAX`], which it never is at [`Width::AnyPort`] and [`Width::Everything`].
///
/// The empty expression lets everything through. Where no packet is admitted, the filter lets
/// nothing through.
#[must_use]
pub fn expression(
    doors: &Doors,
    listening: &Listening,
    link: LinkType,
    width: Width,
) -> Option<String> {
    text::expression(&Wanted::new(doors, listening, link), link, width).ok()
}

/// Returns filters for frames of a link type, the closest first. A driver uses the first that its
/// kernel accepts. The last one is empty: it lets everything through.
///
/// The kernel accepts a program of up to 4,096 instructions. Given a longer one, libpcap silently
/// filters by itself, and then sees frames with all their VLAN tags; so a driver must count.
pub fn expressions<'a>(
    doors: &'a Doors,
    listening: &'a Listening,
    link: LinkType,
) -> impl Iterator<Item = String> + 'a {
    let wanted = Wanted::new(doors, listening, link);
    let mut last = None;
    Width::ALL
        .into_iter()
        .filter_map(move |width| text::expression(&wanted, link, width).ok())
        .filter(move |expression| last.replace(expression.clone()).as_ref() != Some(expression))
}

//! Filters for the kernel: doors as expressions of libpcap (`man pcap-filter`).
//!
//! A filter only saves work. It may let through more than the doors admit, because [`Doors::admit`]
//! is asked again in the engine, and never less, on any link type: a packet that is lost here is a
//! knock that nobody will ever explain. What it says in the kernel's language:
//!
//! - The kernel takes the outermost VLAN tag out of a frame before a filter sees it. A frame with a
//!   tag still in it passes, as does an IPv6 packet to us that has an extension header, and what is
//!   framed in a way that only decoding can tell: all of them are few.
//! - A load from behind the end of a frame rejects the frame, whatever stands behind an `or`. So
//!   the flags of TCP, which can be cut off, come only after all that needs no flags.
//! - `and` and `or` bind alike, so there are parentheses everywhere.

mod text;
mod wanted;

use alloc::string::String;

use crate::decode::LinkType;
use crate::doors::Doors;
use crate::listening::Listening;
use wanted::Wanted;

/// How many of the unused lines of a door's one-time sequences a filter lets through.
///
/// So fewer openings than this, of all one-time doors together, leave a filter as good as new; after
/// so many, and after whatever else changes doors or addresses, it must be made anew.
pub const ONE_TIME_LINES: usize = 64;

/// The longest expression, in bytes.
///
/// libpcap takes time that grows faster than the square of the length: a few hundredths of a second
/// for this, half a minute for ten times as much. It comes to a thousand instructions, which is below
/// the 4,096 of the kernel, and the 2,500 or so that fit into what older kernels lend a socket
/// (`net.core.optmem_max`).
pub const LENGTH_MAX: usize = 4_000;

/// The most port ranges of one list where lists of ports are shortened.
const RANGES_MAX: usize = 32;

/// How closely a filter follows the doors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// As closely as it can: the destinations, ports and flags that some door names.
    Exact,
    /// Ports between those that doors name count as well, so that there are few ranges of them.
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
    /// Every width, from the closest on.
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

/// Returns filters for frames of a link type, the closest first, for a driver to take the first that
/// its machine takes. The last one is empty: it lets everything through.
///
/// The kernel takes a program of up to 4,096 instructions. libpcap, given a longer one, says nothing
/// and filters by itself, from then on on frames that have all their VLAN tags; so a driver must
/// count.
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

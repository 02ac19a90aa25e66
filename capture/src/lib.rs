//! Packet captures: files read from disk, and scenarios written by hand.
//!
//! [`Capture`] reads pcap and pcapng, plain or compressed, and scenarios; [`Merge`] puts several in
//! order of time; [`write::Writer`] writes one. [`Hit`] is a knock as people write it, and [`frame`]
//! turns it into a packet.

pub mod duration;
pub mod frame;
pub mod hit;
#[cfg(feature = "captures")]
pub mod lines;
#[cfg(feature = "captures")]
mod read;
#[cfg(feature = "captures")]
pub mod scenario;
#[cfg(feature = "captures")]
pub mod write;

pub use hit::Hit;
#[cfg(feature = "captures")]
pub use read::*;

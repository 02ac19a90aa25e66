//! Packet captures: read from disk, and written in words as scenarios.
//!
//! [`Capture`] reads pcap and pcapng, plain or compressed, and scenarios; [`Merge`] puts several in
//! order of time. [`Hit`] is a knock as people write it and [`frame`] makes it a packet.

pub mod duration;
pub mod frame;
pub mod hit;
pub mod lines;
mod read;
pub mod scenario;

pub use hit::Hit;
pub use read::*;

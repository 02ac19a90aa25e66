//! A forge for frames and capture files.
//!
//! Captures are written here byte by byte and not with the library that reads them elsewhere: a bug
//! of that library must not cancel itself out, and damaged files must be possible.

mod capture;
mod frame;
pub mod knocks;
mod link;
#[cfg(test)]
mod tests;

pub use capture::{Capture, Compression, Format, Record};
pub use frame::{Oddity, Shape, datagram, visible};
pub use link::Link;

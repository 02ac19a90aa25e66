//! Keys, and the ports that they give a door for each period of time.
//!
//! A server and its clients have a [`Key`] in common. From it, the name of a door and the time, both find
//! the ports that open the door for the next minute, so whoever records a sequence has something that is
//! worthless soon. `testdata/derived/` has examples that a program in another language made.

#![no_std]

extern crate alloc;

mod key;
mod ports;

pub use key::{Key, SequenceId, SequenceKey};
pub use ports::{PortSpan, ports};

//! Keys, the ports that they give a door for each period of time, and signed packets.
//!
//! A server and its clients have a [`Key`] in common. From it, the name of a door and the time, both find
//! the ports that open the door for the next minute, so whoever records a sequence has something that is
//! worthless soon. `testdata/derived/` has examples that a program in another language made.
//!
//! With the same key a client makes a [`Packet`] that nobody else can make, change or repeat, and that nobody
//! without the key can tell from random bytes. `docs/signed-packets.md` has its layout, `testdata/signed/`
//! examples.

#![no_std]

extern crate alloc;

mod bytes;
mod digest;
mod hint_table;
mod key;
mod keyring;
mod moments;
mod packet;
mod packet_key;
mod ports;
mod refusal;
mod secret;
mod time;

pub use digest::Digest;
pub use key::{Key, SequenceId, SequenceKey};
pub use keyring::{Keyring, Unopened};
pub use moments::Moments;
pub use packet::{DEFAULT_PORT, PACKET_BYTES, Packet, Verb};
pub use packet_key::{Hint, KeyId, Nonce, PacketKey};
pub use ports::{PortSpan, ports};
pub use refusal::{Field, Refusal};
pub use time::{Minute, Moment};

//! What the two processes say to each other.
//!
//! The sniffer, which reads packets of strangers, says little: every [`Message`] is a record of
//! 64 bytes, of which the runner, which has privileges, believes nothing that it cannot
//! check. What the runner tells the sniffer ([`Order`]) may be long, but comes from a process that is
//! trusted.

mod effect;
mod message;
mod order;
mod record;

pub(crate) use effect::{client_of, is_progress};
pub(crate) use message::{Level, Loss, Message, MessageReader, SeenPacket};
pub(crate) use order::{InvalidOrder, Order, OrderReader, Task};
pub(crate) use record::InvalidMessage;

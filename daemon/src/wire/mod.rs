//! The protocol between the two processes.
//!
//! The sniffer, which reads packets of strangers, is not trusted: each [`Message`] from it is a record
//! of 64 bytes, and the runner, which has privileges, checks everything in it. An [`Order`] from the
//! runner may be long, but comes from a trusted process.

mod effect;
mod message;
mod order;
mod record;

pub(crate) use effect::{client_of, is_progress};
pub(crate) use message::{Level, ListedAttempt, Loss, Message, MessageReader, SeenPacket};
pub(crate) use order::{CaptureNumber, InvalidOrder, NewCapture, Order, OrderReader, Task};
pub(crate) use record::InvalidMessage;

//! The protocol between the two processes.
//!
//! The sniffer, which reads packets of strangers, is not trusted: each [`Message`] from it is a record
//! of 64 bytes, and the runner, which has privileges, checks everything in it. An [`Order`] from the
//! runner may be long, but comes from a trusted process.

mod effect;
mod message;
mod order;
mod record;
mod refusal;
mod secret_bytes;

use knock_engine::Doors;

pub(crate) use effect::{client_of, is_authentic_refusal, is_progress};
pub(crate) use message::{Level, ListedAttempt, Loss, Message, MessageReader, SeenPacket};
pub(crate) use order::{
    CaptureNumber, InvalidOrder, NewCapture, Order, OrderReader, Task, UsedMoments,
};
pub(crate) use record::InvalidMessage;
pub(crate) use refusal::COUNTED;
pub(crate) use secret_bytes::SecretBytes;

/// Reads what a process that reads packets has sent, as the runner does. Returns the messages up to the
/// first that it would not believe, written again, and whether there was such a one.
///
/// For the fuzz target `records`: what the runner takes from that process is what an attacker who has taken
/// it over can send.
#[must_use]
pub fn read_again(bytes: &[u8], doors: &Doors) -> (Vec<u8>, bool) {
    let mut reader = MessageReader::default();
    reader.push(bytes);
    let mut written = std::collections::VecDeque::new();
    loop {
        match reader.next(doors) {
            Ok(Some(message)) => message.write(&mut written),
            Ok(None) => return (written.into(), false),
            Err(InvalidMessage) => return (written.into(), true),
        }
    }
}

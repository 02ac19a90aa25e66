//! What is due next.

use core::net::IpAddr;

use crate::doors::DoorId;
use crate::time::Timestamp;

/// When something is due next, for which client, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// The client.
    pub client: IpAddr,
    /// The door.
    pub door: DoorId,
    /// Why.
    pub why: DeadlineReason,
}

/// Why something is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineReason {
    /// An attempt ends.
    SequenceTimeout,
    /// A lease ends.
    CommandTimeout,
    /// An admission ends.
    AdmissionEnd,
}

//! Why an admission ended, and after how long.

use knock_engine::Timestamp;

use crate::output::time::nanos;
use crate::session::names::PacketId;

/// How an admission ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How long it lasted without a gap, in nanoseconds; `None` if its beginning was not followed.
    pub lasted_nanos: Option<u64>,
    /// What ended it.
    pub by: EndedBy,
}

/// What ended an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// The time that the door has for it.
    Time,
    /// The time that this signed packet asked for, when it opened the door.
    Wish(PacketId),
    /// This signed packet, which closes the door.
    Closing(PacketId),
}

impl EndedBy {
    /// Returns the packet that decided when it ended, if one did.
    #[must_use]
    pub const fn packet(self) -> Option<PacketId> {
        match self {
            Self::Time => None,
            Self::Wish(id) | Self::Closing(id) => Some(id),
        }
    }
}

/// What is remembered of an admission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    since: Timestamp,
    /// The packet that last asked for a time of its own, if the last opening did.
    asked_by: Option<PacketId>,
}

/// A client is admitted, or for longer.
pub(super) fn renew(
    admission: &mut Option<Box<Admission>>,
    at: Timestamp,
    asked_by: Option<PacketId>,
) {
    let fresh = || Box::new(Admission { since: at, asked_by });
    admission.get_or_insert_with(fresh).asked_by = asked_by;
}

/// A client is admitted no longer, because a packet closes the door if one is given.
pub(super) fn end(
    admission: &mut Option<Box<Admission>>,
    at: Timestamp,
    closed_by: Option<PacketId>,
) -> Ended {
    let admission = admission.take();
    let lasted_nanos = admission.as_ref().map(|admission| nanos(admission.since, at));
    let asked_by = admission.and_then(|admission| admission.asked_by);
    let by = match (closed_by, asked_by) {
        (Some(id), _) => EndedBy::Closing(id),
        (None, Some(id)) => EndedBy::Wish(id),
        (None, None) => EndedBy::Time,
    };
    Ended { lasted_nanos, by }
}

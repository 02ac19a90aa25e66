//! What happens to all rule sets, before it is decoded.

use knock_engine::{Doors, LinkType, Listening};

/// What happens to all of them at once.
#[derive(Clone, Debug)]
pub enum Happening<'a> {
    /// A frame was captured.
    Frame(LinkType, &'a [u8]),
    /// The local addresses are other ones from now on.
    Addresses(Listening),
    /// The configuration was reloaded.
    Reloaded(&'a Doors),
    /// Nothing but time.
    Time,
}

//! A request for a command.

use std::net::IpAddr;

use knock_engine::{DoorId, Phase, RunId};

/// A command to run.
#[derive(Clone, Debug)]
pub(in super::super) struct CommandRequest {
    /// The engine's id, to report its end; `None` if the engine does not wait for it.
    pub(in super::super) run: Option<RunId>,
    /// `None` if the door no longer exists.
    pub(in super::super) door: Option<DoorId>,
    /// The name of the door at the time of the request.
    pub(in super::super) door_name: Vec<u8>,
    pub(in super::super) client: IpAddr,
    pub(in super::super) phase: Phase,
    /// The command line for the shell.
    pub(in super::super) line: Vec<u8>,
    /// The number of the lease that it opens or closes, if there is one.
    pub(in super::super) lease: Option<u64>,
}

/// Client and door: commands with the same key never run at the same time.
pub(super) type Key = (Option<DoorId>, IpAddr);

impl CommandRequest {
    pub(super) const fn key(&self) -> Key {
        (self.door, self.client)
    }
}

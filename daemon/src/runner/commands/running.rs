//! A command that runs.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use knock_engine::{CommandStatus, Seconds};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::super::command_output::CommandOutput;
use super::CommandRequest;

/// How long a command may run before a line says so.
const LONG: Duration = Duration::from_mins(1);

/// How long a command may take to end after SIGTERM before it is killed.
const TERM_TO_KILL: Duration = Duration::from_secs(5);

pub(super) struct Running {
    pub(super) request: CommandRequest,
    pub(super) child: Child,
    pub(super) output: CommandOutput,
    pub(super) since: Instant,
    /// What was done because it takes long.
    pub(super) overrun: Overrun,
}

/// What was done about a command that takes long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Overrun {
    None,
    Reported,
    Terminated(Instant),
    Killed,
}

impl Running {
    /// Returns when something is to be done next about how long it takes.
    pub(super) fn due(&self, limit: Option<Seconds>) -> Option<Instant> {
        let end = limit.and_then(|limit| self.since.checked_add(limit_of(limit)));
        match self.overrun {
            Overrun::None => {
                let long = self.since.checked_add(LONG);
                long.into_iter().chain(end).min()
            }
            Overrun::Reported => end,
            Overrun::Terminated(at) => at.checked_add(TERM_TO_KILL),
            Overrun::Killed => None,
        }
    }

    pub(super) fn is_over(&self, limit: Option<Seconds>) -> bool {
        limit.is_some_and(|limit| self.since.elapsed() >= limit_of(limit))
    }

    /// Sends a signal to the command and all processes that it started.
    pub(super) fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // This fails if it has just ended.
            let _ = killpg(Pid::from_raw(id), signal);
        }
    }
}

fn limit_of(limit: Seconds) -> Duration {
    Duration::from_secs(u64::from(limit.get()))
}

/// Returns the status of a command, as a shell would report it.
pub(super) fn exit_status(status: ExitStatus) -> CommandStatus {
    let number = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => signal.saturating_add(128),
        (None, None) => i32::from(u8::MAX),
    };
    CommandStatus(u8::try_from(number).unwrap_or(u8::MAX))
}

//! A command that runs.

use std::time::{Duration, Instant};

use knock_engine::{Phase, Seconds};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::super::command_output::CommandOutput;
use super::request::CommandRequest;

/// How long a command is fresh: one that takes longer probably waits for something, and does not keep
/// others from being started.
const FRESH: Duration = Duration::from_secs(2);

/// How long a command may run before a line says so.
const LONG: Duration = Duration::from_mins(1);

/// How long a command may take to end after SIGTERM before it is killed.
const TERM_TO_KILL: Duration = Duration::from_secs(5);

/// How long commands may run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Any command.
    pub(super) each: Seconds,
    /// When start commands are ended, whatever they do.
    pub(super) starts_end: Option<Instant>,
}

pub(super) struct Running {
    pub(super) request: CommandRequest,
    /// Its process, the leader of its session.
    pub(super) id: Pid,
    pub(super) output: CommandOutput,
    since: Instant,
    /// Whether it began a moment ago.
    pub(super) is_fresh: bool,
    /// What was done because it takes long.
    overrun: Overrun,
}

/// What was done about a command that takes long.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overrun {
    None,
    Reported,
    Terminated(Instant),
    Killed,
}

/// What happened to a command because it takes long.
pub(super) enum Late {
    /// It is no longer fresh.
    Aged,
    /// It has been running for a long time.
    RunsLong,
    /// It ran longer than the limit, and was sent this signal.
    OverLimit(Signal),
    /// It is a start command, and was sent this signal because the daemon ends.
    EndedEarly(Signal),
}

impl Running {
    pub(super) fn new(request: CommandRequest, id: Pid, output: CommandOutput) -> Self {
        let (since, overrun) = (Instant::now(), Overrun::None);
        Self { request, id, output, since, is_fresh: true, overrun }
    }

    /// Returns when something is to be done next about how long it takes.
    pub(super) fn due(&self, limits: &Limits) -> Option<Instant> {
        let aged = self.since.checked_add(FRESH).filter(|_| self.is_fresh);
        let next = match self.overrun {
            Overrun::None => {
                let long = self.since.checked_add(LONG);
                long.into_iter().chain(self.end(limits)).min()
            }
            Overrun::Reported => self.end(limits),
            Overrun::Terminated(at) => at.checked_add(TERM_TO_KILL),
            Overrun::Killed => None,
        };
        aged.into_iter().chain(next).min()
    }

    /// Returns when it is ended.
    fn end(&self, limits: &Limits) -> Option<Instant> {
        self.own_end(limits).into_iter().chain(self.end_of_starts(limits)).min()
    }

    fn own_end(&self, limits: &Limits) -> Option<Instant> {
        self.since.checked_add(Duration::from_secs(u64::from(limits.each.get())))
    }

    fn end_of_starts(&self, limits: &Limits) -> Option<Instant> {
        limits.starts_end.filter(|_| self.request.phase == Phase::Start)
    }

    /// Does what is due, and returns what that was.
    pub(super) fn watch(&mut self, limits: &Limits) -> Option<Late> {
        let now = Instant::now();
        self.due(limits).filter(|due| *due <= now)?;
        if self.is_fresh && self.since.checked_add(FRESH).is_some_and(|aged| aged <= now) {
            self.is_fresh = false;
            return Some(Late::Aged);
        }
        let signal = match self.overrun {
            Overrun::None if self.end(limits).is_none_or(|end| now < end) => {
                self.overrun = Overrun::Reported;
                return Some(Late::RunsLong);
            }
            Overrun::None | Overrun::Reported => {
                self.overrun = Overrun::Terminated(now);
                Signal::SIGTERM
            }
            Overrun::Terminated(_) | Overrun::Killed => {
                self.overrun = Overrun::Killed;
                Signal::SIGKILL
            }
        };
        self.signal(signal);
        if self.own_end(limits).is_some_and(|end| end <= now) {
            Some(Late::OverLimit(signal))
        } else {
            Some(Late::EndedEarly(signal))
        }
    }

    /// Sends a signal to the command and all processes that it started.
    pub(super) fn signal(&self, signal: Signal) {
        // This fails if it has just ended.
        let _ = killpg(self.id, signal);
    }
}

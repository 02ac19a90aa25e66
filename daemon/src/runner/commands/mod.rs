//! Commands: one at a time for each client and door, in order; in parallel for different ones.

mod running;
mod spawn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use knock_engine::{CommandStatus, DoorId, Phase, RunId, Seconds};
use nix::sys::signal::Signal;

use self::running::{Overrun, Running, exit_status};
use self::spawn::{may_work_later, spawn};
use super::command_output::CommandOutput;

/// How many start commands run at once, and how many stop commands; the others wait. With separate
/// limits, start commands that hang do not keep doors from being closed.
pub(super) const AT_ONCE: usize = 32;

/// When a command is tried again that could not be started for lack of processes, files or memory.
const RETRY: Duration = Duration::from_secs(1);

/// How many outputs are read of commands that have ended, but have left a process running that can still
/// write. For one more, the oldest is closed.
const LEFT_OVER_MAX: usize = 64;

/// A command to run.
#[derive(Clone, Debug)]
pub(super) struct CommandRequest {
    /// The engine's id, to report its end; `None` if the engine does not wait for it.
    pub(super) run: Option<RunId>,
    /// `None` if the door no longer exists.
    pub(super) door: Option<DoorId>,
    /// The name of the door at the time of the request.
    pub(super) door_name: Vec<u8>,
    pub(super) client: IpAddr,
    pub(super) phase: Phase,
    /// The command line for the shell.
    pub(super) line: Vec<u8>,
    /// The number of the lease that it ends.
    pub(super) closes: Option<u64>,
    /// Whether it could not be started, which was logged, and is tried again.
    pub(super) postponed: bool,
}

/// Client and door: commands with the same key never run at the same time.
type Key = (Option<DoorId>, IpAddr);

impl CommandRequest {
    const fn key(&self) -> Key {
        (self.door, self.client)
    }
}

/// What a command did, or what was done to it.
#[derive(Debug)]
pub(super) enum CommandEvent {
    /// It is its turn.
    Starts(CommandRequest),
    /// It has ended.
    Ended(CommandRequest, CommandStatus),
    /// It could not be started.
    NotStarted(CommandRequest, io::Error),
    /// It closes a door and could not be started; it is tried again.
    Postponed(CommandRequest, io::Error),
    /// It has been running for a long time.
    RunsLong(CommandRequest),
    /// It ran longer than the limit, and was sent this signal.
    OverLimit(CommandRequest, Signal),
    /// It wrote a line.
    Wrote { door_name: Vec<u8>, text: Vec<u8> },
}

/// All commands that run or wait.
pub(super) struct Commands {
    running: Vec<Running>,
    /// Commands that start as soon as fewer of their kind run, in order.
    ready_starts: VecDeque<CommandRequest>,
    ready_stops: VecDeque<CommandRequest>,
    /// Commands that are tried again, and when, in order of time.
    postponed: VecDeque<(Instant, CommandRequest)>,
    /// The keys of commands that run, are ready or are tried again.
    busy: BTreeSet<Key>,
    /// Commands that wait until another with the same key has ended, in order.
    blocked: BTreeMap<Key, VecDeque<CommandRequest>>,
    /// How many commands `blocked` has.
    blocked_count: usize,
    left_over: VecDeque<(Vec<u8>, CommandOutput)>,
    limit: Option<Seconds>,
    /// Whether commands run in the root directory, as those of a daemon do.
    in_root: bool,
}

impl Commands {
    pub(super) fn new(limit: Option<Seconds>, in_root: bool) -> Self {
        Self {
            running: Vec::new(),
            ready_starts: VecDeque::new(),
            ready_stops: VecDeque::new(),
            postponed: VecDeque::new(),
            busy: BTreeSet::new(),
            blocked: BTreeMap::new(),
            blocked_count: 0,
            left_over: VecDeque::new(),
            limit,
            in_root,
        }
    }

    /// Sets how long commands may run, also for those that run already.
    pub(super) fn set_limit(&mut self, limit: Option<Seconds>) {
        self.limit = limit;
    }

    /// Returns how many commands run or wait.
    pub(super) fn len(&self) -> usize {
        let ready = self.ready_starts.len().saturating_add(self.ready_stops.len());
        let waiting = ready.saturating_add(self.postponed.len()).saturating_add(self.blocked_count);
        self.running.len().saturating_add(waiting)
    }

    /// Queues a command, and starts it if it is its turn.
    pub(super) fn submit(&mut self, request: CommandRequest, events: &mut Vec<CommandEvent>) {
        self.queue(request);
        self.start(events);
    }

    /// Removes and returns the start commands that have not been started.
    pub(super) fn withdraw_starts(&mut self) -> Vec<CommandRequest> {
        let waiting = self.withdraw_waiting();
        let (starts, stops) =
            waiting.into_iter().partition(|request| request.phase == Phase::Start);
        let stops: Vec<CommandRequest> = stops;
        for request in stops {
            self.queue(request);
        }
        starts
    }

    /// Removes and returns the commands that have not been started, in order for each client and door.
    pub(super) fn withdraw_waiting(&mut self) -> Vec<CommandRequest> {
        let blocked = std::mem::take(&mut self.blocked).into_values().flatten();
        self.blocked_count = 0;
        let postponed = self.postponed.drain(..).map(|(_, request)| request);
        let ready = self.ready_starts.drain(..).chain(self.ready_stops.drain(..));
        let waiting = postponed.chain(ready).chain(blocked).collect();
        self.busy = self.running.iter().map(|one| one.request.key()).collect();
        waiting
    }

    fn queue(&mut self, request: CommandRequest) {
        let key = request.key();
        if self.busy.insert(key) {
            self.ready(request.phase).push_back(request);
        } else {
            self.blocked_count = self.blocked_count.saturating_add(1);
            self.blocked.entry(key).or_default().push_back(request);
        }
    }

    const fn ready(&mut self, phase: Phase) -> &mut VecDeque<CommandRequest> {
        match phase {
            Phase::Start => &mut self.ready_starts,
            Phase::Stop => &mut self.ready_stops,
        }
    }

    fn start(&mut self, events: &mut Vec<CommandEvent>) {
        for phase in [Phase::Stop, Phase::Start] {
            while self.running.iter().filter(|one| one.request.phase == phase).count() < AT_ONCE
                && let Some(request) = self.ready(phase).pop_front()
            {
                self.start_one(request, events);
            }
        }
    }

    fn start_one(&mut self, mut request: CommandRequest, events: &mut Vec<CommandEvent>) {
        if !request.postponed {
            events.push(CommandEvent::Starts(request.clone()));
        }
        match spawn(&request, self.in_root) {
            Ok((child, output)) => self.running.push(Running {
                output: CommandOutput::new(output),
                child,
                since: Instant::now(),
                overrun: Overrun::None,
                request,
            }),
            // A client can knock again, but a door must not stay open, so only stop commands are retried.
            Err(error) if request.phase == Phase::Stop && may_work_later(&error) => {
                let again = Instant::now().checked_add(RETRY).unwrap_or_else(Instant::now);
                if !std::mem::replace(&mut request.postponed, true) {
                    events.push(CommandEvent::Postponed(request.clone(), error));
                }
                self.postponed.push_back((again, request));
            }
            Err(error) => {
                self.unblock(request.key());
                events.push(CommandEvent::NotStarted(request, error));
            }
        }
    }

    /// Makes the next command of a client and door ready.
    fn unblock(&mut self, key: Key) {
        let Some(blocked) = self.blocked.get_mut(&key) else {
            self.busy.remove(&key);
            return;
        };
        let next = blocked.pop_front();
        if blocked.is_empty() {
            self.blocked.remove(&key);
        }
        if let Some(next) = next {
            self.blocked_count = self.blocked_count.saturating_sub(1);
            self.ready(next.phase).push_back(next);
        }
    }

    /// Collects the commands that have ended, and starts those that waited for them.
    pub(super) fn reap(&mut self, events: &mut Vec<CommandEvent>) {
        let mut place = 0;
        while let Some(running) = self.running.get_mut(place) {
            let Some(status) = running.child.try_wait().transpose() else {
                place = place.saturating_add(1);
                continue;
            };
            let Running { request, mut output, .. } = self.running.swap_remove(place);
            // A status that cannot be read does not count as success.
            let status = status.map_or(CommandStatus(u8::MAX), exit_status);
            let lines = output.read();
            events.extend(
                lines
                    .into_iter()
                    .map(|text| CommandEvent::Wrote { door_name: request.door_name.clone(), text }),
            );
            if output.is_open() {
                self.left_over.push_back((request.door_name.clone(), output));
                if self.left_over.len() > LEFT_OVER_MAX {
                    self.left_over.pop_front();
                }
            }
            self.unblock(request.key());
            events.push(CommandEvent::Ended(request, status));
        }
        self.start(events);
    }

    /// Reads the output of commands.
    pub(super) fn listen(&mut self, events: &mut Vec<CommandEvent>) {
        let running = self.running.iter_mut().map(|one| (&one.request.door_name, &mut one.output));
        let left_over = self.left_over.iter_mut().map(|(name, output)| (&*name, output));
        for (door_name, output) in running.chain(left_over) {
            for text in output.read() {
                events.push(CommandEvent::Wrote { door_name: door_name.clone(), text });
            }
        }
        self.left_over.retain(|(_, output)| output.is_open());
    }

    /// Returns the outputs of commands that are still open.
    pub(super) fn outputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let running = self.running.iter().map(|one| &one.output);
        let left_over = self.left_over.iter().map(|(_, output)| output);
        running.chain(left_over).filter(|output| output.is_open()).map(AsFd::as_fd)
    }

    /// Reports commands that take long, ends those that are over the limit, and retries those that could
    /// not be started.
    pub(super) fn watch(&mut self, events: &mut Vec<CommandEvent>) {
        while let Some((_, request)) =
            self.postponed.pop_front_if(|(due, _)| *due <= Instant::now())
        {
            self.ready(request.phase).push_back(request);
        }
        self.start(events);
        let limit = self.limit;
        for one in &mut self.running {
            let Some(due) = one.due(limit) else { continue };
            if Instant::now() < due {
                continue;
            }
            let signal = match one.overrun {
                Overrun::None if !one.is_over(limit) => {
                    one.overrun = Overrun::Reported;
                    events.push(CommandEvent::RunsLong(one.request.clone()));
                    continue;
                }
                Overrun::None | Overrun::Reported => {
                    one.overrun = Overrun::Terminated(Instant::now());
                    Signal::SIGTERM
                }
                Overrun::Terminated(_) | Overrun::Killed => {
                    one.overrun = Overrun::Killed;
                    Signal::SIGKILL
                }
            };
            one.signal(signal);
            events.push(CommandEvent::OverLimit(one.request.clone(), signal));
        }
    }

    /// Returns when there is something to [`watch`](Self::watch) for.
    pub(super) fn watch_due(&self) -> Option<Instant> {
        let postponed = self.postponed.front().map(|(due, _)| *due);
        self.running.iter().filter_map(|one| one.due(self.limit)).chain(postponed).min()
    }

    /// Kills all commands that run, and returns them.
    pub(super) fn kill_all(&mut self) -> Vec<CommandRequest> {
        for one in &self.running {
            one.signal(Signal::SIGKILL);
        }
        self.running.iter().map(|one| one.request.clone()).collect()
    }
}

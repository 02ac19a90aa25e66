//! Commands: one at a time for each client and door, in order; in parallel for different ones, so that no
//! door keeps another waiting.

mod children;
mod lane;
mod posix_spawn;
mod request;
mod running;
mod spawn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use knock_engine::{CommandStatus, DoorId, Phase, Seconds};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use self::children::Ended;
use self::lane::{Lane, Places};
pub(super) use self::request::CommandRequest;
use self::request::Key;
use self::running::{Late, Limits, Running};
use self::spawn::{may_work_later, spawn};
use super::command_output::CommandOutput;

/// How many start commands run at once.
const START_PLACES: Places = Places { fresh: 32, all: 64 };

/// How many stop commands run at once. More would be slower: 2,000 deletions with iptables-nft took 39 s
/// one at a time, 34 s two at a time and 86 s thirty-two at a time, because they wait for each other.
const STOP_PLACES: Places = Places { fresh: 4, all: 32 };

/// How many start commands of one door run or wait. The engine has the same limit, so a sniffer that
/// works as it should asks for no more.
const STARTS_OF_A_DOOR: usize = 256;

/// How many start commands of all doors run or wait.
const STARTS: usize = 16_384;

/// When a command is tried again that could not be started for lack of processes, files or memory.
const RETRY: Duration = Duration::from_secs(1);

/// For how long start commands are tried again. Stop commands are tried until they start.
const RETRY_STARTS_MAX: Duration = Duration::from_secs(10);

/// How many outputs are read of commands that have ended, but have left a process running that can still
/// write. For one more, the oldest is closed.
const LEFT_OVER_MAX: usize = 64;

/// What a command did, or what was done to it.
#[derive(Debug)]
pub(super) enum CommandEvent {
    /// It waits, because as many commands run as may. Not said again before none of its door waits.
    Waits(CommandRequest),
    /// It is its turn.
    Starts(CommandRequest),
    /// It runs as this process, which is the leader of its session.
    Runs(CommandRequest, Pid),
    /// It has ended.
    Ended(CommandRequest, CommandStatus),
    /// It could not be started.
    NotStarted(CommandRequest, io::Error),
    /// It could not be started for lack of processes, files or memory; it and others are tried again.
    Postponed(CommandRequest, io::Error),
    /// It has been running for a long time.
    RunsLong(CommandRequest),
    /// It ran longer than the limit, and was sent this signal.
    OverLimit(CommandRequest, Signal),
    /// It opens a door, and was sent this signal because the daemon ends.
    EndedEarly(CommandRequest, Signal),
    /// It wrote a line.
    Wrote { door_name: Vec<u8>, text: Vec<u8> },
}

/// That commands cannot be started for lack of processes, files or memory.
#[derive(Clone, Copy, Debug)]
struct Lack {
    since: Instant,
    /// When the next try is.
    retry: Instant,
}

/// All commands that run or wait.
pub(super) struct Commands {
    running: BTreeMap<Pid, Running>,
    starts: Lane,
    stops: Lane,
    /// The keys of commands that run or wait in a lane.
    busy: BTreeSet<Key>,
    /// Commands that wait until another with the same key has ended, in order; stop commands first.
    blocked: BTreeMap<Key, VecDeque<CommandRequest>>,
    /// How many commands `blocked` has.
    blocked_count: usize,
    /// How many start commands of each door run or wait.
    starts_of: BTreeMap<Option<DoorId>, usize>,
    starts_count: usize,
    left_over: VecDeque<(Vec<u8>, CommandOutput)>,
    lack: Option<Lack>,
    limits: Limits,
    /// Whether commands run in the root directory, as those of a daemon do.
    in_root: bool,
}

impl Commands {
    pub(super) const fn new(limit: Seconds, in_root: bool) -> Self {
        Self {
            running: BTreeMap::new(),
            starts: Lane::new(START_PLACES),
            stops: Lane::new(STOP_PLACES),
            busy: BTreeSet::new(),
            blocked: BTreeMap::new(),
            blocked_count: 0,
            starts_of: BTreeMap::new(),
            starts_count: 0,
            left_over: VecDeque::new(),
            lack: None,
            limits: Limits { each: limit, starts_end: None },
            in_root,
        }
    }

    /// Sets how long commands may run, also for those that run already.
    pub(super) const fn set_limit(&mut self, limit: Seconds) {
        self.limits.each = limit;
    }

    /// Sets when start commands that still run are ended.
    pub(super) fn end_starts_at(&mut self, at: Instant) {
        self.limits.starts_end.get_or_insert(at);
    }

    /// Returns how many commands run or wait.
    pub(super) fn len(&self) -> usize {
        let waiting = self.starts.waiting().saturating_add(self.stops.waiting());
        self.running.len().saturating_add(waiting).saturating_add(self.blocked_count)
    }

    /// Returns whether there is room for one more start command of a door.
    pub(super) fn has_room_for_start(&self, door: DoorId) -> bool {
        let of_door = self.starts_of.get(&Some(door)).copied().unwrap_or(0);
        of_door < STARTS_OF_A_DOOR && self.starts_count < STARTS
    }

    /// Queues a command, and starts it if it is its turn.
    pub(super) fn submit(&mut self, request: CommandRequest, events: &mut Vec<CommandEvent>) {
        let (door, phase) = (request.door, request.phase);
        self.count_start(phase, door);
        self.queue(request.clone());
        self.start(events);
        if self.lack.is_none() && self.lane(phase).must_say_waits(door) {
            events.push(CommandEvent::Waits(request));
        }
    }

    /// Notes that a new engine runs, which has asked for none of the commands, and calls the doors by these
    /// ids.
    pub(super) fn lose_engine(&mut self, ids: &BTreeMap<DoorId, DoorId>) {
        let waiting = self.withdraw_waiting();
        let rename = |request: &mut CommandRequest| {
            request.run = None;
            request.door = request.door.and_then(|door| ids.get(&door).copied());
        };
        for mut running in std::mem::take(&mut self.running).into_values() {
            let (phase, is_fresh) = (running.request.phase, running.is_fresh);
            self.lane(phase).ended(running.request.door, is_fresh);
            self.forget_start(phase, running.request.door);
            rename(&mut running.request);
            let door = running.request.door;
            self.lane(phase).begun(door);
            if !is_fresh {
                self.lane(phase).aged(door);
            }
            self.count_start(phase, door);
            self.running.insert(running.id, running);
        }
        self.busy = self.running.values().map(|one| one.request.key()).collect();
        for mut request in waiting {
            rename(&mut request);
            self.count_start(request.phase, request.door);
            self.queue(request);
        }
    }

    /// Removes and returns the start commands that have not been started.
    pub(super) fn withdraw_starts(&mut self) -> Vec<CommandRequest> {
        let waiting = self.withdraw_waiting();
        let (starts, stops): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|request| request.phase == Phase::Start);
        for request in stops {
            self.queue(request);
        }
        starts
    }

    /// Removes and returns the commands that have not been started, in order for each client and door.
    pub(super) fn withdraw_waiting(&mut self) -> Vec<CommandRequest> {
        let blocked = std::mem::take(&mut self.blocked).into_values().flatten();
        self.blocked_count = 0;
        let waiting: Vec<_> =
            self.stops.drain().chain(self.starts.drain()).chain(blocked).collect();
        for request in &waiting {
            self.forget_start(request.phase, request.door);
        }
        self.busy = self.running.values().map(|one| one.request.key()).collect();
        waiting
    }

    /// Notes that a command runs or waits.
    fn count_start(&mut self, phase: Phase, door: Option<DoorId>) {
        if phase == Phase::Start {
            let count = self.starts_of.entry(door).or_default();
            *count = count.saturating_add(1);
            self.starts_count = self.starts_count.saturating_add(1);
        }
    }

    /// Notes that a command neither runs nor waits any more.
    fn forget_start(&mut self, phase: Phase, door: Option<DoorId>) {
        if phase == Phase::Start
            && let Some(count) = self.starts_of.get_mut(&door)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.starts_of.remove(&door);
            }
            self.starts_count = self.starts_count.saturating_sub(1);
        }
    }

    fn queue(&mut self, request: CommandRequest) {
        let key = request.key();
        if self.busy.insert(key) {
            self.lane(request.phase).push(request);
            return;
        }
        self.blocked_count = self.blocked_count.saturating_add(1);
        let blocked = self.blocked.entry(key).or_default();
        let place = match request.phase {
            Phase::Start => blocked.len(),
            Phase::Stop => blocked.iter().take_while(|one| one.phase == Phase::Stop).count(),
        };
        blocked.insert(place, request);
    }

    const fn lane(&mut self, phase: Phase) -> &mut Lane {
        match phase {
            Phase::Start => &mut self.starts,
            Phase::Stop => &mut self.stops,
        }
    }

    /// Starts the commands whose turn it is: stop commands first.
    fn start(&mut self, events: &mut Vec<CommandEvent>) {
        if self.lack.is_some_and(|lack| Instant::now() < lack.retry) {
            return;
        }
        for phase in [Phase::Stop, Phase::Start] {
            while let Some(request) = self.lane(phase).pop() {
                if !self.start_one(request, events) {
                    return;
                }
            }
        }
    }

    /// Starts a command. Returns `false` if the next try must wait.
    fn start_one(&mut self, request: CommandRequest, events: &mut Vec<CommandEvent>) -> bool {
        let error = match spawn(&request, self.in_root) {
            Ok((id, output)) => {
                self.lack = None;
                events.push(CommandEvent::Starts(request.clone()));
                self.lane(request.phase).begun(request.door);
                let running = Running::new(request, id, CommandOutput::new(output));
                events.push(CommandEvent::Runs(running.request.clone(), id));
                self.running.insert(id, running);
                return true;
            }
            Err(error) => error,
        };
        let now = Instant::now();
        if may_work_later(&error) {
            let since = self.lack.map_or(now, |lack| lack.since);
            let is_new = self.lack.is_none();
            let retry = now.checked_add(RETRY).unwrap_or(now);
            self.lack = Some(Lack { since, retry });
            let is_over = now.saturating_duration_since(since) >= RETRY_STARTS_MAX;
            // A client can knock again, but a door must not stay open.
            if request.phase == Phase::Stop || !is_over {
                if is_new {
                    events.push(CommandEvent::Postponed(request.clone(), error));
                }
                self.lane(request.phase).put_back(request);
                return false;
            }
        }
        self.forget_start(request.phase, request.door);
        self.unblock(request.key());
        events.push(CommandEvent::NotStarted(request, error));
        true
    }

    /// Lets the next command of a client and door wait for its turn.
    fn unblock(&mut self, key: Key) {
        self.busy.remove(&key);
        let Some(blocked) = self.blocked.get_mut(&key) else { return };
        let next = blocked.pop_front();
        if blocked.is_empty() {
            self.blocked.remove(&key);
        }
        if let Some(next) = next {
            self.blocked_count = self.blocked_count.saturating_sub(1);
            self.queue(next);
        }
    }

    /// Collects child processes that have ended, and starts the commands that waited for them.
    /// `is_other` collects a child that is no command, if it knows it.
    pub(super) fn reap(
        &mut self,
        mut is_other: impl FnMut(Pid) -> bool,
        events: &mut Vec<CommandEvent>,
    ) {
        while let Some(Ended { child, status }) = children::ended() {
            let running = self.running.remove(&child);
            let is_collected = running.is_none() && is_other(child);
            if !is_collected && children::collect(child).is_err() {
                break;
            }
            if let Some(running) = running {
                self.ended(running, status, events);
            }
        }
        self.start(events);
    }

    fn ended(&mut self, running: Running, status: CommandStatus, events: &mut Vec<CommandEvent>) {
        let Running { request, mut output, is_fresh, .. } = running;
        self.lane(request.phase).ended(request.door, is_fresh);
        self.forget_start(request.phase, request.door);
        if let Some(lack) = &mut self.lack {
            // What it needed is free now.
            lack.retry = Instant::now();
        }
        let door_name = &request.door_name;
        let lines = output.read().into_iter();
        events.extend(lines.map(|text| CommandEvent::Wrote { door_name: door_name.clone(), text }));
        if output.is_open() {
            self.left_over.push_back((request.door_name.clone(), output));
            if self.left_over.len() > LEFT_OVER_MAX {
                self.left_over.pop_front();
            }
        }
        self.unblock(request.key());
        events.push(CommandEvent::Ended(request, status));
    }

    /// Reads the output of commands.
    pub(super) fn listen(&mut self, events: &mut Vec<CommandEvent>) {
        let running =
            self.running.values_mut().map(|one| (&one.request.door_name, &mut one.output));
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
        let running = self.running.values().map(|one| &one.output);
        let left_over = self.left_over.iter().map(|(_, output)| output);
        running.chain(left_over).filter(|output| output.is_open()).map(AsFd::as_fd)
    }

    /// Reports commands that take long, ends those that are over the limit, and retries those that could
    /// not be started.
    pub(super) fn watch(&mut self, events: &mut Vec<CommandEvent>) {
        let Self { running, starts, stops, limits, .. } = self;
        for one in running.values_mut() {
            while let Some(late) = one.watch(limits) {
                let request = &one.request;
                match late {
                    Late::Aged if request.phase == Phase::Start => starts.aged(request.door),
                    Late::Aged => stops.aged(request.door),
                    Late::RunsLong => events.push(CommandEvent::RunsLong(request.clone())),
                    Late::OverLimit(signal) => {
                        events.push(CommandEvent::OverLimit(request.clone(), signal));
                    }
                    Late::EndedEarly(signal) => {
                        events.push(CommandEvent::EndedEarly(request.clone(), signal));
                    }
                }
            }
        }
        self.start(events);
    }

    /// Returns when there is something to [`watch`](Self::watch) for.
    pub(super) fn watch_due(&self) -> Option<Instant> {
        let waits = self.starts.waiting() > 0 || self.stops.waiting() > 0;
        let retry = self.lack.filter(|_| waits).map(|lack| lack.retry);
        self.running.values().filter_map(|one| one.due(&self.limits)).chain(retry).min()
    }

    /// Kills all commands that run, and returns them.
    pub(super) fn kill_all(&mut self) -> Vec<CommandRequest> {
        for one in self.running.values() {
            one.signal(Signal::SIGKILL);
        }
        self.running.values().map(|one| one.request.clone()).collect()
    }
}

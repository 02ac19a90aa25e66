//! Doors that were left open when the last daemon ended.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use knock_config::text::printable;
use knock_config::{Directive, MAX_FILE_BYTES, OnStateError, Options, parse_options};
use knock_engine::{CommandStatus, OnReknock, Phase, address};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::clock::Clock;
use super::closing::stop_of;
use super::commands::{CommandEvent, CommandRequest, Commands};
use super::lease_store::{Event, Found, LeaseStore};
use super::leases::{Lease, LeaseState};
use super::output::Kind;
use super::start::print_stderr;
use super::{Runner, orphans};
use crate::args::Args;
use crate::boot_time::BootTime;
use crate::lease_record::{Record, StoredLease};
use crate::settings::places;

/// How long closing all doors may take if the daemon does not start.
const CLOSE_MAX: Duration = Duration::from_mins(1);

/// How long the file may take to say that the doors are about to be closed.
const NOTE_MAX: Duration = Duration::from_secs(1);

/// How often to look whether a command has ended that writes nothing, and whether the file says so.
const CLOSE_PAUSE_MS: u8 = 20;
const CLOSE_PAUSE: Duration = Duration::from_millis(2);

/// A door that was left open.
#[derive(Clone, Debug)]
pub(super) struct LeftOpen {
    pub(super) lease: StoredLease,
    /// How long it may stay open. Zero if it is overdue, or if its start command has not ended: then it
    /// is not known whether its client could use it.
    pub(super) time_left: Duration,
    /// Whether it may be closed, so that its stop command may fail for that reason: if the machine or its
    /// network was started again since, if its stop command had begun, or if its start command has not
    /// ended.
    pub(super) is_doubtful: bool,
}

/// Ends the commands that a killed daemon has left running, so that none can open a door after it was
/// closed, and finds out how long the doors may stay open.
pub(super) fn prepare(left: Vec<StoredLease>, clock: &Clock) -> Vec<LeftOpen> {
    orphans::end(&left, clock.place());
    let now = clock.now();
    let left = left.into_iter().map(|lease| {
        let max = lease.closes_after.unwrap_or(Duration::MAX);
        let due = lease.due.as_ref();
        let time_left = due.map_or(Duration::ZERO, |due| due.time_left(&now, max));
        let is_elsewhere = lease.place != *clock.place();
        let is_doubtful = is_elsewhere || lease.is_closing || lease.due.is_none();
        let time_left = if lease.is_closing { Duration::ZERO } else { time_left };
        LeftOpen { lease, time_left, is_doubtful }
    });
    left.collect()
}

impl Runner {
    /// Takes up what the store has found at the start.
    pub(super) fn take_found(&mut self, found: Found) {
        let Found { left, warnings, failure } = found;
        for text in warnings {
            self.output.text(Kind::Notice, format!("knockd: warning: {text}"));
        }
        if let Some(why) = failure {
            self.warn_of_no_store(&why);
        }
        let left = prepare(left, &self.clock);
        self.take_up_all(left);
    }

    /// Takes up doors that were left open: those that are overdue are closed now, the others when they are
    /// due.
    pub(super) fn take_up_all(&mut self, left: Vec<LeftOpen>) {
        let mut requests = Vec::new();
        for LeftOpen { lease, time_left, is_doubtful } in left {
            let is_overdue = time_left.is_zero();
            let what = if is_overdue {
                "closing it now".to_owned()
            } else {
                format!("closing it in {} s", time_left.as_secs().max(1))
            };
            self.output.text(Kind::Notice, was_left_open(&lease, &what));
            // If the door still exists, its next command for the client waits for this one.
            let mut doors = self.doors.in_order();
            let door = doors.find(|(_, door)| door.name.as_bytes() == lease.door_name);
            let (state, due) = if is_overdue {
                (LeaseState::Closing { failures: 0 }, None)
            } else {
                (LeaseState::Open, Some(BootTime::now().after(time_left)))
            };
            let lease = Lease {
                number: lease.number,
                door: door.map(|(id, _)| id),
                client: lease.client,
                is_separate: door.is_none_or(|(_, door)| door.on_reknock == OnReknock::Separate),
                door_name: lease.door_name,
                stop: lease.stop,
                closes_after: lease.closes_after.unwrap_or_default(),
                state,
                due,
                has_engine: false,
                is_doubtful,
            };
            if is_overdue {
                requests.push(stop_of(&lease));
            }
            self.leases.take_up(lease);
        }
        self.submit(requests);
    }

    /// Warns that open doors cannot be remembered, if there are doors that need it.
    fn warn_of_no_store(&mut self, why: &str) {
        let mut doors = self.doors.in_order();
        let is_needed =
            doors.any(|(_, door)| door.commands.stop.is_some() || door.commands.stop_6.is_some());
        if !is_needed {
            return;
        }
        let text = match self.settings.on_state_error {
            OnStateError::Shut => "doors with a stop command STAY SHUT",
            OnStateError::Open => {
                "doors with a stop command open, but stay open if knockd is killed"
            }
        };
        self.output.text(
            Kind::Notice,
            format!(
                "knockd: error: open doors cannot be remembered: {why}. Until that works, {text}: name a \
                 folder that can be written with the directive 'StateDir', or see 'OnStateError'"
            ),
        );
    }
}

/// Closes all doors that were left open, because the daemon does not start: without it, nobody would close
/// them when they are due.
pub(super) fn close_all(args: &Args) {
    let places = places(args, &readable_options(args));
    let Ok((store, Found { left, warnings, failure: _ })) = LeaseStore::open(places) else {
        return;
    };
    for text in warnings {
        print_stderr(&format!("knockd: warning: {text}\n"));
    }
    let left = prepare(left, &Clock::new());
    let mut closing = Closing {
        commands: Commands::new(Directive::CommandLimit.default_seconds(), args.daemon),
        open: left.into_iter().map(|one| (one.lease.number, one.lease)).collect(),
        store,
    };
    closing.run();
    closing.report();
}

/// Returns the options of a configuration that may be the reason why the daemon does not start: what can be
/// read of them, or the defaults.
fn readable_options(args: &Args) -> Options {
    let mut text = Vec::new();
    let file = knock_guard::open(&args.config, args.modes(), OFlag::O_RDONLY);
    let is_file = |file: &File| file.metadata().is_ok_and(|metadata| metadata.is_file());
    // A pipe can be read only once, and may block.
    if let Some(file) = file.ok().filter(is_file) {
        // What cannot be read has no directives.
        let _ = file.take(MAX_FILE_BYTES).read_to_end(&mut text);
    }
    parse_options(&text)
}

/// Closing without a runner.
struct Closing {
    commands: Commands,
    open: BTreeMap<u64, StoredLease>,
    store: LeaseStore,
}

impl Closing {
    fn run(&mut self) {
        let mut events = Vec::new();
        for lease in self.open.values() {
            print_line(&was_left_open(lease, "closing it now, because knockd does not start"));
            self.store.write(Record::Closing(lease.number));
        }
        let begin = Instant::now();
        let mut noted = 0;
        while noted < self.open.len() && begin.elapsed() < NOTE_MAX {
            thread::sleep(CLOSE_PAUSE);
            for event in self.store.events() {
                if let Event::Noted(numbers) = event {
                    noted = noted.saturating_add(numbers.len());
                }
            }
        }
        for lease in self.open.values() {
            self.commands.submit(stop(lease), &mut events);
        }
        while self.commands.len() > 0 && begin.elapsed() < CLOSE_MAX {
            let outputs = self.commands.outputs();
            let mut wanted: Vec<_> =
                outputs.map(|output| PollFd::new(output, PollFlags::POLLIN)).collect();
            // The end of a command is no event of its output.
            let _ = poll(&mut wanted, PollTimeout::from(CLOSE_PAUSE_MS));
            drop(wanted);
            self.commands.reap(|_| false, &mut events);
            self.commands.listen(&mut events);
            self.commands.watch(&mut events);
            for event in events.drain(..) {
                self.handle(event);
            }
        }
    }

    fn handle(&mut self, event: CommandEvent) {
        match event {
            CommandEvent::Ended(request, CommandStatus::SUCCESS) => {
                if let Some(number) = request.lease {
                    self.open.remove(&number);
                    self.store.write(Record::Closed(number));
                }
            }
            CommandEvent::Wrote { door_name, text } => {
                print_line(&[&door_name[..], b": output: ", &text].concat());
            }
            CommandEvent::Ended(..)
            | CommandEvent::NotStarted(..)
            | CommandEvent::Postponed(..)
            | CommandEvent::Waits(_)
            | CommandEvent::Starts(_)
            | CommandEvent::Runs(..)
            | CommandEvent::RunsLong(_)
            | CommandEvent::OverLimit(..)
            | CommandEvent::EndedEarly(..) => {}
        }
    }

    /// Reports what is still open; the next start tries again.
    fn report(&self) {
        for lease in self.open.values() {
            let mut text = [&lease.door_name[..], b": STAYS OPEN for "].concat();
            address::write(lease.client, &mut text);
            text.extend(b"; the next start of knockd tries again; to close it, run: ");
            text.extend(&lease.stop);
            print_line(&text);
        }
    }
}

fn print_line(text: &[u8]) {
    print_stderr(&format!("{}\n", printable(text)));
}

fn was_left_open(lease: &StoredLease, what: &str) -> Vec<u8> {
    let mut text = [&lease.door_name[..], b": was left open for "].concat();
    address::write(lease.client, &mut text);
    text.extend(format!(" when knockd last ended; {what}").into_bytes());
    text
}

/// Returns the command that closes a door, whether that still exists or not.
fn stop(lease: &StoredLease) -> CommandRequest {
    CommandRequest {
        run: None,
        door: None,
        door_name: lease.door_name.clone(),
        client: lease.client,
        phase: Phase::Stop,
        line: lease.stop.clone(),
        lease: Some(lease.number),
    }
}

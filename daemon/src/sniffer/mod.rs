//! The process that reads packets, without privileges.
//!
//! It holds the engine. What the engine wants done it asks of the runner, its parent, over a socket
//! that is its standard input; its standard output is the recording, if there is one.

mod captures;
mod ear;
mod end;
mod merge;
mod outbox;
mod recording;
mod runner;
mod sandbox;
mod timeline;

use std::convert::Infallible;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write as _};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use knock_config::{Files, Setup};
use knock_engine::{Doors, Engine, Event, Limits, Listening, Timestamp};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use self::captures::Interface;
use self::ear::{Ear, Frame, Heard};
use self::end::End;
use self::merge::Merge;
use self::outbox::Outbox;
use self::recording::{Described, Recording};
use self::runner::Runner;
use self::timeline::{Clocks, Timeline, before, wait};
use crate::exit::Exit;
use crate::wire::{Gravity, Loss, NotAnOrder, Order, OrderReader, Report, Task};

/// What the process is called, and how the program knows that it is to be this process.
pub(crate) const NAME: &str = "knockd: sniffer";

/// How many packets of an interface are read before the runner and the other interfaces are looked at
/// again. As many wait for packets of other interfaces that may be earlier.
const PACKETS_AT_ONCE: usize = 256;

/// What is due at a moment is done this many nanoseconds later: by then every packet from before that
/// moment can be read, and counts. For the same reason a packet waits so long where other interfaces may
/// have an earlier one.
const GRACE: i64 = 1_000_000;

/// How often losses are looked for while packets come.
const LOSSES_EVERY: Duration = Duration::from_secs(1);

/// Runs the process. Why it ends it tells the runner, or, if that cannot be, standard error.
pub(crate) fn main() -> Exit {
    match run() {
        Ok(exit) => exit,
        Err(end) => {
            // Nobody could be told that this failed.
            let _ = writeln!(io::stderr(), "knockd: error: {end}");
            Exit::Failed
        }
    }
}

/// Works until there is a reason to end. `Err` is one that the runner does not know.
fn run() -> Result<Exit, End> {
    let failed = |error| End::System("cannot use the socket to the runner", error);
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    let mut outbox = Outbox::new(socket.try_clone().map_err(failed)?);
    let runner = Runner { socket, orders: OrderReader::default() };
    let Err(end) = work(runner, &mut outbox);
    let exit = match &end {
        End::Dismissed => Exit::Done,
        End::Orphaned => return Err(end),
        End::Order(_)
        | End::Capture(_)
        | End::Sandbox(_)
        | End::Configuration
        | End::System(..) => {
            outbox.words(Gravity::Error, &end);
            Exit::Failed
        }
    };
    outbox.put(&Report::Ended);
    // If this fails, the runner has ended, and that is why this ends.
    outbox.send_all()?;
    Ok(exit)
}

fn work(mut runner: Runner, outbox: &mut Outbox) -> Result<Infallible, End> {
    crate::signals::leave_to_parent()
        .map_err(|error| End::System("cannot leave signals alone", error.into()))?;
    let Order::Begin(task) = runner.wait()? else { return Err(End::Order(NotAnOrder)) };
    let mut sniffer = Sniffer::new(*task, runner, outbox)?;
    let ended = sniffer.listen();
    sniffer.finish();
    ended
}

/// The process at work.
struct Sniffer<'a> {
    runner: Runner,
    outbox: &'a mut Outbox,
    interfaces: Vec<Interface>,
    /// What was read of the interfaces and cannot be told yet.
    merge: Merge<Heard>,
    ear: Ear,
    ipv4_only: bool,
    /// When losses are looked for again.
    losses_due: Timestamp,
}

impl<'a> Sniffer<'a> {
    /// Opens the captures, gives up all privileges and says so.
    fn new(task: Task, runner: Runner, outbox: &'a mut Outbox) -> Result<Self, End> {
        let doors = doors(task.files)?;
        let listening = Listening::at(task.addresses).with_ipv4_only(task.ipv4_only);
        let mut interfaces = Vec::new();
        for name in &task.interfaces {
            let mut interface =
                Interface::open(&String::from_utf8_lossy(name)).map_err(End::Capture)?;
            interface.listen_for(&doors, &listening).map_err(End::Capture)?;
            interfaces.push(interface);
        }
        let recording = task.records.then(recording_on_output).transpose();
        let mut recording = recording.map_err(|error| End::System("cannot record", error))?;
        if let Some(recording) = &mut recording {
            describe(recording, &interfaces, &listening);
        }
        let limits = Limits { attempts: task.max_attempts, hash_seed: seed() };
        let engine = Engine::new(doors, listening, &limits);
        let mut timeline = Timeline::new(Clocks::look());
        let now = timeline.now(Clocks::look());
        outbox.want(task.every_line, task.debug);
        let nonblocking = runner.socket.set_nonblocking(true);
        nonblocking.map_err(|error| End::System("cannot use the socket to the runner", error))?;
        let captures: Vec<_> = interfaces.iter().map(AsFd::as_fd).collect();
        for shortfall in sandbox::enter(task.becomes, &captures).map_err(End::Sandbox)? {
            outbox.words(Gravity::Warning, &shortfall);
        }
        outbox.put(&Report::Listening);
        let ear = Ear {
            engine,
            timeline,
            last: now,
            complete: now,
            debug: task.debug,
            recording,
            changed: false,
            used_sequences: 0,
            refused: false,
        };
        let merge = Merge::new(interfaces.len(), now, PACKETS_AT_ONCE);
        let ipv4_only = task.ipv4_only;
        Ok(Self { runner, outbox, interfaces, merge, ear, ipv4_only, losses_due: now })
    }

    /// Listens until there is a reason to end.
    fn listen(&mut self) -> Result<Infallible, End> {
        loop {
            self.outbox.send()?;
            self.wait()?;
            let now = self.ear.timeline.now(Clocks::look());
            self.read(now)?;
            self.hear();
            self.obey()?;
            self.follow_doors()?;
            self.look_for_losses(now);
        }
    }

    /// Waits for a packet, an order, room on a full socket, or for what is due.
    fn wait(&mut self) -> Result<(), End> {
        let deadline = self.ear.engine.poll_deadline().map(|deadline| deadline.at);
        let due = deadline.into_iter().chain(self.merge.earliest()).min();
        let timeout = due.map(|due| {
            let due = before(due, GRACE.saturating_neg());
            wait(self.ear.timeline.now(Clocks::look()), due)
        });
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, !self.outbox.is_empty());
        let mut wanted = vec![PollFd::new(self.runner.socket.as_fd(), events)];
        for (place, interface) in self.interfaces.iter().enumerate() {
            if self.merge.room(place) > 0 {
                wanted.push(PollFd::new(interface.as_fd(), PollFlags::POLLIN));
            }
        }
        match ppoll(&mut wanted, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(End::System("cannot wait", error.into())),
        }
    }

    /// Reads what packets are there, as far as there is room for them.
    fn read(&mut self, now: Timestamp) -> Result<(), End> {
        let Self { interfaces, merge, ear, .. } = self;
        for (place, interface) in interfaces.iter_mut().enumerate() {
            let room = merge.room(place);
            if room == 0 {
                continue;
            }
            let mut last = None;
            let read = interface.read(room, |link, stamp, length, captured| {
                last = Some(stamp);
                if let Some((at, heard)) = ear.hear(Frame { link, stamp, length, captured }) {
                    merge.put(place, at, heard);
                }
            });
            let is_all = read.map_err(End::Capture)? < room;
            // Where frames come without end, the last one tells how far they are read.
            let last = last.filter(|_| !is_all).map(|stamp| ear.moment(stamp));
            merge.know(place, last.unwrap_or_else(|| before(now, GRACE)));
        }
        Ok(())
    }

    /// Tells the engine what was read, in the order of time, and lets time run.
    fn hear(&mut self) {
        let Self { outbox, merge, ear, .. } = self;
        while let Some((place, at, heard)) = merge.next() {
            ear.packet(place, at, &heard, outbox);
        }
        if let Some(complete) = merge.complete() {
            ear.let_time_run(complete, outbox);
        }
        if let Some(recording) = &mut ear.recording {
            recording.flush();
        }
    }

    /// Does what the runner says. For the engine that happens at the last moment that it knows all
    /// packets of.
    fn obey(&mut self) -> Result<(), End> {
        let read = self.runner.read();
        while let Some(order) = self.runner.orders.next().map_err(End::Order)? {
            let now = self.ear.complete;
            match order {
                Order::Begin(_) => return Err(End::Order(NotAnOrder)),
                Order::CommandEnded { run, status } => {
                    self.ear.tell(now, Event::CommandEnded { run, status }, self.outbox);
                }
                Order::Addresses(addresses) => {
                    let listening = Listening::at(addresses).with_ipv4_only(self.ipv4_only);
                    if let Some(recording) = &mut self.ear.recording {
                        describe(recording, &self.interfaces, &listening);
                    }
                    self.ear.changed = true;
                    self.ear.tell(now, Event::AddressesChanged(listening), self.outbox);
                }
                // A sequence that is being marked would count once more.
                Order::Reload { marks, .. } if marks != self.outbox.marks() => {
                    self.outbox.put(&Report::Stale);
                }
                Order::Reload { marks: _, files } => {
                    self.ear.reload(now, doors(files)?, self.outbox);
                }
            }
        }
        read
    }

    /// Has the kernel filter by the doors as they are now.
    fn follow_doors(&mut self) -> Result<(), End> {
        if !std::mem::take(&mut self.ear.changed) {
            return Ok(());
        }
        self.ear.used_sequences = 0;
        let (doors, listening) = (self.ear.engine.doors(), self.ear.engine.listening());
        for interface in &mut self.interfaces {
            interface.listen_for(doors, listening).map_err(End::Capture)?;
        }
        Ok(())
    }

    fn look_for_losses(&mut self, now: Timestamp) {
        if now < self.losses_due {
            return;
        }
        let next = i64::try_from(LOSSES_EVERY.as_nanos()).unwrap_or(i64::MAX);
        self.losses_due = before(now, next.saturating_neg());
        self.report_losses();
    }

    fn report_losses(&mut self) {
        let dropped = self.interfaces.iter_mut().map(|one| u64::from(one.dropped())).sum();
        let counts = self.ear.engine.counts();
        let recorded = self.ear.recording.as_ref().map_or(0, Recording::missed);
        self.outbox.lost(Loss::Packets, dropped);
        self.outbox.lost(Loss::Attempts, counts.evicted);
        self.outbox.lost(Loss::Openings, counts.forgotten_knocks);
        self.outbox.lost(Loss::Recorded, recorded);
    }

    /// Says and writes what there is still to be said and written.
    fn finish(&mut self) {
        if let Some(recording) = &mut self.ear.recording {
            recording.flush();
        }
        self.report_losses();
    }
}

/// Returns the doors of a configuration that the runner has found sound.
fn doors(files: Files) -> Result<Doors, End> {
    let setup = Setup::parse(Path::new("knockd.conf"), files);
    let config = setup.config.ok_or(End::Configuration)?;
    knock_config::doors(&config).map_err(|_| End::Configuration)
}

fn recording_on_output() -> io::Result<Recording> {
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(Recording::new(File::from(output)))
}

fn describe(recording: &mut Recording, interfaces: &[Interface], listening: &Listening) {
    let described = interfaces.iter().map(|interface| Described {
        name: interface.name(),
        link: interface.link(),
        snaplen: Interface::snaplen(),
    });
    recording.describe(described, listening.local().unwrap_or_default());
}

/// Returns a number that nobody can know.
fn seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;

    #[test]
    fn no_two_daemons_have_the_same_seed() {
        // The number comes from what a thread asks of the system at its first need, as a process does;
        // within a thread it would differ anyhow.
        let of_a_thread = || thread::spawn(seed).join().unwrap();
        let seeds: BTreeSet<u64> = std::iter::repeat_with(of_a_thread).take(16).collect();
        assert_eq!(seeds.len(), 16);
        let (all, any) = seeds.iter().fold((u64::MAX, 0), |(all, any), one| (all & one, any | one));
        // Of 64 bits, about one in 32,768 is the same in all sixteen.
        assert!(all.count_ones() + any.count_zeros() < 8, "{seeds:x?}");
    }
}

//! The process that reads packets, without privileges.
//!
//! It runs the engine. What the engine wants done it asks of the runner, its parent, over a socket that
//! is its standard input; its standard output is the recording, if there is one.

mod captures;
mod end;
mod host;
mod merge;
mod outbox;
mod recording;
mod runner_socket;
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
use knock_engine::{Doors, Engine, Limits, Listening, Timestamp};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use self::captures::Interface;
use self::end::End;
use self::host::{DecodedPacket, EngineHost, Frame};
use self::merge::Merge;
use self::outbox::Outbox;
use self::recording::{RecordedInterface, Recording};
use self::runner_socket::RunnerSocket;
use self::timeline::{before, wait};
use crate::exit::Exit;
use crate::wire::{InvalidOrder, Level, Loss, Message, Order, Task};

/// The name of the process, by which the program knows which process it is.
pub(crate) const NAME: &str = "knockd: sniffer";

/// How many packets of an interface are read before the other interfaces and the runner have their turn.
/// As many may wait for earlier packets of other interfaces.
const PACKETS_AT_ONCE: usize = 256;

/// What is due is done this many nanoseconds later: by then every earlier packet can be read, and
/// counts. For the same reason a packet waits this long for earlier ones of other interfaces.
const GRACE: i64 = 1_000_000;

/// How often losses are counted while packets come.
const LOSSES_EVERY: Duration = Duration::from_secs(1);

/// Runs the process. The reason why it ends goes to the runner or, without a runner, to standard error.
pub(crate) fn main() -> Exit {
    match run() {
        Ok(exit) => exit,
        Err(end) => {
            // There is no other place to report an error.
            let _ = writeln!(io::stderr(), "knockd: error: {end}");
            Exit::Failed
        }
    }
}

/// Runs until there is a reason to end. `Err` is a reason that could not be sent to the runner.
fn run() -> Result<Exit, End> {
    let failed =
        |error| End::System("cannot use the socket to the process that runs commands", error);
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    let mut outbox = Outbox::new(socket.try_clone().map_err(failed)?);
    let runner = RunnerSocket::new(socket);
    let Err(end) = work(runner, &mut outbox);
    let exit = match &end {
        End::Dismissed => Exit::Done,
        End::Orphaned => return Err(end),
        End::Order(_)
        | End::Capture(_)
        | End::Sandbox(_)
        | End::Configuration
        | End::System(..) => {
            outbox.text(Level::Error, &end);
            Exit::Failed
        }
    };
    outbox.push(&Message::Ended);
    // If this fails, the runner has died, which is then the reason to end.
    outbox.send_all()?;
    Ok(exit)
}

fn work(mut runner: RunnerSocket, outbox: &mut Outbox) -> Result<Infallible, End> {
    crate::signals::leave_to_parent()
        .map_err(|error| End::System("cannot block signals", error.into()))?;
    let Order::Begin(task) = runner.wait()? else { return Err(End::Order(InvalidOrder)) };
    let mut sniffer = Sniffer::new(*task, runner, outbox)?;
    let ended = sniffer.run();
    sniffer.finish();
    ended
}

/// The loop: reads packets and orders, and gives them to the engine's host.
struct Sniffer<'a> {
    runner: RunnerSocket,
    outbox: &'a mut Outbox,
    interfaces: Vec<Interface>,
    /// Packets that must wait, because another interface may have an earlier one.
    merge: Merge<DecodedPacket>,
    host: EngineHost,
    /// When losses are counted again.
    losses_due: Timestamp,
}

impl<'a> Sniffer<'a> {
    /// Opens the captures, gives up all privileges, and reports that it listens.
    fn new(task: Task, runner: RunnerSocket, outbox: &'a mut Outbox) -> Result<Self, End> {
        let doors = doors(task.files)?;
        let listening = Listening::at(task.addresses).with_ipv4_only(task.ipv4_only);
        let mut interfaces = Vec::new();
        for name in &task.interfaces {
            let mut interface =
                Interface::open(&String::from_utf8_lossy(name)).map_err(End::Capture)?;
            interface.listen_for(&doors, &listening).map_err(End::Capture)?;
            interfaces.push(interface);
        }
        let recording = task.records.then(|| recording_on_output(&interfaces)).transpose();
        let recording =
            recording.map_err(|error| End::System("cannot write the recording", error))?;
        let limits = Limits { hash_seed: seed(), ..Limits::with_attempts(task.max_attempts) };
        let engine = Engine::new(doors, listening, &limits);
        let mut host = EngineHost::new(engine, recording, task.ipv4_only);
        let now = host.now();
        outbox.want(task.every_line, task.debug);
        let nonblocking = runner.set_nonblocking();
        nonblocking.map_err(|error| {
            End::System("cannot use the socket to the process that runs commands", error)
        })?;
        let captures: Vec<_> = interfaces.iter().map(AsFd::as_fd).collect();
        for shortfall in sandbox::enter(task.becomes, &captures).map_err(End::Sandbox)? {
            outbox.text(Level::Warning, &shortfall);
        }
        outbox.push(&Message::Listening);
        let merge = Merge::new(interfaces.len(), now, PACKETS_AT_ONCE);
        Ok(Self { runner, outbox, interfaces, merge, host, losses_due: now })
    }

    /// Runs until there is a reason to end.
    fn run(&mut self) -> Result<Infallible, End> {
        loop {
            self.outbox.send()?;
            self.wait()?;
            let now = self.host.now();
            self.read_packets(now)?;
            self.handle_packets();
            self.handle_orders()?;
            self.update_filters()?;
            self.count_losses(now);
        }
    }

    /// Waits for a packet, an order, room on a full socket, or for what is due.
    fn wait(&mut self) -> Result<(), End> {
        let due = self.host.deadline().into_iter().chain(self.merge.earliest()).min();
        let timeout = due.map(|due| wait(self.host.now(), before(due, GRACE.saturating_neg())));
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, !self.outbox.is_empty());
        let mut wanted = vec![PollFd::new(self.runner.as_fd(), events)];
        for (number, interface) in self.interfaces.iter().enumerate() {
            if self.merge.room(number) > 0 {
                wanted.push(PollFd::new(interface.as_fd(), PollFlags::POLLIN));
            }
        }
        match ppoll(&mut wanted, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(End::System("cannot wait for packets", error.into())),
        }
    }

    /// Reads the packets that are there, as far as there is room for them.
    fn read_packets(&mut self, now: Timestamp) -> Result<(), End> {
        let Self { interfaces, merge, host, .. } = self;
        for (number, interface) in interfaces.iter_mut().enumerate() {
            let room = merge.room(number);
            if room == 0 {
                continue;
            }
            let mut last = None;
            let read = interface.read(room, |link, stamp, length, captured| {
                last = Some(stamp);
                if let Some((at, packet)) = host.decode(Frame { link, stamp, length, captured }) {
                    merge.put(number, at, packet);
                }
            });
            let is_all = read.map_err(End::Capture)? < room;
            // While frames keep coming, only the last one read shows how far this interface is.
            let last = last.filter(|_| !is_all).map(|stamp| host.time_of(stamp));
            merge.know(number, last.unwrap_or_else(|| before(now, GRACE)));
        }
        Ok(())
    }

    /// Gives the engine the packets that need not wait, in order of time, and what is due by then.
    fn handle_packets(&mut self) {
        let Self { outbox, merge, host, .. } = self;
        while let Some((number, at, packet)) = merge.next() {
            host.packet(number, at, &packet, outbox);
        }
        if let Some(complete) = merge.complete() {
            host.advance(complete, outbox);
        }
        host.flush_recording();
    }

    /// Handles the orders that are there. Orders that came before the runner ended count.
    fn handle_orders(&mut self) -> Result<(), End> {
        let read = self.runner.read();
        while let Some(order) = self.runner.next()? {
            self.handle_order(order)?;
        }
        read
    }

    fn handle_order(&mut self, order: Order) -> Result<(), End> {
        let Self { host, outbox, .. } = self;
        match order {
            Order::Begin(_) => return Err(End::Order(InvalidOrder)),
            Order::CommandEnded { run, status } => host.command_ended(run, status, outbox),
            Order::OneTimeMarked { mark, is_marked } => {
                host.one_time_marked(mark, is_marked, outbox);
            }
            Order::Addresses(addresses) => host.addresses_changed(addresses, outbox),
            // The runner read the files before it marked the latest sequence: it would be valid again.
            Order::Reload { marks, .. } if marks != outbox.marks() => outbox.push(&Message::Stale),
            Order::Reload { marks: _, files } => host.reload(doors(files)?, outbox),
        }
        Ok(())
    }

    /// Has the kernel filter for the present doors and addresses.
    fn update_filters(&mut self) -> Result<(), End> {
        let Self { host, interfaces, .. } = self;
        let Some((doors, listening)) = host.filter_change() else { return Ok(()) };
        for interface in interfaces {
            interface.listen_for(doors, listening).map_err(End::Capture)?;
        }
        Ok(())
    }

    fn count_losses(&mut self, now: Timestamp) {
        if now < self.losses_due {
            return;
        }
        let next = i64::try_from(LOSSES_EVERY.as_nanos()).unwrap_or(i64::MAX);
        self.losses_due = before(now, next.saturating_neg());
        self.send_losses();
    }

    fn send_losses(&mut self) {
        let dropped = self.interfaces.iter_mut().map(|one| u64::from(one.dropped())).sum();
        self.outbox.lost(Loss::Packets, dropped);
        for (loss, count) in self.host.losses() {
            self.outbox.lost(loss, count);
        }
    }

    /// Writes what is left of the recording, and sends the last losses.
    fn finish(&mut self) {
        self.host.flush_recording();
        self.send_losses();
    }
}

/// Returns the doors of a configuration that the runner has checked.
fn doors(files: Files) -> Result<Doors, End> {
    let setup = Setup::parse(Path::new("knockd.conf"), files);
    let config = setup.config.ok_or(End::Configuration)?;
    knock_config::doors(&config).map_err(|_| End::Configuration)
}

fn recording_on_output(interfaces: &[Interface]) -> io::Result<Recording> {
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    let interfaces = interfaces.iter().map(|interface| RecordedInterface {
        name: interface.name().to_owned(),
        link: interface.link(),
        snaplen: Interface::snaplen(),
    });
    Ok(Recording::new(File::from(output), interfaces.collect()))
}

/// Returns a number that no one can guess.
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
        // Each thread gets its random numbers from the system once, as each process does. Within one
        // thread the numbers would differ anyway.
        let of_a_thread = || thread::spawn(seed).join().unwrap();
        let seeds: BTreeSet<u64> = std::iter::repeat_with(of_a_thread).take(16).collect();
        assert_eq!(seeds.len(), 16);
        let (all, any) = seeds.iter().fold((u64::MAX, 0), |(all, any), one| (all & one, any | one));
        // By chance, about one of 32,768 bits is the same in all sixteen.
        assert!(all.count_ones() + any.count_zeros() < 8, "{seeds:x?}");
    }
}

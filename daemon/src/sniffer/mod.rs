//! The process that reads packets, without privileges.
//!
//! It runs the engine. What the engine wants done it asks of the runner, its parent, over a socket that
//! is its standard input; its standard output is the recording, if there is one.

mod arrivals;
mod captures;
mod end;
mod host;
mod merge;
mod outbox;
mod panics;
mod recording;
mod ring;
mod runner_socket;
mod sandbox;
mod timeline;

use std::convert::Infallible;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::panic;
use std::path::Path;
use std::time::Duration;

use knock_config::text::Cause;
use knock_config::{Files, Setup};
use knock_engine::{CommandStatus, Doors, Engine, Limits, Listening, MarkId, RunId, Timestamp};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use self::arrivals::Arrivals;
use self::captures::Capture;
use self::end::End;
use self::host::{DecodedPacket, EngineHost};
use self::merge::Merge;
use self::outbox::Outbox;
use self::recording::{Recording, Rotation};
use self::runner_socket::RunnerSocket;
use self::timeline::{before, wait};
use crate::boot_time::{Alarm, BootTime};
use crate::exit::Exit;
use crate::sandbox::forbid_looks;
use crate::wire::{
    CaptureNumber, InvalidOrder, Level, Loss, Message, NewCapture, Order, Task, UsedMoments,
};

/// The name of the process, by which the program knows which process it is.
pub(crate) const NAME: &str = "knockd: sniffer";

/// How many packets of a capture are read before the other captures and the runner have their turn. As
/// many may wait for earlier packets of other captures.
const PACKETS_AT_ONCE: usize = 256;

/// What is due is done this many nanoseconds later: by then every earlier packet can be read, and
/// counts. For the same reason a packet waits this long for earlier ones of other captures.
const GRACE: i64 = 1_000_000;

/// How often losses are counted while packets come.
const LOSSES_EVERY: Duration = Duration::from_secs(1);

/// Runs the process. The reason why it ends goes to the runner. Without a runner, there is no one to
/// report to: standard error leads nowhere.
pub(crate) fn main() -> Exit {
    run().unwrap_or(Exit::Failed)
}

/// Runs until there is a reason to end. `Err` is a reason that could not be sent to the runner.
fn run() -> Result<Exit, End> {
    let failed =
        |error| End::System("cannot use the socket to the process that runs commands", error);
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned().map_err(failed)?);
    let mut outbox = Outbox::new(socket.try_clone().map_err(failed)?);
    let runner = RunnerSocket::new(socket);
    let end = match panics::caught(|| work(runner, &mut outbox)) {
        Ok(Err(end)) => end,
        Err(said) => {
            let text =
                format!("the process that reads packets has a bug, please report it: {said}");
            outbox.text(Level::Error, &text);
            outbox.send_all()?;
            // The status is not that of an end with a reason, so another process takes over.
            panic::resume_unwind(Box::new(said));
        }
    };
    let exit = match &end {
        End::Dismissed => Exit::Done,
        End::Orphaned => return Err(end),
        End::Order(_) | End::Sandbox(_) | End::Configuration | End::System(..) => {
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
    // Before a part of a key comes.
    forbid_looks().map_err(End::Sandbox)?;
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
    captures: Vec<Capture>,
    arrivals: Arrivals,
    /// Packets that must wait, because another capture may have an earlier one.
    merge: Merge<DecodedPacket>,
    /// How many packets captures have dropped that have ended.
    dropped: u64,
    host: EngineHost,
    /// Rings when something is due. A timeout of poll would come late after a suspend.
    alarm: Alarm,
    /// What to report once the filters are up to date.
    settle: Option<u32>,
    /// Outcomes of what the runner did, which the engine gets after the packets that came before them.
    outcomes: Vec<Outcome>,
    /// New doors, which the engine gets after all packets that had arrived by this time.
    reload: Option<NewDoors>,
    /// When losses are counted again.
    losses_due: Timestamp,
}

/// The doors of a reload.
struct NewDoors {
    arrived: Timestamp,
    marks: u64,
    files: Files,
    moments: UsedMoments,
}

/// The outcome of what the engine has asked for.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    Command(RunId, CommandStatus),
    Mark(MarkId, bool),
}

impl<'a> Sniffer<'a> {
    /// Gives up all privileges, and reports that it listens. The captures come with later orders.
    fn new(task: Task, mut runner: RunnerSocket, outbox: &'a mut Outbox) -> Result<Self, End> {
        let failed = |what| move |error| End::System(what, error);
        let doors = doors(task.files, task.moments)?.with_used_periods(task.used);
        let listening = Listening::at(task.addresses).with_ipv4_only(task.ipv4_only);
        let rotation =
            task.record_max.map(|max| Ok(Rotation::new(runner.descriptor()?.into(), max)));
        let rotation = rotation.transpose()?;
        let recording = task.records.then(|| recording_on_output(rotation)).transpose();
        let recording = recording.map_err(failed("cannot write the recording"))?;
        let limits = Limits { hash_seed: seed(), ..Limits::with_attempts(task.max_attempts) };
        let nonblocking = runner.set_nonblocking();
        nonblocking.map_err(failed("cannot use the socket to the process that runs commands"))?;
        let alarm = Alarm::new().map_err(failed("make a timer"))?;
        let sockets = [outbox.as_fd(), runner.as_fd()];
        let files = recording.as_ref().map(Recording::files).unwrap_or_default();
        let shortfalls =
            sandbox::enter(task.becomes, sockets, alarm.as_fd(), &files, task.max_attempts.get());
        for shortfall in shortfalls.map_err(End::Sandbox)? {
            outbox.text(Level::Warning, &shortfall);
        }
        let engine = Engine::new(doors, listening, &limits);
        let mut host = EngineHost::new(engine, recording, task.ipv4_only);
        let losses_due = host.now();
        outbox.want(task.every_line, task.debug);
        outbox.push(&Message::Listening);
        let (captures, merge) = (Vec::new(), Merge::new(PACKETS_AT_ONCE));
        Ok(Self {
            runner,
            outbox,
            captures,
            arrivals: Arrivals::default(),
            merge,
            dropped: 0,
            host,
            alarm,
            settle: None,
            outcomes: Vec::new(),
            reload: None,
            losses_due,
        })
    }

    /// Runs until there is a reason to end.
    fn run(&mut self) -> Result<Infallible, End> {
        // More may have come with the first order.
        self.handle_orders()?;
        loop {
            self.outbox.send()?;
            self.wait()?;
            let now = self.host.now();
            // Orders come first: a packet at a new address may be there already.
            let ended = self.handle_orders();
            self.update_filters();
            // If the runner hangs, the results of packets would fill the memory. The kernel drops and counts
            // those for which it has no room.
            if !self.outbox.is_full() {
                self.read_packets(now);
            }
            self.handle_packets(now);
            self.handle_outcomes();
            ended?;
            self.reload_if_due()?;
            self.update_filters();
            self.report_settled();
            self.count_losses(now);
        }
    }

    /// Waits for a packet, an order, room on a full socket, or for what is due.
    fn wait(&mut self) -> Result<(), End> {
        let reload = self.reload.as_ref().map(|new| new.arrived);
        // Nothing else may come that would have them counted.
        let counts = self.outbox.has_refused().then_some(self.losses_due);
        let due = self.host.deadline().into_iter().chain(self.merge.earliest()).chain(reload);
        let due = due.chain(counts).min();
        // While packets wait for room, time does not go on for the engine.
        let due = due.filter(|_| !self.outbox.is_full());
        let due = due.map(|due| before(due, GRACE.saturating_neg()));
        let timeout = due.map(|due| wait(self.host.now(), due));
        let rings = timeout.map(|timeout| BootTime::now().after(timeout));
        // Without the alarm, poll must end in time.
        let timeout = self.alarm.set(rings).is_err().then_some(timeout).flatten();
        let has_room =
            |capture: &&Capture| self.merge.room(capture.number()) > 0 && !self.outbox.is_full();
        let heard: Vec<&Capture> = self.captures.iter().filter(has_room).collect();
        // Where there is no room for packets, there is nothing to wake up for.
        let pause = self.arrivals.pause().filter(|_| !heard.is_empty());
        let timeout = timeout.into_iter().chain(pause).min();
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, !self.outbox.is_empty());
        let mut wanted = vec![
            PollFd::new(self.runner.as_fd(), events),
            PollFd::new(self.alarm.as_fd(), PollFlags::POLLIN),
        ];
        if pause.is_none() {
            for capture in &heard {
                wanted.push(PollFd::new(capture.as_fd(), PollFlags::POLLIN));
            }
        }
        match ppoll(&mut wanted, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(End::System("cannot wait for packets", error.into())),
        }
        let has_error = |one: &PollFd<'_>| {
            one.revents().is_some_and(|events| events.contains(PollFlags::POLLERR))
        };
        if wanted.iter().skip(2).any(has_error) {
            self.captures.iter().for_each(Capture::take_error);
        }
        Ok(())
    }

    /// Reads the packets that are there, as far as there is room for them.
    fn read_packets(&mut self, now: Timestamp) {
        let Self { captures, arrivals, merge, host, .. } = self;
        let (mut count, mut is_behind) = (0_usize, false);
        for capture in captures {
            let number = capture.number();
            let room = merge.room(number);
            if room == 0 {
                continue;
            }
            let mut last = None;
            let read = capture.read(room, |frame| {
                last = Some(frame.stamp);
                if let Some((at, packet)) = host.decode(frame) {
                    merge.put(number, at, packet);
                }
            });
            count = count.saturating_add(read);
            let is_all = read < room;
            is_behind |= !is_all;
            // While frames keep coming, only the last one read shows how far this capture is.
            let last = last.filter(|_| !is_all).map(|stamp| host.time_of(stamp));
            merge.know(number, last.unwrap_or_else(|| before(now, GRACE)));
        }
        arrivals.add(now, count, is_behind);
    }

    /// Gives the engine the packets that need not wait, in order of time, and what is due by then.
    fn handle_packets(&mut self, now: Timestamp) {
        let Self { outbox, merge, host, .. } = self;
        while let Some((number, at, packet)) = merge.next() {
            host.packet(number, at, packet, outbox);
        }
        // Time goes on without captures, too.
        host.advance(merge.complete().unwrap_or_else(|| before(now, GRACE)), outbox);
        host.flush_recording(outbox);
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
            Order::Capture(new) => return self.begin_capture(new),
            Order::EndCapture(number) => self.end_capture(number),
            Order::Settle(number) => self.settle = Some(number),
            Order::Begin(_) => return Err(End::Order(InvalidOrder)),
            Order::AreYouThere => outbox.push(&Message::Alive),
            Order::ListAttempts => host.list_attempts(outbox),
            Order::CommandEnded { run, status } => {
                self.outcomes.push(Outcome::Command(run, status));
            }
            Order::Marked { mark, is_marked } => {
                self.outcomes.push(Outcome::Mark(mark, is_marked));
            }
            Order::AdmissionLost { door, client } => host.admission_lost(door, client, outbox),
            Order::Addresses(addresses) => host.addresses_changed(addresses, outbox),
            Order::Reload { marks, every_line, files, moments } => {
                outbox.want_every_line(every_line);
                self.reload = Some(NewDoors { arrived: host.now(), marks, files, moments });
            }
        }
        Ok(())
    }

    /// Gives the engine the outcomes. Its time is that of the packets: before these were handled, it may
    /// be long past, and a door would close too early.
    fn handle_outcomes(&mut self) {
        let Self { host, outbox, outcomes, .. } = self;
        for outcome in outcomes.drain(..) {
            match outcome {
                Outcome::Command(run, status) => host.command_ended(run, status, outbox),
                Outcome::Mark(mark, is_marked) => host.marked(mark, is_marked, outbox),
            }
        }
    }

    /// Gives the engine the doors of a reload, if it has the packets that came before.
    fn reload_if_due(&mut self) -> Result<(), End> {
        let Self { host, outbox, reload, .. } = self;
        let Some(NewDoors { marks, files, moments, .. }) =
            reload.take_if(|new| new.arrived <= host.complete())
        else {
            return Ok(());
        };
        if marks == outbox.marks() {
            host.reload(doors(files, moments)?, outbox);
        } else {
            // The runner read the files before it marked the latest sequence: it would be valid again.
            outbox.push(&Message::Stale);
        }
        Ok(())
    }

    /// Begins to read from a socket that the runner has opened. What has arrived since then counts.
    fn begin_capture(&mut self, new: NewCapture) -> Result<(), End> {
        let socket = self.runner.descriptor()?;
        let Self { host, outbox, captures, merge, .. } = self;
        let number = new.number;
        let name = String::from_utf8_lossy(&new.name).into_owned();
        match Capture::new(new, socket) {
            Ok(mut capture) => {
                let (doors, listening) = host.listens_for();
                capture.listen_for(doors, listening);
                host.capture_begun(&capture);
                merge.add(number, before(host.now(), GRACE));
                captures.push(capture);
            }
            Err(error) => {
                let text = format!("cannot read packets of {name}: {}", Cause(&error));
                outbox.text(Level::Warning, &text);
                outbox.push(&Message::CaptureFailed(number));
            }
        }
        Ok(())
    }

    /// Ends a capture, after the packets that have arrived so far.
    fn end_capture(&mut self, number: CaptureNumber) {
        let Self { host, captures, merge, dropped, .. } = self;
        let Some(place) = captures.iter().position(|one| one.number() == number) else { return };
        let mut capture = captures.remove(place);
        capture.read(capture.places(), |frame| {
            if let Some((at, packet)) = host.decode(frame) {
                merge.put(number, at, packet);
            }
        });
        *dropped = dropped.saturating_add(capture.dropped());
        host.capture_ended(number);
        merge.end(number);
    }

    /// Has the kernel filter for the present doors and addresses.
    fn update_filters(&mut self) {
        let Self { host, captures, .. } = self;
        if let Some((doors, listening)) = host.filter_change() {
            for capture in captures {
                capture.listen_for(doors, listening);
            }
        }
    }

    /// Reports that all orders so far were taken, and that the filters are up to date.
    fn report_settled(&mut self) {
        if let Some(number) = self.settle.take() {
            self.outbox.push(&Message::Settled(number));
        }
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
        let dropped: u64 = self.captures.iter_mut().map(Capture::dropped).sum();
        self.outbox.lost(Loss::Packets, dropped.saturating_add(self.dropped));
        for (loss, count) in self.host.losses() {
            self.outbox.lost(loss, count);
        }
        self.outbox.refused();
    }

    /// Writes what is left of the recording, and sends the last losses.
    fn finish(&mut self) {
        self.host.flush_recording(self.outbox);
        self.send_losses();
    }
}

/// Returns the doors of a configuration that the runner has checked.
fn doors(files: Files, moments: UsedMoments) -> Result<Doors, End> {
    let setup = Setup::parse(Path::new("knockd.conf"), files);
    let config = setup.config.ok_or(End::Configuration)?;
    let doors = knock_config::doors(&config).map_err(|_| End::Configuration)?;
    Ok(doors.with_used_moments(moments.floor, moments.used))
}

fn recording_on_output(rotation: Option<Rotation>) -> io::Result<Recording> {
    Ok(Recording::new(File::from(io::stdout().as_fd().try_clone_to_owned()?), rotation))
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

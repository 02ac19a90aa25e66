//! The process that reads packets, without privileges.
//!
//! It holds the engine. What the engine wants done it asks of the runner, its parent, over a socket
//! that is its standard input; its standard output is the recording, if there is one.

mod captures;
mod outbox;
mod recording;
mod sandbox;
mod timeline;

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use knock_engine::{
    Doors, Effect, Engine, Event, Limits, LinkType, Listening, Packet, Rules, Timestamp, filter,
};
use knock_setup::text::Cause;
use knock_setup::{Files, Setup};
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use self::captures::{CaptureError, Interface};
use self::outbox::Outbox;
use self::recording::{Described, Recording};
use self::sandbox::SandboxError;
use self::timeline::{Clocks, Timeline, before, wait};
use crate::exit::Exit;
use crate::wire::{Gravity, Loss, NotAnOrder, Order, OrderReader, Report, Sighting, Task};

/// What the process is called, and how the program knows that it is to be this process.
pub(crate) const NAME: &str = "knockd: sniffer";

/// How many packets of an interface are handled before the runner and the other interfaces are looked
/// at again.
const PACKETS_AT_ONCE: usize = 256;

/// What is due at a moment is done this many nanoseconds later: by then every packet from before that
/// moment can be read, and counts.
const GRACE: i64 = 1_000_000;

/// How often losses are looked for while packets come.
const LOSSES_EVERY: Duration = Duration::from_secs(1);

/// Why the sniffer ends.
#[derive(Debug)]
enum End {
    /// The runner wants no more.
    Dismissed,
    /// The runner is gone.
    Orphaned,
    /// The runner cannot be understood.
    Order(NotAnOrder),
    /// An interface cannot be listened on, or not any more.
    Capture(CaptureError),
    /// It could not give up its privileges.
    Sandbox(SandboxError),
    /// The configuration, which the runner has found sound, is not.
    Configuration,
    /// The system refused something that it never should.
    System(&'static str, io::Error),
}

impl fmt::Display for End {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dismissed => out.write_str("it is not needed any more"),
            Self::Orphaned => {
                out.write_str("the process that runs commands has ended, so this one ends, too")
            }
            Self::Order(error) => error.fmt(out),
            Self::Capture(error) => error.fmt(out),
            Self::Sandbox(error) => error.fmt(out),
            Self::Configuration => {
                out.write_str("the configuration is not the one that was checked")
            }
            Self::System(what, error) => write!(out, "{what}: {}", Cause(error)),
        }
    }
}

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

/// The other end of the socket.
struct Runner {
    socket: UnixStream,
    orders: OrderReader,
}

impl Runner {
    /// Waits for an order.
    fn wait(&mut self) -> Result<Order, End> {
        loop {
            if let Some(order) = self.orders.next().map_err(End::Order)? {
                return Ok(order);
            }
            self.read()?;
        }
    }

    /// Reads what is there.
    fn read(&mut self) -> Result<(), End> {
        let mut bytes = [0; 4096];
        match self.socket.read(&mut bytes) {
            Ok(0) => Err(End::Dismissed),
            Ok(length) => {
                self.orders.push(bytes.get(..length).unwrap_or_default());
                Ok(())
            }
            Err(error) if is_momentary(&error) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Err(End::Orphaned),
            Err(error) => Err(End::System("cannot read from the runner", error)),
        }
    }
}

fn is_momentary(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The process at work.
struct Sniffer<'a> {
    runner: Runner,
    outbox: &'a mut Outbox,
    interfaces: Vec<Interface>,
    ear: Ear,
    ipv4_only: bool,
    /// When losses are looked for again.
    losses_due: Timestamp,
}

/// What hears packets: the engine and what is around it.
struct Ear {
    engine: Engine,
    timeline: Timeline,
    /// The last moment that the engine was told of.
    last: Timestamp,
    /// The last moment up to which all packets are heard.
    complete: Timestamp,
    debug: bool,
    recording: Option<Recording>,
    /// Whether the doors hear other knocks than the kernel's filter was made for.
    changed: bool,
    /// How many one-time sequences were used since the filter was made.
    used_sequences: usize,
    /// Whether the last reload was refused.
    refused: bool,
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
        let engine = Engine::new(doors, listening, Rules::Knock, &limits);
        let mut timeline = Timeline::new(Clocks::look());
        let now = timeline.now(Clocks::look());
        outbox.want(task.every_line, task.debug);
        let nonblocking = runner.socket.set_nonblocking(true);
        nonblocking.map_err(|error| End::System("cannot use the socket to the runner", error))?;
        for shortfall in sandbox::enter(task.becomes).map_err(End::Sandbox)? {
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
        Ok(Self { runner, outbox, interfaces, ear, ipv4_only: task.ipv4_only, losses_due: now })
    }

    /// Listens until there is a reason to end.
    fn listen(&mut self) -> Result<Infallible, End> {
        loop {
            self.outbox.send()?;
            self.wait()?;
            let now = self.ear.timeline.now(Clocks::look());
            if self.hear()? {
                self.ear.let_time_run(before(now, GRACE), self.outbox);
            }
            self.obey()?;
            self.follow_doors()?;
            self.look_for_losses(now);
        }
    }

    /// Waits for a packet, an order, room on a full socket, or for what is due.
    fn wait(&mut self) -> Result<(), End> {
        let timeout = self.ear.engine.poll_deadline().map(|deadline| {
            let due = before(deadline.at, GRACE.saturating_neg());
            wait(self.ear.timeline.now(Clocks::look()), due)
        });
        let mut events = PollFlags::POLLIN;
        events.set(PollFlags::POLLOUT, !self.outbox.is_empty());
        let mut wanted = vec![PollFd::new(self.runner.socket.as_fd(), events)];
        for interface in &self.interfaces {
            wanted.push(PollFd::new(interface.as_fd(), PollFlags::POLLIN));
        }
        match ppoll(&mut wanted, timeout.map(TimeSpec::from_duration), None) {
            Ok(_) | Err(nix::Error::EINTR) => Ok(()),
            Err(error) => Err(End::System("cannot wait", error.into())),
        }
    }

    /// Hears what packets are there. Returns whether those were all.
    fn hear(&mut self) -> Result<bool, End> {
        let Self { outbox, interfaces, ear, .. } = self;
        let mut all_read = true;
        for (place, interface) in interfaces.iter_mut().enumerate() {
            let read = interface.read(PACKETS_AT_ONCE, |link, stamp, length, captured| {
                ear.frame(Frame { place, link, stamp, length, captured }, outbox);
            });
            all_read &= read.map_err(End::Capture)? < PACKETS_AT_ONCE;
        }
        if let Some(recording) = &mut ear.recording
            && all_read
        {
            recording.flush();
        }
        Ok(all_read)
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
                Order::Reload(files) => self.ear.reload(now, doors(files)?, self.outbox),
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
        self.outbox.lost(Loss::Openings, counts.forgotten_openings);
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

/// A frame as it came.
#[derive(Clone, Copy)]
struct Frame<'a> {
    /// The place of its interface among all.
    place: usize,
    link: LinkType,
    /// Nanoseconds since the epoch, by the clock of the machine.
    stamp: i64,
    /// How long it was on the wire.
    length: u32,
    captured: &'a [u8],
}

impl Ear {
    fn frame(&mut self, frame: Frame<'_>, outbox: &mut Outbox) {
        let Ok(packet) = self.engine.decode(frame.link, frame.captured) else { return };
        let at = self.timeline.packet(frame.stamp, Clocks::look).max(self.last);
        if (self.recording.is_some() || self.debug)
            && self.engine.doors().admit(self.engine.listening(), &packet)
        {
            self.note(&packet, at, &frame, outbox);
        }
        self.tell(at, Event::Packet(packet), outbox);
    }

    /// Keeps and tells of a packet that counts.
    fn note(&mut self, packet: &Packet, at: Timestamp, frame: &Frame<'_>, outbox: &mut Outbox) {
        if let Some(recording) = &mut self.recording {
            recording.packet(frame.place, at, frame.length, frame.captured);
        }
        if self.debug {
            outbox.put(&Report::Sighting(Sighting {
                source: packet.source,
                destination: packet.destination,
                source_port: packet.source_port,
                knock: packet.knock(),
                length: frame.length,
            }));
        }
    }

    fn tell(&mut self, at: Timestamp, event: Event, outbox: &mut Outbox) {
        self.last = self.last.max(at);
        self.engine.handle(self.last, event);
        while let Some(timed) = self.engine.poll_effect() {
            if matches!(timed.effect, Effect::MarkOneTime { .. }) {
                self.used_sequences = self.used_sequences.saturating_add(1);
                // While a filter is changed packets are lost, so it knows some sequences ahead.
                self.changed |= self.used_sequences >= filter::ONE_TIME_LINES / 2;
            }
            self.refused |= timed.effect == Effect::ReloadRefused;
            outbox.effect(timed.effect);
        }
    }

    /// Does what is due by a moment up to which all packets are heard.
    fn let_time_run(&mut self, complete: Timestamp, outbox: &mut Outbox) {
        self.complete = complete;
        if self.engine.poll_deadline().is_some_and(|deadline| deadline.at <= complete) {
            self.tell(complete, Event::DeadlineReached, outbox);
        }
    }

    fn reload(&mut self, at: Timestamp, doors: Doors, outbox: &mut Outbox) {
        self.refused = false;
        self.tell(at, Event::Reloaded(Box::new(doors)), outbox);
        if !self.refused {
            let ids = self.engine.doors().in_order();
            let ids = ids.map(|(id, _)| u16::try_from(id.index()).unwrap_or(u16::MAX)).collect();
            outbox.put(&Report::Adopted(ids));
            self.changed = true;
        }
    }
}

/// Returns the doors of a configuration that the runner has found sound.
fn doors(files: Files) -> Result<Doors, End> {
    let setup = Setup::parse(Path::new("knockd.conf"), files);
    let config = setup.config.ok_or(End::Configuration)?;
    knock_setup::doors(&config).map_err(|_| End::Configuration)
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

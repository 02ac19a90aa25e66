//! The process with privileges: it runs commands, marks one-time sequences and writes the logs.
//!
//! It never sees a packet. It checks every message of the sniffer against the configuration that it has
//! read itself: a sniffer that was taken over can ask for the commands of that configuration, with any
//! client's address, and for nothing else.

mod attempts;
mod clock;
mod closing;
mod command_events;
mod command_output;
mod commands;
mod confinement;
mod control;
mod end;
mod firewall;
mod heartbeat;
mod interfaces;
mod lease_store;
mod leases;
mod left_open;
mod lookup;
mod losses;
mod marking;
mod messages;
mod notify;
mod one_time;
mod orphans;
mod output;
mod recent;
mod recording;
mod refused;
mod reload;
mod remember;
mod replacement;
mod resolver_process;
mod sandbox;
mod service_status;
mod signals;
mod sniffer_process;
mod start;
mod starter;
mod totals;
mod used;

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Instant;

use knock_config::Files;
use knock_engine::Doors;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;

use self::attempts::AttemptList;
use self::clock::Clock;
use self::commands::Commands;
use self::control::ControlServer;
use self::end::State;
use self::firewall::{Admissions, Gate};
pub(crate) use self::firewall::{nft_text, unused};
use self::heartbeat::Heartbeat;
use self::interfaces::Interfaces;
pub(crate) use self::interfaces::missing;
use self::lease_store::LeaseStore;
use self::leases::Leases;
use self::losses::Losses;
pub(crate) use self::marking::check_writable;
use self::notify::Notifier;
use self::one_time::OneTime;
use self::output::Output;
pub(crate) use self::recording::old as old_recording;
use self::reload::Reload;
use self::remember::Unwritten;
use self::replacement::Replacement;
use self::resolver_process::ResolverProcess;
use self::service_status::ServiceStatus;
use self::signals::Signals;
use self::sniffer_process::SnifferProcess;
use self::start::{Failure, failure};
pub(crate) use self::start::{PIPE_MAX, lack_of_doors, load, print_stderr, style};
use self::starter::Starter;
use self::totals::Totals;
use self::used::Used;
use crate::args::Args;
use crate::boot_time::{Alarm, BootTime};
use crate::daemonize::{self, Side, Waiting};
use crate::exit::Exit;
use crate::files;
use crate::links::Watch;
use crate::pid_file::PidFile;
use crate::sandbox::forbid_looks;
use crate::settings::Settings;

/// The state of the process.
struct Runner {
    args: Args,
    /// The configuration file.
    path: PathBuf,
    settings: Settings,
    /// The doors, with the same ids as in the engine.
    doors: Doors,
    one_time: OneTime,
    /// The derived sequences that were used.
    used: Used,
    /// How many one-time sequences the sniffer has asked to mark as used.
    marks: u64,
    leases: Leases,
    /// Who is let in by the kernel.
    admissions: Admissions,
    /// The firewall; `None` if the configuration has none.
    gate: Option<Gate>,
    /// Rings when a door is to be closed that the engine has not asked for.
    alarm: Alarm,
    /// The leases on disk.
    store: LeaseStore,
    /// The commands that wait until the file has what they are about to do.
    unwritten: Unwritten,
    /// The leases that opened though they could not be written.
    unremembered: BTreeSet<u64>,
    /// Whether the end leaves doors open for the next start.
    keeps_doors: bool,
    clock: Clock,
    commands: Commands,
    /// The control socket; `None` if it cannot be made.
    control: Option<ControlServer>,
    output: Output,
    sniffer: SnifferProcess,
    starter: Starter,
    heartbeat: Heartbeat,
    attempts: AttemptList,
    replacement: Replacement,
    /// With `--lookup` only.
    resolver: Option<ResolverProcess>,
    /// The files of the present configuration, for a new sniffer.
    files: Files,
    signals: Signals,
    watch: Watch,
    interfaces: Interfaces,
    /// The local addresses that were last sent to the sniffer.
    local: BTreeSet<IpAddr>,
    /// The pid file; removed when dropped.
    pid_file: Option<PidFile>,
    /// The caller that waits until the daemon listens.
    waiting: Option<Waiting>,
    /// The service manager.
    notify: Notifier,
    service_status: ServiceStatus,
    reload: Reload,
    losses: Losses,
    totals: Totals,
    started: Instant,
    state: State,
    /// Whether the daemon has ever listened.
    has_listened: bool,
    /// From this time on, a signal means to exit at once.
    hurried_from: Option<Instant>,
    /// The exit status.
    exit: Exit,
}

/// Runs the daemon. If it does not start, it closes the doors that were left open.
pub(crate) fn main(args: &Args) -> Exit {
    if let Err(error) = crate::signals::hold() {
        return refuse(&format_args!("cannot block signals: {error}"));
    }
    // Before a key is read.
    if let Err(error) = forbid_looks() {
        return refuse(&error);
    }
    match start(args) {
        Ok(Started::Daemon(runner)) => runner.work(),
        Ok(Started::Ended(exit)) => exit,
        Err(why) => fail(args, &why),
    }
}

/// Reports why the daemon does not start, and closes the doors that were left open.
fn fail(args: &Args, Failure { text, exit }: &Failure) -> Exit {
    print_stderr(text);
    left_open::close_all(args);
    *exit
}

/// Which process this is now.
enum Started {
    Daemon(Box<Runner>),
    /// The caller, after the daemon has started; or the daemon, if it could not.
    Ended(Exit),
}

fn start(args: &Args) -> Result<Started, Failure> {
    // The daemon keeps the caller's directory, but messages should have the whole path.
    let path = std::path::absolute(&args.config).unwrap_or_else(|_| args.config.clone());
    let (loaded, warnings) = load(&args.config, PIPE_MAX, style(), args).map_err(Failure::from)?;
    print_stderr(&warnings);
    let settings = Settings::new(args, &loaded.config.options).map_err(|why| failure(&why))?;
    check_writable(&loaded.config, args.modes()).map_err(|why| failure(&why))?;
    files::check(args, &loaded.config).map_err(|why| failure(&why))?;
    let waiting = if args.daemon {
        match daemonize::fork_off() {
            Ok(Side::Caller(exit)) => return Ok(Started::Ended(exit)),
            Ok(Side::Daemon(waiting)) => Some(waiting),
            Err(why) => return Err(failure(&format_args!("cannot become a daemon: {why}"))),
        }
    } else {
        None
    };
    Ok(match Runner::begin(args, path, settings, loaded) {
        Ok(runner) => Started::Daemon(Box::new(Runner { waiting, ..runner })),
        // Until all doors are closed, the caller waits.
        Err(why) => Started::Ended(fail(args, &why)),
    })
}

/// Prints why the daemon does not start.
pub(crate) fn refuse(why: &dyn fmt::Display) -> Exit {
    print_stderr(&format!("knockd: error: {why}\n"));
    Exit::Failed
}

impl Runner {
    /// Runs until the end.
    fn work(mut self) -> Exit {
        let mut events = Vec::new();
        loop {
            self.wait();
            self.take_signals();
            self.take_messages();
            self.take_starter_news();
            self.beat();
            self.replace_if_due();
            self.take_changes();
            self.take_store_events();
            self.take_firewall_changes();
            let Self { commands, sniffer, starter, resolver, .. } = &mut self;
            let mut is_other = |id| {
                sniffer.collect(id)
                    || starter.collect(id)
                    || resolver.as_mut().is_some_and(|one| one.collect(id))
            };
            commands.reap(&mut is_other, &mut events);
            self.replace_resolver();
            self.commands.listen(&mut events);
            self.commands.watch(&mut events);
            for one in events.drain(..) {
                self.command_event(one);
            }
            self.close_due();
            self.end_admissions();
            self.take_calls();
            self.output.tick();
            self.say_status();
            if self.continue_ending() {
                break;
            }
            if self.sniffer.takes_work() {
                self.heartbeat.has_work();
            }
            self.sniffer.send();
        }
        self.finish()
    }

    /// Waits until something happens or is due.
    fn wait(&mut self) {
        let due = self.commands.watch_due().into_iter().chain(self.state.deadline());
        let due = due.chain(self.losses.due()).chain(self.interfaces.retry());
        let beat = self.heartbeat.due().filter(|_| !matches!(self.state, State::Starting));
        let due = due.chain(self.replacement.due()).chain(beat);
        let look = self.gate.as_ref().and_then(Gate::due);
        let due = due.chain(self.resolver.as_ref().and_then(ResolverProcess::due));
        let due = due.chain(self.unwritten_due()).chain(look).chain(self.output.due());
        let due = due.chain(self.status_due()).min();
        let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
        let closing = self.next_closing().into_iter().chain(self.next_admission_end()).min();
        // Without the alarm, poll must end in time.
        let late = self.alarm.set(closing).is_err().then(|| closing.map(BootTime::left)).flatten();
        let timeout = timeout.into_iter().chain(late).min();
        let mut wanted = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.watch.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.alarm.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.store.as_fd(), PollFlags::POLLIN),
        ];
        if let Some(gate) = &self.gate {
            wanted.push(PollFd::new(gate.watch().as_fd(), PollFlags::POLLIN));
        }
        wanted.extend(self.starter.wanted().map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        if let Some((socket, events)) = self.sniffer.wanted() {
            wanted.push(PollFd::new(socket, events));
        }
        if let Some(control) = &self.control {
            let sockets = control.wanted(self.output.recent());
            wanted.extend(sockets.map(|(socket, events)| PollFd::new(socket, events)));
        }
        let outputs = self.commands.outputs();
        wanted.extend(outputs.map(|output| PollFd::new(output, PollFlags::POLLIN)));
        let others = wanted.len();
        if self.heartbeat.awaits_packets() && matches!(self.state, State::Listening) {
            let sockets = self.interfaces.sockets();
            wanted.extend(sockets.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        }
        // Even after an error, the loop looks at everything.
        let _ = ppoll(&mut wanted, timeout.map(TimeSpec::from_duration), None);
        // A packet is no longer there if the process that reads packets was faster.
        if wanted.iter().skip(others).any(|socket| socket.any() == Some(true)) {
            self.heartbeat.has_work();
        }
    }
}

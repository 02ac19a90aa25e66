//! The process that keeps its privileges: it runs commands, marks one-time sequences and writes lines.
//!
//! It never sees a packet. It believes nothing that the sniffer says but what can be true of the
//! configuration that it has read itself: a broken sniffer can ask for the commands of that
//! configuration with an address in them, and for nothing else.

mod command_events;
mod command_output;
mod commands;
mod end;
mod lease_file;
mod leases;
mod left_open;
mod lookup;
mod losses;
mod messages;
mod one_time;
mod output;
mod reload;
mod sniffer_process;
mod start;

use std::fmt;
use std::net::IpAddr;
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::time::Instant;

use knock_engine::Doors;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;
use nix::sys::time::TimeSpec;

use self::commands::Commands;
use self::end::State;
use self::lease_file::LeaseFile;
use self::leases::Leases;
use self::losses::Losses;
use self::one_time::OneTime;
pub(crate) use self::one_time::check_writable;
use self::output::{Kind, Output};
use self::reload::Reload;
use self::sniffer_process::SnifferProcess;
use self::start::{Failure, load};
pub(crate) use self::start::{say, style};
use crate::addresses::{self, Watch};
use crate::args::Args;
use crate::daemonize::{self, Side, Waiting};
use crate::exit::Exit;
use crate::pid_file::PidFile;
use crate::settings::Settings;
use crate::wire::Order;

/// The process at work.
struct Runner {
    args: Args,
    /// The configuration file.
    path: PathBuf,
    settings: Settings,
    /// The doors, with the ids that the engine has given them.
    doors: Doors,
    one_time: OneTime,
    /// How many marks of one-time sequences the sniffer has asked for.
    marks: u64,
    leases: Leases,
    /// Where open doors are remembered.
    lease_file: Option<LeaseFile>,
    commands: Commands,
    output: Output,
    sniffer: SnifferProcess,
    signals: SignalFd,
    watch: Watch,
    /// The local addresses that the sniffer was told of last.
    local: Vec<IpAddr>,
    /// Removed at the end.
    pid_file: Option<PidFile>,
    /// Who waits until this is at work.
    waiting: Option<Waiting>,
    reload: Reload,
    losses: Losses,
    state: State,
    /// Whether the sniffer has listened.
    has_listened: bool,
    /// From when on a signal says that there is no time.
    hurried_from: Option<Instant>,
    /// How to end.
    exit: Exit,
}

/// Runs the daemon.
pub(crate) fn main(args: &Args) -> Exit {
    // The caller's folder is this daemon's as well, but a name in a message should be a whole one.
    let path = std::path::absolute(&args.config).unwrap_or_else(|_| args.config.clone());
    let loaded = match load(&args.config, style()) {
        Ok((loaded, warnings)) => {
            say(&warnings);
            loaded
        }
        Err(errors) => {
            say(&errors);
            return Exit::Failed;
        }
    };
    let settings = match Settings::new(args, &loaded.config.options) {
        Ok(settings) => settings,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = check_writable(&loaded.config) {
        return refuse(&error);
    }
    let waiting = if args.daemon {
        match daemonize::fork_off() {
            Ok(Side::Caller(exit)) => return exit,
            Ok(Side::Daemon(waiting)) => Some(waiting),
            Err(error) => {
                return refuse(&format_args!("cannot become a daemon: {error}"));
            }
        }
    } else {
        None
    };
    match Runner::begin(args, path, settings, loaded) {
        Ok(runner) => Runner { waiting, ..runner }.work(),
        Err(Failure(why)) => refuse(&why),
    }
}

/// Says why the daemon does not begin.
pub(crate) fn refuse(why: &dyn fmt::Display) -> Exit {
    say(&format!("knockd: error: {why}\n"));
    Exit::Failed
}

impl Runner {
    /// Works until there is an end.
    fn work(mut self) -> Exit {
        let mut events = Vec::new();
        loop {
            self.wait();
            self.take_signals();
            self.take_messages();
            self.take_addresses();
            self.commands.reap(&mut events);
            self.commands.listen(&mut events);
            self.commands.watch(&mut events);
            for one in events.drain(..) {
                self.command_event(one);
            }
            if self.continue_ending() {
                break;
            }
            self.sniffer.send();
        }
        self.finish()
    }

    /// Waits until something happens, or is due.
    fn wait(&mut self) {
        let due = self.commands.watch_due().into_iter().chain(self.state.deadline());
        let due = due.chain(self.losses.due()).min();
        let timeout = due.map(|due| due.saturating_duration_since(Instant::now()));
        let mut wanted = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.watch.as_fd(), PollFlags::POLLIN),
        ];
        if let Some((socket, events)) = self.sniffer.wanted(self.reads_sniffer()) {
            wanted.push(PollFd::new(socket, events));
        }
        let outputs = self.commands.outputs();
        wanted.extend(outputs.map(|output| PollFd::new(output, PollFlags::POLLIN)));
        // Interrupted or not, all is looked at.
        let _ = ppoll(&mut wanted, timeout.map(TimeSpec::from_duration), None);
    }

    fn take_signals(&mut self) {
        while let Ok(Some(signal)) = self.signals.read_signal() {
            let number = i32::try_from(signal.ssi_signo).unwrap_or(0);
            match Signal::try_from(number) {
                Ok(Signal::SIGHUP) => self.reload(),
                Ok(Signal::SIGTERM | Signal::SIGINT) => self.end_by_signal(),
                // Commands are looked after whatever woke this up.
                _ => {}
            }
        }
    }

    /// Tells the sniffer if the addresses are others by now.
    fn take_addresses(&mut self) {
        if !self.watch.take() {
            return;
        }
        match addresses::local(&self.settings.interfaces) {
            Ok(local) if local != self.local => {
                self.local.clone_from(&local);
                self.sniffer.queue(&Order::Addresses(local));
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("cannot read the addresses of this machine: {error}");
                self.output.text(Kind::Notice, text);
            }
        }
    }
}

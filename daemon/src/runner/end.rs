//! The end of the daemon: all doors are closed.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use knock_config::OnStop;
use nix::sys::signal::Signal;

use super::closing::stop_of;
use super::heartbeat::Heartbeat;
use super::leases::Lease;
use super::notify::Notifier;
use super::output::Kind;
use super::{Exit, Runner};

/// How long the sniffer may take to send its last messages and end.
const SNIFFER_MAX: Duration = Duration::from_secs(2);

/// How long after the first signal a second one means to exit at once.
const SECOND_SIGNAL_MIN: Duration = Duration::from_secs(1);

/// How long start commands may take to end by themselves. The stop commands of their doors wait for them.
const STARTS_MAX: Duration = Duration::from_secs(5);

/// How long the end may take without a door that is closed. A service manager usually waits 90 seconds.
const PROGRESS_MAX: Duration = Duration::from_mins(1);

/// How much time must pass before progress gives more time again.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Where the daemon is between its start and its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// The sniffer does not listen yet.
    Starting,
    Listening,
    Ending(Ending),
}

/// The steps of the end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// The sniffer was asked to end, and is killed at this time.
    Sniffer(Instant),
    /// The doors are being closed. If none can be closed until this time, commands are killed.
    Doors(Instant),
    /// The commands were killed. At this time the daemon exits even if some have not ended.
    GivenUp(Instant),
}

impl State {
    /// Returns when the present step ends at the latest.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Starting | Self::Listening => None,
            Self::Ending(Ending::Sniffer(at) | Ending::Doors(at) | Ending::GivenUp(at)) => {
                Some(*at)
            }
        }
    }
}

impl Runner {
    /// Logs that the daemon listens, and lets a waiting caller go on.
    pub(super) fn begin_work(&mut self) {
        if !matches!(self.state, State::Starting) {
            return;
        }
        self.state = State::Listening;
        self.heartbeat = Heartbeat::new(Instant::now(), self.notify.watchdog());
        self.has_listened = true;
        if let Some(waiting) = self.waiting.take() {
            // Warnings so far belong on the terminal, which is closed next.
            self.output.flush();
            if let Err(error) = waiting.dismiss() {
                let text = format!("knockd: error: cannot detach from the terminal: {error}");
                self.output.text(Kind::Notice, text);
                self.end(Exit::Failed);
            }
        }
        let listened_on = self.interfaces.listened_on();
        let state = if listened_on.is_empty() {
            format!("waiting for {}", self.interfaces.awaited().join(", "))
        } else {
            format!("listening on {}", listened_on.join(", "))
        };
        self.output.text(Kind::Aside, format!("{state}..."));
        self.output.text(Kind::Logged, format!("starting up, {state}"));
        self.say_firewall();
        // With a reload that waits, it is ready when that is done.
        if !self.is_reload_early() {
            self.tell(Notifier::ready);
        }
        self.reload_if_early();
    }

    /// Handles a signal to end. A second one, some time later, means to exit without closing doors. The
    /// time between matters because some programs send two signals at once.
    pub(super) fn end_by_signal(&mut self) {
        match self.state {
            State::Starting | State::Listening => {
                self.hurried_from = Instant::now().checked_add(SECOND_SIGNAL_MIN);
                self.keeps_doors = self.settings.on_stop == OnStop::Keep;
                self.end(Exit::Done);
            }
            State::Ending(Ending::GivenUp(_)) => {}
            State::Ending(Ending::Sniffer(_) | Ending::Doors(_)) => {
                // If the end began without a signal, this is the first one.
                let soon = Instant::now().checked_add(SECOND_SIGNAL_MIN);
                if self.hurried_from.or(soon).is_some_and(|from| Instant::now() >= from) {
                    let text = "knockd: warning: exiting at once, because of a second signal";
                    self.output.text(Kind::Notice, text);
                    self.give_up();
                } else if self.hurried_from.is_none() {
                    self.hurried_from = soon;
                }
            }
        }
    }

    /// Begins the end.
    pub(super) fn end(&mut self, exit: Exit) {
        if exit != Exit::Done {
            self.exit = exit;
        }
        if matches!(self.state, State::Ending(_)) {
            return;
        }
        self.tell(Notifier::stopping);
        if let Some(pid_file) = &self.pid_file {
            pid_file.say_ending();
        }
        self.sniffer.dismiss();
        let by = Instant::now().checked_add(SNIFFER_MAX).unwrap_or_else(Instant::now);
        self.state = State::Ending(Ending::Sniffer(by));
    }

    /// Begins the end because the sniffer has ended by itself.
    pub(super) fn end_without_sniffer(
        &mut self,
        status: io::Result<ExitStatus>,
        has_said_why: bool,
    ) {
        if !has_said_why {
            let how = status.map_or_else(|error| error.to_string(), ended_how);
            let text = format!(
                "knockd: error: the process that reads packets has died ({how}); closing all doors and \
                 exiting"
            );
            self.output.text(Kind::Notice, text);
        }
        self.end(Exit::Failed);
    }

    /// Begins the end because the sniffer has sent something impossible.
    pub(super) fn end_with_broken_sniffer(&mut self, why: &dyn fmt::Display) {
        let text = format!(
            "knockd: error: the process that reads packets is broken or was taken over ({why}); closing \
             all doors and exiting"
        );
        self.output.text(Kind::Notice, text);
        self.sniffer.kill();
        self.end(Exit::Failed);
    }

    /// Goes to the next step of the end, if it is time. Returns whether the end is complete.
    pub(super) fn continue_ending(&mut self) -> bool {
        let State::Ending(ending) = self.state else { return false };
        match ending {
            Ending::Sniffer(by) => {
                if !self.sniffer.has_ended() && Instant::now() < by {
                    return false;
                }
                self.sniffer.kill();
                self.close_doors();
                let by = Instant::now().checked_add(PROGRESS_MAX).unwrap_or_else(Instant::now);
                self.state = State::Ending(Ending::Doors(by));
                self.is_closed()
            }
            Ending::Doors(by) => {
                if Instant::now() >= by {
                    let text = "knockd: error: no door could be closed for 60 seconds; killing the \
                                commands that run, and exiting";
                    self.output.text(Kind::Notice, text);
                    self.give_up();
                }
                self.is_closed()
            }
            Ending::GivenUp(by) => self.commands.len() == 0 || Instant::now() >= by,
        }
    }

    /// Returns whether no command runs or waits, and none is tried again.
    fn is_closed(&self) -> bool {
        self.commands.len() == 0
            && self.unwritten.closings.is_empty()
            && self.next_closing().is_none()
    }

    /// Runs the stop command of every open door.
    fn close_doors(&mut self) {
        self.withdraw_unwritten();
        for start in self.commands.withdraw_starts() {
            if let Some(number) = start.lease {
                self.withdraw(number);
            }
        }
        let closing = if self.keeps_doors {
            // Nobody would ever close these.
            let Self { leases, unremembered, .. } = self;
            leases.close_where(|lease| unremembered.contains(&lease.number))
        } else {
            self.leases.close_all()
        };
        if !self.keeps_doors {
            self.end_admissions_where(|_| true);
        }
        let requests: Vec<_> = closing.iter().map(stop_of).collect();
        self.submit(requests);
        if let Some(at) = Instant::now().checked_add(STARTS_MAX) {
            self.commands.end_starts_at(at);
        }
        if self.commands.len() > 0 || !self.unwritten.closings.is_empty() {
            self.output.text(Kind::Aside, "waiting for child processes...");
        }
    }

    /// Kills all commands, and reports the doors that stay open.
    fn give_up(&mut self) {
        self.exit = Exit::Failed;
        self.sniffer.kill();
        // A stop command that was killed may not have closed its door.
        self.commands.kill_all();
        for start in self.commands.withdraw_starts() {
            if let Some(number) = start.lease {
                self.withdraw(number);
            }
        }
        self.commands.withdraw_waiting();
        self.unwritten.closings.clear();
        let open: Vec<Lease> = self.leases.iter().cloned().collect();
        for lease in open {
            self.report_open_door(&lease);
        }
        let now = Instant::now();
        self.state = State::Ending(Ending::GivenUp(now.checked_add(SNIFFER_MAX).unwrap_or(now)));
    }

    /// Notes that a door was closed: at the end, the others get more time.
    pub(super) fn note_progress(&mut self) {
        let State::Ending(Ending::Doors(by)) = &mut self.state else { return };
        let later = Instant::now().checked_add(PROGRESS_MAX).unwrap_or(*by);
        // Not after each of thousands of doors.
        if later.saturating_duration_since(*by) >= PROGRESS_EVERY {
            *by = later;
            self.tell(|manager| manager.extend(PROGRESS_MAX.saturating_add(PROGRESS_EVERY)));
        }
    }

    /// Says which doors are left to the next start.
    fn say_kept(&mut self) {
        let kept = self.leases.iter().count();
        let admitted = self.admissions.len();
        if self.keeps_doors && admitted > 0 {
            let text =
                format!("{admitted} admissions stay until the kernel ends them (OnStop = keep)");
            self.output.text(Kind::Opening, text);
        }
        if self.keeps_doors && kept > 0 && !matches!(self.state, State::Ending(Ending::GivenUp(_)))
        {
            let (doors, them) = match kept {
                1 => ("1 door stays".to_owned(), "it"),
                _ => (format!("{kept} doors stay"), "them"),
            };
            let text = format!(
                "{doors} open until the next start of knockd closes {them} (OnStop = keep)"
            );
            self.output.text(Kind::Opening, text);
        }
    }

    /// Logs the end, and returns the exit status.
    pub(super) fn finish(mut self) -> Exit {
        self.report_losses(true);
        self.say_kept();
        if self.has_listened {
            self.output.text(Kind::Aside, "closing...");
            self.output.end_digest();
            self.output.text(Kind::Logged, "shutting down");
        }
        drop(self.pid_file.take());
        self.output.end();
        let _ = self.sniffer.status();
        self.starter.end();
        self.exit
    }
}

/// Returns how a process ended, in words.
pub(super) fn ended_how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(Signal::SIGSYS) => {
                "killed by SIGSYS: it made a system call that its sandbox forbids".to_owned()
            }
            Ok(signal) => format!("killed by {}", signal.as_str()),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => "unknown reason".to_owned(),
    }
}

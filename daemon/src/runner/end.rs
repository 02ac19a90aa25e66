//! The end: no door stays open.

use std::fmt;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use knock_engine::{Effect, Phase, RunId};
use nix::sys::signal::Signal;

use super::commands::CommandRequest;
use super::output::Kind;
use super::{Exit, Runner};

/// How long the sniffer may take to end, and to say what it still has to say.
const SNIFFER_MAX: Duration = Duration::from_secs(2);

/// How long after a signal another one means that there is no time.
const SECOND_SIGNAL_MIN: Duration = Duration::from_secs(1);

/// How long commands may take to end. A service manager usually waits 90 seconds.
const COMMANDS_MAX: Duration = Duration::from_mins(1);

/// Where the daemon is between its start and its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// The sniffer has not said yet that it listens.
    Starting,
    Listening,
    Ending(Ending),
}

/// How far the end is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ending {
    /// The sniffer was dismissed, and is killed at this moment.
    Sniffer(Instant),
    /// The doors are being closed; what has not ended at this moment is given up.
    Doors(Instant),
    /// What still ran was killed; nothing is waited for after this moment.
    GivenUp(Instant),
}

impl State {
    /// Returns when waiting is over.
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
    /// Says that this is at work, to whom it may concern.
    pub(super) fn begin_work(&mut self) {
        if !matches!(self.state, State::Starting) {
            return;
        }
        self.state = State::Listening;
        self.has_listened = true;
        if let Some(waiting) = self.waiting.take() {
            // What was found on the way is for the terminal that is left now.
            self.output.flush();
            if let Err(error) = waiting.dismiss() {
                let text = format!("knockd: error: cannot leave the terminal: {error}");
                self.output.text(Kind::Notice, text);
                self.end(Exit::Failed);
            }
        }
        let names: Vec<_> =
            self.settings.interfaces.iter().map(|name| String::from_utf8_lossy(name)).collect();
        let names = names.join(", ");
        self.output.text(Kind::Aside, format!("listening on {names}..."));
        self.output.text(Kind::Logged, format!("starting up, listening on {names}"));
        self.close_left_open();
        self.reload_if_early();
    }

    /// Ends because a signal says so. One that comes some time later says that there is no time for
    /// doors; what sends signals often sends two at once.
    pub(super) fn end_by_signal(&mut self) {
        match self.state {
            State::Starting | State::Listening => {
                self.hurried_from = Instant::now().checked_add(SECOND_SIGNAL_MIN);
                self.end(Exit::Done);
            }
            State::Ending(Ending::GivenUp(_)) => {}
            State::Ending(Ending::Sniffer(_) | Ending::Doors(_)) => {
                // It may be the first, if the end began without one.
                let soon = Instant::now().checked_add(SECOND_SIGNAL_MIN);
                if self.hurried_from.or(soon).is_some_and(|from| Instant::now() >= from) {
                    let text = "knockd: warning: ending at once, as another signal says";
                    self.output.text(Kind::Notice, text);
                    self.give_up();
                } else if self.hurried_from.is_none() {
                    self.hurried_from = soon;
                }
            }
        }
    }

    /// Begins to end.
    pub(super) fn end(&mut self, exit: Exit) {
        if exit != Exit::Done {
            self.exit = exit;
        }
        if matches!(self.state, State::Ending(_)) {
            return;
        }
        self.sniffer.dismiss();
        let by = Instant::now().checked_add(SNIFFER_MAX).unwrap_or_else(Instant::now);
        self.state = State::Ending(Ending::Sniffer(by));
    }

    /// Ends because the sniffer has, if that is why it has.
    pub(super) fn end_without_sniffer(&mut self) {
        if matches!(self.state, State::Ending(_)) {
            return;
        }
        let status = self.sniffer.status();
        let has_said_why = matches!(&status, Ok(status) if status.code() == Some(1));
        if !has_said_why {
            let how = status.map_or_else(|error| error.to_string(), ended_how);
            let text = format!("knockd: error: the process that reads packets has ended ({how})");
            self.output.text(Kind::Notice, text);
        }
        self.end(Exit::Failed);
    }

    /// Ends because the sniffer says what it should not.
    pub(super) fn end_with_broken_sniffer(&mut self, why: &dyn fmt::Display) {
        let text = format!("knockd: error: the process that reads packets is broken: {why}");
        self.output.text(Kind::Notice, text);
        self.sniffer.kill();
        self.end(Exit::Failed);
    }

    /// Does what is next on the way to the end. Returns whether this is it.
    pub(super) fn continue_ending(&mut self) -> bool {
        let State::Ending(ending) = self.state else { return false };
        match ending {
            Ending::Sniffer(by) => {
                if !self.sniffer.has_ended() && Instant::now() < by {
                    return false;
                }
                self.sniffer.kill();
                self.close_doors();
                let by = Instant::now().checked_add(COMMANDS_MAX).unwrap_or_else(Instant::now);
                self.state = State::Ending(Ending::Doors(by));
                self.commands.len() == 0
            }
            Ending::Doors(by) => {
                if Instant::now() >= by {
                    self.output.text(Kind::Notice, "knockd: error: commands take too long to end");
                    self.give_up();
                }
                self.commands.len() == 0
            }
            Ending::GivenUp(by) => self.commands.len() == 0 || Instant::now() >= by,
        }
    }

    /// Runs the stop command of every open door.
    fn close_doors(&mut self) {
        for start in self.commands.withdraw_starts() {
            let lease = start.door.and_then(|door| self.leases.withdraw(door, start.client));
            if let Some(lease) = lease {
                self.forget(lease.number);
            }
        }
        let mut requests = Vec::new();
        for lease in self.leases.end_all() {
            let (door, client) = (lease.door, lease.client);
            let run = RunId::from_bits(u64::MAX);
            self.print(&Effect::RunCommand { run, client, door, phase: Phase::Stop });
            let mut line = Vec::new();
            lease.stop.expand(client, &mut line);
            requests.push(CommandRequest {
                run: None,
                door: Some(door),
                door_name: lease.door_name,
                client,
                phase: Phase::Stop,
                line,
                closes: Some(lease.number),
                postponed: false,
            });
        }
        self.submit(requests);
        if self.commands.len() > 0 {
            self.output.text(Kind::Aside, "waiting for child processes...");
        }
    }

    /// Ends what runs and forgets what waits, and says which doors stay open.
    fn give_up(&mut self) {
        self.exit = Exit::Failed;
        self.sniffer.kill();
        // What a stop command had done before it was killed, nobody knows.
        let killed = self.commands.kill_all();
        for request in killed.into_iter().chain(self.commands.withdraw_waiting()) {
            if request.phase == Phase::Stop {
                self.report_open_door(&request.door_name, request.client);
            }
        }
        for lease in self.leases.end_all() {
            self.report_open_door(&lease.door_name, lease.client);
        }
        let now = Instant::now();
        self.state = State::Ending(Ending::GivenUp(now.checked_add(SNIFFER_MAX).unwrap_or(now)));
    }

    fn report_open_door(&mut self, name: &[u8], client: std::net::IpAddr) {
        let mut text = [name, b": STAYS OPEN for "].concat();
        knock_engine::address::write(client, &mut text);
        self.output.text(Kind::Notice, text);
    }

    /// Says that this is the end, and returns how to end.
    pub(super) fn finish(mut self) -> Exit {
        self.report_losses(true);
        if self.has_listened {
            self.output.text(Kind::Aside, "closing...");
            self.output.text(Kind::Logged, "shutting down");
        }
        drop(self.pid_file.take());
        self.output.end();
        let _ = self.sniffer.status();
        self.exit
    }
}

/// Returns how a process ended, in words.
fn ended_how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(Signal::SIGSYS) => "killed by SIGSYS: it tried what its sandbox forbids".to_owned(),
            Ok(signal) => format!("killed by {}", signal.as_str()),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => "nobody knows how".to_owned(),
    }
}

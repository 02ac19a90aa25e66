//! A process that reads packets and hangs or dies is replaced: the daemon must not become deaf, and open
//! doors stay as they are.

use std::time::{Duration, Instant};

use knock_config::Setup;

use super::end::ended_how;
use super::heartbeat::{Beat, SILENT_MAX};
use super::notify::Notifier;
use super::output::Kind;
use super::reload::Reload;
use super::start::{Failure, Loaded, start_sniffer};
use super::{Runner, SnifferProcess, State};
use crate::wire::Order;

/// The longest pause before another process is started. It grows if they die soon.
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// A process that has lived for this long did not die soon.
const LONG_LIFE: Duration = Duration::from_mins(10);

/// The processes so far.
#[derive(Debug)]
pub(super) struct Replacement {
    /// When the present process was started.
    started: Instant,
    /// When the next is to be started, if the present one is dead.
    due: Option<Instant>,
    /// The pause before the next one.
    pause: Duration,
    /// Whether there is to be another one, though the present one works.
    is_asked: bool,
}

impl Replacement {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), due: None, pause: Duration::ZERO, is_asked: false }
    }

    /// Returns when the next process is to be started.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns whether it is time to start the next process.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }

    /// Notes that the next process was started.
    pub(super) fn begun(&mut self) {
        (self.started, self.due) = (Instant::now(), None);
    }

    /// Asks for another process, which becomes the user of the present settings.
    pub(super) const fn ask(&mut self) {
        self.is_asked = true;
    }

    /// Plans the next process.
    pub(super) fn plan(&mut self) {
        let now = Instant::now();
        if now.saturating_duration_since(self.started) >= LONG_LIFE {
            self.pause = Duration::ZERO;
        }
        self.due = now.checked_add(self.pause).or(Some(now));
        self.pause = self.pause.saturating_mul(2).clamp(Duration::from_secs(1), PAUSE_MAX);
    }
}

impl Runner {
    /// Asks the process that reads packets whether it is alive, and gives it up if it is not.
    pub(super) fn beat(&mut self) {
        match self.state {
            State::Listening => {}
            State::Starting => return,
            // The process that reads packets is not needed any more, and the end has limits of its own.
            State::Ending(_) => {
                if self.heartbeat.tick(Instant::now()) {
                    self.tell(Notifier::alive);
                }
                return;
            }
        }
        match self.heartbeat.beat(Instant::now()) {
            None => {}
            Some(Beat::Ask) => self.sniffer.queue(&Order::AreYouThere),
            Some(Beat::Report) => {
                let text = "knockd: warning: the process that reads packets does not answer: no knock is \
                            heard, and doors are closed without it";
                self.output.text(Kind::Notice, text);
            }
            Some(Beat::GiveUp) => {
                let text = format!(
                    "knockd: error: the process that reads packets has not answered for {} seconds; killing \
                     it",
                    SILENT_MAX.as_secs()
                );
                self.output.text(Kind::Notice, text);
                self.sniffer.kill();
            }
        }
    }

    /// Notes that the process that reads packets has answered.
    pub(super) fn answered(&mut self) {
        if self.heartbeat.answered() {
            self.output.text(Kind::Notice, "the process that reads packets answers again");
        }
        self.tell(Notifier::alive);
    }

    /// Ends the process that reads packets if another one is to take its place. It handles the packets that
    /// have arrived so far.
    pub(super) fn replace_if_asked(&mut self) {
        if !self.replacement.is_asked || !matches!(self.state, State::Listening) {
            return;
        }
        if self.starter.is_gone() {
            self.replacement.is_asked = false;
            let text = "knockd: warning: the directive 'User' has changed; this takes effect after a restart";
            self.output.text(Kind::Notice, text);
            return;
        }
        let text = "the directive 'User' has changed: starting another process that reads packets; \
                    attempts under way are lost, open doors stay as they are";
        self.output.text(Kind::Notice, text);
        self.sniffer.dismiss();
    }

    /// Handles the end of the process that reads packets: another one is started. Only if it has said why
    /// it cannot go on, or has never listened, the daemon ends.
    pub(super) fn sniffer_ended(&mut self) {
        if matches!(self.state, State::Ending(_)) || self.replacement.due.is_some() {
            return;
        }
        let status = self.sniffer.status();
        if std::mem::take(&mut self.replacement.is_asked) {
            self.replacement.due = Some(Instant::now());
            return;
        }
        let has_said_why = matches!(&status, Ok(status) if status.code() == Some(1));
        if has_said_why || !self.has_listened {
            self.end_without_sniffer(status, has_said_why);
            return;
        }
        let how = status.map_or_else(|error| error.to_string(), ended_how);
        let text = format!(
            "knockd: error: the process that reads packets has died ({how}); starting another: attempts \
             under way are lost, open doors stay as they are"
        );
        self.output.text(Kind::Notice, text);
        self.give_up_attempts();
        self.replacement.plan();
    }

    /// Starts another process if it is time.
    pub(super) fn replace_if_due(&mut self) {
        if !self.replacement.is_due() || matches!(self.state, State::Ending(_)) {
            return;
        }
        self.replacement.due = None;
        if self.starter.is_gone() {
            self.end_without_starter();
            return;
        }
        if let Err(why) = self.replace() {
            let text = format!("knockd: error: {why}; trying again");
            self.output.text(Kind::Notice, text);
            self.replacement.plan();
        }
    }

    fn replace(&mut self) -> Result<(), String> {
        let (loaded, _) = self.without_used_sequences(self.present()?, String::new())?;
        let Loaded { config, doors, files } = loaded;
        let started = start_sniffer(&self.starter, None);
        let (child, socket) = started.map_err(Failure::reason)?;
        // The new engine numbers the doors from the start.
        let ids = self.doors.in_order().map(|(id, _)| id);
        let new = ids.zip(doors.in_order().map(|(id, _)| id)).collect();
        // The engine that has asked for these openings is gone.
        self.withdraw_unwritten();
        // What else it has asked for is among the commands.
        self.run_unnoted();
        self.leases.lose_engine(&new);
        self.admissions.lose_engine(&new);
        self.commands.lose_engine(&new);
        self.one_time.renew(&config, &files, doors.in_order().map(|(id, _)| id));
        self.doors = doors;
        self.sniffer = SnifferProcess::new(child, socket);
        self.replacement.begun();
        if self.args.record.is_some() {
            let text =
                "knockd: warning: packets are no longer recorded; restart knockd to record again";
            self.output.text(Kind::Notice, text);
        }
        self.marks = 0;
        self.losses.lose_sniffer();
        self.totals.refused.lose_sniffer();
        if matches!(self.reload, Reload::Asked(_) | Reload::AskedAgain(_)) {
            self.reload = Reload::Early;
        }
        self.state = State::Starting;
        let task = self.task(files);
        self.sniffer.queue(&Order::Begin(Box::new(task)));
        self.interfaces.forget_captures();
        self.follow_interfaces();
        Ok(())
    }

    /// Returns the present configuration.
    fn present(&self) -> Result<Loaded, String> {
        let mut files = self.files.clone();
        self.one_time.mark_used(&mut files);
        let setup = Setup::parse(&self.path, files.clone());
        let config = setup.config.ok_or("the configuration has errors, though it was checked")?;
        let doors = knock_config::doors(&config).map_err(|error| error.to_string())?;
        Ok(Loaded { config, doors, files })
    }
}

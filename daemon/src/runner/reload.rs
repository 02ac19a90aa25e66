//! Reloading the configuration.

use std::fmt;

use knock_config::diagnostics::Style;
use knock_config::text::{Cause, shown};
use knock_config::{Config, Waits};
use nix::unistd::Pid;

use super::confinement::door_with_command;
use super::marking::check_writable;
use super::notify::Notifier;
use super::output::Kind;
use super::start::{Loaded, load, sinks};
use super::totals::Total;
use super::{Runner, State};
use crate::files;
use crate::pid_file::{PidFileError, PidPath};
use crate::run_lock::Patience;
use crate::settings::Settings;
use crate::wire::Order;

/// The state of a reload.
pub(super) enum Reload {
    /// No reload is under way.
    Idle,
    /// A reload was requested before the sniffer listened.
    Early,
    /// The sniffer has the configuration and has not answered yet.
    Asked(Box<Loaded>),
    /// As before, and meanwhile another reload was requested.
    AskedAgain(Box<Loaded>),
}

impl Runner {
    /// Reloads the configuration: now, or after the present reload, or when the sniffer listens. If it
    /// has errors, they are logged, and the reload is rejected.
    pub(super) fn reload(&mut self) {
        self.reload = match (self.state, std::mem::replace(&mut self.reload, Reload::Idle)) {
            (State::Listening, Reload::Idle | Reload::Early) => Reload::Idle,
            (State::Listening, Reload::Asked(loaded) | Reload::AskedAgain(loaded)) => {
                Reload::AskedAgain(loaded)
            }
            (State::Starting, _) => Reload::Early,
            (State::Ending(_), reload) => reload,
        };
        if matches!((self.state, &self.reload), (State::Listening, Reload::Idle)) {
            let text = format!("re-reading config file: {}", shown(&self.path));
            self.output.text(Kind::Opening, text);
            self.tell(Notifier::reloading);
            self.read();
        }
    }

    /// Reads the configuration once more, because a sequence was used meanwhile.
    pub(super) fn read_again(&mut self) {
        if matches!(self.reload, Reload::Asked(_) | Reload::AskedAgain(_)) {
            self.reload = Reload::Idle;
            self.read();
        }
    }

    /// Returns whether a reload was requested before the sniffer listened.
    pub(super) const fn is_reload_early(&self) -> bool {
        matches!(self.reload, Reload::Early)
    }

    /// Does the reload that was requested before the sniffer listened.
    pub(super) fn reload_if_early(&mut self) {
        if self.is_reload_early() {
            self.reload();
        }
    }

    fn read(&mut self) {
        // Nothing may wait here: doors are to be opened and closed.
        let loaded = load(&self.path, Waits::Never, Style::Plain, &self.args);
        let loaded = loaded.and_then(|(loaded, warnings)| {
            let (loaded, warnings) = self.without_used_sequences(loaded, warnings)?;
            self.output.lines(&warnings);
            let settings = self.settings_of(&loaded.config)?;
            match self.reload_shuts_out(&settings, &loaded.doors) {
                Some(why) => Err(format!("error: {why}\n")),
                None => Ok((loaded, settings)),
            }
        });
        match loaded {
            Ok((loaded, settings)) => {
                self.apply(settings);
                let (marks, files) = (self.marks, loaded.files.clone());
                let every_line = sinks(&self.args, &self.settings).want_every_line();
                let moments = self.used.moments();
                self.sniffer.queue(&Order::Reload { marks, every_line, files, moments });
                self.reload = Reload::Asked(Box::new(loaded));
            }
            Err(errors) => {
                self.output.lines(&errors);
                let text = format!(
                    "reload rejected: {} has the errors above, so the doors stay as they were; fix them \
                     and reload again",
                    shown(&self.path)
                );
                self.output.text(Kind::Notice, text);
                self.reopen_log();
                self.totals.add(Total::RejectedReloads);
                self.tell(Notifier::ready);
            }
        }
    }

    /// Returns the settings of a configuration, or why it cannot be used.
    fn settings_of(&self, config: &Config) -> Result<Settings, String> {
        let error = |why: &dyn fmt::Display| format!("error: {why}\n");
        if self.starter.is_process()
            && let Some(door) = door_with_command(config)
        {
            let why = format_args!(
                "the door {door} has a command, but at its start knockd had none to start and has given up the \
                 privileges for that; restart knockd"
            );
            return Err(error(&why));
        }
        check_writable(config, self.args.modes()).map_err(|why| error(&why))?;
        files::check(&self.args, config).map_err(|why| error(&why))?;
        Settings::new(&self.args, &config.options).map_err(|why| error(&why))
    }

    /// Applies new settings, as far as that is possible without a restart.
    fn apply(&mut self, mut settings: Settings) {
        if settings.pid_file != self.settings.pid_file
            && let Err(error) = self.move_pid_file(settings.pid_file.as_ref())
        {
            self.output
                .text(Kind::Notice, format!("knockd: warning: {error}; keeping the old one"));
            settings.pid_file.clone_from(&self.settings.pid_file);
        }
        if settings.control_socket != self.settings.control_socket
            && let Err(error) = self.move_control(settings.control_socket.as_deref())
        {
            let path = settings.control_socket.as_deref().map(shown).unwrap_or_default();
            let why = Cause(&error);
            let text = format!(
                "knockd: warning: cannot make the control socket {path}: {why}; keeping the old one"
            );
            self.output.text(Kind::Notice, text);
            settings.control_socket.clone_from(&self.settings.control_socket);
            settings.control_is_default = self.settings.control_is_default;
        }
        let has_other_user = settings.user != self.settings.user;
        let has_other_interfaces = settings.interfaces != self.settings.interfaces;
        let places = self.settings.places();
        self.settings = settings;
        if self.settings.places() != places {
            self.store.move_to(self.settings.places());
            self.used.move_to(self.settings.places());
        }
        if has_other_user {
            self.replacement.ask();
        }
        self.commands.set_limit(self.settings.command_limit);
        self.reopen_log();
        if has_other_interfaces {
            self.interfaces.want(&self.settings.interfaces);
            self.watch_anew();
            self.follow_interfaces();
        }
    }

    /// Writes the process ID into another file, and removes the one so far.
    fn move_pid_file(&mut self, path: Option<&PidPath>) -> Result<(), PidFileError> {
        let Some(path) = path else { return Ok(()) };
        // Nothing may wait here: doors are to be opened and closed.
        let claim = match path.claim(Patience::NONE, |_| {}) {
            // The same file by another name.
            Err(PidFileError::Running(_, Some(holder))) if holder == Pid::this().as_raw() => {
                return Ok(());
            }
            claim => claim?,
        };
        let (pid_file, warning) = claim.write()?;
        if let Some(warning) = warning {
            self.output.text(Kind::Notice, format!("knockd: warning: {warning}"));
        }
        self.pid_file = pid_file;
        Ok(())
    }

    /// Reopens the log file, so that after a rotation a new one begins.
    pub(super) fn reopen_log(&mut self) {
        let file = self.settings.log_file.as_deref().map(shown);
        if let Some(file) = &file {
            self.output.text(Kind::Opening, format!("closing log file: {file}"));
        }
        self.output.reopen(&sinks(&self.args, &self.settings));
        if let Some(file) = &file {
            self.output.text(Kind::Opening, format!("re-opening log file: {file}"));
        }
    }

    /// Uses the new doors, with the ids that they have in the engine.
    pub(super) fn adopt(&mut self, ids: &[u16]) {
        let again = matches!(self.reload, Reload::AskedAgain(_));
        let (Reload::Asked(loaded) | Reload::AskedAgain(loaded)) =
            std::mem::replace(&mut self.reload, Reload::Idle)
        else {
            return;
        };
        let Loaded { config, doors, files } = *loaded;
        let indices: Vec<usize> = ids.iter().map(|&id| usize::from(id)).collect();
        if let Err(error) = self.doors.adopt(doors, &indices) {
            self.end_with_broken_sniffer(&error);
            return;
        }
        let ids: Vec<_> = self.doors.in_order().map(|(id, _)| id).collect();
        self.one_time.renew(&config, &files, ids);
        self.files = files;
        self.follow_firewall();
        self.tell(Notifier::ready);
        if again {
            self.reload();
        } else {
            self.replace_if_asked();
        }
    }

    /// Discards a configuration that the engine has refused.
    pub(super) fn forget_reload(&mut self) {
        self.totals.add(Total::RejectedReloads);
        self.tell(Notifier::ready);
        if matches!(std::mem::replace(&mut self.reload, Reload::Idle), Reload::AskedAgain(_)) {
            self.reload();
        } else {
            self.replace_if_asked();
        }
    }
}

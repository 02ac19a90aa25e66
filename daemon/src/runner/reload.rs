//! The configuration, read anew.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;

use knock_config::Config;
use knock_config::diagnostics::Style;
use knock_config::text::shown;

use super::one_time::{OneTime, check_writable};
use super::output::Kind;
use super::start::{Loaded, load, sinks};
use super::{Runner, State};
use crate::settings::{Settings, SettingsError};
use crate::wire::Order;

/// How far a reload is.
pub(super) enum Reload {
    /// There is none.
    Idle,
    /// One was asked for before the sniffer listened.
    Early,
    /// The sniffer has the configuration and has not answered yet.
    Asked(Box<Loaded>),
    /// Meanwhile another one was asked for.
    AskedAgain(Box<Loaded>),
}

impl Runner {
    /// Reads the configuration anew, unless a reload is under way or the sniffer does not listen yet,
    /// after which it does. One with errors is told of and not used.
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
            self.read();
        }
    }

    /// Reads the configuration once more, as sequences that it has were used meanwhile.
    pub(super) fn read_again(&mut self) {
        if matches!(self.reload, Reload::Asked(_) | Reload::AskedAgain(_)) {
            self.reload = Reload::Idle;
            self.read();
        }
    }

    /// Does the reload that was asked for before the sniffer listened.
    pub(super) fn reload_if_early(&mut self) {
        if matches!(self.reload, Reload::Early) {
            self.reload();
        }
    }

    fn read(&mut self) {
        let loaded = load(&self.path, Style::Plain).and_then(|(loaded, warnings)| {
            self.output.report(&warnings);
            let settings = self.settings_of(&loaded.config)?;
            Ok((loaded, settings))
        });
        match loaded {
            Ok((loaded, settings)) => {
                self.settle(settings);
                let (marks, files) = (self.marks, loaded.files.clone());
                self.sniffer.tell(&Order::Reload { marks, files });
                self.reload = Reload::Asked(Box::new(loaded));
            }
            Err(errors) => {
                self.output.report(&errors);
                let text = format!(
                    "{} is not used because of its errors; the doors stay as they were",
                    shown(&self.path)
                );
                self.output.text(Kind::Message, text);
                self.reopen_log();
            }
        }
    }

    /// Returns the settings of a configuration, or why it cannot be used.
    fn settings_of(&self, config: &Config) -> Result<Settings, String> {
        let error = |why: &dyn fmt::Display| format!("error: {why}\n");
        check_writable(config).map_err(|why| error(&why))?;
        match Settings::new(&self.args, &config.options) {
            // Routes come and go; what is listened on stays.
            Err(SettingsError::NoInterface { .. }) => {
                let mut args = self.args.clone();
                let names = self.settings.interfaces.iter();
                args.interfaces = names.map(|name| OsString::from_vec(name.clone())).collect();
                Settings::new(&args, &config.options).map_err(|why| error(&why))
            }
            settings => settings.map_err(|why| error(&why)),
        }
    }

    /// Goes by other settings, as far as that can be done now.
    fn settle(&mut self, settings: Settings) {
        for directive in self.settings.change_to(settings) {
            let name = directive.title();
            let text = format!("the directive '{name}' has changed; that counts after a restart");
            self.output.text(Kind::Message, text);
        }
        self.commands.set_limit(self.settings.command_limit);
        self.reopen_log();
    }

    /// Opens the log file again, so that one that was moved away can grow anew.
    fn reopen_log(&mut self) {
        let file = self.settings.log_file.as_deref().map(shown);
        if let Some(file) = &file {
            self.output.text(Kind::Opening, format!("closing log file: {file}"));
        }
        self.output.reopen(&sinks(&self.args, &self.settings));
        if let Some(file) = &file {
            self.output.text(Kind::Opening, format!("re-opening log file: {file}"));
        }
    }

    /// Gives the doors of the configuration the ids that the engine has given them.
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
            self.broken(&error);
            return;
        }
        let ids: Vec<_> = self.doors.in_order().map(|(id, _)| id).collect();
        self.one_time = OneTime::new(&config, &files, ids);
        if again {
            self.reload();
        }
    }

    /// Forgets a configuration that the engine did not take, which is told of.
    pub(super) fn forget_reload(&mut self) {
        if matches!(std::mem::replace(&mut self.reload, Reload::Idle), Reload::AskedAgain(_)) {
            self.reload();
        }
    }
}

//! The resolver's process. One that dies is replaced: names in the log are not worth more, but not less.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use knock_config::text::ProcessFault;
use nix::unistd::Pid;

use super::end::ended_how;
use super::output::Kind;
use super::replacement::Replacement;
use super::starter::{Started, Starter};
use super::{Runner, State};
use crate::starter::Program;
use crate::user::User;

/// The process that looks up names.
pub(super) struct ResolverProcess {
    process: Started,
    user: Option<User>,
    replacement: Replacement,
    /// Whether it has ended and that was not reported.
    is_news: bool,
}

impl ResolverProcess {
    /// Starts the process, and returns the socket to it. It ends when the socket is closed.
    pub(super) fn start(starter: &Starter, user: Option<User>) -> io::Result<(Self, UnixStream)> {
        let (process, socket) = start(starter, user)?;
        let replacement = Replacement::new();
        Ok((Self { process, user, replacement, is_news: false }, socket))
    }

    /// Returns when another process is to be started.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.replacement.due()
    }

    /// Collects the process if it is the one with this id, which has ended.
    pub(super) fn collect(&mut self, id: Pid) -> bool {
        let is_this = self.process.collect(id);
        self.is_news |= is_this && matches!(self.process.try_wait(), Ok(Some(_)));
        is_this && self.is_news
    }

    /// Notes the end of a process of which no signal says so.
    fn look(&mut self) {
        // Once that is reported, another one is due.
        self.is_news |= self.replacement.due().is_none() && self.process.has_ended_elsewhere();
    }

    /// Starts another process.
    fn restart(&mut self, starter: &Starter) -> io::Result<UnixStream> {
        let (process, socket) = start(starter, self.user)?;
        self.process = process;
        self.replacement.begun();
        Ok(socket)
    }
}

/// Starts the program once more, to look up names.
fn start(starter: &Starter, user: Option<User>) -> io::Result<(Started, UnixStream)> {
    let (socket, other) = UnixStream::pair()?;
    let process = starter.start(Program::Resolver(user), other.into(), None)?;
    Ok((process, socket))
}

impl Runner {
    /// Reports the end of the resolver, and starts another one when it is time.
    pub(super) fn replace_resolver(&mut self) {
        let Some(resolver) = &mut self.resolver else { return };
        if matches!(self.state, State::Ending(_)) {
            return;
        }
        resolver.look();
        if std::mem::take(&mut resolver.is_news) {
            let how = match resolver.process.try_wait() {
                Ok(status) => status.map_or_else(|| "unknown reason".to_owned(), ended_how),
                Err(error) => error.to_string(),
            };
            let text = format!(
                "knockd: warning: the process that looks up names has died ({how}); starting another: until \
                 then, lines have addresses only"
            );
            resolver.replacement.plan();
            self.output.text(Kind::Notice, text);
        }
        if !resolver.replacement.is_due() {
            return;
        }
        match resolver.restart(&self.starter) {
            Ok(socket) => self.output.resolve_with(socket),
            Err(error) => {
                resolver.replacement.plan();
                let text = format!(
                    "knockd: warning: cannot start the process that looks up names: {}; trying again",
                    ProcessFault(&error)
                );
                self.output.text(Kind::Notice, text);
            }
        }
    }
}

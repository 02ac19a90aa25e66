//! The resolver's process. One that dies is replaced: names in the log are not worth more, but not less.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use nix::unistd::Pid;

use super::end::ended_how;
use super::output::Kind;
use super::replacement::Replacement;
use super::start::SELF;
use super::{Runner, State};
use crate::resolver;
use crate::user::User;

/// The process that looks up names.
pub(super) struct ResolverProcess {
    child: Child,
    user: Option<User>,
    replacement: Replacement,
    /// Whether it has ended and that was not reported.
    is_news: bool,
}

impl ResolverProcess {
    /// Starts the process, and returns the socket to it. It ends when the socket is closed.
    pub(super) fn start(user: Option<User>) -> io::Result<(Self, UnixStream)> {
        let (child, socket) = start(user)?;
        let replacement = Replacement::new();
        Ok((Self { child, user, replacement, is_news: false }, socket))
    }

    /// Returns when another process is to be started.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.replacement.due()
    }

    /// Collects the process if it is the one with this id, which has ended.
    pub(super) fn collect(&mut self, id: Pid) -> bool {
        let is_this = i32::try_from(self.child.id()) == Ok(id.as_raw());
        self.is_news |= is_this && matches!(self.child.try_wait(), Ok(Some(_)));
        is_this && self.is_news
    }

    /// Starts another process.
    fn restart(&mut self) -> io::Result<UnixStream> {
        let (child, socket) = start(self.user)?;
        self.child = child;
        self.replacement.begun();
        Ok(socket)
    }
}

/// Starts the program once more, to look up names.
fn start(user: Option<User>) -> io::Result<(Child, UnixStream)> {
    let (socket, other) = UnixStream::pair()?;
    let mut command = Command::new(SELF);
    command.arg0(resolver::NAME).args(user.into_iter().flat_map(User::arguments));
    command.stdin(Stdio::from(OwnedFd::from(other)));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    Ok((child, socket))
}

impl Runner {
    /// Reports the end of the resolver, and starts another one when it is time.
    pub(super) fn replace_resolver(&mut self) {
        let Some(resolver) = &mut self.resolver else { return };
        if matches!(self.state, State::Ending(_)) {
            return;
        }
        if std::mem::take(&mut resolver.is_news) {
            let how = resolver.child.wait().map_or_else(|error| error.to_string(), ended_how);
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
        match resolver.restart() {
            Ok(socket) => self.output.resolve_with(socket),
            Err(error) => {
                resolver.replacement.plan();
                let text = format!(
                    "knockd: warning: cannot start the process that looks up names: {error}; trying again"
                );
                self.output.text(Kind::Notice, text);
            }
        }
    }
}

//! The programs without privileges, and how they are started.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::user::User;
use crate::{resolver, sniffer};

/// The program of this process, even if its file was replaced since the start.
pub(crate) const SELF: &str = "/proc/self/exe";

/// This program once more, as another process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// It reads packets.
    Sniffer,
    /// It looks up names, as this user.
    Resolver(Option<User>),
}

impl Program {
    /// Starts it with a socket as its standard input. What it has to say comes over that. In a log or on
    /// a terminal, one that was taken over could write anything.
    pub(crate) fn start(self, socket: OwnedFd, output: Option<OwnedFd>) -> io::Result<Child> {
        let mut command = Command::new(SELF);
        match self {
            Self::Sniffer => command.arg0(sniffer::NAME).env_clear(),
            Self::Resolver(user) => {
                command.arg0(resolver::NAME).args(user.into_iter().flat_map(User::arguments))
            }
        };
        command.stdin(Stdio::from(socket)).stdout(output.map_or_else(Stdio::null, Stdio::from));
        command.stderr(Stdio::null()).spawn()
    }
}

//! Becoming a daemon, while the caller waits for the outcome.

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;

use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use crate::exit::Exit;

/// Which process this is now.
pub(crate) enum Side {
    /// The one that was started: the daemon listens, or has failed.
    Caller(Exit),
    /// The daemon.
    Daemon(Waiting),
}

/// A caller that waits until the daemon listens, or has ended.
pub(crate) struct Waiting {
    caller: PipeWriter,
}

/// Forks a process with its own session, without a terminal. It keeps the standard streams until
/// [`Waiting::dismiss`], so that earlier errors are printed on the caller's terminal. Other descriptors
/// of the caller are closed: this program must not have opened any yet.
pub(crate) fn fork_off() -> io::Result<Side> {
    crate::descriptors::close()?;
    let (outcome, caller) = io::pipe()?;
    #[expect(unsafe_code, reason = "there is no safe way to fork")]
    // SAFETY: this process has only one thread so far.
    let forked = unsafe { fork() }?;
    match forked {
        ForkResult::Child => {
            drop(outcome);
            setsid()?;
            Ok(Side::Daemon(Waiting { caller }))
        }
        ForkResult::Parent { .. } => {
            drop(caller);
            Ok(Side::Caller(wait(outcome)))
        }
    }
}

/// Waits until the daemon listens. If it fails, it closes the pipe without a byte.
fn wait(mut outcome: PipeReader) -> Exit {
    match outcome.read_exact(&mut [0]) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

impl Waiting {
    /// Detaches from the caller's terminal, and lets the caller exit with success.
    pub(crate) fn dismiss(mut self) -> io::Result<()> {
        let nowhere = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        dup2_stdin(nowhere.as_fd())?;
        dup2_stdout(nowhere.as_fd())?;
        dup2_stderr(nowhere.as_fd())?;
        self.caller.write_all(&[0])
    }
}

//! Becoming a daemon, while the caller waits for how that goes.

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd as _;

use nix::unistd::{ForkResult, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

use crate::exit::Exit;

/// Which process this is now.
pub(crate) enum Side {
    /// The one that was started: the daemon has begun its work, or has failed like this.
    Caller(Exit),
    /// The daemon.
    Daemon(Waiting),
}

/// A caller that waits until the daemon is at work, or has ended.
pub(crate) struct Waiting {
    caller: PipeWriter,
}

/// Goes on in a process of its own, in a session without a terminal. Standard streams stay until
/// [`Waiting::dismiss`], so that the caller's terminal shows what goes wrong until then. Other
/// descriptors of the caller are closed: nothing of this program may be open yet.
pub(crate) fn fork_off() -> io::Result<Side> {
    crate::descriptors::close()?;
    let (outcome, caller) = io::pipe()?;
    #[expect(unsafe_code, reason = "there is no safe way to go on in another process")]
    // SAFETY: this process has one thread yet.
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

/// Waits until the daemon says that it is at work; one that has failed ends without a word to here.
fn wait(mut outcome: PipeReader) -> Exit {
    match outcome.read_exact(&mut [0]) {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

impl Waiting {
    /// Tells the caller that all is well, and leaves its terminal.
    pub(crate) fn dismiss(mut self) -> io::Result<()> {
        let nowhere = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        dup2_stdin(nowhere.as_fd())?;
        dup2_stdout(nowhere.as_fd())?;
        dup2_stderr(nowhere.as_fd())?;
        self.caller.write_all(&[0])
    }
}

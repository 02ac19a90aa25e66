//! Signals to the runner.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::Signal;
use nix::sys::signalfd::SignalFd;

use super::Runner;
use super::output::Kind;

/// The signals that came.
pub(super) struct Signals {
    came: SignalFd,
    /// Signals that mean nothing, and of which a line has said so.
    reported: BTreeSet<Signal>,
}

impl Signals {
    pub(super) fn new(came: SignalFd) -> Self {
        Self { came, reported: BTreeSet::new() }
    }

    fn next(&self) -> Option<Signal> {
        let signal = self.came.read_signal().ok().flatten()?;
        i32::try_from(signal.ssi_signo).ok()?.try_into().ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.came.as_fd()
    }
}

impl Runner {
    /// Does what signals ask for.
    pub(super) fn take_signals(&mut self) {
        while let Some(signal) = self.signals.next() {
            if signal == Signal::SIGHUP {
                self.reload();
            } else if signal == Signal::SIGUSR1 {
                self.reopen_log();
            } else if crate::signals::TO_END.contains(&signal) {
                self.end_by_signal();
            } else if signal != Signal::SIGCHLD {
                // The loop collects commands that have ended in any case.
                self.report_ignored(signal);
            }
        }
    }

    fn report_ignored(&mut self, signal: Signal) {
        if self.signals.reported.insert(signal) {
            let text = format!(
                "knockd: warning: ignoring {signal}, which means nothing to knockd; HUP reloads the \
                 configuration, USR1 reopens the log file, TERM ends knockd"
            );
            self.output.text(Kind::Notice, text);
        }
    }
}

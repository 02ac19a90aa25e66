//! A daemon that runs in the foreground.

use nix::sys::signal::Signal;

use super::machine::Machine;
use super::processes::Process;
use super::{Live, Outcome};

/// A running daemon, and its two processes.
pub(crate) struct Daemon {
    pub(crate) live: Live,
    pub(crate) runner: Process,
    pub(crate) sniffer: Process,
}

impl Daemon {
    /// Starts the daemon on the loopback interface with more options, and waits until it listens.
    pub(crate) fn start(machine: &Machine, options: &str) -> Self {
        Self::start_as(machine, &format!("exec $KNOCKD -i lo -c knockd.conf {options}"))
    }

    /// Starts it with a shell command, and waits until it listens.
    pub(crate) fn start_as(machine: &Machine, script: &str) -> Self {
        let live = machine.start(script);
        if script.contains(" -v") {
            // Doors that were left open are closed before.
            while live.line() != "listening on lo..." {}
        } else {
            while !live.error_line().starts_with("starting up, listening on lo") {}
        }
        let (runner, sniffer) = (machine.process("knockd"), machine.process("knockd: sniffer"));
        Self { live, runner, sniffer }
    }

    /// Waits for a line on standard output.
    pub(crate) fn wait_for(&self, expected: &str) {
        while self.live.line() != expected {}
    }

    /// Waits for a line on standard output that begins like this.
    pub(crate) fn wait_for_beginning(&self, expected: &str) {
        while !self.live.line().starts_with(expected) {}
    }

    /// Waits for the next opening, and returns its line.
    pub(crate) fn next_opening(&self) -> String {
        loop {
            let line = self.live.line();
            if line.ends_with(": OPEN SESAME") {
                return line;
            }
        }
    }

    /// Waits for a line on standard error.
    pub(crate) fn wait_for_error(&self, expected: &str) {
        while self.live.error_line() != expected {}
    }

    /// Waits for a line on standard error that begins like this.
    pub(crate) fn wait_for_error_beginning(&self, expected: &str) {
        while !self.live.error_line().starts_with(expected) {}
    }

    /// Stops it by a signal. Returns what it has printed since it listens, except for lines that were
    /// already read.
    pub(crate) fn end(self) -> Outcome {
        self.runner.signal(Signal::SIGTERM);
        self.live.finish()
    }
}

//! Running the program.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use knock_tests::process::{Live, Outcome, finish, wait_until};
use tempfile::TempDir;

use super::CONFIG;

/// A directory with files in which the program is run.
pub(crate) struct CaseRunner(TempDir);

impl CaseRunner {
    /// Returns a directory with [`CONFIG`] as `knockd.conf`.
    pub(crate) fn new() -> Self {
        let desk = Self(TempDir::new().unwrap());
        desk.write("knockd.conf", CONFIG);
        desk
    }

    /// Returns a directory that also has a capture, `knocks.pcap`.
    pub(crate) fn with(capture: impl AsRef<[u8]>) -> Self {
        let desk = Self::new();
        desk.write("knocks.pcap", capture);
        desk
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Makes a named pipe.
    pub(crate) fn pipe(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    }

    /// Returns a program to be run in this directory.
    pub(crate) fn program(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory()).stdin(Stdio::null());
        command
    }

    /// Returns the program with arguments, given as in a shell without quotes.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_knock-replay"));
        command.args(arguments.split_whitespace());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &str) -> Outcome {
        finish(&mut self.command(arguments))
    }

    /// Runs the program to its end with bytes in a pipe as standard input.
    pub(crate) fn run_with_input(&self, arguments: &str, input: impl Into<Vec<u8>>) -> Outcome {
        let mut live = Live::start(self.command(arguments).stdin(Stdio::piped()));
        let input = input.into();
        let mut stdin = live.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            // A program that does not read on is judged by what it says.
            let _ = stdin.write_all(&input);
        });
        let outcome = live.finish();
        writer.join().unwrap();
        outcome
    }
}

/// Sends a signal, such as `-INT`, to a program.
pub(crate) fn signal(live: &Live, name: &str) {
    let sent = Command::new("kill").args([name, &live.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Waits until a program holds back the signals to end.
pub(crate) fn wait_for_signals_held_back(live: &Live) {
    wait_until("signals are held back", || {
        let status = fs::read_to_string(format!("/proc/{}/status", live.id())).unwrap();
        let held = status.lines().find_map(|line| line.strip_prefix("SigBlk:\t")).unwrap();
        u64::from_str_radix(held, 16).unwrap() & 0b10 != 0
    });
}

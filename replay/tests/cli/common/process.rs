//! Running the program, bounded in time.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::CONFIG;

/// How long a test waits for what must happen: it bounds a failure and delays no success.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory with files in which the program is run.
pub(crate) struct Desk(TempDir);

/// What a run of the program came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// The exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Desk {
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

/// Runs a program to its end.
pub(crate) fn finish(command: &mut Command) -> Outcome {
    Live::start(command).finish()
}

/// A program that runs while the test goes on. It does not outlive the test.
pub(crate) struct Live {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Live {
    /// Starts a program. Its standard output and error are pipes that are read at once, unless the
    /// command says otherwise of the output before.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_output(command, Stdio::piped())
    }

    pub(crate) fn start_with_output(command: &mut Command, output: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map_or_else(|| mpsc::channel().1, lines);
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdin, stdout, stderr }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to standard input.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Returns the next line of standard output, without its end.
    pub(crate) fn line(&self) -> String {
        let line = self.stdout.recv_timeout(PATIENCE).expect("a line on standard output");
        line.trim_end_matches('\n').to_owned()
    }

    /// Returns the next line of standard error, without its end.
    pub(crate) fn error_line(&self) -> String {
        let line = self.stderr.recv_timeout(PATIENCE).expect("a line on standard error");
        line.trim_end_matches('\n').to_owned()
    }

    /// Returns whether the program has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Closes standard input and waits for the end. Returns the output that was not read yet.
    pub(crate) fn finish(mut self) -> Outcome {
        drop(self.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        let rest = |lines: &Receiver<String>| {
            let mut rest = String::new();
            while let Ok(line) =
                lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                rest.push_str(&line);
            }
            rest
        };
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        while self.runs() {
            assert!(Instant::now() < deadline, "still running: {stdout}{stderr}");
            thread::sleep(Duration::from_millis(1));
        }
        let status = self.child.wait().unwrap().code();
        Outcome { status, stdout, stderr }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines in the background.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
            line.clear();
        }
    });
    receiver
}

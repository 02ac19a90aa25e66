//! Runs programs with a time limit.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what must happen: this limits a failure and does not delay a success.
const PATIENCE: Duration = Duration::from_mins(1);

/// Waits until a condition is true.
///
/// # Panics
/// If it stays false.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The result of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    /// What it wrote to standard output, without lines read before.
    pub stdout: String,
    /// What it wrote to standard error, without lines read before.
    pub stderr: String,
}

/// Runs a program to its end.
///
/// # Panics
/// If it cannot be started or does not end.
pub fn finish(command: &mut Command) -> Outcome {
    Live::start(command).finish()
}

/// A program that runs alongside the test. It does not outlive the test.
pub struct Live {
    child: Child,
    /// Its standard input, if the command made that a pipe.
    pub stdin: Option<ChildStdin>,
    // Locked, so that threads can share what has a program.
    stdout: Mutex<Receiver<String>>,
    stderr: Mutex<Receiver<String>>,
}

impl Live {
    /// Starts a program. Its standard output and error are pipes that are read at once, unless the command
    /// sets another output.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_output(command, Stdio::piped())
    }

    /// Starts a program with another standard output than a pipe to the test.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start_with_output(command: &mut Command, output: impl Into<Stdio>) -> Self {
        let mut child = command.stdout(output).stderr(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().map_or_else(|| mpsc::channel().1, lines);
        let stderr = lines(child.stderr.take().unwrap());
        Self { child, stdin, stdout: Mutex::new(stdout), stderr: Mutex::new(stderr) }
    }

    /// Returns the number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes to standard input.
    ///
    /// # Panics
    /// If it is not a pipe, or the pipe has no reader any more.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Returns the next line of standard output, without its end.
    ///
    /// # Panics
    /// If none comes.
    #[must_use]
    pub fn line(&self) -> String {
        self.line_if_any().expect("a line on standard output")
    }

    /// Returns the next line of standard output, without its end; `None` if none comes.
    #[must_use]
    pub fn line_if_any(&self) -> Option<String> {
        self.line_within(PATIENCE)
    }

    /// Returns the next line of standard output, without its end; `None` if none comes within this time.
    #[must_use]
    pub fn line_within(&self, patience: Duration) -> Option<String> {
        let line = self.stdout.lock().unwrap().recv_timeout(patience).ok()?;
        Some(line.trim_end_matches('\n').to_owned())
    }

    /// Returns the next line of standard error, without its end.
    ///
    /// # Panics
    /// If none comes.
    #[must_use]
    pub fn error_line(&self) -> String {
        let line =
            self.stderr.lock().unwrap().recv_timeout(PATIENCE).expect("a line on standard error");
        line.trim_end_matches('\n').to_owned()
    }

    /// Returns whether the program has not ended.
    ///
    /// # Panics
    /// If the system does not know.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Closes standard input and waits for the end. Returns the output that was not read yet.
    ///
    /// # Panics
    /// If it does not end.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        drop(self.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        let rest = |lines: &Mutex<Receiver<String>>| {
            let lines = lines.lock().unwrap();
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

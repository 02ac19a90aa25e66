//! A running daemon.

use knock_tests::process::Live;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Scene, comes_true};

/// The client that knocks last, and the line that the daemon prints about it.
const LAST: &str = "192.0.2.99";
const LAST_OPENED: &str = "192.0.2.99: last: OPEN SESAME";

/// A daemon that runs on the server of a scene.
pub(crate) struct Daemon<'a> {
    scene: &'a Scene,
    live: Live,
    /// The process ID of the runner in its namespace.
    id: String,
}

/// A daemon that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    /// All of standard output.
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl<'a> Daemon<'a> {
    /// Takes a process that prints its ID and writes to the files of the scene, and waits until it
    /// listens, or waits for an interface.
    pub(super) fn new(scene: &'a Scene, live: Live) -> Self {
        let daemon = Self { scene, id: live.line(), live };
        daemon.wait("it listens", || {
            let output = daemon.output();
            output.starts_with("listening on ") || output.starts_with("waiting for ")
        });
        daemon
    }

    /// Returns its standard output so far.
    pub(crate) fn output(&self) -> String {
        self.scene.read("out")
    }

    /// Returns its standard error so far.
    pub(crate) fn errors(&self) -> String {
        self.scene.read("errors")
    }

    /// Returns how often it has printed a line, in which `DIR` means the folder.
    pub(crate) fn count(&self, line: &str) -> usize {
        let line = self.scene.placed(line);
        self.output().lines().filter(|&printed| printed == line).count()
    }

    /// Waits until it has printed a line.
    pub(crate) fn wait_for(&self, line: &str) {
        self.wait_for_times(line, 1);
    }

    /// Waits until it has printed a line this many times.
    pub(crate) fn wait_for_times(&self, line: &str, times: usize) {
        self.wait(line, || self.count(line) >= times);
    }

    /// Waits until it has written a text to standard error this many times.
    pub(crate) fn wait_for_errors(&self, text: &str, times: usize) {
        self.wait(text, || self.errors().matches(text).count() >= times);
    }

    /// Waits until it has written a text to standard error.
    pub(crate) fn wait_for_error(&self, text: &str) {
        self.wait(text, || self.errors().contains(text));
    }

    /// Waits until the daemon has handled all packets so far.
    pub(crate) fn settle(&self) {
        let before = self.count(LAST_OPENED);
        self.scene.client(&format!("printf x | nc -u -q 0 -s {LAST} 192.0.2.1 9"));
        self.wait_for_times(LAST_OPENED, before + 1);
    }

    /// Waits until a line was printed this many times, and repeats knocks that may have come too early.
    pub(crate) fn knock_until(&self, line: &str, times: usize, knock: impl Fn()) {
        self.wait(line, || {
            knock();
            self.settle();
            self.count(line) >= times
        });
    }

    /// Sends a signal to the runner, like `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        self.scene.server(&format!("kill -{signal} {}", self.id));
    }

    /// Stops the runner for as long as something is done.
    pub(crate) fn asleep(&self, done: impl FnOnce()) {
        self.signal("STOP");
        done();
        self.signal("CONT");
        // Its parent, which is outside, has stopped with it.
        let parent = Pid::from_raw(self.live.id().try_into().unwrap());
        kill(parent, Signal::SIGCONT).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) fn finish(self) -> Ended {
        let Self { scene, live, .. } = self;
        let status = live.finish().status;
        Ended { status, output: scene.read("out"), errors: scene.read("errors") }
    }

    /// Stops it by a signal, and checks that it exits with success and has reported no problems. Returns
    /// what it has printed between its first and its last line.
    pub(crate) fn end(self) -> String {
        self.signal("TERM");
        let ended = self.finish();
        assert_eq!((ended.status, ended.errors.as_str()), (Some(0), ""), "{}", ended.output);
        ended.transcript()
    }

    /// Stops it by a signal, and checks that it exits with success. Returns what it has reported.
    pub(crate) fn end_with_warnings(self) -> String {
        self.signal("TERM");
        let ended = self.finish();
        assert_eq!(ended.status, Some(0), "{}{}", ended.output, ended.errors);
        ended.errors
    }

    fn wait(&self, what: &str, is_so: impl FnMut() -> bool) {
        let came = comes_true(is_so);
        assert!(came, "waited in vain for {what}: {}{}", self.output(), self.errors());
    }
}

impl Ended {
    /// Returns what it has printed between its first and its last line.
    pub(crate) fn transcript(&self) -> String {
        let rest = self.output.split_once("...\n").map(|(_, rest)| rest);
        let rest = rest.and_then(|rest| rest.strip_suffix("closing...\n"));
        let rest = rest.unwrap_or_else(|| panic!("no beginning or end: {}", self.output));
        rest.to_owned()
    }
}

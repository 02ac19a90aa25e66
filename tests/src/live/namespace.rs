//! Namespaces that end with the test.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use crate::process::{Live, finish};

/// A network and a set of processes, separate from those of the machine.
///
/// Its first process waits for the end of its standard input, a pipe from the test. When it ends, because
/// this is dropped or the test was killed, the kernel kills all other processes inside and removes the
/// network.
pub struct Namespace {
    holder: Live,
}

/// What is done in a new one: what daemons put into /run must not be in the way of other tests, and there is
/// the user `knockd`, as a package makes it.
const BEGIN: &str = "
    mount -t tmpfs -o mode=755 tmpfs /run
    grep -v '^knockd:' /etc/passwd >/run/passwd
    echo 'knockd:x:64901:64901:Port-knocking daemon:/nonexistent:/usr/sbin/nologin' >>/run/passwd
    mount --bind /run/passwd /etc/passwd
    echo ready
    exec cat";

impl Namespace {
    /// Makes one with only the process that holds it.
    ///
    /// # Panics
    /// If it cannot be made; `Need::Namespaces` asks before.
    #[expect(clippy::new_without_default, reason = "it starts processes")]
    #[must_use]
    pub fn new() -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        unshare.args(["sh", "-ec", BEGIN]);
        let holder = Live::start(unshare.stdin(Stdio::piped()));
        // Before this line, the holder may still be in the namespace of the test.
        assert_eq!(holder.line(), "ready");
        Self { holder }
    }

    /// Returns the id of its first process, as seen from outside.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.holder.id()
    }

    /// Returns a command that runs a line for the shell inside.
    #[must_use]
    pub fn command(&self, line: &str) -> Command {
        let mut command = self.enter();
        command.args(["sh", "-c", line]);
        command
    }

    /// Returns a command that runs the program inside that is its first argument.
    #[must_use]
    pub fn enter(&self) -> Command {
        let id = self.id();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{id}/ns/net"));
        command.arg(format!("--pid=/proc/{id}/ns/pid_for_children"));
        // What /proc shows.
        command.arg(format!("--mount=/proc/{id}/ns/mnt"));
        command.stdin(Stdio::null());
        command
    }

    /// Runs a script that must succeed, on the network but among the processes outside.
    ///
    /// # Panics
    /// If it does not.
    pub fn set_up(&self, script: &str) {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.id()));
        command.args(["sh", "-ec", script]).stdin(Stdio::null());
        let outcome = finish(&mut command);
        assert_eq!(outcome.status, Some(0), "{script}: {}", outcome.stderr);
    }

    /// Opens a socket or a similar object inside, which then belongs to its network.
    ///
    /// # Panics
    /// If the namespace cannot be entered, or if `open` panics.
    pub fn open<T: Send + 'static>(&self, open: impl FnOnce() -> T + Send + 'static) -> T {
        self.spawn(open).join().unwrap()
    }

    /// Starts a thread whose sockets belong to the network inside, as do those of threads that it starts.
    ///
    /// # Panics
    /// If there is no such network; the thread, if it cannot enter it.
    pub fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let network = File::open(format!("/proc/{}/ns/net", self.id())).unwrap();
        // Only this thread of the test enters it.
        thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        })
    }

    /// Returns the folder /proc as processes inside see it.
    #[must_use]
    pub fn processes(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root/proc", self.id()))
    }
}

impl Drop for Namespace {
    /// Waits until nothing is left of it.
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let begin = Instant::now();
        while self.holder.runs() && begin.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

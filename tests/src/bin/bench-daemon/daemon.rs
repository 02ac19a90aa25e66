//! A daemon, and the kernel's statistics about its processes.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::wire::Wire;

/// A daemon's program.
#[derive(Debug)]
pub(crate) struct Program(pub(crate) PathBuf);

/// A daemon at the server's end of a wire.
pub(crate) struct Daemon<'a> {
    child: Child,
    wire: &'a Wire,
}

/// The resources that the processes of a daemon have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// How often they gave up the processor to wait for something.
    pub(crate) waits: u64,
    /// The processor time.
    pub(crate) cpu: Duration,
    /// The sum of the peak memory of each process, in bytes.
    pub(crate) peak_bytes: u64,
}

impl<'a> Daemon<'a> {
    /// Starts the daemon and waits until it listens.
    pub(crate) fn start(program: &Program, wire: &'a Wire, args: &[&str]) -> Self {
        let file = |name| fs::File::create(wire.path(name)).expect("there is room for a file");
        let mut command = wire.at_server();
        command.arg(&program.0).args(["-i", "server", "-c"]).arg(wire.path("knockd.conf"));
        command.args(args).stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let child = command.spawn().expect("nsenter can be run");
        let mut daemon = Self { child, wire };
        let begin = Instant::now();
        while !daemon.has_packet_socket() {
            assert!(begin.elapsed() < Duration::from_secs(10), "{program:?} does not listen");
            assert_eq!(daemon.child.try_wait().unwrap(), None, "{program:?}: {}", daemon.errors());
            thread::sleep(Duration::from_millis(10));
        }
        // The time between opening the socket and waiting for packets cannot be seen from outside.
        thread::sleep(Duration::from_millis(500));
        daemon
    }

    /// Returns the resources that its processes have used.
    pub(crate) fn usage(&self) -> Usage {
        let mut usage = Usage::default();
        for process in self.processes() {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            usage.peak_bytes += field(&status, "VmHWM:") * 1024;
            let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else { continue };
            for thread in threads.filter_map(Result::ok) {
                let read = |name| fs::read_to_string(thread.path().join(name)).unwrap_or_default();
                usage.waits += field(&read("status"), "voluntary_ctxt_switches:");
                // In nanoseconds, where other files have hundredths of a second.
                usage.cpu += Duration::from_nanos(field(&read("schedstat"), ""));
            }
        }
        usage
    }

    /// Ends it, and returns what it wrote to standard error.
    pub(crate) fn end(mut self) -> String {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        kill(id, Signal::SIGTERM).expect("it runs");
        let begin = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(30), "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
        self.errors()
    }

    /// Returns how many packets came to the server's end of the wire, and how many of them the kernel
    /// dropped before any program could hear them.
    pub(crate) fn arrived(&self) -> (u64, u64) {
        let table = fs::read_to_string(format!("/proc/{}/net/dev", self.child.id())).unwrap();
        let line = table.lines().find_map(|line| line.trim().strip_prefix("server:"));
        let numbers: Vec<u64> =
            line.unwrap().split_whitespace().map(|number| number.parse().unwrap()).collect();
        (numbers[1], numbers[3])
    }

    fn errors(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.wire.path("stderr")).unwrap()).into_owned()
    }

    /// Returns whether any program at the server's end listens to packets.
    fn has_packet_socket(&self) -> bool {
        let of = |name| fs::read_to_string(format!("/proc/{}/{name}", self.child.id()));
        // Before the exec of the daemon, the sockets are those of the whole machine.
        of("comm").is_ok_and(|name| name.starts_with("knockd"))
            && of("net/packet").is_ok_and(|sockets| sockets.lines().count() > 1)
    }

    /// Returns the ids of its processes: the first one and its descendants.
    fn processes(&self) -> Vec<u32> {
        let mut found = vec![self.child.id()];
        let all: Vec<(u32, u64)> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .map(|id: u32| {
                let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
                (id, field(&status, "PPid:"))
            })
            .collect();
        let mut place = 0;
        while let Some(&parent) = found.get(place) {
            found.extend(all.iter().filter(|(_, of)| *of == u64::from(parent)).map(|(id, _)| id));
            place += 1;
        }
        found
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        // The other processes end with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Usage {
    /// Returns the resources used since an earlier measurement. The peak is the current one.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            waits: self.waits.saturating_sub(earlier.waits),
            cpu: self.cpu.saturating_sub(earlier.cpu),
            peak_bytes: self.peak_bytes,
        }
    }
}

/// Returns the number after a word at the beginning of a line.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

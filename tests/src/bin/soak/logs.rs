//! The log file: rotating it, and reading what was rotated.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::visits::Door;
use crate::world::World;

/// How long the daemon may take to open a new file.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the log has had so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged {
    /// How many lines.
    pub(crate) lines: u64,
    /// How many bytes.
    pub(crate) bytes: usize,
    /// How often each door opened for each client.
    pub(crate) openings: BTreeMap<(Door, IpAddr), usize>,
    /// How often each start command ran.
    pub(crate) starts: BTreeMap<(Door, IpAddr), usize>,
}

/// The log.
pub(crate) struct Logs {
    world: Arc<World>,
    logged: Logged,
}

impl Logs {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), logged: Logged::default() }
    }

    /// Moves the file away, has the daemon open a new one by this signal, and reads the old one.
    pub(crate) fn rotate(&mut self, daemon: &Daemon, signal: &str) {
        let (log, moved) = (self.world.path("knockd.log"), self.world.path("knockd.log.1"));
        fs::rename(&log, &moved).unwrap();
        daemon.signal(signal);
        let begin = Instant::now();
        while !log.exists() {
            assert!(begin.elapsed() < PATIENCE, "no new log file after SIG{signal}");
            thread::sleep(Duration::from_millis(5));
        }
        self.read(&moved);
        fs::remove_file(moved).unwrap();
    }

    /// Reads the rest, after the end of the daemon.
    pub(crate) fn finish(mut self) -> Logged {
        self.read(&self.world.path("knockd.log"));
        self.logged
    }

    fn read(&mut self, path: &Path) {
        let mut file = BufReader::new(File::open(path).unwrap());
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line).unwrap() > 0 {
            self.logged.lines += 1;
            self.logged.bytes += line.len();
            self.logged.take(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
}

impl Logged {
    fn take(&mut self, line: &str) {
        let Some((_, text)) = line.trim_end().split_once("] ") else { return };
        let opening = text.strip_suffix(": OPEN SESAME").and_then(|rest| rest.split_once(": "));
        if let Some((client, door)) = opening {
            count(&mut self.openings, door, client);
        }
        let Some((door, command)) = text.split_once(": running command: ") else { return };
        let words: Vec<&str> = command.split(' ').collect();
        match words[..] {
            ["iptables" | "ip6tables", "-w", "-I", _, _, client, ..]
            | ["nft", "add", _, _, _, _, _, client, ..] => count(&mut self.starts, door, client),
            _ => {}
        }
    }
}

fn count(counts: &mut BTreeMap<(Door, IpAddr), usize>, door: &str, client: &str) {
    let door = [Door::Ssh, Door::Web].into_iter().find(|one| one.name() == door);
    if let (Some(door), Ok(client)) = (door, client.parse()) {
        *counts.entry((door, client)).or_default() += 1;
    }
}

//! The wire, and the programs that listen and knock on it.

use std::fs;

use tempfile::TempDir;

use super::cable::{Cable, LAST, SERVER};
use super::recording::Recording;
use crate::process::{Live, wait_until};

/// The payload of the last knock, by which it is found in the capture.
const MARK: &str = "this was the last knock";

/// A door for the last knock.
const LAST_DOOR: &str = "\n[last]\n\tsequence = 9:udp\n\tcommand =\n";

/// A live knockd, tcpdump next to it, and a place to knock from.
pub struct Wire {
    knockd: Live,
    tcpdump: Live,
    /// The process ids of both in their namespace.
    knockd_id: String,
    tcpdump_id: String,
    cable: Cable,
    /// What knockd has printed, up to the last line that the test waited for.
    live: String,
    config: String,
    folder: TempDir,
}

impl Wire {
    /// Starts tcpdump, and knockd with a configuration in which `DIR` means its folder. `files` are written
    /// into that folder before.
    ///
    /// Every command must end with `%IP%` after a blank or `-`, to distinguish the lines of children. This
    /// function adds the last door.
    ///
    /// # Panics
    /// If anything does not start.
    #[must_use]
    pub fn new(config: &str, files: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("there is room for a temporary folder");
        let path = |name: &str| folder.path().join(name).into_os_string().into_string().unwrap();
        let config = format!("{config}{LAST_DOOR}").replace("DIR", folder.path().to_str().unwrap());
        fs::write(path("knockd.conf"), &config).unwrap();
        for (name, text) in files {
            fs::write(path(name), text).unwrap();
        }
        let cable = Cable::new();
        // In its immediate mode, tcpdump reserves the snapshot length for each packet, and with the
        // default length there is space for eight packets.
        let dump = "exec tcpdump -i server -n -U --immediate-mode -s 512 -Z root -w";
        let dump = format!("echo $$ && {dump} '{}'", path("knocks.pcap"));
        let tcpdump = Live::start(&mut cable.server.command(&dump));
        let tcpdump_id = tcpdump.line();
        while !tcpdump.error_line().contains("listening on server") {}
        let daemon = format!("echo $$ && exec knockd -v -i server -c '{}'", path("knockd.conf"));
        let knockd = Live::start(&mut cable.server.command(&daemon));
        let knockd_id = knockd.line();
        assert_eq!(knockd.line(), "listening on server...");
        let live = String::new();
        let wire = Self { knockd, tcpdump, knockd_id, tcpdump_id, cable, live, config, folder };
        wire.wait_for_rest();
        wire
    }

    /// Runs a line for the shell on the server, to its end.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn server(&self, line: &str) {
        self.cable.on_server(line);
    }

    /// Runs a line for the shell on the client, to its end. It may fail, as programs do when ports are
    /// closed.
    ///
    /// # Panics
    /// If a program of the line is missing, or does not end.
    pub fn client(&self, line: &str) {
        self.cable.on_client(line);
    }

    /// Waits until knockd has printed a line, in which `DIR` means the folder, this many times.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_for(&mut self, line: &str, times: usize) {
        let line = line.replace("DIR", self.folder.path().to_str().unwrap());
        while self.live.lines().filter(|&printed| printed == line).count() < times {
            let next = self.knockd.line_if_any();
            let next = next.unwrap_or_else(|| panic!("no line {line:?} after\n{}", self.live));
            self.live.push_str(&next);
            self.live.push('\n');
        }
    }

    /// Waits until knockd waits for packets, and so has finished the work that goes with its last line.
    ///
    /// # Panics
    /// If it does not.
    pub fn wait_for_rest(&self) {
        let stat = format!("/proc/{}/stat", self.knockd_id);
        self.server(&format!(
            "until read -r _ _ is _ < {stat} && [ $is = S ]; do sleep 0.01; done"
        ));
    }

    /// Ends knockd when everything before is in the capture and in the transcript, and all children
    /// have ended.
    ///
    /// # Panics
    /// If any of this does not happen, if knockd ends in another way, or if tcpdump missed a packet.
    #[must_use]
    pub fn end(mut self) -> Recording {
        self.client(&format!("printf '{MARK}' | nc -u -q 0 -s {LAST} {} 9", SERVER[0]));
        self.wait_for(&format!("{LAST}: last: OPEN SESAME"), 1);
        let capture = self.folder.path().join("knocks.pcap");
        wait_until("the last knock is in the capture", || {
            let bytes = fs::read(&capture).unwrap();
            bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
        });
        // If a signal comes while knockd is printing a line, knockd prints that line twice.
        self.wait_for_rest();
        self.server(&format!("kill -TERM {} {}", self.knockd_id, self.tcpdump_id));
        let tcpdump = self.tcpdump.finish();
        assert!(tcpdump.stderr.contains("\n0 packets dropped"), "{}", tcpdump.stderr);
        // Children share the output of the daemon, so it ends only when all of them have ended.
        let rest = self.knockd.finish();
        assert_eq!(rest.status, Some(15), "{}{}", self.live, rest.stderr);
        let (farewell, rest_lines): (Vec<_>, Vec<_>) =
            rest.stdout.lines().partition(|line| FAREWELL.contains(line));
        assert_eq!(farewell, FAREWELL);
        let live = rest_lines.into_iter().fold(self.live, |live, line| live + line + "\n");
        Recording { live, errors: rest.stderr, config: self.config, folder: self.folder }
    }
}

/// What knockd prints when a signal ends it.
const FAREWELL: [&str; 2] = ["waiting for child processes...", "closing..."];

//! A server, on which the daemon runs, and a client that knocks.

use std::fs;
use std::path::PathBuf;

use knock_tests::live::Cable;
use knock_tests::process::{Live, finish};
use knock_tests::require::{Need, require};
use tempfile::TempDir;

use super::Daemon;

/// The daemon's program.
const KNOCKD: &str = env!("CARGO_BIN_EXE_knockd");

/// The programs that every scene needs.
const PROGRAMS: [&str; 6] = ["unshare", "nsenter", "taskset", "ip", "nc", "knock"];

/// A door for the last knock, whose opening shows that all before it were handled.
const LAST_DOOR: &str = "\n[last]\n\tsequence = 9:udp\n\tcommand =\n";

/// A server and a client on a cable, and a folder for files.
pub(crate) struct Scene {
    // Ended before the folder goes.
    pub(crate) cable: Cable,
    folder: TempDir,
}

impl Scene {
    /// Returns a scene for a test, with a configuration as `knockd.conf`; `None` if this machine lacks
    /// one of these programs, or of those that every scene needs.
    ///
    /// Another door is added, for [`Daemon::settle`].
    pub(crate) fn new(test: &str, programs: &[&str], config: &str) -> Option<Self> {
        if !require(test, &[&PROGRAMS, programs].concat(), Need::Namespaces) {
            return None;
        }
        let scene = Self { cable: Cable::new(), folder: TempDir::new().unwrap() };
        scene.configure(config);
        Some(scene)
    }

    /// Connects server and client by a second cable, whose interface on the server is `second`.
    pub(crate) fn add_second(&self) {
        let namespace = self.cable.client.id();
        self.cable.server.set_up(&format!(
            "ip link add name second type veth peer name second-client netns {namespace}
            ip address add 203.0.113.1/24 dev second
            ip address add 2001:db8:7::1/64 nodad dev second
            ip link set second addrgenmode none up"
        ));
        self.client(
            "ip address add 203.0.113.10/24 dev second-client
            ip address add 2001:db8:7::10/64 nodad dev second-client
            ip link set second-client addrgenmode none up",
        );
        self.server("until ip -o link show second | grep -q 'state UP'; do sleep 0.01; done");
    }

    /// Writes another `knockd.conf`.
    pub(crate) fn configure(&self, config: &str) {
        self.write("knockd.conf", &format!("{config}{LAST_DOOR}"));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file. In its text, `DIR` means the folder.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), self.placed(text)).unwrap();
    }

    /// Returns the text of a file, or an empty one if there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        let bytes = fs::read(self.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns a text with `DIR` replaced by the folder.
    pub(crate) fn placed(&self, text: &str) -> String {
        text.replace("DIR", self.folder.path().to_str().unwrap())
    }

    /// Runs a shell command on the server, which must succeed.
    pub(crate) fn server(&self, line: &str) {
        self.cable.on_server(&self.placed(line));
    }

    /// Runs a shell command on the client. It may fail, as programs do that find a port closed.
    pub(crate) fn client(&self, line: &str) {
        self.cable.on_client(&self.placed(line));
    }

    /// Returns what a shell command prints on the server; it must succeed.
    pub(crate) fn ask_server(&self, line: &str) -> String {
        let outcome = finish(&mut self.cable.server.command(line));
        assert_eq!(outcome.status, Some(0), "{line}: {}", outcome.stderr);
        outcome.stdout
    }

    /// Returns whether a shell command succeeds on the client.
    pub(crate) fn client_can(&self, line: &str) -> bool {
        finish(&mut self.cable.client.command(line)).status == Some(0)
    }

    /// Knocks by TCP from one of the client's addresses.
    pub(crate) fn knock_from(&self, source: &str, destination: &str, ports: &str) {
        let knock = format!("nc -z -s {source} {destination} $port");
        self.client(&format!("for port in {ports}; do {knock}; done"));
    }

    /// Starts the daemon on the server with more options than the configuration, and waits until it
    /// listens.
    pub(crate) fn start(&self, options: &str) -> Daemon<'_> {
        self.start_with(&format!("-c DIR/knockd.conf {options}"))
    }

    /// Starts the daemon on the server with these options, and waits until it listens.
    pub(crate) fn start_with(&self, options: &str) -> Daemon<'_> {
        let options = self.placed(options);
        let line = self.placed("echo $$ && exec \"$KNOCKD\" -v");
        let line =
            format!("{line} {options} >{} 2>{}", self.placed("DIR/out"), self.placed("DIR/errors"));
        // Another daemon may have written to these files before.
        self.write("out", "");
        self.write("errors", "");
        let mut command = self.cable.server.command(&line);
        // Never the state of a daemon on the real machine.
        command.env("KNOCKD", KNOCKD).env("STATE_DIRECTORY", self.path("state"));
        Daemon::new(self, Live::start(&mut command))
    }
}

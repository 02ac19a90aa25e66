//! A server and a client on a cable, and the packets on it.

use std::fs;
use std::io::{self, Write as _};
use std::net::{Shutdown, TcpListener};
use std::thread;

use knock_tests::live::Cable;
use knock_tests::process::{Live, Outcome, finish, wait_until};
use knock_tests::require::{Need, require};
use knock_tests::schema::Schema;
use tempfile::TempDir;

use crate::relay::Relay;

/// The programs that every scene needs.
const PROGRAMS: [&str; 7] = ["unshare", "nsenter", "taskset", "ip", "nc", "tcpdump", "setpriv"];

/// The client's program.
pub(crate) const KNOCK: &str = env!("CARGO_BIN_EXE_knock");

/// A user without any privileges.
pub(crate) const NOBODY: &str =
    "setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all";

/// A server and a client on a cable, and a folder for files.
pub(crate) struct Scene {
    pub(crate) cable: Cable,
    folder: TempDir,
}

impl Scene {
    /// Returns one for a test; `None` if the machine lacks one of these programs or of those that
    /// every scene needs.
    pub(crate) fn new(test: &str, programs: &[&str]) -> Option<Self> {
        let can = require(test, &[&PROGRAMS, programs].concat(), Need::Namespaces);
        can.then(|| Self { cable: Cable::new(), folder: TempDir::new().unwrap() })
    }

    /// Returns one whose packets a relay carries; `None` if the machine lacks what it takes.
    pub(crate) fn relayed(test: &str, programs: &[&str]) -> Option<(Self, Relay)> {
        let programs = [&PROGRAMS, &["ethtool"][..], programs].concat();
        require(test, &programs, Need::Namespaces).then(|| {
            let (cable, between) = Cable::cut();
            (Self { cable, folder: TempDir::new().unwrap() }, Relay::new(between))
        })
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Runs a line for the shell on the server, which must succeed.
    pub(crate) fn server(&self, line: &str) {
        self.cable.server.set_up(line);
    }

    /// Runs a line for the shell on the client, in which `knock` is the client's program.
    pub(crate) fn client(&self, line: &str) -> Outcome {
        let line = format!("knock() {{ {KNOCK} \"$@\"; }}\n{line}");
        finish(&mut self.cable.client.command(&line))
    }

    /// Runs the client's program without privileges, with these arguments.
    pub(crate) fn knock(&self, arguments: &str) -> Outcome {
        self.client(&format!("{NOBODY} {KNOCK} {arguments}"))
    }

    /// Starts a program on the server.
    pub(crate) fn on_server(&self, line: &str) -> Live {
        Live::start(&mut self.cable.server.command(line))
    }

    /// Lets a port of an address of the server accept connections, one after the other.
    pub(crate) fn listener(&self, address: &str, port: u16) -> Live {
        let live = self.on_server(&format!("exec nc -v -n -l -k {address} {port}"));
        assert!(live.error_line().starts_with("Listening on "), "nc does not listen");
        live
    }

    /// Lets port 22 of the server greet every connection until the test ends.
    pub(crate) fn greeter(&self, greeting: &'static str) {
        let listener = self.cable.server.open(|| TcpListener::bind("192.0.2.1:22").unwrap());
        thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                // A client that only tried the port has gone.
                let _ = connection.write_all(greeting.as_bytes());
                // Closing with unread data sends an RST, which may lose the greeting.
                let _ = connection.shutdown(Shutdown::Write);
                let _ = io::copy(&mut connection, &mut io::sink());
            }
        });
    }

    /// Starts to record the packets.
    pub(crate) fn record(&self) -> Sniffer<'_> {
        let file = self.path("seen.pcap");
        let dump = "echo $$ && exec tcpdump -i client -n -U --immediate-mode -s 512 -Z root -w";
        let mut command = self.cable.client.command(&format!("{dump} {file} 'tcp or udp'"));
        let live = Live::start(&mut command);
        let id = live.line();
        while !live.error_line().contains("listening on client") {}
        Sniffer { scene: self, live, id, file }
    }
}

/// Records packets.
pub(crate) struct Sniffer<'a> {
    scene: &'a Scene,
    live: Live,
    id: String,
    file: String,
}

/// A packet that passed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    /// When, in seconds.
    pub(crate) at: f64,
    pub(crate) from: String,
    pub(crate) from_port: u16,
    pub(crate) to: String,
    pub(crate) to_port: u16,
    /// The flags as tcpdump prints them, or `UDP`.
    pub(crate) kind: String,
    /// The whole line.
    pub(crate) line: String,
}

impl Sniffer<'_> {
    /// Waits until all earlier packets are recorded, ends, and returns them.
    pub(crate) fn end(self) -> Vec<Seen> {
        // A packet that marks the end.
        let mark = "printf the-end | nc -u -q 0 192.0.2.1 9";
        assert_eq!(self.scene.client(mark).status, Some(0));
        let is_there = |bytes: &[u8]| bytes.windows(7).any(|window| window == b"the-end");
        wait_until("the mark has passed", || is_there(&fs::read(&self.file).unwrap()));
        assert_eq!(self.scene.client(&format!("kill -TERM {}", self.id)).status, Some(0));
        let ended = self.live.finish();
        assert!(ended.stderr.contains("\n0 packets dropped"), "{}", ended.stderr);
        let outcome = self.scene.client(&format!("tcpdump -n -tt -v -r {}", self.file));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let mut seen = read(&outcome.stdout);
        seen.retain(|packet| packet.to_port != 9);
        seen
    }
}

/// Reads what `tcpdump -n -tt -v` prints: of IPv4 two lines for a packet, of IPv6 one.
fn read(text: &str) -> Vec<Seen> {
    let joined = text.replace("\n    ", " ");
    joined.lines().map(packet).collect()
}

fn packet(line: &str) -> Seen {
    let at = line.split_once(' ').unwrap().0.parse().unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let arrow = words.iter().position(|word| *word == ">").unwrap();
    let (from, from_port) = words[arrow - 1].rsplit_once('.').unwrap();
    let (to, to_port) = words[arrow + 1].trim_end_matches(':').rsplit_once('.').unwrap();
    let rest = words[arrow + 2..].join(" ");
    let flags = rest.strip_prefix("Flags ").map(|flags| flags.split_once(',').unwrap().0);
    assert!(flags.is_some() || line.contains("UDP (17)"), "{line}");
    let kind = flags.unwrap_or("UDP").to_owned();
    let (from_port, to_port) = (from_port.parse().unwrap(), to_port.parse().unwrap());
    let (from, to, line) = (from.to_owned(), to.to_owned(), line.to_owned());
    Seen { at, from, from_port, to, to_port, kind, line }
}

/// The packets to the server, as `PORT FLAGS`.
pub(crate) fn sent(seen: &[Seen], to: &str) -> Vec<String> {
    let sent = seen.iter().filter(|packet| packet.to == to);
    sent.map(|packet| format!("{} {}", packet.to_port, packet.kind)).collect()
}

/// Returns the schema of the lines of `--json`.
pub(crate) fn schema() -> Schema {
    Schema::read("knock.schema.json")
}

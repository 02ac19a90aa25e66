//! The wire, what listens on it and what knocks.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::namespace::Namespace;
use super::recording::Recording;
use crate::process::{Live, finish};

/// The addresses of the server's end, all that its knockd listens on.
pub const SERVER: [&str; 4] = ["192.0.2.1", "198.51.100.1", "2001:db8::1", "fe80::1"];

/// The addresses of the client's end. The first is the one from which it talks to the first address
/// of the server, unless a program is told otherwise; the last ones to the others.
pub const CLIENTS: [&str; 5] =
    ["192.0.2.10", "192.0.2.11", "198.51.100.10", "2001:db8::10", "fe80::10"];

/// Who knocks last.
const LAST: &str = "192.0.2.99";

/// What the last knock carries, so that it is known in the capture.
const MARK: &str = "this was the last knock";

/// A door for the last knock.
const LAST_DOOR: &str = "\n[last]\n\tsequence = 9:udp\n\tcommand =\n";

/// A live knockd, tcpdump beside it, and a place to knock from.
pub struct Wire {
    knockd: Live,
    tcpdump: Live,
    /// The numbers of both in their namespace.
    knockd_id: String,
    tcpdump_id: String,
    client: Namespace,
    server: Namespace,
    /// What knockd has printed, as far as it was waited for.
    live: String,
    config: String,
    folder: TempDir,
}

impl Wire {
    /// Starts knockd with a configuration, in which `DIR` stands for a folder of its own, and
    /// tcpdump. `files` are written into that folder before.
    ///
    /// Every command must end with `%IP%` behind a blank or `-`, so that what children print can be
    /// told apart. The last door is added by this.
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
        let (server, client) = (Namespace::new(), Namespace::new());
        join(&server, &client);
        // tcpdump in its immediate mode keeps room for packets as long as the snapshot length, and the
        // default leaves it room for eight.
        let dump = "exec tcpdump -i server -n -U --immediate-mode -s 512 -Z root -w";
        let dump = format!("echo $$ && {dump} '{}'", path("knocks.pcap"));
        let tcpdump = Live::start(&mut server.command(&dump));
        let tcpdump_id = tcpdump.line();
        while !tcpdump.error_line().contains("listening on server") {}
        let daemon = format!("echo $$ && exec knockd -v -i server -c '{}'", path("knockd.conf"));
        let knockd = Live::start(&mut server.command(&daemon));
        let knockd_id = knockd.line();
        assert_eq!(knockd.line(), "listening on server...");
        let live = String::new();
        let wire =
            Self { knockd, tcpdump, knockd_id, tcpdump_id, client, server, live, config, folder };
        wire.wait_for_rest();
        wire
    }

    /// Runs a line for the shell on the server, to its end.
    ///
    /// # Panics
    /// If it does not succeed.
    pub fn server(&self, line: &str) {
        let outcome = finish(&mut self.server.command(line));
        assert_eq!(outcome.status, Some(0), "{line}: {}", outcome.stderr);
    }

    /// Runs a line for the shell on the client, to its end. It may fail, as programs do that find
    /// ports closed.
    ///
    /// # Panics
    /// If a program of the line is missing, or does not end.
    pub fn client(&self, line: &str) {
        let inside = self.client.command(line);
        let mut bound = Command::new("taskset");
        bound.args(["--cpu-list", &processor()]).arg(inside.get_program()).args(inside.get_args());
        let outcome = finish(bound.stdin(Stdio::null()));
        assert!(!matches!(outcome.status, None | Some(126 | 127)), "{line}: {outcome:?}");
    }

    /// Waits until knockd has printed a line, in which `DIR` stands for the folder, so many times.
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

    /// Waits until knockd waits for packets, and so has done all that the last line it was waited
    /// for comes with.
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
    /// If any of this does not happen, if knockd does not end as it should, or if tcpdump missed a
    /// packet.
    #[must_use]
    pub fn end(mut self) -> Recording {
        self.client(&format!("printf '{MARK}' | nc -u -q 0 -s {LAST} {} 9", SERVER[0]));
        self.wait_for(&format!("{LAST}: last: OPEN SESAME"), 1);
        let capture = self.folder.path().join("knocks.pcap");
        wait_until("the last knock is in the capture", || {
            let bytes = fs::read(&capture).unwrap();
            bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes())
        });
        // A signal that comes while knockd is still busy with a line makes it print that line twice.
        self.wait_for_rest();
        self.server(&format!("kill -TERM {} {}", self.knockd_id, self.tcpdump_id));
        let tcpdump = self.tcpdump.finish();
        assert!(tcpdump.stderr.contains("\n0 packets dropped"), "{}", tcpdump.stderr);
        // Children share the output of the daemon, which so has an end when all have ended.
        let rest = self.knockd.finish();
        assert_eq!(rest.status, Some(15), "{}{}", self.live, rest.stderr);
        let (farewell, rest_lines): (Vec<_>, Vec<_>) =
            rest.stdout.lines().partition(|line| FAREWELL.contains(line));
        assert_eq!(farewell, FAREWELL);
        let live = rest_lines.into_iter().fold(self.live, |live, line| live + line + "\n");
        Recording { live, errors: rest.stderr, config: self.config, folder: self.folder }
    }
}

/// What knockd prints when it is told to end.
const FAREWELL: [&str; 2] = ["waiting for child processes...", "closing..."];

/// Joins two namespaces.
fn join(server: &Namespace, client: &Namespace) {
    let address = |address: &str| {
        let rest = if address.contains(':') { "/64 nodad" } else { "/24" };
        [address, rest].concat()
    };
    let addresses = |device: &str, addresses: &[&str]| {
        let add = |each: &&str| format!("ip address add {} dev {device}\n", address(each));
        // Without an address from the kernel: all addresses are those named here.
        let device_up = format!("ip link set {device} addrgenmode none up\nip link set lo up\n");
        addresses.iter().map(add).collect::<String>() + &device_up
    };
    let pair = "ip link add name server type veth peer name client netns";
    server.set_up(&format!("{pair} {}", client.id()));
    client.set_up(&addresses("client", &[&CLIENTS[..], &[LAST]].concat()));
    let ready = "until ip -o link show server | grep -q 'state UP'; do sleep 0.01; done\n";
    // Some programs wait for answers to all they sent by UDP, and the kernel would answer few.
    let answers = "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit || true\n";
    server.set_up(&[&addresses("server", &SERVER), ready, answers].concat());
}

/// Returns a processor on which this may run.
fn processor() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.unwrap().trim().chars().take_while(char::is_ascii_digit).collect()
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_mins(1), "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

//! A recording of signed packets, replayed: the same lines as the daemon's, byte for byte.

use std::ffi::OsString;
use std::fs;

use knock_replay::{Exit, Streams};
use knock_signed::{Digest, Moment, Packet};
use knock_tests::signed::sealed;

use crate::common::Daemon;
use crate::signed::{Case, alice, request};

/// A door for signed packets, and one for a sequence.
const CONFIG: &str = "\
[options]
    Server_Name = home.example.com
    Key_Dir = DIR/keys
    Clock_Skew = 25
[SSH]
    Signed = alice
    command = true SSH %IP%
[web]
    sequence = 7001:udp,7002:udp,7003:udp
    seq_timeout = 10
    command = true web %IP%
";

const SERVER: &str = "home.example.com";

/// Returns the time so many seconds ago.
fn ago(moment: Moment, seconds: u64) -> Moment {
    Moment(moment.0 - seconds * 1_000_000_000)
}

/// A running daemon, and what it has printed.
struct Run<'a> {
    case: &'a Case,
    daemon: Daemon,
    lines: Vec<String>,
}

impl<'a> Run<'a> {
    fn start(case: &'a Case, recording: &str) -> Self {
        let options = format!("-v -D --record DIR/{recording}");
        Self { case, daemon: Daemon::start(&case.machine, &options), lines: Vec::new() }
    }

    /// Waits for a line with a text: nothing that comes later is to be printed before it.
    fn wait_for(&mut self, text: &str) {
        while !self.daemon.live.line_if_any().is_some_and(|line| {
            self.lines.push(line);
            self.lines.last().is_some_and(|line| line.contains(text))
        }) {
            assert!(self.lines.len() < 1_000, "{text}: {:?}", self.lines);
        }
    }

    fn send(&mut self, packet: &[u8; 112], expected: &str) {
        self.case.send(packet);
        self.wait_for(expected);
    }

    fn knock(&mut self, port: u16, expected: &str) {
        self.case.machine.knock(&[port]);
        self.wait_for(expected);
    }

    /// Sends what opens a door, and everything that does not. Returns the packet that has opened one.
    fn send_all(&mut self) -> [u8; 112] {
        let now = || request(SERVER);
        let honest = sealed(&alice(), &now());
        let mut forged = sealed(&alice(), &now());
        forged[100] ^= 1;
        let late = Packet { moment: ago(now().moment, 30), ..now() };
        let unknown_door = Packet { door: Digest::of_door(b"none"), ..now() };
        self.send(&honest, "SSH: running command: ");
        for (packet, why) in [
            (honest, "a replay of an accepted packet"),
            (forged, "changed on its way, or forged"),
            (sealed(&alice(), &late), "made by a clock that is 3"),
            (sealed(&alice(), &unknown_door), "for an unknown door"),
            (sealed(&alice(), &request("other.example.com")), "made for another server"),
            ([1; 112], "made with an unknown key, or not about now"),
        ] {
            self.knock(7001, ": web: Stage 1");
            self.send(&packet, &format!(" ignored: {why}"));
        }
        // A sequence that is whole around a signed packet.
        self.knock(7002, ": web: Stage 2");
        self.send(&sealed(&alice(), &now()), "SSH: running command: ");
        self.knock(7003, "web: running command: ");
        honest
    }

    /// Ends the daemon when nothing is left to do. Returns its transcript, with the notes among it.
    fn end(mut self) -> String {
        self.knock(7001, ": web: Stage 1");
        self.wait_for(": web: sequence timeout (stage 1)");
        let outcome = self.daemon.end();
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (Some(0), "closing...\n"),
            "{outcome:?}"
        );
        // `-D` also prints the packets, which have no counterpart.
        let is_packet = |line: &&String| line.contains(": udp: ") && line.ends_with(" bytes");
        let lines = self.lines.iter().filter(|line| !is_packet(line));
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

/// Returns the transcript of a replay, with the notes among it.
fn replay(case: &Case, arguments: &[&str]) -> String {
    let path = |name: &str| case.machine.folder.path(name).into_os_string();
    let words = ["knock-replay", "--local", "127.0.0.1", "--format", "json", "--verbose", "-c"];
    let words = words.map(OsString::from).into_iter().chain([path("knockd.conf")]);
    let words = words.chain(arguments.iter().map(|word| match word.strip_prefix("DIR/") {
        Some(name) => path(name),
        None => OsString::from(word),
    }));
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut output, &mut errors);
    let exit = knock_replay::run(words, &mut streams);
    assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&errors));
    let objects = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let objects = objects.map(|line| serde_json::from_slice::<serde_json::Value>(line).unwrap());
    let texts =
        objects.filter_map(|object| object["text"].as_str().map(|text| format!("{text}\n")));
    texts.collect()
}

#[test]
fn a_recording_of_signed_packets_is_replayed_byte_for_byte_across_a_restart() {
    let name = "a_recording_of_signed_packets_is_replayed_byte_for_byte_across_a_restart";
    let Some(case) = Case::with(name, CONFIG) else { return };
    let mut run = Run::start(&case, "one.pcap");
    let packet = run.send_all();
    let first = run.end();
    assert_eq!(first.matches(": SSH: OPEN SESAME\n").count(), 2, "{first}");
    assert_eq!(first.matches(": web: OPEN SESAME\n").count(), 1, "{first}");
    assert_eq!(replay(&case, &["DIR/one.pcap"]), first);

    // After a restart, the first packet is still used, which a replay must be told.
    let used = case.machine.folder.path("used.before");
    fs::copy(case.machine.folder.path("state/used"), used).unwrap();
    let mut run = Run::start(&case, "two.pcap");
    // On a slow machine, it may also be too old by now.
    run.send(&packet, "127.0.0.1: signed packet of alice ignored: ");
    run.send_all();
    let second = run.end();
    assert_eq!(second.matches(": SSH: OPEN SESAME\n").count(), 2, "{second}");
    let of_second = replay(&case, &["DIR/two.pcap", "--replay-state", "DIR/used.before"]);
    assert_eq!(of_second, second);
    // Both together are one run.
    let both = replay(&case, &["DIR/one.pcap", "DIR/two.pcap"]);
    assert_eq!(both, format!("{first}{second}"));
}

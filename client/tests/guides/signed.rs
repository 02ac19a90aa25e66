//! The sender of the page about signed packets, compared with the client byte for byte, and both with the
//! examples that a third program made.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use knock_tests::guide::{self, Step};
use knock_tests::process::finish;
use knock_tests::require::require_cryptography;
use tempfile::TempDir;

/// Runs the sender at a time and with a nonce, where sending prints where and what.
const FRAME: &str = r"
import os, socket, sys, time
class Socket:
    def __init__(self, family, kind): pass
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def sendto(self, packet, address): print(address[0], address[1], packet.hex())
socket.socket = Socket
now, nonce = int(sys.argv.pop(1)), bytes.fromhex(sys.argv.pop(1))
time.time_ns = lambda: now
os.urandom = lambda length: nonce
exec(open('sender.py').read())
";

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const NONCE: &str = "404142434445464748494a4b4c4d4e4f5051525354555657";

fn file(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

fn steps() -> Vec<Step> {
    guide::read("signed-packets.md")
}

/// Returns the lines that the sender of the page would send: an address, a port, and the packet.
fn sent(folder: &TempDir, moment: &str, arguments: &[&str]) -> Vec<String> {
    let sender = steps().into_iter().find_map(|step| match step {
        Step::File(name, text) if name == "sender.py" => Some(text),
        Step::File(..) | Step::Command { .. } | Step::Lines(_) => None,
    });
    let sender = sender.unwrap();
    let lines = sender.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 40, "{lines} lines");
    file(folder, "sender.py", &sender);
    file(folder, "frame.py", FRAME);
    let mut command = Command::new("python3");
    command.current_dir(folder).args(["frame.py", moment, NONCE]).args(arguments);
    let outcome = finish(&mut command);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    outcome.stdout.lines().map(str::to_owned).collect()
}

/// Returns what follows the UDP header of the only packet in a capture.
fn payload(capture: &Path) -> String {
    let bytes = fs::read(capture).unwrap();
    // The headers of the capture and its packet, of Ethernet, IPv4 and UDP.
    let (_, payload) = bytes.split_at(24 + 16 + 14 + 20 + 8);
    assert_eq!(payload.len(), 112);
    let digits = payload.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

fn knock(folder: &TempDir, arguments: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knock"));
    command.env("XDG_CONFIG_HOME", "/nonexistent").current_dir(folder);
    let outcome = finish(command.args(arguments.split_whitespace()));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
}

#[test]
fn the_sender_of_the_page_and_knock_make_the_same_packets_as_a_third_program() {
    let name = "the_sender_of_the_page_and_knock_make_the_same_packets_as_a_third_program";
    if !require_cryptography(name) {
        return;
    }
    let folder = TempDir::new().unwrap();
    // The second example of vectors.txt; then the third, whose name of the server has capitals.
    let vectors = include_str!("../../../testdata/signed/vectors.txt");
    let examples = [
        (2, "1764460800123456789", "1764460800.123456789", "home.example.com", "SSH"),
        (3, "1764460800123456790", "1764460800.123456790", "Home.Example.COM", "ssh"),
    ];
    for (line, nanos, at, server, door) in examples {
        let expected = vectors.lines().nth(line).unwrap().rsplit(' ').next().unwrap();
        file(&folder, "the.key", &format!("key = {KEY}\nserver = {server}\nport = 62201\n"));
        let sent = sent(&folder, nanos, &["192.0.2.1", "the.key", door]);
        assert_eq!(sent, [format!("192.0.2.1 62201 {expected}")]);
        let made = format!("--key the.key --door {door} --at {at} --nonce {NONCE}");
        knock(&folder, &format!("{made} -q --write k.pcap --source 192.0.2.10 192.0.2.1"));
        assert_eq!(payload(&folder.path().join("k.pcap")), expected);
    }
}

#[test]
fn without_a_name_in_the_file_the_server_is_called_as_the_host() {
    let name = "without_a_name_in_the_file_the_server_is_called_as_the_host";
    if !require_cryptography(name) {
        return;
    }
    let folder = TempDir::new().unwrap();
    file(&folder, "the.key", &format!("key = {KEY}\nport = 1234\n"));
    let sent = sent(&folder, "1764460800500000000", &["127.0.0.1", "the.key", "SSH"]);
    let made = format!("--key the.key --door SSH --at 1764460800.5 --nonce {NONCE}");
    knock(&folder, &format!("{made} -q --write k.pcap 127.0.0.1"));
    assert_eq!(sent, [format!("127.0.0.1 1234 {}", payload(&folder.path().join("k.pcap")))]);
}

#[test]
fn the_commands_of_the_page_run() {
    let folder = TempDir::new().unwrap();
    file(&folder, "home.key", &format!("key = {KEY}\n"));
    let mut commands = 0;
    for step in steps() {
        let Step::Command { place, line, output } = step else { continue };
        assert_eq!(place, "client");
        knock(&folder, &format!("-q {}", line.strip_prefix("knock ").unwrap()));
        assert_eq!(output, "");
        commands += 1;
    }
    assert_eq!(commands, 1);
}

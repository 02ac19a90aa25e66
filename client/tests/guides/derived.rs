//! The sender of the guide about derived sequences, checked against the examples that another program made.

use std::fs;
use std::process::Command;

use knock_tests::guide::{self, Step};
use knock_tests::process::finish;
use knock_tests::require::{Need, require};
use tempfile::TempDir;

/// Runs the sender at some time of day, where connecting prints the port.
const FRAME: &str = r"
import socket, sys, time
class Socket(socket.socket):
    def connect_ex(self, address):
        print(address[1])
socket.socket = Socket
now = float(sys.argv.pop(1))
time.time = lambda: now
exec(open('sender.py').read())
";

#[test]
fn the_sender_of_the_guide_sends_what_the_examples_have() {
    let name = "the_sender_of_the_guide_sends_what_the_examples_have";
    if !require(name, &["python3", "base64"], Need::Programs) {
        return;
    }
    let steps = guide::read("derived-sequences.md");
    let sender = steps.iter().find_map(|step| match step {
        Step::File(name, text) if name == "sender.py" => Some(text),
        Step::File(..) | Step::Command { .. } | Step::Lines(_) => None,
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("sender.py"), sender.unwrap()).unwrap();
    fs::write(folder.path().join("frame.py"), FRAME).unwrap();
    let mut examples = 0;
    for line in include_str!("../../../testdata/derived/vectors.txt").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let &[key, door, period, "20000-59999", ports] = &fields[..] else { continue };
        // The second half of the period.
        let time = period.parse::<u64>().unwrap() * 60 + 31;
        let script = format!(
            "cd {} && echo \"key = $(printf '{}' | base64)\" > the.key && \
             exec python3 frame.py {time} 127.0.0.1 the.key \"$(printf '{}')\"",
            folder.path().display(),
            escaped(key),
            escaped(door)
        );
        let outcome = finish(Command::new("sh").args(["-c", &script]));
        let sent: Vec<&str> = outcome.stdout.lines().collect();
        assert_eq!(sent.join(","), ports, "{outcome:?}");
        examples += 1;
    }
    assert_eq!(examples, 4);
}

/// Returns hexadecimal digits as escapes for `printf`.
fn escaped(hex: &str) -> String {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let escapes: Vec<String> =
        hex.as_bytes().chunks(2).map(|pair| format!("\\{:03o}", byte(pair))).collect();
    escapes.concat()
}

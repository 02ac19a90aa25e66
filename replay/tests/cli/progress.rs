//! The progress bar: only for a person who waits.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::common::capture_builder::first_knocks_pcap;
use crate::common::{CaseRunner, Live, Need, Outcome, require};

#[test]
fn a_long_replay_shows_its_bytes_on_a_terminal_and_takes_them_off_again() {
    if !require("a_long_replay_shows_its_bytes", &["script"], Need::Programs) {
        return;
    }
    let outcome = replay_slowly("", true);
    let terminal = &outcome.stdout;
    assert!(terminal.contains(" of 13.35 MiB"), "{terminal:?}");
    assert!(terminal.contains("% "), "{terminal:?}");
    let (_, behind) = terminal.rsplit_once(" eta ").unwrap();
    assert!(behind.contains("\x1b[2K"), "the bar is still there: {behind:?}");
    assert!(behind.contains("knock-replay: 200000 packets read"), "{behind:?}");
}

#[test]
fn quiet_shows_no_bar() {
    if !require("quiet_shows_no_bar", &["script"], Need::Programs) {
        return;
    }
    assert_eq!(replay_slowly("--quiet", true).stdout, "");
}

#[test]
fn there_is_no_bar_where_there_is_no_terminal() {
    let outcome = replay_slowly("", false);
    assert!(outcome.stderr.starts_with("knock-replay: 200000 packets read"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains('\x1b'), "{}", outcome.stderr);
}

/// Replays a capture whose transcript is read so slowly that a bar would appear: what fits into
/// the pipe is less than the program prints before it looks at the clock for the first time, so
/// it must wait for this reader, however fast it is.
fn replay_slowly(options: &str, terminal: bool) -> Outcome {
    let desk = CaseRunner::new();
    let mut file = File::create(desk.path("long.pcap")).unwrap();
    file.write_all(&first_knocks_pcap(200_000)).unwrap();
    let pipe = desk.pipe("transcript");
    let program = env!("CARGO_BIN_EXE_knock-replay");
    let replay = format!("{program} long.pcap -c knockd.conf {options} >transcript");
    let mut command = desk.program(if terminal { "script" } else { "sh" });
    command.args(if terminal { ["-qec", &replay] } else { ["-c", &replay] });
    if terminal {
        command.arg("/dev/null");
    }
    let live = Live::start(command.stdin(Stdio::piped()));
    let reader = thread::spawn(move || read_late(&pipe));
    let lines = reader.join().unwrap();
    assert!(lines > 200_000, "{lines} lines");
    live.finish()
}

/// Reads a first byte, then nothing for as long as a replay must last for a bar, then all. Returns
/// the number of lines.
fn read_late(pipe: &Path) -> usize {
    let mut pipe = File::open(pipe).unwrap();
    pipe.read_exact(&mut [0]).unwrap();
    thread::sleep(Duration::from_millis(600));
    let mut transcript = String::new();
    pipe.read_to_string(&mut transcript).unwrap();
    transcript.lines().count()
}

//! What the README says of the daemon, word for word.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::common::{Machine, Need, PROGRAMS, finish, require};

const BUILT: &str = "target/release/knockd";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The indented blocks of the README, without their indentation.
fn blocks() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let paragraphs = readme.split("\n\n").filter(|paragraph| paragraph.starts_with("    "));
    paragraphs.map(|block| block.lines().flat_map(|line| [&line[4..], "\n"]).collect()).collect()
}

/// The line of the README that begins like this, without that beginning.
fn line(beginning: &str) -> String {
    let blocks = blocks();
    let mut lines = blocks.iter().flat_map(|block| block.lines());
    lines.find_map(|line| line.strip_prefix(beginning)).unwrap().to_owned()
}

#[test]
fn the_check_says_what_the_readme_says() {
    let arguments = line(&format!("{BUILT} --check"));
    let mut knockd = Command::new(env!("CARGO_BIN_EXE_knockd"));
    knockd.arg("--check").args(arguments.split_whitespace()).current_dir(root());
    let outcome = finish(&mut knockd);
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stderr.contains("warning[ascending-sequence]: "), "{outcome:?}");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let begins = "ends with a line that\nbegins with `";
    let (_, beginning) = readme.split_once(begins).unwrap();
    let (beginning, _) = beginning.split_once('`').unwrap();
    assert!(outcome.stderr.lines().last().unwrap().starts_with(beginning), "{outcome:?}");
}

#[test]
fn the_daemon_prints_what_the_readme_says() {
    let programs = [PROGRAMS, &["iptables", "knock"]].concat();
    if !require("the_daemon_prints_what_the_readme_says", &programs, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    let arguments = line(&format!("{BUILT} -v"));
    let arguments = arguments.strip_suffix(" &").unwrap();
    let live = machine.start(&format!("cd {} && exec $KNOCKD -v{arguments}", root().display()));
    assert_eq!(live.line(), "listening on lo...");
    let blocks = blocks();
    let knocks = blocks.iter().find(|block| block.starts_with("knock -v localhost")).unwrap();
    for knock in knocks.lines() {
        assert_eq!(machine.run(knock).status, Some(0), "{knock}");
    }
    let printed = blocks.iter().find(|block| block.contains(": openSSH: Stage 1\n")).unwrap();
    for expected in printed.lines() {
        assert_eq!(live.line(), expected);
    }
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

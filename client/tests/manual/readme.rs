//! What the README says of the client, word for word.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use knock_replay::{Exit, Streams};
use knock_tests::manual::prose;
use knock_tests::process::finish;
use tempfile::TempDir;

/// The blocks of the README's section about the client, without their indentation.
fn blocks() -> Vec<String> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, section) = readme.split_once("\n## The client\n").unwrap();
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let blocks = section.split("\n\n").filter(|block| block.starts_with("    "));
    blocks.map(|block| block.lines().flat_map(|line| [&line[4..], "\n"]).collect()).collect()
}

#[test]
fn the_plan_is_the_one_that_the_readme_shows() {
    let blocks = blocks();
    let place = blocks.iter().position(|block| block.contains(" --dry-run ")).unwrap();
    let arguments = blocks[place].trim().strip_prefix("target/release/knock ").unwrap();
    let mut knock = Command::new(env!("CARGO_BIN_EXE_knock"));
    let outcome = finish(knock.args(arguments.split(' ')));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stdout, blocks[place + 1]);
}

#[test]
fn the_door_is_knocked_at_as_the_readme_says() {
    let blocks = blocks();
    let door = blocks.iter().find(|block| block.contains(" --door ")).unwrap();
    let folder = TempDir::new().unwrap();
    let conf = "[openSSH]\nsequence = 7000,8000,9000\n";
    fs::write(folder.path().join("knockd.conf"), conf).unwrap();
    let mut knock = Command::new(env!("CARGO_BIN_EXE_knock"));
    knock.current_dir(&folder).env("XDG_CONFIG_HOME", folder.path());
    knock.args(["-q", "--dry-run"]);
    let outcome = finish(knock.args(door.trim().strip_prefix("knock ").unwrap().split(' ')));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.starts_with("knock at 192.0.2.1 from "), "{}", outcome.stdout);
    assert!(outcome.stdout.contains(":\n        0 ms  7000:tcp\n"), "{}", outcome.stdout);
}

#[test]
fn the_capture_opens_the_door_that_the_readme_shows() {
    let blocks = blocks();
    let place = blocks.iter().position(|block| block.contains(" --write ")).unwrap();
    let (write, replay) = blocks[place].trim().split_once('\n').unwrap();
    let folder = TempDir::new().unwrap();
    let capture = folder.path().join("k.pcap").to_str().unwrap().to_owned();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").display().to_string();
    let placed = |line: &str| -> Vec<OsString> {
        let words = line.split(' ').map(|word| match word {
            "knocks.pcap" => capture.clone(),
            word if word.starts_with("testdata/") => format!("{root}/{word}"),
            word => word.to_owned(),
        });
        words.map(OsString::from).collect()
    };
    let mut knock = Command::new(env!("CARGO_BIN_EXE_knock"));
    let outcome = finish(knock.args(&placed(write)[1..]));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert!(replay.starts_with("target/release/knock-replay "), "{replay}");
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let mut streams = Streams::plain(&mut output, &mut errors);
    assert_eq!(knock_replay::run(placed(replay), &mut streams), Exit::Done);
    assert_eq!(String::from_utf8(output).unwrap(), blocks[place + 1]);
}

#[test]
fn the_lines_with_ssh_are_those_of_the_manual_page_which_are_tried() {
    let blocks = blocks();
    let page = prose("knock");
    let opened = page.section("DID IT OPEN?").verbatim();
    let ssh = page.section("WITH SSH").verbatim();
    for lines in [opened[1], ssh[0]] {
        assert!(blocks.contains(&format!("{lines}\n")), "{lines}: {blocks:?}");
    }
}

#[test]
fn the_profile_is_read_as_the_readme_says() {
    let blocks = blocks();
    let profile = blocks.iter().find(|block| block.starts_with("Host home\n")).unwrap();
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("config").display().to_string();
    fs::write(&path, profile).unwrap();
    let mut knock = Command::new(env!("CARGO_BIN_EXE_knock"));
    let outcome = finish(knock.args(["--list", "-v", "--profiles", &path]));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    for told in ["home", "home.example.com", "7000", "8000:udp", "9000", "22"] {
        assert!(outcome.stdout.contains(told), "{told}: {outcome:?}");
    }
}

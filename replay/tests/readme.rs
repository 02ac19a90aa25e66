//! The examples of the README, word for word.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The indented blocks of the README, without their indentation.
fn blocks() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let paragraphs = readme.split("\n\n").filter(|paragraph| paragraph.starts_with("    "));
    paragraphs.map(|block| block.lines().flat_map(|line| [&line[4..], "\n"]).collect()).collect()
}

/// Runs the block that begins like this, and checks that it prints the block that follows.
#[track_caller]
fn prints_what_follows(beginning: &str, status: i32) {
    let blocks = blocks();
    let mut blocks = blocks.iter().skip_while(|block| !block.starts_with(beginning));
    let (job, printed) = (blocks.next().unwrap(), blocks.next().unwrap());
    let words = "cargo run --release -p knock-replay -- ";
    let arguments = job.strip_prefix(words).unwrap().split_whitespace();
    let output = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(root())
        .args(arguments)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), *printed);
    assert_eq!(output.status.code(), Some(status));
}

#[test]
fn the_main_job_prints_what_the_readme_says() {
    let job = "cargo run --release -p knock-replay -- testdata/captures/seed";
    prints_what_follows(job, 0);
}

#[test]
fn the_comparison_prints_what_the_readme_says() {
    let job = "cargo run --release -p knock-replay -- diff testdata/captures/zeek";
    prints_what_follows(job, 1);
}

/// What is explained has empty lines in it, which end a block.
#[test]
fn the_explanation_is_what_the_readme_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let words = "    cargo run --release -p knock-replay -- explain testdata/explain/";
    let (_, from_job) = readme.split_once(words).unwrap();
    let (arguments, behind) = from_job.split_once("\n\nprints\n\n").unwrap();
    let printed = behind.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let printed: Vec<&str> = printed.map(|line| line.get(4..).unwrap_or_default()).collect();
    let output = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(root())
        .arg("explain")
        .args(format!("testdata/explain/{arguments}").split_whitespace())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end(), printed.join("\n").trim_end());
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_check_finds_what_the_readme_says() {
    let blocks = blocks();
    let begins = "cargo run --release -p knock-replay -- check";
    let job = blocks.iter().find_map(|block| block.strip_prefix(begins)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(root())
        .arg("check")
        .args(job.split_whitespace())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains(r#""code":"ascending-sequence""#), "{printed}");
}

#[test]
fn a_fault_is_shown_as_the_readme_shows_it() {
    let blocks = blocks();
    let shown = blocks.iter().find(|block| block.starts_with("error: ")).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let conf = "[openSSH]\nsequence = 7000,8000,70000\ncommand =\n";
    std::fs::write(folder.path().join("knockd.conf"), conf).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(folder.path())
        .args(["knocks.pcap", "--config", "knockd.conf"])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stderr);
    assert!(printed.starts_with(shown), "{printed}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_scenario_does_what_the_readme_says() {
    let block = blocks().into_iter().find(|block| block.contains("--bless")).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let root = root();
    let testdata = root.join("testdata");
    let statuses: Vec<_> = block
        .lines()
        .map(|line| {
            let line = line
                .trim()
                .replace("knock-replay ", &program())
                .replace("testdata", testdata.to_str().unwrap());
            let mut command = Command::new("sh");
            let output = command.args(["-c", &line]).current_dir(&folder).output().unwrap();
            assert_eq!(output.stdout, b"", "{line}");
            output.status.code()
        })
        .collect();
    assert_eq!(statuses, [Some(0); 3]);
    let expected = std::fs::read_to_string(folder.path().join("expected.txt")).unwrap();
    assert!(expected.contains("10.0.0.5: openSSH: OPEN SESAME\n"), "{expected}");
}

#[test]
fn a_new_configuration_changes_what_the_readme_says() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let section = readme.split("### What does a new configuration change?\n").nth(1).unwrap();
    let (commands, rest) = section.split_once("\nprints\n\n").unwrap();
    let commands: Vec<&str> =
        commands.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    let shown: Vec<&str> = rest
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "))
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    let folder = tempfile::TempDir::new().unwrap();
    std::os::unix::fs::symlink(root().join("testdata"), folder.path().join("testdata")).unwrap();
    let script = commands.join("\n").replace("knock-replay ", &program());
    let output = Command::new("sh").args(["-ec", &script]).current_dir(&folder).output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        shown.join("\n").trim_end().to_owned() + "\n"
    );
    assert_eq!(output.status.code(), Some(1));
}

/// The program as the beginning of a command.
fn program() -> String {
    format!("{} ", env!("CARGO_BIN_EXE_knock-replay"))
}

#[test]
fn every_knock_replay_command_of_the_readme_has_arguments_that_are_understood() {
    let blocks = blocks();
    let commands =
        blocks.iter().filter(|block| block.contains("knock-replay ") && !block.contains("cargo"));
    // What depends on files that it makes is tried above.
    let commands = commands.filter(|block| !block.contains("--bless") && !block.contains("--new"));
    let mut tried = 0;
    for command in commands {
        let arguments = command.rsplit("knock-replay ").next().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
            .args(arguments.split_whitespace().map(|word| match word {
                "/etc/knockd.conf" => "testdata/captures/seed/knockd.conf",
                "knocks.pcap" | "-" => "testdata/captures/seed/capture.pcap",
                other => other,
            }))
            .current_dir(root())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{command}{output:?}");
        tried += 1;
    }
    assert!(tried >= 2, "{blocks:?}");
}

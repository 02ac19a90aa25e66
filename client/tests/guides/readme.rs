//! The README, word for word.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use knock_tests::manual::prose;
use knock_tests::process::finish;
use tempfile::TempDir;

use crate::journey::Journey;
use crate::programs;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The fenced blocks of the README.
fn fences() -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    readme.split("```\n").skip(1).step_by(2).map(str::to_owned).collect()
}

/// The fenced block that begins like this, and the one after it.
fn fence(beginning: &str) -> (String, String) {
    let mut blocks = fences().into_iter().skip_while(|block| !block.starts_with(beginning));
    (blocks.next().unwrap(), blocks.next().unwrap_or_default())
}

/// A folder with the programs in `target/release`, as they are after a build, and the files of the
/// project beside it.
fn built() -> TempDir {
    let folder = TempDir::new().unwrap();
    let release = folder.path().join("target/release");
    fs::create_dir_all(&release).unwrap();
    programs::install(&release, &release);
    for name in ["docs", "testdata"] {
        symlink(root().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

#[test]
fn every_step_does_what_the_readme_says() {
    Journey::follow("../README.md", &["iptables", "tail"], |journey| {
        journey.set_up("server", &format!("ln -s '{}/testdata' FOLDER/work", root().display()));
    });
}

#[test]
fn the_main_job_prints_what_the_readme_says() {
    let words = "cargo run --release -p knock-replay -- ";
    let (job, printed) = fence(words);
    let folder = built();
    let mut replay = Command::new(folder.path().join("target/release/knock-replay"));
    replay.args(job.strip_prefix(words).unwrap().split_whitespace()).current_dir(&folder);
    let outcome = finish(&mut replay);
    assert_eq!((outcome.status, outcome.stdout), (Some(0), printed));
}

#[test]
fn the_scripts_that_install_are_there() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, install) = readme.split_once("## Install\n").unwrap();
    let (install, _) = install.split_once("\n## ").unwrap();
    // scripts/test-packages runs them.
    for script in ["scripts/package", "scripts/install"] {
        assert!(install.contains(&format!("`{script}`")), "{script}");
        let outcome = finish(Command::new(root().join(script)).arg("--help"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
}

#[test]
fn the_lines_that_are_only_shown_are_understood() {
    let (record, _) = fence("tcpdump ");
    assert!(record.ends_with(" -w knocks.pcap 'tcp or udp'\n"), "{record}");
    let (replay, _) = fence("knock-replay knocks.pcap ");
    let line = replay.replace("/etc/", "testdata/captures/seed/");
    let line = line.replace("knocks.pcap", "testdata/captures/seed/capture.pcap");
    let folder = built();
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("target/release/{line}")]).current_dir(&folder);
    let outcome = finish(&mut shell);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

#[test]
fn the_lines_with_ssh_are_those_of_the_manual_page_which_are_tried() {
    let blocks = fences();
    let page = prose("knock");
    let opened = page.section("DID IT OPEN?").verbatim();
    let ssh = page.section("WITH SSH").verbatim();
    for lines in [opened[1], ssh[0]] {
        assert!(blocks.contains(&format!("{lines}\n")), "{lines}: {blocks:?}");
    }
}

#[test]
fn the_profile_is_read_as_the_readme_says() {
    let (profile, _) = fence("Host home\n");
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

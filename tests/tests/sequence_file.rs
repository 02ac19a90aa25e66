//! `Sequence_File`: the sequence of a door in a file of its own.

#![cfg(test)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use knock_config::diagnostics::Style;
use knock_config::options::{CheckOptions, Format};
use knock_config::{Setup, Verdict, Waits};
use tempfile::TempDir;

const DOOR: &str = "[ssh]\nsequence_file = DIR/ssh.sequence\nseq_timeout = 5\ntcpflags = syn\n\
                    command = /usr/sbin/open %IP%\n";

#[test]
fn the_sequence_is_that_in_the_file() {
    let folder = Folder::new(DOOR);
    folder.write("ssh.sequence", 0o600, "# of the office\n7000,8000:udp,9000\n");
    let setup = folder.load();
    assert_eq!(setup.report(Style::Plain), "");
    assert_eq!(ports(&setup), [7000, 8000, 9000]);
    // As texts, it is the same.
    let parsed = Setup::parse(&folder.path("knockd.conf"), setup.files.clone());
    assert_eq!((&parsed.config, &parsed.files), (&setup.config, &setup.files));
    // For another door, the file is not needed.
    fs::remove_file(folder.path("ssh.sequence")).unwrap();
    let other = Setup::load_for(&folder.path("knockd.conf"), |name| name.as_bytes() == b"web");
    assert!(other.config.is_some());
}

#[test]
fn two_doors_may_have_the_sequence_of_one_file() {
    let folder = Folder::new(&[DOOR, &DOOR.replace("[ssh]", "[web]")].concat());
    folder.write("ssh.sequence", 0o400, "7000,8000,9000");
    let config = folder.load().config.unwrap();
    assert_eq!(config.doors[0].sequence(), config.doors[1].sequence());
    assert!(config.doors[0].sequence().is_some());
}

#[test]
fn a_sequence_file_that_others_can_read_is_refused_by_every_way_to_read_it() {
    let folder = Folder::new(DOOR);
    for mode in [0o640, 0o604, 0o660, 0o644, 0o601] {
        folder.write("ssh.sequence", mode, "7000,8000,9000\n");
        let path = folder.path("knockd.conf");
        let reports = [
            Setup::load(&path).report(Style::Plain),
            Setup::load_for(&path, |_| true).report(Style::Plain),
            Setup::load_unless(&path, |_| None).report(Style::Plain),
            folder.check().errors,
        ];
        for report in reports {
            let message = format!(
                "error: cannot read `DIR/ssh.sequence`: it has a sequence, and other users may read it \
                 (mode {mode:04o})\n --> DIR/knockd.conf:2:17\n"
            );
            let report = folder.hidden(&report);
            assert!(report.contains(&message), "{report}");
            assert!(report.contains("help: run `chmod 600 DIR/ssh.sequence`"), "{report}");
            assert!(!report.contains("7000"), "{report}");
        }
    }
}

#[test]
fn what_is_wrong_with_the_file_is_said_where_it_is() {
    let folder = Folder::new(DOOR);
    let report = |text: &str| {
        folder.write("ssh.sequence", 0o600, text);
        let setup = folder.load();
        assert_eq!(setup.config, None, "{text}");
        folder.hidden(&setup.report(Style::Plain))
    };
    insta::assert_snapshot!(report("# mine\n7000,x,70000\n\n1,2,3\n"));
    let write = "help: write a sequence of your own to it, such as `(umask 077 && echo 7000,8000,9000 > \
                 DIR/ssh.sequence)`\n";
    let name = "help: name a file with one line, such as `7000,8000,9000`\n";
    let refused = |report: &str, cause: &str, help: &str| {
        let message =
            format!("error: cannot read `DIR/ssh.sequence`: {cause}\n --> DIR/knockd.conf:2:17\n");
        assert!(report.starts_with(&message) && report.contains(help), "{report}");
    };
    refused(&report("# 7000,8000,9000\n"), "there is no sequence in it", write);
    refused(&report(&"#\n".repeat(4_000)), "it is too large for a file with a sequence", name);
    let path = folder.path("ssh.sequence");
    let now = || folder.hidden(&folder.load().report(Style::Plain));
    fs::remove_file(&path).unwrap();
    refused(&now(), "there is no such file", write);
    fs::create_dir(&path).unwrap();
    refused(&now(), "it is not a regular file", name);
}

#[test]
fn a_check_judges_the_sequence_in_the_file() {
    let folder = Folder::new(DOOR);
    folder.write("ssh.sequence", 0o600, "18044,7326,61402\n");
    let sound = folder.check();
    assert_eq!(folder.hidden(&sound.errors).matches("warning[").count(), 1, "{}", sound.errors);
    assert!(sound.errors.contains("warning[unknown-to-knockd-0.8]"), "{}", sound.errors);
    folder.write("ssh.sequence", 0o600, "# short\n22,22\n");
    let errors = folder.hidden(&folder.check().errors);
    for (code, column) in [("few-knocks", 1), ("service-port", 1), ("repeated-knock", 4)] {
        let place = format!(" --> DIR/ssh.sequence:2:{column}\n");
        let mut findings = errors.split("\n\n");
        let found = findings
            .any(|one| one.starts_with(&format!("warning[{code}]: ")) && one.contains(&place));
        assert!(found, "{code}: {errors}");
    }
    folder.write(
        "ssh.sequence",
        0o600,
        "# knock: allow few-knocks, service-port, repeated-knock\n22,22\n",
    );
    assert_eq!(folder.check().errors.matches("warning[").count(), 1);
}

fn ports(setup: &Setup) -> Vec<u16> {
    let config = setup.config.as_ref().unwrap();
    let doors = knock_config::doors(config).unwrap();
    let (_, door) = doors.in_order().next().unwrap();
    door.sequence().unwrap().knocks().iter().map(|knock| knock.port.0).collect()
}

/// A folder with a `knockd.conf`.
struct Folder(TempDir);

impl Folder {
    /// Makes a `knockd.conf`; `DIR` in it becomes the folder it is in.
    fn new(text: &str) -> Self {
        let folder = Self(TempDir::new().unwrap());
        let text = text.replace("DIR", folder.0.path().to_str().unwrap());
        folder.write("knockd.conf", 0o600, &text);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, mode: u32, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Setup {
        Setup::load(&self.path("knockd.conf"))
    }

    fn check(&self) -> Verdict {
        let options =
            CheckOptions { check: true, format: Format::Text, deny: vec![], allow: vec![] };
        let path = self.path("knockd.conf");
        Verdict::on(&path, |_| None, &options, false, None, Waits::Forever, Style::Plain)
    }

    /// Returns a report in which the folder is `DIR`.
    fn hidden(&self, report: &str) -> String {
        report.replace(self.0.path().to_str().unwrap(), "DIR")
    }
}

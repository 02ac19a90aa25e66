//! Reading a configuration and the files it names.

#![cfg(test)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use knock_engine::Sequence;
use knock_engine::config::Config;
use knock_replay::report::Style;
use knock_replay::setup::{MAX_FILE_BYTES, Setup};
use tempfile::TempDir;

#[test]
fn every_door_is_ready_to_be_knocked_at() {
    let files = Files::new(
        "[a]\nsequence = 1,2\ncommand =\n\n[b]\none_time_sequences = DIR/b\ncommand =\n",
    );
    files.write("b", b"#9\n 3,4\n");
    let (config, report) = files.load();
    assert_eq!(report, "");
    assert_eq!(first_ports(&config.unwrap()), [Some(1), Some(3)]);
}

#[test]
fn an_error_in_a_sequence_file_is_an_error_with_its_place() {
    let (config, report) = load_with_file("../testdata/configs/bad/one-time-port.sequences");
    assert_eq!(config, None);
    insta::assert_snapshot!(report);
}

#[test]
fn a_used_up_sequence_file_is_a_warning_that_names_it() {
    let (config, report) = load_with_file("../testdata/configs/lint/no-sequence-left.sequences");
    assert_eq!(first_ports(&config.unwrap()), [None]);
    insta::assert_snapshot!(report);
}

#[test]
fn sequence_files_that_cannot_be_read_are_told_of_where_they_are_named() {
    for file in ["missing/sequences", "../testdata", "/dev/zero"] {
        let (config, report) = load_with_file(file);
        assert_eq!(config, None);
        insta::assert_snapshot!(report);
    }
}

#[test]
fn a_sequence_file_that_is_too_large_is_an_error() {
    let files = Files::new("[a]\none_time_sequences = DIR/large\ncommand =\n");
    files.write("large", &large_comment(MAX_FILE_BYTES + 1));
    let (config, report) = files.load();
    assert_eq!(config, None);
    assert!(report.contains("DIR/large`: it is larger than 1 MiB"), "{report}");
}

#[test]
fn warnings_of_the_configuration_and_unreadable_files_come_in_the_order_of_place() {
    let files = Files::new(
        "[a]\nsequence = 1\n\n[b]\none_time_sequences = missing/b\ncommand =\n\n[c]\nsequence = 1\n",
    );
    let (_, report) = files.load();
    let places = report.lines().filter_map(|line| line.trim_start().strip_prefix("--> "));
    let expected = ["DIR/knockd.conf:1:2", "DIR/knockd.conf:5:22", "DIR/knockd.conf:8:2"];
    assert_eq!(places.collect::<Vec<_>>(), expected);
    assert!(report.ends_with("\nerror: DIR/knockd.conf: 1 error, 2 warnings\n"), "{report}");
}

#[test]
fn a_pipe_without_a_writer_is_not_waited_for() {
    let files = Files::new("[a]\none_time_sequences = DIR/pipe\ncommand =\n");
    let made = std::process::Command::new("mkfifo").arg(files.path("pipe")).status().unwrap();
    assert!(made.success());
    let (config, report) = files.load();
    assert_eq!(config, None);
    assert!(report.contains("it is not a regular file"), "{report}");
}

#[test]
fn many_doors_cannot_fill_the_memory_with_one_file() {
    let door = "[a]\none_time_sequences = DIR/large\ncommand =\n";
    let large = large_comment(MAX_FILE_BYTES);
    let files = Files::new(&door.repeat(4));
    files.write("large", &large);
    assert!(files.load().0.is_some());
    let files = Files::new(&door.repeat(5));
    files.write("large", &large);
    let (config, report) = files.load();
    assert_eq!(config, None);
    assert_eq!(report.matches("together larger than 4 MiB").count(), 1, "{report}");
    assert!(report.contains("knockd.conf:14:22"), "{report}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_error_without_a_count() {
    let files = Files::new("");
    let report = |name: &str| files.load_named(name).1;
    insta::assert_snapshot!(report("missing.conf"));
    insta::assert_snapshot!(report("."));
    let zero = files.path("zero.conf");
    symlink("/dev/zero", zero).unwrap();
    insta::assert_snapshot!(report("zero.conf"));
    insta::assert_snapshot!(report("knockd.conf/x"));
    assert!(report("a\u{1b}[31m.conf").contains("a\\u{1b}[31m.conf"));
}

#[test]
fn a_configuration_without_read_permission_is_an_error() {
    let files = Files::new("");
    fs::set_permissions(files.path("knockd.conf"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(files.path("knockd.conf")).is_ok() {
        // The superuser reads it all the same.
        return;
    }
    assert!(files.load().1.starts_with("error: cannot read"));
}

#[test]
fn a_configuration_of_exactly_the_largest_size_is_read() {
    let files = Files::new("");
    files.write("knockd.conf", &large_comment(MAX_FILE_BYTES));
    assert!(files.load().0.is_some());
    files.write("knockd.conf", &large_comment(MAX_FILE_BYTES + 1));
    assert_eq!(files.load().0, None);
}

#[test]
fn all_errors_are_told_and_counted() {
    let files = Files::new(
        "[options]\nlogfiel = /var/log/knockd.log\n\n[openSSH]\n\tsequence = 7000, 8000:upd, 70000\n\
         \tseq_timeout = 5s\n\ttcpflags = syn, ack\n\tcommand = /usr/local/sbin/open %IP%\n",
    );
    insta::assert_snapshot!(files.load().1);
}

#[test]
fn the_caret_stands_below_its_text_whatever_stands_before_it() {
    let files = Files::new("");
    let mut text =
        b"[\xff\xfed]\r\nsequence =\t\xe6\xbc\xa2\xff\x1b[1m,\te\xcc\x81\tx, 0x1\r\n".to_vec();
    text.extend_from_slice(b"seq_timeout = ");
    text.extend_from_slice(&b"wide \xe6\xbc\xa2, ".repeat(400));
    text.extend_from_slice(b"\ncommand =\n[d]\nSequence\r=\r-1\rx\r\ncommand=");
    files.write("knockd.conf", &text);
    insta::assert_snapshot!(files.load().1);
}

/// Found by fuzzing: U+009B begins an escape sequence, as ESC and `[` do.
#[test]
fn no_control_character_of_a_text_reaches_the_terminal() {
    let is_hostile = |one: &char| one.is_control() && *one != '\n';
    let controls: String = ('\u{1}'..='\u{9f}').filter(is_hostile).collect();
    let files = Files::new(&format!("[d]\nsequence = 7{controls},x\ncommand ="));
    let report = files.load().1;
    assert_eq!(report.chars().find(is_hostile), None, "{report:?}");
    let lines: Vec<_> = report.lines().filter(|line| line.contains(" | ")).collect();
    let [_, _, quoted, carets] = lines[..] else { panic!("{report}") };
    let place = |line: &str, wanted| line.chars().position(|one| one == wanted);
    assert_eq!(place(carets, '^'), place(quoted, 'x'), "{report}");
}

#[test]
fn a_coloured_report_says_the_same() {
    let files = Files::new("[a]\nsequence = x\nfoo\n");
    let setup = Setup::load(&files.path("knockd.conf"));
    let coloured = setup.report(Style::Coloured);
    assert!(coloured.contains("\x1b["), "{coloured}");
    assert_eq!(without_escapes(&coloured), setup.report(Style::Plain));
}

/// Files that are gone at the end of the test.
struct Files(TempDir);

impl Files {
    /// Makes a `knockd.conf`; `DIR` in it becomes the directory it is in.
    fn new(text: &str) -> Self {
        let files = Self(TempDir::new().unwrap());
        let directory = files.0.path().to_str().unwrap();
        files.write("knockd.conf", text.replace("DIR", directory).as_bytes());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &[u8]) {
        fs::write(self.path(name), text).unwrap();
    }

    fn load(&self) -> (Option<Config>, String) {
        self.load_named("knockd.conf")
    }

    /// Loads a configuration; its directory is `DIR` in the report.
    fn load_named(&self, name: &str) -> (Option<Config>, String) {
        let setup = Setup::load(&self.path(name));
        let report = setup.report(Style::Plain);
        (setup.config, report.replace(self.0.path().to_str().unwrap(), "DIR"))
    }
}

/// Loads a configuration with a sequence file, relative to the directory of this package.
fn load_with_file(name: &str) -> (Option<Config>, String) {
    Files::new(&format!("[a]\none_time_sequences = {name}\ncommand =\n")).load()
}

fn first_ports(config: &Config) -> Vec<Option<u16>> {
    let first = |sequence: &Sequence| sequence.knocks().first().map(|knock| knock.port.0);
    config.doors.iter().map(|door| door.door.sequence().and_then(first)).collect()
}

/// Lines of comments, none of them too long.
fn large_comment(bytes: u64) -> Vec<u8> {
    b"#\n".iter().copied().cycle().take(usize::try_from(bytes).unwrap()).collect()
}

fn without_escapes(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| plain + part.split_once('m').map_or(part, |(_, rest)| rest))
}

//! Reads a configuration and the files it names.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use knock_config::diagnostics::Style;
use knock_config::{Config, DoorConfig, FileName};
use knock_config::{Files, MAX_FILE_BYTES, Refusal, Setup};
use knock_engine::{DoorSequence, Sequence};
use tempfile::TempDir;

#[test]
fn every_door_is_ready_to_be_knocked_at() {
    let directory = Directory::new(
        "[a]\nsequence = 1,2\ncommand =\n\n[b]\none_time_sequences = DIR/b\ncommand =\n",
    );
    directory.write("b", b"#9\n 3,4\n");
    let (config, report) = directory.load();
    assert_eq!(report, "");
    assert_eq!(first_ports(&config.unwrap()), [Some(1), Some(3)]);
}

#[test]
fn knocking_at_one_door_needs_no_sequence_file_of_another() {
    let directory =
        Directory::new("[a]\none_time_sequences = DIR/missing\n[b]\none_time_sequences = DIR/b\n");
    directory.write("b", b"3,4\n");
    let config =
        Setup::load_for(&directory.path("knockd.conf"), |name| name.as_bytes() == b"b").config;
    assert_eq!(first_ports(&config.unwrap()), [None, Some(3)]);
    assert_eq!(
        Setup::load_for(&directory.path("knockd.conf"), |name| name.as_bytes() == b"a").config,
        None
    );
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
fn unreadable_sequence_files_are_reported_where_they_are_named() {
    for file in ["missing/sequences", "../testdata", "/dev/zero"] {
        let (config, report) = load_with_file(file);
        assert_eq!(config, None);
        insta::assert_snapshot!(report);
    }
}

#[test]
fn a_sequence_file_that_is_too_large_is_an_error() {
    let directory = Directory::new("[a]\none_time_sequences = DIR/large\ncommand =\n");
    directory.write("large", &large_comment(MAX_FILE_BYTES + 1));
    let (config, report) = directory.load();
    assert_eq!(config, None);
    assert!(report.contains("DIR/large`: it is larger than 1 MiB"), "{report}");
}

#[test]
fn warnings_of_the_configuration_and_unreadable_files_come_in_the_order_of_place() {
    let directory = Directory::new(
        "[a]\nsequence = 1\n\n[b]\none_time_sequences = missing/b\ncommand =\n\n[c]\nsequence = 1\n",
    );
    let (_, report) = directory.load();
    let places = report.lines().filter_map(|line| line.trim_start().strip_prefix("--> "));
    let expected = ["DIR/knockd.conf:1:2", "DIR/knockd.conf:5:22", "DIR/knockd.conf:8:2"];
    assert_eq!(places.collect::<Vec<_>>(), expected);
    assert!(report.ends_with("\nerror: DIR/knockd.conf: 1 error, 2 warnings\n"), "{report}");
}

#[test]
fn a_pipe_without_a_writer_is_not_waited_for() {
    let directory = Directory::new("[a]\none_time_sequences = DIR/pipe\ncommand =\n");
    let made = std::process::Command::new("mkfifo").arg(directory.path("pipe")).status().unwrap();
    assert!(made.success());
    let (config, report) = directory.load();
    assert_eq!(config, None);
    assert!(report.contains("it is not a regular file"), "{report}");
}

#[test]
fn many_doors_cannot_fill_the_memory_with_one_file() {
    let door = "[a]\none_time_sequences = DIR/large\ncommand =\n";
    let large = large_comment(MAX_FILE_BYTES);
    let directory = Directory::new(&door.repeat(4));
    directory.write("large", &large);
    assert!(directory.load().0.is_some());
    let directory = Directory::new(&door.repeat(5));
    directory.write("large", &large);
    let (config, report) = directory.load();
    assert_eq!(config, None);
    assert_eq!(report.matches("together larger than 4 MiB").count(), 1, "{report}");
    assert!(report.contains("knockd.conf:14:22"), "{report}");
}

#[test]
fn a_configuration_that_cannot_be_read_is_one_error_without_a_count() {
    let directory = Directory::new("");
    let report = |name: &str| directory.load_named(name).1;
    insta::assert_snapshot!(report("missing.conf"));
    insta::assert_snapshot!(report("."));
    let zero = directory.path("zero.conf");
    symlink("/dev/zero", zero).unwrap();
    insta::assert_snapshot!(report("zero.conf"));
    insta::assert_snapshot!(report("knockd.conf/x"));
    assert!(report("a\u{1b}[31m.conf").contains("a\\u{1b}[31m.conf"));
}

#[test]
fn a_configuration_without_read_permission_is_an_error() {
    let directory = Directory::new("");
    fs::set_permissions(directory.path("knockd.conf"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(directory.path("knockd.conf")).is_ok() {
        // Root can read it anyway.
        return;
    }
    assert!(directory.load().1.starts_with("error: cannot read"));
}

#[test]
fn a_configuration_of_exactly_the_largest_size_is_read() {
    let directory = Directory::new("");
    directory.write("knockd.conf", &large_comment(MAX_FILE_BYTES));
    assert!(directory.load().0.is_some());
    directory.write("knockd.conf", &large_comment(MAX_FILE_BYTES + 1));
    assert_eq!(directory.load().0, None);
}

#[test]
fn all_errors_are_reported_and_counted() {
    let directory = Directory::new(
        "[options]\nlogfiel = /var/log/knockd.log\n\n[openSSH]\n\tsequence = 7000, 8000:upd, 70000\n\
         \tseq_timeout = 5s\n\ttcpflags = syn, ack\n\tcommand = /usr/local/sbin/open %IP%\n",
    );
    insta::assert_snapshot!(directory.load().1);
}

#[test]
fn the_caret_is_below_its_text_whatever_comes_before_it() {
    let directory = Directory::new("");
    let mut text =
        b"[\xff\xfed]\r\nsequence =\t\xe6\xbc\xa2\xff\x1b[1m,\te\xcc\x81\tx, 0x1\r\n".to_vec();
    text.extend_from_slice(b"seq_timeout = ");
    text.extend_from_slice(&b"wide \xe6\xbc\xa2, ".repeat(400));
    text.extend_from_slice(b"\ncommand =\n[d]\nSequence\r=\r-1\rx\r\ncommand=");
    directory.write("knockd.conf", &text);
    insta::assert_snapshot!(directory.load().1);
}

/// Found by fuzzing: U+009B begins an escape sequence, as ESC and `[` do.
#[test]
fn no_control_character_of_a_text_reaches_the_terminal() {
    let is_hostile = |one: &char| one.is_control() && *one != '\n';
    let controls: String = ('\u{1}'..='\u{9f}').filter(is_hostile).collect();
    let directory = Directory::new(&format!("[d]\nsequence = 7{controls},x\ncommand ="));
    let report = directory.load().1;
    assert_eq!(report.chars().find(is_hostile), None, "{report:?}");
    let lines: Vec<_> = report.lines().filter(|line| line.contains(" | ")).collect();
    let [_, _, quoted, carets] = lines[..] else { panic!("{report}") };
    let place = |line: &str, wanted| line.chars().position(|one| one == wanted);
    assert_eq!(place(carets, '^'), place(quoted, 'x'), "{report}");
}

#[test]
fn a_coloured_report_says_the_same() {
    let directory = Directory::new("[a]\nsequence = x\nfoo\n");
    let setup = Setup::load(&directory.path("knockd.conf"));
    let coloured = setup.report(Style::Coloured);
    assert!(coloured.contains("\x1b["), "{coloured}");
    assert_eq!(without_escapes(&coloured), setup.report(Style::Plain));
}

/// The daemon reads the texts with more privileges than it has where it parses them.
#[test]
fn the_texts_of_a_setup_give_the_same_setup_without_the_files() {
    let directory = Directory::new(
        "[a]\none_time_sequences = DIR/a\ncommand =\n\n[b]\none_time_sequences = DIR/b\n",
    );
    directory.write("a", b"#9\n 3,4\n");
    directory.write("b", b"# none left\n");
    let path = directory.path("knockd.conf");
    let loaded = Setup::load(&path);
    let texts: Vec<_> = loaded.files.one_time.values().map(Vec::as_slice).collect();
    assert_eq!(texts, [&b"#9\n 3,4\n"[..], b"# none left\n"]);
    drop(directory);
    let parsed = Setup::parse(&path, loaded.files.clone());
    assert_eq!(first_ports(parsed.config.as_ref().unwrap()), [Some(3), None]);
    assert_eq!(parsed.config, loaded.config);
    assert_eq!(parsed.report(Style::Plain), loaded.report(Style::Plain));
    assert_eq!(parsed.files, loaded.files);
}

#[test]
fn a_sequence_file_that_was_not_read_with_the_configuration_is_an_error() {
    let text = b"[a]\none_time_sequences = /a\ncommand =\n";
    let other = FileName::new(b"/other").unwrap();
    let files = Files {
        configuration: text.to_vec(),
        one_time: BTreeMap::from([(other, b" 1,2\n".to_vec())]),
        ..Files::default()
    };
    let setup = Setup::parse(Path::new("knockd.conf"), files);
    assert_eq!(setup.config, None);
    assert!(setup.files.one_time.is_empty());
    insta::assert_snapshot!(setup.report(Style::Plain));
}

#[test]
fn too_many_bytes_of_texts_are_an_error_as_with_files() {
    let door = "[a]\none_time_sequences = a\ncommand =\n";
    let parse = |doors: usize| {
        let one_time = BTreeMap::from([(FileName::new(b"a").unwrap(), large_comment(1 << 20))]);
        let configuration = door.repeat(doors).into_bytes();
        Setup::parse(
            Path::new("knockd.conf"),
            Files { configuration, one_time, ..Files::default() },
        )
        .config
    };
    assert!(parse(4).is_some());
    assert_eq!(parse(5), None);
}

#[test]
fn a_program_refuses_a_text_in_its_own_words() {
    let directory = Directory::new("%PDF-1.7\n[a]\n");
    let refusal = Refusal { cause: "it is a letter", help: "send it by mail" };
    let path = directory.path("knockd.conf");
    let load = |magic: &[u8]| {
        Setup::load_unless(&path, |text| text.starts_with(magic).then_some(refusal))
            .report(Style::Plain)
    };
    let refused = load(b"%PDF");
    assert!(refused.ends_with("`: it is a letter\n = help: send it by mail\n"), "{refused}");
    assert_eq!(load(b"%PS"), Setup::load(&path).report(Style::Plain));
}

#[test]
fn doors_are_in_the_order_of_the_configuration_with_their_sequences() {
    let directory = Directory::new(
        "[b]\none_time_sequences = DIR/b\ncommand =\n\n[a]\nsequence = 1,2\ncommand =\n",
    );
    directory.write("b", b" 3,4\n");
    let config = directory.load().0.unwrap();
    let doors = knock_config::doors(&config).unwrap();
    let in_order = doors.in_order().map(|(_, door)| door);
    assert!(in_order.cloned().eq(config.doors.iter().map(DoorConfig::door)));
    assert_eq!(doors.len(), 2);
}

/// A directory that is removed at the end of the test.
struct Directory(TempDir);

impl Directory {
    /// Makes a `knockd.conf`; `DIR` in it becomes the directory it is in.
    fn new(text: &str) -> Self {
        let directory = Self(TempDir::new().unwrap());
        let path = directory.0.path().to_str().unwrap();
        directory.write("knockd.conf", text.replace("DIR", path).as_bytes());
        directory
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
    Directory::new(&format!("[a]\none_time_sequences = {name}\ncommand =\n")).load()
}

fn first_ports(config: &Config) -> Vec<Option<u16>> {
    let first = |sequence: &Sequence| sequence.knocks().first().map(|knock| knock.port.0);
    config.doors.iter().map(|door| door.sequence().and_then(first)).collect()
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

/// A folder with a configuration whose door has a key, and the key's file.
fn with_key(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let [path, key] = ["knockd.conf", "the.key"].map(|name| folder.path().join(name));
    fs::write(&path, format!("[d]\nsequence_key = {}\ncommand =\n", key.display())).unwrap();
    fs::write(&key, text).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

/// A line of a file with a key.
const KEY: &str = "key = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";

#[test]
fn a_key_is_read_once_and_passed_on_without_itself() {
    let (_folder, path) = with_key(KEY, 0o600);
    let loaded = Setup::load(&path);
    assert_eq!(loaded.report(Style::Plain), "");
    let door = loaded.config.as_ref().unwrap().doors[0].door();
    assert!(matches!(door.sequence, DoorSequence::Derived(_)));
    let parsed = Setup::parse(&path, loaded.files.clone());
    assert_eq!(parsed.config.unwrap().doors[0].door(), door);
    let printed = format!("{loaded:?}");
    assert!(printed.contains("SequenceKey(secret)") && !printed.contains("AAECAwQ"), "{printed}");
}

#[test]
fn a_key_that_cannot_be_used_is_an_error_that_does_not_show_it() {
    let cases = [
        (KEY, 0o640, "it has a key, and other users may read it (mode 0640)", "run `chmod 600 "),
        (&KEY[4..], 0o600, "line 1 is not `key = ...`", "make one: `(umask 077 && "),
        (&KEY[..40], 0o600, "the key in line 1 is not 32 bytes in base64", "make one: "),
        ("# nothing\n", 0o600, "there is no line `key = ...` in it", "make one: "),
        (&KEY.repeat(2), 0o600, "line 2 is a second key", "remove one of the keys"),
        (&"#".repeat(5000), 0o600, "it is too large for a file with a key", "move it away (`mv "),
    ];
    for (text, mode, cause, help) in cases {
        let (_folder, path) = with_key(text, mode);
        let setup = Setup::load(&path);
        assert_eq!(setup.config, None);
        let report = setup.report(Style::Plain);
        assert!(report.contains(&format!("the.key`: {cause}\n")), "{report}");
        assert!(report.contains(&format!("help: {help}")), "{report}");
        assert!(report.contains("knockd.conf:2:"), "{report}");
        assert!(!report.contains("AAECAwQ"), "{report}");
    }
}

//! Keys leave their files only for the processes that need them, and nothing that is printed or written has them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use knock_replay::{Exit, Streams};
use knock_signed::{DEFAULT_PORT, Key, PACKET_BYTES, PortSpan, ports};
use knock_tests::secrets::{Secret, assert_none_in};
use knock_tests::signed::{request, sealed};
use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, Outcome, PROGRAMS, Process, require};

/// A door for a user with a key, and one whose sequence is derived from another key.
const CONFIG: &str = "\
[options]
    Server_Name = home.example.com
    Key_Dir = DIR/keys
    ControlSocket = DIR/control
    LogFile = DIR/log
[SSH]
    Signed = alice
    start_command = echo %IP% >> DIR/opened
    cmd_timeout = 3600
    stop_command = true
[web]
    sequence_key = DIR/web.key
    sequence_ports = 20000-29999:udp
    sequence_period = 1d
    command = echo %IP% >> DIR/opened
";

/// Standard error leads to the journal, according to the service manager. Dumps are allowed.
const START: &str = "ulimit -c unlimited
    export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
    exec $KNOCKD -i lo -c knockd.conf -v -D --record DIR/recording.pcap";

const KNOCKCTL: &str = env!("CARGO_BIN_EXE_knockctl");

const ALICE: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];
const ALICE_TEXT: &str = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
const WEB: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];
const WEB_TEXT: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fn key(bytes: [u8; 32]) -> Key {
    Key::take(&mut { bytes })
}

/// The keys as they are in their files, and parts of them that nothing needs.
fn keys() -> Vec<Secret> {
    let of_web = key(WEB).for_packets();
    let (_, hint, aead) = of_web.parts();
    vec![
        Secret::new("the key of alice", &ALICE),
        Secret::new("the key of web", &WEB),
        Secret::new("the part for sequences of alice", key(ALICE).for_sequences().as_bytes()),
        Secret::new("the part for hints of web", hint),
        Secret::new("the part for encryption of web", aead),
    ]
}

/// The parts of keys that packets are checked with.
fn parts() -> Vec<Secret> {
    let of_alice = key(ALICE).for_packets();
    let (_, hint, aead) = of_alice.parts();
    vec![
        Secret::new("the part for hints of alice", hint),
        Secret::new("the part for encryption of alice", aead),
        Secret::new("the part for sequences of web", key(WEB).for_sequences().as_bytes()),
    ]
}

fn all() -> Vec<Secret> {
    keys().into_iter().chain(parts()).collect()
}

struct Case {
    machine: Machine,
    journal: UnixDatagram,
}

impl Case {
    fn new(name: &str) -> Option<Self> {
        if !require(name, &[PROGRAMS, &["stat"]].concat(), Need::Namespaces) {
            return None;
        }
        let machine = Machine::with(CONFIG);
        machine.folder.open_to_all();
        fs::create_dir(machine.folder.path("keys")).unwrap();
        for (name, key) in [("keys/alice.key", ALICE_TEXT), ("web.key", WEB_TEXT)] {
            let path = machine.folder.path(name);
            fs::write(&path, format!("key = {key}\n")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        machine.set_up("mkdir -p journal /run/systemd/journal");
        machine.set_up("mount --bind DIR/journal /run/systemd/journal");
        let journal = UnixDatagram::bind(machine.folder.path("journal/socket")).unwrap();
        journal.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Some(Self { machine, journal })
    }

    /// Opens both doors.
    fn knock(&self) {
        let socket = self.machine.on_network(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let to = |port| (IpAddr::from(Ipv4Addr::LOCALHOST), port);
        socket.send_to(&packet(), to(DEFAULT_PORT)).unwrap();
        self.machine.knock(&sequence());
        self.machine.wait_for_lines("opened", 2);
    }

    /// Returns everything that came to the journal so far.
    fn journal(&self) -> Vec<u8> {
        self.journal.set_nonblocking(true).unwrap();
        let (mut all, mut entry) = (Vec::new(), vec![0; 65_536]);
        while let Ok(length) = self.journal.recv(&mut entry) {
            all.extend_from_slice(&entry[..length]);
        }
        all
    }

    /// Returns what `knockctl` prints.
    fn knockctl(&self, arguments: &str) -> Vec<u8> {
        let outcome = self.machine.run(&format!("exec {KNOCKCTL} --socket control {arguments}"));
        assert_eq!(outcome.status, Some(0), "{arguments}: {outcome:?}");
        said(outcome)
    }

    /// Returns what `knock-replay` prints about the recording.
    fn replay(&self, arguments: &[&str]) -> Vec<u8> {
        let path = |name| self.machine.folder.path(name).to_str().unwrap().to_owned();
        let words = arguments.iter().map(|word| match *word {
            "CAPTURE" => path("recording.pcap"),
            "CONFIG" => path("knockd.conf"),
            "REPORT" => path("report.html"),
            word => word.to_owned(),
        });
        let words = std::iter::once("knock-replay".to_owned()).chain(words);
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut streams = Streams::plain(&mut output, &mut errors);
        let exit = knock_replay::run(words.map(OsString::from), &mut streams);
        let text = String::from_utf8_lossy(&errors);
        assert!([Exit::Done, Exit::Differ].contains(&exit), "{arguments:?}: {text}");
        [output, errors].concat()
    }
}

/// Makes a packet of alice of now.
fn packet() -> [u8; PACKET_BYTES] {
    sealed(&key(ALICE).for_packets(), &request("home.example.com", "SSH"))
}

/// Returns the sequence of the day, or of tomorrow if the test would still run then.
fn sequence() -> Vec<u16> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let span = PortSpan::new(20_000, 29_999).unwrap();
    ports(&key(WEB).for_sequences(), b"web", (now + 3600) / 86_400, span, 5)
}

fn said(outcome: Outcome) -> Vec<u8> {
    [outcome.stdout, outcome.stderr].concat().into_bytes()
}

/// Returns the files in a folder and below it, by their paths.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else if kind.is_file() {
            let path = entry.path().to_str().unwrap().to_owned();
            found.insert(path, fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// Waits a while until a condition is true, and returns whether it is.
fn wait_for(mut is_so: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(30) {
        if is_so() {
            return true;
        }
    }
    false
}

/// Returns where halves of each secret are in the memory of a process.
fn places(process: &Process, secrets: &[Secret]) -> BTreeMap<&'static str, Vec<String>> {
    let memory = process.memory();
    let places_of = |secret: &Secret| {
        let found = memory.iter().flat_map(|(line, bytes)| {
            let places = secret.places_in(bytes);
            places.into_iter().map(move |(at, way)| format!("{way} at {at:#x} of {line}"))
        });
        (secret.name(), found.collect())
    };
    secrets.iter().map(places_of).collect()
}

#[test]
fn nothing_that_is_printed_or_written_has_a_key_or_a_part_of_one() {
    let name = "nothing_that_is_printed_or_written_has_a_key_or_a_part_of_one";
    let Some(case) = Case::new(name) else { return };
    let daemon = Daemon::start_as(&case.machine, START);
    case.knock();
    let secrets = all();
    for command in ["status", "list", "attempts", "explain 127.0.0.1"] {
        for format in ["text", "json"] {
            let command = format!("{command} --format {format}");
            assert_none_in(&command, &case.knockctl(&command), &secrets);
        }
    }
    assert_none_in("metrics", &case.knockctl("metrics"), &secrets);
    // A reload, one that is rejected because of a key with a mistake, and another sniffer.
    case.machine.folder.write("keys/bob.key", &format!("keys = {ALICE_TEXT}\n{WEB_TEXT}\n"));
    let bob = case.machine.folder.path("keys/bob.key");
    fs::set_permissions(&bob, Permissions::from_mode(0o600)).unwrap();
    daemon.runner.signal(Signal::SIGHUP);
    case.machine.wait_for_text("log", "reload rejected");
    fs::remove_file(bob).unwrap();
    daemon.runner.signal(Signal::SIGHUP);
    daemon.sniffer.signal(Signal::SIGKILL);
    case.machine.wait_for_text("log", "has died");
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    let journal = case.journal();
    assert!(journal.ends_with(b"\n") && journal.starts_with(b"MESSAGE="), "{journal:?}");
    assert_none_in("the journal", &journal, &secrets);
    assert_none_in("the output", &said(outcome), &secrets);
    for arguments in [
        &["CAPTURE", "-c", "CONFIG"][..],
        &["CAPTURE", "-c", "CONFIG", "--format", "json"],
        &["explain", "CAPTURE", "-c", "CONFIG"],
        &["explain", "CAPTURE", "-c", "CONFIG", "--format", "json"],
        &["check", "CONFIG", "--format", "json"],
        &["report", "CAPTURE", "-c", "CONFIG", "--output", "REPORT"],
        &["diff", "CAPTURE", "-c", "CONFIG", "--new", "CONFIG"],
        &["diff", "CAPTURE", "-c", "CONFIG", "--rules"],
    ] {
        assert_none_in(&arguments.join(" "), &case.replay(arguments), &secrets);
    }
    // Last, all files but those with keys: the log, the recording, and the state.
    let files = files(case.machine.folder.directory());
    for name in ["/log", "/recording.pcap", "/state/used", "/report.html"] {
        assert!(files.keys().any(|path| path.ends_with(name)), "no {name}");
    }
    for (path, bytes) in &files {
        if !path.ends_with("/alice.key") && !path.ends_with("/web.key") {
            assert_none_in(path, bytes, &secrets);
        }
    }
}

#[test]
fn no_process_has_more_of_a_key_than_it_needs() {
    let Some(case) = Case::new("no_process_has_more_of_a_key_than_it_needs") else { return };
    let daemon = Daemon::start_as(&case.machine, START);
    case.knock();
    // Of what it needs, each process has one copy: the runner for the next sniffer.
    for process in [&daemon.runner, &daemon.sniffer] {
        for (name, places) in places(process, &keys()) {
            assert!(places.is_empty(), "{} has {name}: {places:?}", process.name);
        }
        for (name, places) in places(process, &parts()) {
            assert_eq!(places.len(), 2, "halves of {name} in {}: {places:?}", process.name);
        }
    }
    // Of keys that are removed, nothing is left after a reload.
    let (_, only_ssh) = CONFIG.split_at(CONFIG.find("[web]").unwrap());
    case.machine.folder.write("knockd.conf", &CONFIG.replace(only_ssh, ""));
    fs::remove_file(case.machine.folder.path("keys/alice.key")).unwrap();
    daemon.runner.signal(Signal::SIGHUP);
    for process in [&daemon.runner, &daemon.sniffer] {
        let mut left = BTreeMap::new();
        let is_done = wait_for(|| {
            left = places(process, &all());
            left.values().all(Vec::is_empty)
        });
        assert!(is_done, "{} has {left:#?}", process.name);
    }
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn no_process_with_parts_of_keys_can_be_dumped_or_looked_into() {
    let name = "no_process_with_parts_of_keys_can_be_dumped_or_looked_into";
    let Some(case) = Case::new(name) else { return };
    let daemon = Daemon::start_as(&case.machine, START);
    case.knock();
    let user: u32 = daemon.sniffer.status("Uid").split(' ').next().unwrap().parse().unwrap();
    assert_ne!(user, 0);
    let look = |path: &Path| {
        let mut command = Command::new("head");
        let command = command.args(["-c", "1"]).arg(path).uid(user).gid(user);
        command.stdin(Stdio::null()).output().unwrap()
    };
    // The user can look into another process of his, so it is not only that he may look into none.
    let mut other = Command::new("sleep").arg("600").uid(user).gid(user).spawn().unwrap();
    let seen = look(Path::new(&format!("/proc/{}/maps", other.id())));
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(seen.status.success() && !seen.stdout.is_empty(), "{seen:?}");
    for process in [&daemon.runner, &daemon.sniffer] {
        for file in ["mem", "maps", "environ"] {
            let seen = look(&process.path(file));
            let error = String::from_utf8_lossy(&seen.stderr);
            assert!(seen.stdout.is_empty(), "{file} of {}", process.name);
            assert!(error.contains("Permission denied"), "{file} of {}: {error}", process.name);
        }
    }
    // What the machine does with dumps of others.
    let before = files(case.machine.folder.directory()).len();
    let line = "ulimit -c unlimited; sh -c 'kill -ABRT $$' || true";
    let outcome = case.machine.run(line);
    assert!(outcome.stderr.contains("Aborted"), "{outcome:?}");
    let dumps = |since: usize| files(case.machine.folder.directory()).len() - since;
    let is_dumped = dumps(before) > 0;
    case.machine.set_up("rm -f core*");
    let before = files(case.machine.folder.directory()).len();
    daemon.sniffer.signal(Signal::SIGABRT);
    case.machine.wait_for_text("log", "has died");
    daemon.runner.signal(Signal::SIGABRT);
    let outcome = daemon.live.finish();
    assert_eq!(outcome.status, None, "{outcome:?}");
    case.machine.wait_for_no_process();
    assert_eq!(dumps(before), 0, "dumps are written to files: {is_dumped}");
    assert!(!case.machine.folder.read("log").contains("core dumped"));
}

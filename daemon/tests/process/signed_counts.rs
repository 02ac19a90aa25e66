//! Signed packets in the answers of the control socket and in the journal: how many there were, and of whom.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use knock_tests::schema::Schema;
use knock_tests::signed::sealed;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::common::{Daemon, Outcome, wait_until};
use crate::signed::{Case, alice, request};

const CONFIG: &str = "\
[options]
    Server_Name = home.example.com
    Key_Dir = DIR/keys
    ControlSocket = DIR/control
[SSH]
    Signed = alice
    command = echo %IP% >> DIR/opened
[after]
    sequence = 7009:udp
    command = echo >> DIR/after
";

const KNOCKCTL: &str = env!("CARGO_BIN_EXE_knockctl");

fn said(case: &Case, arguments: &str) -> String {
    let line = format!("exec {KNOCKCTL} --socket control {arguments}");
    let Outcome { status, stdout, stderr } = case.machine.run(&line);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{arguments}");
    stdout
}

/// Sends a packet that opens the door, one again, one for another server, one that was changed, and two of strangers.
fn send_all_kinds(case: &Case) {
    let packet = request("home.example.com");
    let honest = sealed(&alice(), &packet);
    case.send(&honest);
    case.machine.wait_for_lines("opened", 1);
    case.send(&honest);
    let mut changed = honest;
    changed[60] ^= 1;
    case.send(&changed);
    case.send(&sealed(&alice(), &request("other.example.com")));
    case.send(&[7; 112]);
    case.send(&[8; 112]);
}

#[test]
fn the_status_counts_signed_packets_by_the_reason_why_they_open_nothing() {
    let name = "the_status_counts_signed_packets_by_the_reason_why_they_open_nothing";
    let Some(case) = Case::with(name, CONFIG) else { return };
    let daemon = Daemon::start(&case.machine, "-v");
    let first = "knockd: running, 2 doors, 0 open\n";
    assert_eq!(said(&case, "status"), first);
    send_all_kinds(&case);
    let expected = format!(
        "{first}signed packets: 1 accepted, 5 refused (unknown-key 2, moment-used 1, not-authentic 1, other-server 1)\n"
    );
    // Nothing more comes that would have them counted.
    wait_until("all are counted", || said(&case, "status") == expected);
    let json: Value = serde_json::from_str(&said(&case, "status --format json")).unwrap();
    Schema::read("knockctl.schema.json").check(&json);
    let count = |name: &str| json["counters"][name].as_u64();
    assert_eq!(count("accepted_signed_packets"), Some(1), "{json}");
    assert_eq!(count("refused_signed_packets_unknown_key"), Some(2), "{json}");
    assert_eq!(count("refused_signed_packets_clock_off"), Some(0), "{json}");
    let metrics = said(&case, "metrics");
    let line = "knockd_refused_signed_packets_moment_used_total 1\n";
    assert!(metrics.contains(line), "{metrics}");
    // Another process that reads packets goes on.
    daemon.sniffer.signal(Signal::SIGKILL);
    daemon.wait_for_error_beginning("knockd: error: the process that reads packets has died");
    daemon.wait_for("listening on lo...");
    case.settle();
    case.send(&[9; 112]);
    let expected = expected.replace("5 refused (unknown-key 2", "6 refused (unknown-key 3");
    wait_until("one more is counted", || said(&case, "status") == expected);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn the_user_is_a_field_of_the_journal_and_of_events() {
    let Some(case) = Case::with("the_user_is_a_field_of_the_journal_and_of_events", CONFIG) else {
        return;
    };
    case.machine.set_up("mkdir -p journal /run/systemd/journal");
    case.machine.set_up("mount --bind DIR/journal /run/systemd/journal");
    let journal = UnixDatagram::bind(case.machine.folder.path("journal/socket")).unwrap();
    journal.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let next = |begin: &str| loop {
        let mut bytes = vec![0; 4096];
        let length = journal.recv(&mut bytes).unwrap();
        let entry = String::from_utf8(bytes[..length].to_vec()).unwrap();
        if entry.starts_with(begin) {
            return entry;
        }
    };
    let start = "export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2)
        exec $KNOCKD -i lo -c knockd.conf -g DIR/log";
    let live = case.machine.start(start);
    let daemon = case.machine.process("knockd");
    next("MESSAGE=starting up");
    let events =
        case.machine.start(&format!("exec {KNOCKCTL} --socket control events --format json"));
    // Whoever follows events gets those from then on.
    let event = || -> Value { serde_json::from_str(&events.line()).unwrap() };
    wait_until("events are followed", || {
        case.settle();
        events.line_within(Duration::from_millis(10)).is_some()
    });
    send_all_kinds(&case);
    let opened = next("MESSAGE=127.0.0.1: SSH: signed packet of alice\n");
    let fields =
        "KNOCKD_CLIENT=127.0.0.1\nKNOCKD_DOOR=SSH\nKNOCKD_EVENT=signed\nKNOCKD_USER=alice\n";
    assert!(opened.ends_with(fields), "{opened}");
    let refused = next("MESSAGE=127.0.0.1: signed packet of alice ignored: a replay");
    let fields = "KNOCKD_CLIENT=127.0.0.1\nKNOCKD_EVENT=not-signed\nKNOCKD_USER=alice\n";
    assert!(refused.ends_with(fields), "{refused}");
    let schema = Schema::read("knockctl.schema.json");
    let about = |begin: &str| loop {
        let event = event();
        schema.check(&event);
        if event["line"].as_str().unwrap().starts_with(begin) {
            let names = ["client", "door", "event", "user"];
            return names.map(|name| event[name].as_str().unwrap_or("-").to_owned());
        }
    };
    let signed = about("127.0.0.1: SSH: signed packet of alice");
    assert_eq!(signed, ["127.0.0.1", "SSH", "signed", "alice"]);
    let ignored = about("127.0.0.1: signed packet of alice ignored: a replay");
    assert_eq!(ignored, ["127.0.0.1", "-", "not-signed", "alice"]);
    daemon.signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

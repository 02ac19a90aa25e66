//! Files that the daemon writes: never over what it reads.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require};

/// Ways to name a file that is read as one that is written, with `PATH` for the file.
const WAYS: &[&str] = &["-d -p PATH", "-d -p DIR/pid -g PATH", "--record PATH"];

#[test]
fn no_option_makes_the_daemon_write_over_what_it_reads() {
    let name = "no_option_makes_the_daemon_write_over_what_it_reads";
    let Some(machine) = machine(name) else { return };
    let once = "[once]\none_time_sequences = DIR/lines\ncommand = true\n";
    machine.folder.write("knockd.conf", &[CONFIG, once].concat());
    machine.folder.write("lines", " 7005:udp,7006:udp\n");
    fs::hard_link(machine.folder.path("knockd.conf"), machine.folder.path("hard")).unwrap();
    symlink("knockd.conf", machine.folder.path("link")).unwrap();
    let before = ["knockd.conf", "lines"].map(|name| machine.folder.read(name));
    for way in WAYS {
        for path in ["knockd.conf", "lines", "hard", "link"] {
            let options = way.replace("PATH", &format!("DIR/{path}"));
            let outcome = machine.run(&format!("$KNOCKD -i lo -c DIR/knockd.conf {options}"));
            assert_eq!(outcome.status, Some(1), "{options}: {outcome:?}");
            let says = ["which is read: name another file", "not a regular file"];
            let is_said = says.iter().any(|text| outcome.stderr.contains(text));
            assert!(is_said, "{options}: {outcome:?}");
            if !way.contains("record") {
                let check = machine.run(&format!("$KNOCKD --check -c DIR/knockd.conf {options}"));
                assert_eq!(check.status, Some(2), "{options}: {check:?}");
            }
            machine.wait_for_no_process();
            let now = ["knockd.conf", "lines"].map(|name| machine.folder.read(name));
            assert_eq!(now, before, "{options}");
        }
    }
}

#[test]
fn a_pid_file_that_holds_no_number_is_kept() {
    let Some(machine) = machine("a_pid_file_that_holds_no_number_is_kept") else { return };
    machine.folder.write("other.conf", "[door]\nsequence = 1\n");
    let start = "$KNOCKD -d -i lo -c DIR/knockd.conf -p DIR/";
    let refused = machine.run(&format!("{start}other.conf"));
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("it holds something else than a process ID"), "{refused:?}");
    assert_eq!(machine.folder.read("other.conf"), "[door]\nsequence = 1\n");
    // What somebody writes into it while the daemon runs stays, too.
    machine.set_up(&format!("echo 4194304 > pid && {start}pid"));
    let daemon = machine.process("knockd");
    assert_ne!(machine.folder.read("pid"), "4194304\n");
    machine.set_up("echo 'my notes' > pid");
    daemon.signal(Signal::SIGTERM);
    machine.wait_for_no_process();
    assert_eq!(machine.folder.read("pid"), "my notes\n");
}

#[test]
fn a_recording_is_for_its_owner_only_whatever_was_there() {
    let name = "a_recording_is_for_its_owner_only_whatever_was_there";
    let Some(machine) = machine(name) else { return };
    machine.folder.write("before", "old");
    fs::hard_link(machine.folder.path("before"), machine.folder.path("knocks")).unwrap();
    machine.set_up("chmod 644 knocks");
    let daemon = Daemon::start(&machine, "-v --record DIR/knocks");
    let metadata = fs::metadata(machine.folder.path("knocks")).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    // It is another file, so who has the old one open sees nothing of the new one.
    assert_eq!(machine.folder.read("before"), "old");
    assert_eq!(daemon.end().status, Some(0));
    // A link of another user leads root nowhere.
    machine.set_up("mkdir -m 1777 open; ln -s DIR/before open/link; chown -h 1234 open/link");
    let outcome = machine.run("$KNOCKD -i lo -c knockd.conf --record DIR/open/link");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("open/link belongs to another user"), "{outcome:?}");
    let log = Daemon::start(&machine, "-v -g DIR/open/link");
    assert_eq!(log.end().status, Some(0));
    assert_eq!(machine.folder.read("before"), "old");
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(CONFIG))
}

//! Doors that were left open, and the file that remembers them.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use nix::sys::signal::{Signal, kill};

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

const OPTIONS: &str = "[options]\nLeaseFile = DIR/leases\n";

/// The end of the line about a door that was left open.
const LEFT_OPEN_END: &str = " when knockd last ended; closing it now";

/// A door that is closed late, and one that is closed soon.
const DOORS: &str = "\
[late door]
    sequence = 7000:udp
    start_command = echo late %IP% >> DIR/opened
    cmd_timeout = 600
    stop_command = echo late %IP% >> DIR/closed

[soon]
    sequence = 7001:udp
    start_command = echo soon %IP% >> DIR/opened
    cmd_timeout = 1
    stop_command = echo soon %IP% >> DIR/closed
";

#[test]
fn doors_of_a_daemon_that_was_killed_are_closed_by_the_next_one() {
    let name = "doors_of_a_daemon_that_was_killed_are_closed_by_the_next_one";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start(&machine, "-v");
    for last in 1..=2 {
        machine.knocker([127, 0, 0, last]).knock(&[7000]);
    }
    machine.knock(&[7001]);
    machine.wait_for_lines("opened", 3);
    machine.wait_for_lines("closed", 1);
    let folder = machine.folder.directory().to_str().unwrap().to_owned();
    let line = |number, last| {
        format!(
            "open {number} 127.0.0.{last} late%20door echo late 127.0.0.{last} >> {folder}/closed\n"
        )
    };
    wait_until("the file has that the door is closed", || {
        machine.folder.read("leases").ends_with("closed 2\n")
    });
    assert!(machine.folder.read("leases").starts_with(&(line(0, 1) + &line(1, 2))));
    assert_eq!(fs::metadata(machine.folder.path("leases")).unwrap().mode() & 0o777, 0o600);
    daemon.runner.signal(Signal::SIGKILL);
    assert_eq!(daemon.live.finish().status, None);
    machine.wait_for_no_process();
    assert_eq!(machine.folder.read("closed"), "soon 127.0.0.1\n");

    // The present configuration does not matter.
    machine.folder.write("knockd.conf", &[OPTIONS, "[other]\nsequence = 1\ncommand =\n"].concat());
    let daemon = Daemon::start(&machine, "-v");
    for last in 1..=2 {
        daemon
            .wait_for_error(&format!("late door: was left open for 127.0.0.{last}{LEFT_OPEN_END}"));
        let stop = format!("echo late 127.0.0.{last} >> {folder}/closed");
        daemon.wait_for(&format!("late door: running command: {stop}"));
    }
    machine.wait_for_lines("closed", 3);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let closed = machine.folder.read("closed");
    let mut closed: Vec<&str> = closed.lines().skip(1).collect();
    closed.sort_unstable();
    assert_eq!(closed, ["late 127.0.0.1", "late 127.0.0.2"]);
    assert!(!machine.folder.path("leases").exists());
}

#[test]
fn a_door_that_cannot_be_closed_in_time_is_closed_by_the_next_daemon() {
    let name = "a_door_that_cannot_be_closed_in_time_is_closed_by_the_next_daemon";
    let Some(machine) = machine(name) else { return };
    let slow = "stop_command = [ -e DIR/go ] || exec sleep 600; echo late %IP% >> DIR/closed";
    let doors = DOORS.replace("stop_command = echo late %IP% >> DIR/closed", slow);
    machine.folder.write("knockd.conf", &[OPTIONS, &doors].concat());
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    machine.wait_for_lines("opened", 1);
    daemon.runner.signal(Signal::SIGTERM);
    let _ = machine.process("sleep");
    wait_until("it has ended", || {
        // It may have ended by now.
        let _ = kill(daemon.runner.id, Signal::SIGTERM);
        machine.named("knockd").is_empty()
    });
    let outcome = daemon.live.finish();
    assert_eq!(outcome.status, Some(1));
    let stays_open = "late door: STAYS OPEN for 127.0.0.1; to close it, run: [ -e ";
    assert!(outcome.stderr.contains(stays_open), "{}", outcome.stderr);
    machine.folder.write("go", "");
    let daemon = Daemon::start(&machine, "-v");
    daemon.wait_for_error(&format!("late door: was left open for 127.0.0.1{LEFT_OPEN_END}"));
    machine.wait_for_lines("closed", 1);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(machine.folder.read("closed"), "late 127.0.0.1\n");
}

#[test]
fn a_file_of_another_daemon_or_of_another_user_keeps_the_daemon_from_starting() {
    let name = "a_file_of_another_daemon_or_of_another_user_keeps_the_daemon_from_starting";
    let Some(machine) = machine(name) else { return };
    let file = machine.folder.path("leases");
    let path = file.display().to_string();
    let refused = |why: &str| {
        let outcome = machine.run("$KNOCKD -i lo -c knockd.conf");
        let expected = (Some(1), format!("knockd: error: {}\n", why.replace("FILE", &path)));
        assert_eq!((outcome.status, outcome.stderr), expected);
    };
    let daemon = Daemon::start(&machine, "-v");
    refused(
        "another knockd remembers its open doors in FILE: give each knockd its own file with the \
         directive 'LeaseFile'",
    );
    assert_eq!(daemon.end().status, Some(0));
    let untrusted = "will not run the stop commands in FILE, because another user may have written \
                     them: check the file, then remove it, or make it yours with mode 0600";
    let text = format!("open 0 127.0.0.1 x touch {path}.run\n");
    for (owner, mode) in [(65_534, 0o600), (0, 0o606), (0, 0o660)] {
        fs::write(&file, &text).unwrap();
        std::os::unix::fs::chown(&file, Some(owner), None).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        refused(untrusted);
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    refused("cannot remember open doors in FILE: Is a directory");
    assert!(!machine.folder.path("leases.run").exists());
}

#[test]
fn invalid_lines_are_warned_about_and_the_others_count() {
    let name = "invalid_lines_are_warned_about_and_the_others_count";
    let Some(machine) = machine(name) else { return };
    let text = "open 0 127.0.0.1 soon echo soon 127.0.0.1 >> DIR/closed\nopen 1 nowhere x y\nrm\n";
    machine.folder.write("leases", text);
    let daemon = Daemon::start(&machine, "-v");
    let path = machine.folder.path("leases");
    daemon.wait_for_error(&format!(
        "knockd: warning: {} has invalid lines (2): the doors on them may still be open",
        path.display()
    ));
    machine.wait_for_lines("closed", 1);
    assert_eq!(daemon.end().status, Some(0));
}

fn machine(name: &str) -> Option<Machine> {
    let config = [OPTIONS, DOORS].concat();
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(&config))
}

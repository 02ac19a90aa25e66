//! Doors that are open when the daemon is killed, and the next start.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

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

/// The lines about a door that was left open.
fn left_open(client: u8, what: &str) -> String {
    format!("late door: was left open for 127.0.0.{client} when knockd last ended; {what}")
}

/// Opens the late door for two clients, waits until its leases are on disk with their deadlines, and kills
/// the daemon.
fn leave_open(machine: &Machine, options: &str) {
    let daemon = Daemon::start(machine, options);
    for last in 1..=2 {
        machine.knocker([127, 0, 0, last]).knock(&[7000]);
    }
    machine.wait_for_lines("opened", 2);
    wait_until("the deadlines are written", || {
        // On the machine, because its disk may be mounted only there.
        machine.run("cat state/leases").stdout.matches(" due ").count() == 2
    });
    kill_all(machine, daemon);
}

fn kill_all(machine: &Machine, daemon: Daemon) {
    daemon.runner.signal(Signal::SIGKILL);
    assert_eq!(daemon.live.finish().status, None);
    machine.wait_for_no_process();
}

/// Returns who was closed, in order.
fn closed(machine: &Machine) -> Vec<String> {
    let mut closed: Vec<String> =
        machine.folder.read("closed").lines().map(str::to_owned).collect();
    closed.sort_unstable();
    closed
}

const BOTH: [&str; 2] = ["late 127.0.0.1", "late 127.0.0.2"];

#[test]
fn doors_of_a_daemon_that_was_killed_are_taken_up_by_the_next_one() {
    let name = "doors_of_a_daemon_that_was_killed_are_taken_up_by_the_next_one";
    let Some(machine) = machine(name, DOORS) else { return };
    leave_open(&machine, "-v");
    let file = machine.folder.path("state/leases");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);

    // The present configuration does not matter.
    machine.folder.write("knockd.conf", "[other]\nsequence = 1\ncommand =\n");
    let daemon = Daemon::start(&machine, "-v");
    for last in 1..=2 {
        daemon.wait_for_error_beginning(&left_open(last, "closing it in "));
    }
    // They have time left, so the end closes them.
    assert_eq!(closed(&machine), [""; 0]);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(closed(&machine), BOTH);
    assert!(!file.exists());
}

#[test]
fn overdue_doors_are_closed_at_once() {
    let name = "overdue_doors_are_closed_at_once";
    let doors = DOORS.replace("cmd_timeout = 600", "cmd_timeout = 3");
    let Some(machine) = machine(name, &doors) else { return };
    leave_open(&machine, "-v");
    // Longer than they may stay open.
    thread::sleep(Duration::from_secs(3));
    let daemon = Daemon::start(&machine, "-v");
    for last in 1..=2 {
        daemon.wait_for_error(&left_open(last, "closing it now"));
    }
    machine.wait_for_lines("closed", 2);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), BOTH);
}

#[test]
fn doors_are_closed_though_the_daemon_cannot_start() {
    let name = "doors_are_closed_though_the_daemon_cannot_start";
    // What makes the start fail, the options, and a part of the reason.
    let cases = [
        (
            "printf '[options]\\nStateDir = DIR/state\\n[d]\\nsequence = x' > knockd.conf",
            "-i lo",
            "",
        ),
        ("rm knockd.conf", "-i lo", ""),
        ("printf '[options\\nStateDir = DIR/state\\n' > knockd.conf", "-i lo", ""),
        (":", "-i lo --record /nowhere/at/all", "cannot write the recording"),
        (
            "printf '[options]\\nUser = nobody-at-all\\n[d]\\nsequence = 1' > knockd.conf",
            "-i lo",
            "",
        ),
        ("printf '[d]\\nOne_Time_Sequences = DIR/none\\n' > knockd.conf", "-i lo", ""),
        (":", "-i lo -d -p DIR/pid --record /nowhere/at/all", "cannot write the recording"),
    ];
    for (spoil, options, why) in cases {
        let Some(machine) = machine(name, DOORS) else { return };
        leave_open(&machine, "-v");
        machine.set_up(spoil);
        let outcome = machine.run(&format!("$KNOCKD {options} -c knockd.conf"));
        assert_eq!(outcome.status, Some(1), "{spoil}: {outcome:?}");
        assert!(outcome.stderr.contains(why), "{spoil}: {outcome:?}");
        for last in 1..=2 {
            let line = left_open(last, "closing it now, because knockd does not start");
            assert!(outcome.stderr.contains(&line), "{spoil}: {outcome:?}");
        }
        assert_eq!(closed(&machine), BOTH, "{spoil}");
        assert!(!machine.folder.path("state/leases").exists(), "{spoil}");
    }
}

#[test]
fn a_door_that_cannot_be_closed_when_the_daemon_does_not_start_is_closed_later() {
    let name = "a_door_that_cannot_be_closed_when_the_daemon_does_not_start_is_closed_later";
    let stop = "stop_command = [ -e DIR/go ] && echo late %IP% >> DIR/closed";
    let doors = DOORS.replace("stop_command = echo late %IP% >> DIR/closed", stop);
    let Some(machine) = machine(name, &doors) else { return };
    leave_open(&machine, "-v");
    let outcome = machine.run("$KNOCKD -i lo -c missing.conf");
    assert_eq!(outcome.status, Some(1));
    let stays = "late door: STAYS OPEN for 127.0.0.1; the next start of knockd tries again; to close it, run: \
                 [ -e ";
    assert!(outcome.stderr.contains(stays), "{outcome:?}");
    machine.folder.write("go", "");
    let daemon = Daemon::start(&machine, "-v");
    machine.wait_for_lines("closed", 2);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), BOTH);
}

#[test]
fn a_start_command_that_was_left_running_cannot_open_its_door_after_it_was_closed() {
    let name = "a_start_command_that_was_left_running_cannot_open_its_door_after_it_was_closed";
    // Killed with the daemon; run by another program; in a session and with an environment of its own.
    let starts = [
        "touch DIR/began; sleep 5; touch DIR/open-%IP%",
        "sh -c 'touch DIR/began; sleep 5; touch DIR/open-%IP%'; true",
        "setsid sh -c 'touch DIR/began; sleep 5; touch DIR/open-%IP%'; true",
        "sh -c 'env -i sh -c \"touch DIR/began; sleep 5; touch DIR/open-%IP%\"; true'; true",
    ];
    for start in starts {
        let doors = format!(
            "[door]\nsequence = 7000:udp\nstart_command = {start}\ncmd_timeout = 600\n\
             stop_command = rm -f DIR/open-%IP%; echo late %IP% >> DIR/closed\n"
        );
        let Some(machine) = machine(name, &doors) else { return };
        let daemon = Daemon::start(&machine, "-v");
        machine.knock(&[7000]);
        wait_until("it runs", || machine.folder.path("began").exists());
        wait_until("it is on disk", || machine.folder.read("state/leases").contains(" runs "));
        kill_all(&machine, daemon);
        let daemon = Daemon::start(&machine, "-v");
        machine.wait_for_lines("closed", 1);
        assert_eq!(machine.named("sleep").len(), 0, "{start}");
        assert_eq!(daemon.end().status, Some(0));
        assert!(!machine.folder.path("open-127.0.0.1").exists(), "{start}");
        assert_eq!(closed(&machine), ["late 127.0.0.1"]);
    }
}

#[test]
fn processes_that_a_start_command_has_left_on_purpose_go_on() {
    let name = "processes_that_a_start_command_has_left_on_purpose_go_on";
    let doors =
        DOORS.replace("echo late %IP% >> DIR/opened", "sleep 600 & echo late %IP% >> DIR/opened");
    let Some(machine) = machine(name, &doors) else { return };
    leave_open(&machine, "-v");
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), BOTH);
    assert_eq!(machine.named("sleep").len(), 2);
}

#[test]
fn a_stop_command_that_was_left_running_is_run_again() {
    let name = "a_stop_command_that_was_left_running_is_run_again";
    let stop = "stop_command = touch DIR/closing; [ -e DIR/go ] || sleep 600; echo late %IP% >> DIR/closed";
    let doors = DOORS.replace("stop_command = echo soon %IP% >> DIR/closed", stop);
    let Some(machine) = machine(name, &doors) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7001]);
    wait_until("it is being closed", || machine.folder.path("closing").exists());
    wait_until("it is on disk", || machine.folder.read("state/leases").contains(" closing "));
    wait_until("it sleeps", || machine.named("sleep").len() == 1);
    kill_all(&machine, daemon);
    assert_eq!(machine.named("sleep").len(), 1);
    machine.folder.write("go", "");
    let daemon = Daemon::start(&machine, "-v");
    machine.wait_for_lines("closed", 1);
    assert_eq!(machine.named("sleep").len(), 0);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), ["late 127.0.0.1"]);
}

/// Otherwise a daemon that is killed right after it would leave a door that is closed and counts as open.
#[test]
fn a_stop_command_begins_when_the_file_says_so() {
    const CLIENTS: u8 = 40;
    let name = "a_stop_command_begins_when_the_file_says_so";
    let stop = "grep -c ' closing ' DIR/state/leases >> DIR/seen";
    let Some(machine) = machine(name, &DOORS.replace("echo late %IP% >> DIR/closed", stop)) else {
        return;
    };
    let open = || {
        let daemon = Daemon::start(&machine, "-v");
        for last in 1..=CLIENTS {
            machine.knocker([127, 0, 0, last]).knock(&[7000]);
        }
        machine.wait_for_lines("opened", CLIENTS.into());
        fs::remove_file(machine.folder.path("opened")).unwrap();
        daemon
    };
    let check = || {
        let seen = machine.folder.read("seen");
        fs::remove_file(machine.folder.path("seen")).unwrap();
        let mut seen: Vec<u8> = seen.lines().map(|line| line.parse().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen.len(), usize::from(CLIENTS));
        // Each sees itself, and those before it.
        assert!((1..=CLIENTS).zip(&seen).all(|(least, count)| *count >= least), "{seen:?}");
    };
    assert_eq!(open().end().status, Some(0));
    check();
    // The same by a daemon that does not start.
    kill_all(&machine, open());
    machine.folder.write("knockd.conf", "[d]\nsequence = x");
    assert_eq!(machine.run("$KNOCKD -i lo -c knockd.conf").status, Some(1));
    check();
}

#[test]
fn a_door_that_may_have_been_closed_is_not_tried_for_ever() {
    let name = "a_door_that_may_have_been_closed_is_not_tried_for_ever";
    let Some(machine) = machine(name, &DOORS.replace("echo late %IP% >> DIR/closed", "exit 7"))
    else {
        return;
    };
    leave_open(&machine, "-v");
    // As after a restart of the machine, which the checksums must not notice.
    machine.set_up("mkdir boot && echo other > boot/id && mount --bind boot/id /proc/sys/kernel/random/boot_id");
    let daemon = Daemon::start(&machine, "-v");
    for last in 1..=2 {
        daemon.wait_for_error_beginning(&left_open(last, "closing it in "));
    }
    let outcome = daemon.end();
    let gone =
        "late door: probably closed for 127.0.0.1; its stop command fails with status 7: exit 7";
    assert!(outcome.stderr.contains(gone), "{outcome:?}");
    assert!(!machine.folder.path("state/leases").exists());
}

#[test]
fn whichever_process_is_killed_every_door_is_closed_once() {
    let name = "whichever_process_is_killed_every_door_is_closed_once";
    for (runner, sniffer) in [(true, false), (false, true), (true, true)] {
        let Some(machine) = machine(name, DOORS) else { return };
        let daemon = Daemon::start(&machine, "-v");
        for last in 1..=20 {
            machine.knocker([127, 0, 0, last]).knock(&[7000, 7001]);
        }
        // In the middle of it.
        machine.wait_for_lines("opened", 15);
        if sniffer {
            daemon.sniffer.signal(Signal::SIGKILL);
        }
        if runner {
            // It may have ended by now.
            let _ = kill(daemon.runner.id, Signal::SIGKILL);
        } else {
            // The sniffer alone is replaced.
            daemon.runner.signal(Signal::SIGTERM);
        }
        let _ = daemon.live.finish();
        machine.wait_for_no_process();
        let daemon = Daemon::start(&machine, "-v");
        assert_eq!(daemon.end().status, Some(0));
        let (mut opened, closed) = (
            machine.folder.read("opened").lines().map(str::to_owned).collect::<Vec<_>>(),
            closed(&machine),
        );
        opened.sort_unstable();
        assert!(opened.iter().all(|one| closed.contains(one)), "{opened:?} {closed:?}");
        // A start command that was cut off may not have opened its door, which is closed all the same.
        let mut distinct = closed.clone();
        distinct.dedup();
        assert_eq!(distinct, closed);
    }
}

#[test]
fn a_file_of_another_user_is_set_aside_and_its_commands_are_not_run() {
    let name = "a_file_of_another_user_is_set_aside_and_its_commands_are_not_run";
    for (owner, mode) in [(65_534, 0o600), (0, 0o606), (0, 0o660)] {
        let Some(machine) = machine(name, DOORS) else { return };
        leave_open(&machine, "-v");
        let file = machine.folder.path("state/leases");
        chown(&file, Some(owner), None).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let daemon = Daemon::start(&machine, "-v");
        daemon.wait_for_error(&format!(
            "knockd: warning: will not run the stop commands in {0}, because another user may have written \
             them: it is now {0}.untrusted; check it, close its doors by hand, then remove it",
            file.display()
        ));
        assert_eq!(daemon.end().status, Some(0));
        assert_eq!(closed(&machine), [""; 0]);
    }
}

#[test]
fn a_damaged_file_is_set_aside_and_what_is_whole_is_closed() {
    let name = "a_damaged_file_is_set_aside_and_what_is_whole_is_closed";
    let Some(machine) = machine(name, DOORS) else { return };
    leave_open(&machine, "-v");
    // The command of the second client.
    machine.set_up("sed -i '/open.*127.0.0.2/s/echo late/echo evil/' state/leases");
    let daemon = Daemon::start(&machine, "-v");
    let file = machine.folder.path("state/leases");
    daemon.wait_for_error(&format!(
        "knockd: warning: {0} is damaged: 1 of its lines cannot be read; set aside as {0}.damaged; the 1 door \
         that can be read will be closed; look in it for doors that are still open, and close them by hand",
        file.display()
    ));
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), ["late 127.0.0.1"]);
}

#[test]
fn two_daemons_keep_their_doors_apart() {
    let name = "two_daemons_keep_their_doors_apart";
    let Some(machine) = machine(name, DOORS) else { return };
    let first = Daemon::start(&machine, "-v");
    let second = machine.start("exec $KNOCKD -v -i lo -c knockd.conf");
    while second.line() != "listening on lo..." {}
    machine.knock(&[7000]);
    machine.wait_for_lines("opened", 2);
    for runner in machine.named("knockd") {
        runner.signal(Signal::SIGKILL);
    }
    let _ = (first.live.finish(), second.finish());
    machine.wait_for_no_process();
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), ["late 127.0.0.1", "late 127.0.0.1"]);
    assert_eq!(fs::read_dir(machine.folder.path("state")).unwrap().count(), 0);
}

/// A file system that is full, in the place of the state folder, with room for one file.
const FULL: &str = "mkdir -p state && mount -t tmpfs -o mode=755,size=8k none state && \
                    head -c 8192 /dev/zero > state/filler";

#[test]
fn a_door_that_cannot_be_remembered_stays_shut_or_opens_as_the_directive_says() {
    let name = "a_door_that_cannot_be_remembered_stays_shut_or_opens_as_the_directive_says";
    for on_error in ["", "OnStateError = shut", "OnStateError = open"] {
        let doors = format!(
            "[options]\n{on_error}\n{DOORS}\n[free]\nsequence = 7002:udp\ncommand = echo free >> DIR/opened\n"
        );
        let Some(machine) = machine(name, &doors) else { return };
        machine.set_up(FULL);
        let daemon = Daemon::start(&machine, "-v");
        let file = machine.folder.path("state/leases");
        let (begin, what) = if on_error.ends_with("open") {
            (
                "late door: opens for 127.0.0.1, though it cannot be remembered as open: ",
                "open, but stay open",
            )
        } else {
            (
                "late door: STAYS SHUT for 127.0.0.1, because it could not be remembered as open: ",
                "STAY SHUT",
            )
        };
        daemon.wait_for_error_beginning(&format!(
            "knockd: error: open doors cannot be remembered: cannot write {}: the disk is full. Until \
             that works, doors with a stop command {what}",
            file.display()
        ));
        machine.knock(&[7000, 7002]);
        daemon.wait_for_error_beginning(begin);
        machine.wait_for_text("opened", "free");
        if on_error.ends_with("open") {
            machine.wait_for_text("opened", "late");
        }
        // As soon as there is room, doors open again.
        machine.set_up("rm state/filler");
        machine.knocker([127, 0, 0, 2]).knock(&[7000]);
        machine.wait_for_text("opened", "late 127.0.0.2");
        assert_eq!(daemon.end().status, Some(0));
        let expected = if on_error.ends_with("open") { &BOTH[..] } else { &BOTH[1..] };
        assert_eq!(closed(&machine), expected, "{on_error}");
        machine.set_up("umount state");
    }
}

#[test]
fn a_full_or_read_only_disk_does_not_keep_doors_from_being_closed() {
    let name = "a_full_or_read_only_disk_does_not_keep_doors_from_being_closed";
    for spoil in
        ["head -c 1000000 /dev/zero > state/filler || true", "mount -o remount,ro DIR/state"]
    {
        let Some(machine) = machine(name, DOORS) else { return };
        machine.set_up("mkdir -p state && mount -t tmpfs -o mode=755,size=16k none state");
        leave_open(&machine, "-v");
        machine.set_up(spoil);
        let daemon = Daemon::start(&machine, "-v");
        for last in 1..=2 {
            daemon.wait_for_error_beginning(&left_open(last, "closing it in "));
        }
        assert_eq!(daemon.end().status, Some(0));
        assert_eq!(closed(&machine), BOTH);
        if spoil.starts_with("head") {
            // Nothing could be written, but the file could be removed.
            assert_eq!(machine.run("ls state").stdout, "filler\n");
        }
        machine.set_up("umount state");
    }
}

#[test]
fn a_file_that_is_removed_while_doors_are_open_is_written_again() {
    let name = "a_file_that_is_removed_while_doors_are_open_is_written_again";
    let Some(machine) = machine(name, DOORS) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.knock(&[7000]);
    machine.wait_for_lines("opened", 1);
    for remove in ["rm state/leases", ": > state/leases", "rm -r state"] {
        machine.set_up(remove);
        daemon.wait_for_error(&format!(
            "knockd: warning: {} was changed or removed by another program; it has been written again",
            machine.folder.path("state/leases").display()
        ));
    }
    kill_all(&machine, daemon);
    let daemon = Daemon::start(&machine, "-v");
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(closed(&machine), ["late 127.0.0.1"]);
}

fn machine(name: &str, config: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(config))
}

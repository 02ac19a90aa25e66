//! Reading the configuration anew.

use std::fmt::Write as _;

use nix::sys::signal::{Signal, kill};

use crate::common::{CONFIG, Daemon, Desk, Need, PROGRAMS, require, wait_until};

/// A door with one-time sequences.
const ONCE: &str = "[once]\none_time_sequences = DIR/lines\ncommand = echo %IP% >> DIR/opened\n";

/// A door that is there after a reload.
const OTHER: &str = "[other]\nsequence = 7009:udp\ncommand = echo >> DIR/other\n";

#[test]
fn a_sequence_that_is_used_while_the_files_are_read_is_used_up() {
    let name = "a_sequence_that_is_used_while_the_files_are_read_is_used_up";
    let Some(desk) = desk(name, ONCE) else { return };
    desk.folder.write("lines", " 7001:udp,7002:udp\n 7003:udp,7004:udp\n 7005:udp,7006:udp\n");
    let daemon = Daemon::start(&desk, "-v");
    // With a line marked, the file is another one than that the sniffer knows.
    desk.knock(&[7001, 7002]);
    desk.wait_for_lines("opened", 1);
    // The runner reads the files before it hears that a sequence is to be marked in one of them.
    daemon.runner.signal(Signal::SIGSTOP);
    desk.knock(&[7003, 7004]);
    wait_until("the sniffer has heard it", || !has_waiting_packets(&desk));
    desk.folder.write("knockd.conf", &[ONCE, OTHER].concat());
    daemon.runner.signal(Signal::SIGHUP);
    // What has started it has stopped with it.
    for process in [daemon.runner.parent(), daemon.runner.id] {
        kill(process, Signal::SIGCONT).unwrap();
    }
    desk.wait_for_lines("opened", 2);
    wait_for_other(&desk, &daemon);
    desk.knock(&[7003, 7004]);
    desk.knock(&[7005, 7006]);
    desk.wait_for_lines("opened", 3);
    assert_eq!(daemon.end().status, Some(0));
    assert_eq!(desk.folder.read("opened").lines().count(), 3);
    let lines = "#7001:udp,7002:udp\n#7003:udp,7004:udp\n#7005:udp,7006:udp\n";
    assert_eq!(desk.folder.read("lines"), lines);
}

#[test]
fn a_file_in_which_no_sequence_can_be_marked_is_refused() {
    let name = "a_file_in_which_no_sequence_can_be_marked_is_refused";
    let Some(desk) = desk(name, CONFIG) else { return };
    desk.folder.write("lines", " 7001:udp,7002:udp\n");
    let daemon = Daemon::start(&desk, "-v");
    desk.set_up("mount --bind -o ro lines lines");
    desk.folder.write("knockd.conf", ONCE);
    daemon.runner.signal(Signal::SIGHUP);
    let cause = "cannot write DIR/lines: Read-only file system; a sequence that is not marked as used \
                 could be used again";
    let cause = cause.replace("DIR", desk.folder.directory().to_str().unwrap());
    daemon.wait_for_error(&format!("error: {cause}"));
    desk.knock(&[7001, 7002, 7000, 8000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    assert_eq!(daemon.end().status, Some(0));
    for (options, status) in [("", 1), ("--check", 2)] {
        let outcome = desk.run(&format!("$KNOCKD -i lo -c knockd.conf {options}"));
        assert_eq!(outcome.status, Some(status), "{options}");
        // A check has more to say.
        let expected = format!("knockd: error: {cause}\n");
        assert!(outcome.stderr.ends_with(&expected), "{options}: {}", outcome.stderr);
    }
}

#[test]
fn a_reload_that_is_asked_for_while_the_daemon_starts_is_done() {
    let name = "a_reload_that_is_asked_for_while_the_daemon_starts_is_done";
    let mut doors = String::new();
    for number in 0..5000 {
        write!(doors, "[d{number}]\nsequence = {},1\ncommand =\n", 2000 + number).unwrap();
    }
    let Some(desk) = desk(name, &doors) else { return };
    let live = desk.start("exec $KNOCKD -i lo -c knockd.conf -v");
    // The runner takes no signal before it holds them, which is before there is a sniffer, and this one
    // has a long way to listening.
    let _ = desk.process("knockd: sniffer");
    let runner = desk.process("knockd");
    runner.signal(Signal::SIGHUP);
    wait_until("it has the signal", || !runner.has_pending(Signal::SIGHUP));
    assert_eq!(live.line(), "listening on lo...");
    assert!(live.line().starts_with("re-reading config file: "));
    runner.signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
}

#[test]
fn a_route_that_is_gone_does_not_keep_a_configuration_from_being_used() {
    let name = "a_route_that_is_gone_does_not_keep_a_configuration_from_being_used";
    let Some(desk) = desk(name, CONFIG) else { return };
    desk.set_up("ip route add default dev lo");
    let daemon = Daemon::start_as(&desk, "exec $KNOCKD -c knockd.conf -v");
    desk.set_up("ip route del default");
    desk.folder.write("knockd.conf", OTHER);
    daemon.runner.signal(Signal::SIGHUP);
    wait_for_other(&desk, &daemon);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

/// Waits until the daemon has the door [`OTHER`].
fn wait_for_other(desk: &Desk, daemon: &Daemon) {
    daemon.wait_for_beginning("re-reading config file: ");
    let begin = desk.folder.read("other").len();
    wait_until("the door is there", || {
        desk.knock(&[7009]);
        desk.folder.read("other").len() > begin
    });
}

/// Returns whether packets wait for the sniffer.
fn has_waiting_packets(desk: &Desk) -> bool {
    let sockets = desk.run("cat /proc/net/packet").stdout;
    // Sk, RefCnt, Type, Proto, Iface, R, Rmem: the memory that they take.
    let used = sockets.lines().skip(1).filter_map(|line| line.split_whitespace().nth(6));
    used.into_iter().any(|bytes| bytes != "0")
}

fn desk(name: &str, config: &str) -> Option<Desk> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Desk::with(config))
}

//! The directives that knockd 0.8 does not have.

use nix::sys::signal::Signal;
use nix::unistd::User;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

const DOOR: &str = "
[door]
    sequence = 7000:udp,8000:udp
";

#[test]
fn the_process_that_reads_packets_becomes_the_user_that_is_named() {
    let name = "the_process_that_reads_packets_becomes_the_user_that_is_named";
    let Some(machine) = machine(name, "User = daemon", "command = true") else { return };
    let daemon = Daemon::start(&machine, "");
    let user = nix::unistd::User::from_name("daemon").unwrap().unwrap();
    let four = |id: u32| format!("{id} {id} {id} {id}");
    assert_eq!(daemon.sniffer.status("Uid"), four(user.uid.as_raw()));
    assert_eq!(daemon.sniffer.status("Gid"), four(user.gid.as_raw()));
    assert_eq!(daemon.runner.status("Uid"), four(0));
}

#[test]
fn a_user_that_does_not_exist_keeps_the_daemon_from_starting_and_fails_the_check() {
    let name = "a_user_that_does_not_exist_keeps_the_daemon_from_starting_and_fails_the_check";
    let Some(machine) = machine(name, "User = nosuchuser", "command = true") else { return };
    for (arguments, status) in [("-i lo", 1), ("--check", 2)] {
        let outcome = machine.run(&format!("$KNOCKD {arguments} -c knockd.conf"));
        assert_eq!(outcome.status, Some(status));
        let expected = "knockd: error: user nosuchuser, named by the directive 'User', does not exist: \
                        create it, or name another\n";
        assert!(outcome.stderr.ends_with(expected), "{}", outcome.stderr);
    }
    let outcome = machine.run("$KNOCKD --check -c knockd.conf --format json");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    let last = outcome.stdout.lines().last().unwrap();
    let error = r#""severity":"error","message":"user nosuchuser, named by"#;
    assert!(last.contains(error), "{last}");
}

#[test]
fn log_lines_have_seconds_and_zone_with_logtime_iso() {
    let name = "log_lines_have_seconds_and_zone_with_logtime_iso";
    let options = "LogFile = DIR/log\nLogTime = iso";
    let Some(machine) = machine(name, options, "command = true") else { return };
    let _daemon = Daemon::start_as(&machine, "TZ=Etc/GMT-2 exec $KNOCKD -i lo -c knockd.conf");
    machine.wait_for_text("log", "starting up");
    let line = machine.folder.read("log");
    let (stamp, text) = line.split_once("] ").unwrap();
    assert_eq!(text, "starting up, listening on lo\n");
    let shape: String =
        stamp.chars().map(|one| if one.is_ascii_digit() { '0' } else { one }).collect();
    assert_eq!(shape, "[0000-00-00T00:00:00+00:00");
    assert!(stamp.ends_with("+02:00"), "{stamp}");
}

#[test]
fn a_command_that_takes_longer_than_the_limit_is_ended_with_all_it_started() {
    let name = "a_command_that_takes_longer_than_the_limit_is_ended_with_all_it_started";
    let command = "command = sleep 1000 & sleep 1000";
    let Some(machine) = machine(name, "CommandLimit = 1", command) else { return };
    let daemon = Daemon::start(&machine, "");
    machine.knock(&[7000, 8000]);
    daemon.wait_for_error(
        "door: command for 127.0.0.1 ran longer than CommandLimit and was sent SIGTERM: sleep 1000 & \
         sleep 1000",
    );
    daemon.wait_for_error("door: command returned non-zero status code (143)");
    wait_until("nothing sleeps", || machine.named("sleep").is_empty());
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_command_that_ignores_sigterm_is_killed_and_the_door_is_closed() {
    let name = "a_command_that_ignores_sigterm_is_killed_and_the_door_is_closed";
    let commands = "start_command = trap '' TERM; echo > DIR/begun; while :; do sleep 0.1; done\n\
                    cmd_timeout = 0\nstop_command = echo > DIR/closed";
    let Some(machine) = machine(name, "CommandLimit = 1", commands) else { return };
    let daemon = Daemon::start(&machine, "");
    machine.knock(&[7000, 8000]);
    daemon.wait_for_error("door: command returned non-zero status code (137)");
    machine.wait_for_lines("closed", 1);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_reload_gives_the_process_that_reads_packets_another_user() {
    let name = "a_reload_gives_the_process_that_reads_packets_another_user";
    let commands = "start_command = true\ncmd_timeout = 600\nstop_command = echo >> DIR/closed";
    let Some(machine) = machine(name, "", commands) else { return };
    let daemon = Daemon::start_as(&machine, "exec $KNOCKD -v -c knockd.conf -i lo");
    machine.knock(&[7000, 8000]);
    daemon.wait_for("door: running command: true");
    machine.folder.write("knockd.conf", &config("User = daemon", commands));
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_error(
        "the directive 'User' has changed: starting another process that reads packets; attempts under way \
         are lost, open doors stay as they are",
    );
    daemon.wait_for("listening on lo...");
    let sniffer = machine.process("knockd: sniffer");
    let id = User::from_name("daemon").unwrap().unwrap().uid.to_string();
    assert!(sniffer.status("Uid").split_whitespace().all(|one| one == id));
    // The door is still open, and the new process hears.
    machine.knock(&[7000, 8000]);
    daemon.wait_for("door: running command: true");
    assert!(!machine.folder.path("closed").exists());
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    machine.wait_for_lines("closed", 2);
}

/// Returns a machine whose configuration has these options, and a door with these commands; `None` if the
/// test must be skipped.
fn machine(name: &str, options: &str, commands: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(&config(options, commands)))
}

fn config(options: &str, commands: &str) -> String {
    format!("[options]\n{options}\n{DOOR}{commands}\n")
}

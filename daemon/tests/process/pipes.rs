//! Pipes, devices and folders where a file should be: nothing waits for them.

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require};

/// A door whose sequences are in a file.
const ONCE: &str = "[once]\none_time_sequences = DIR/lines\ncommand = true\n";

#[test]
fn a_configuration_that_is_a_pipe_is_waited_for_at_a_start_and_a_check_but_not_forever() {
    let name =
        "a_configuration_that_is_a_pipe_is_waited_for_at_a_start_and_a_check_but_not_forever";
    let Some(machine) = machine(name) else { return };
    machine.set_up("mkfifo pipe");
    let late = "was not written to its end in time";
    // Also if somebody has opened it, and writes nothing.
    let waiting = [
        ("exec $KNOCKD -i lo -c pipe", 1),
        ("exec $KNOCKD --check -c pipe", 2),
        ("true; mkfifo idle; sleep 1000 > idle & exec $KNOCKD --check -c idle", 2),
    ];
    let waiting = waiting.map(|(line, status)| (machine.start(line), status));
    for (live, status) in waiting {
        let outcome = live.finish();
        assert_eq!(outcome.status, Some(status), "{outcome:?}");
        assert!(outcome.stderr.contains(late), "{outcome:?}");
    }
    let outcome = machine.run("{ sleep 1; cat knockd.conf; } | $KNOCKD --check -c /dev/stdin");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let outcome = machine.run("true; cat knockd.conf > pipe & $KNOCKD --check -c pipe");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    // A signal ends the wait of a start.
    let live = machine.start("exec $KNOCKD -i lo -c pipe");
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, None);
}

#[test]
fn a_reload_refuses_what_is_no_file_and_the_doors_stay() {
    let Some(machine) = machine("a_reload_refuses_what_is_no_file_and_the_doors_stay") else {
        return;
    };
    let daemon = Daemon::start(&machine, "-v");
    let replacements = [
        ("mkfifo knockd.conf", "it is not a regular file"),
        ("mkdir knockd.conf", "it is a directory"),
        ("ln -s /dev/zero knockd.conf", "it is not a regular file"),
        ("ln -s /dev/tty knockd.conf", "cannot read `"),
        ("ln -s knockd.conf knockd.conf", "cannot read `"),
    ];
    for (number, (replacement, cause)) in (1..).zip(replacements) {
        machine.set_up(&format!("rm -rf knockd.conf && {replacement}"));
        reload_in_vain(&machine, &daemon, cause, number);
    }
    machine.set_up("rm knockd.conf; mkfifo lines");
    machine.folder.write("knockd.conf", ONCE);
    reload_in_vain(&machine, &daemon, "it is not a regular file", 6);
    machine.set_up("rm lines; mkdir lines");
    reload_in_vain(&machine, &daemon, "it is a directory", 7);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn no_start_waits_for_a_pipe_or_a_device() {
    let Some(machine) = machine("no_start_waits_for_a_pipe_or_a_device") else { return };
    machine.set_up("mkfifo pipe lines");
    machine.folder.write("once.conf", ONCE);
    let start = |options: &str| {
        machine.run(&format!("$KNOCKD -d -i lo -c DIR/knockd.conf -p DIR/pid {options}"))
    };
    for options in ["-c DIR/once.conf", "-p DIR/pipe", "-p /dev/zero", "--record DIR/pipe"] {
        let outcome = start(options);
        assert_eq!(outcome.status, Some(1), "{options}: {outcome:?}");
        assert!(
            ["not a regular file", "pipe that nothing reads"]
                .iter()
                .any(|cause| outcome.stderr.contains(cause)),
            "{options}: {outcome:?}"
        );
    }
    let outcome = start("-g DIR/pipe");
    let warning = format!(
        "knockd: warning: cannot open the log file {}: it is a pipe that nothing reads, or a socket; start its \
         reader first, or name a file\n",
        machine.folder.path("pipe").display()
    );
    assert_eq!((outcome.status, outcome.stderr), (Some(0), warning));
    opens(&machine, 1);
    machine.process("knockd").signal(Signal::SIGTERM);
    machine.wait_for_no_process();
}

#[test]
fn a_log_file_that_is_a_pipe_delays_nothing_whoever_reads_it() {
    let name = "a_log_file_that_is_a_pipe_delays_nothing_whoever_reads_it";
    let Some(machine) = machine(name) else { return };
    // Openings are logged one by one, however many there are.
    let fill = "[fill]\nsequence = 7009:udp\ncommand =\n";
    machine.folder.write("knockd.conf", &format!("{CONFIG}{fill}"));
    machine.set_up("mkfifo pipe");
    let reader = machine.start("exec 3<>pipe; echo open; head -n 1 <&3; exec sleep 1000");
    assert_eq!(reader.line(), "open");
    let daemon = Daemon::start(&machine, "-v -g DIR/pipe");
    assert!(reader.line().ends_with("starting up, listening on lo"));
    // It is open, and read no more. When it is full, lines are lost, and nothing waits.
    let knocker = machine.knocker([127, 0, 0, 1]);
    for _ in 0..1500 {
        knocker.knock(&[7009]);
    }
    while !daemon.live.error_line().contains("cannot write the log file") {}
    opens(&machine, 1);
    // Neither do a reload and the end.
    machine.set_up("rm pipe; mkfifo pipe");
    daemon.runner.signal(Signal::SIGHUP);
    while !daemon.live.error_line().contains("it is a pipe that nothing reads") {}
    opens(&machine, 2);
    assert_eq!(daemon.end().status, Some(0));
}

/// Reloads a configuration that is refused for a reason, for the time with this number, and checks that
/// the door still opens.
fn reload_in_vain(machine: &Machine, daemon: &Daemon, cause: &str, number: usize) {
    daemon.runner.signal(Signal::SIGHUP);
    let mut has_cause = false;
    loop {
        let line = daemon.live.error_line();
        has_cause |= line.contains(cause);
        if line.starts_with("reload rejected: ") {
            break;
        }
    }
    assert!(has_cause, "{cause}");
    opens(machine, number);
}

/// Checks that the door of [`CONFIG`] opens, as often as this so far.
fn opens(machine: &Machine, times: usize) {
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", times);
}

fn machine(name: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(CONFIG))
}

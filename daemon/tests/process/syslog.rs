//! Lines in syslog, compared with those of knockd 0.8.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, require, wait_until};

const CONFIG: &str = "\
[options]
    UseSyslog
[door]
    sequence = 7000:udp,8000:udp
    seq_timeout = 20
    command = touch DIR/opened && false
[timed]
    sequence = 7001:udp
    start_command = true %IP%
    cmd_timeout = 1
    stop_command = touch DIR/stopped %IP%
[late]
    sequence = 7002:udp,8002:udp
    seq_timeout = 1
    command = true
";

#[test]
fn syslog_gets_what_knockd_08_sends_but_for_the_documented_differences() {
    let name = "syslog_gets_what_knockd_08_sends_but_for_the_documented_differences";
    let Some((machine, syslog)) = machine(name, CONFIG, &["knockd"]) else { return };
    let theirs = messages(&machine, &syslog, "knockd");
    let ours = messages(&machine, &syslog, "$KNOCKD");
    // 0.8 ends some of them with a newline, without any system.
    let theirs: Vec<&str> = theirs.iter().map(|message| message.trim_end_matches('\n')).collect();
    assert_eq!(ours, theirs);
    let texts: Vec<String> = ours.iter().map(|message| text(message)).collect();
    let folder = machine.folder.directory().to_str().unwrap();
    insta::assert_snapshot!(texts.join("\n").replace(folder, "DIR"));
}

#[test]
fn both_logs_get_the_same_texts() {
    let config = CONFIG.replace("UseSyslog", "UseSyslog\nlogfile = DIR/log");
    let Some((machine, syslog)) = machine("both_logs_get_the_same_texts", &config, &[]) else {
        return;
    };
    let messages = messages(&machine, &syslog, "$KNOCKD");
    let log = machine.folder.read("log");
    let log: Vec<&str> = log.lines().map(|line| line.split_once("] ").unwrap().1).collect();
    let texts: Vec<String> = messages.iter().map(|message| text(message)).collect();
    assert_eq!(texts, log);
}

#[test]
fn a_syslog_that_is_missing_or_reads_nothing_delays_no_command() {
    let name = "a_syslog_that_is_missing_or_reads_nothing_delays_no_command";
    let Some((machine, syslog)) = machine(name, CONFIG, &[]) else { return };
    let daemon = Daemon::start(&machine, "");
    // More lines than the socket has room for: the thread that writes must wait.
    let knocker = machine.knocker([127, 0, 0, 1]);
    for _ in 0..600 {
        knocker.knock(&[7002]);
        knocker.knock(&[8002]);
    }
    knocker.knock(&[7000, 8000]);
    wait_until("the command was run", || machine.folder.path("opened").exists());
    drop(syslog);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn while_a_log_is_slow_steps_are_dropped_and_counted_and_openings_are_not() {
    const ROUNDS: usize = 100;
    const STEPS: usize = 400;
    let name = "while_a_log_is_slow_steps_are_dropped_and_counted_and_openings_are_not";
    let config = "[options]\nUseSyslog\n[noise]\nsequence = 7001:udp,7009:udp\ncommand =\n\
                  [open]\nsequence = 7002:udp\ncommand = echo x >> DIR/opened\n";
    let Some((machine, syslog)) = machine(name, config, &[]) else { return };
    // With all lines printed as well, more wait to be written than the log alone would get.
    let daemon = Daemon::start(&machine, "-v");
    let (noise, opener) = (machine.knocker([127, 0, 0, 1]), machine.knocker([127, 0, 0, 2]));
    for round in 1..=ROUNDS {
        for _ in 0..STEPS {
            noise.knock(&[7001]);
        }
        opener.knock(&[7002]);
        // No knock is lost on the way.
        machine.wait_for_lines("opened", round);
    }
    // Only now syslog is read.
    let mut texts: Vec<String> = Vec::new();
    daemon.runner.signal(Signal::SIGTERM);
    while texts.last().is_none_or(|text| text != "shutting down") {
        let mut bytes = [0; 4096];
        match syslog.recv(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => texts.push(text(&without_time(&bytes[..received.unwrap()]))),
        }
    }
    let outcome = daemon.live.finish();
    assert_eq!(outcome.status, Some(0));
    let count = |end: &str| texts.iter().filter(|text| text.ends_with(end)).count();
    assert_eq!(count("127.0.0.2: open: OPEN SESAME"), ROUNDS, "{texts:#?}");
    let commands = texts.iter().filter(|text| text.starts_with("open: running command: echo"));
    assert_eq!(commands.count(), ROUNDS);
    assert_eq!(outcome.stdout.matches("127.0.0.2: open: OPEN SESAME\n").count(), ROUNDS);
    // Every step was printed, or is counted.
    let printed = outcome.stdout.matches(": noise: Stage 1\n").count()
        + outcome.stdout.matches(": open: Stage 1\n").count();
    let dropped = outcome.stderr.lines().filter_map(|text| {
        let text = text.strip_prefix("knockd: warning: ")?;
        text.strip_suffix(
            " lines about stages and timeouts were dropped, because the log could not be written fast \
             enough",
        )
    });
    let dropped: usize = dropped.map(|count| count.parse::<usize>().unwrap()).sum();
    assert!(dropped > 0, "{}", outcome.stderr);
    assert_eq!(printed + dropped, ROUNDS * (STEPS + 1));
}

#[test]
fn a_missing_syslog_is_said_at_the_start_and_at_a_reload_and_the_daemon_works() {
    let name = "a_missing_syslog_is_said_at_the_start_and_at_a_reload_and_the_daemon_works";
    let Some((machine, syslog)) = machine(name, CONFIG, &[]) else { return };
    drop(syslog);
    let missing = |cause: &str| {
        format!(
            "knockd: error: UseSyslog is set, but nothing takes syslog messages at /dev/log: {cause}; they are \
             lost until something does"
        )
    };
    let live = machine.start("exec $KNOCKD -i lo -c knockd.conf");
    assert_eq!(live.error_line(), missing("Connection refused"));
    assert_eq!(live.error_line(), "starting up, listening on lo");
    machine.knock(&[7000, 8000]);
    wait_until("the door is open", || machine.folder.path("opened").exists());
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));

    fs::remove_file(machine.folder.path("dev/log")).unwrap();
    machine.folder.write("knockd.conf", &CONFIG.replace("UseSyslog", ""));
    let daemon = Daemon::start(&machine, "");
    machine.folder.write("knockd.conf", CONFIG);
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_error(&missing("No such file or directory"));
    assert_eq!(daemon.end().status, Some(0));
}

/// Returns a machine whose `/dev/log` is a socket of the test.
fn machine(name: &str, config: &str, programs: &[&str]) -> Option<(Machine, UnixDatagram)> {
    if !require(name, &[PROGRAMS, programs].concat(), Need::Namespaces) {
        return None;
    }
    let machine = Machine::with(config);
    let dev = machine.folder.path("dev");
    fs::create_dir(&dev).unwrap();
    let socket = UnixDatagram::bind(dev.join("log")).unwrap();
    socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // The real /dev does not change: the mounts are only those of this machine.
    machine.set_up("touch dev/null && mount --bind /dev/null dev/null && mount --rbind dev /dev");
    Some((machine, socket))
}

/// Runs a program on the same knocks, and returns the messages that it sends, without their times.
fn messages(machine: &Machine, syslog: &UnixDatagram, program: &str) -> Vec<String> {
    for file in ["opened", "stopped"] {
        let _ = fs::remove_file(machine.folder.path(file));
    }
    let mut received: Vec<String> = Vec::new();
    let mut wait_for = |end: &str| {
        while !received.last().is_some_and(|message| message.trim_end().ends_with(end)) {
            let mut bytes = [0; 4096];
            let length = loop {
                match syslog.recv(&mut bytes) {
                    // The system does not restart a read with a timeout after a signal.
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    outcome => break outcome,
                }
            };
            let length = length.unwrap_or_else(|error| panic!("{end}: {error} after {received:?}"));
            received.push(without_time(&bytes[..length]));
        }
    };
    let live = machine.start(&format!("exec {program} -i lo -c DIR/knockd.conf"));
    wait_for("starting up, listening on lo");
    let knocker = machine.knocker([127, 0, 0, 1]);
    let name = "knockd";
    let waits = || machine.process(name).status("State").starts_with('S');
    // 0.8 prints that it listens just before it does.
    wait_until("it waits for packets", waits);
    knocker.knock(&[7000, 8000]);
    wait_for("status code (1)");
    knocker.knock(&[7001]);
    wait_for("stopped 127.0.0.1");
    wait_until("the stop command was run", || machine.folder.path("stopped").exists());
    knocker.knock(&[7002]);
    wait_for("late: Stage 1");
    // 0.8 reports a timeout at the next packet, and counts whole seconds.
    std::thread::sleep(Duration::from_millis(2100));
    knocker.knock(&[8002]);
    wait_for("timeout (stage 1)");
    // The handler of 0.8 calls syslog(3). While syslog(3) is being called already, it would wait for itself for ever.
    wait_until("it waits for packets again", waits);
    for process in machine.named(name) {
        process.signal_if_there(Signal::SIGTERM);
    }
    wait_for("shutting down");
    let _ = live.finish();
    received
}

/// Returns a message without its time, whose form is checked.
fn without_time(message: &[u8]) -> String {
    let message = String::from_utf8(message.to_vec()).unwrap();
    let (priority, rest) = message.split_at(message.find('>').unwrap() + 1);
    let (time, text) = rest.split_at("Nov 25 10:40:32".len());
    let shape: String = time
        .chars()
        .enumerate()
        .map(|(place, one)| match one {
            _ if place < 3 && one.is_ascii_alphabetic() => 'M',
            ' ' if place == 4 => '0',
            _ if one.is_ascii_digit() => '0',
            _ => one,
        })
        .collect();
    assert_eq!(shape, "MMM 00 00:00:00", "{message}");
    format!("{priority}{text}")
}

/// Returns the text of a message.
fn text(message: &str) -> String {
    message.strip_prefix("<29> knockd: ").unwrap_or_else(|| panic!("{message}")).to_owned()
}

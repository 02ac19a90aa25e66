//! The clocks of the machine: a suspend, and time namespaces, in which the time since the start of the machine is
//! another one.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, Process, require, wait_until};

/// A door with short times, whose commands write into files.
const DOOR: &str = "\
[door]
    sequence = 7000:udp,8000:udp
    seq_timeout = 2
    start_command = echo >> DIR/opened
    cmd_timeout = 3
    stop_command = echo >> DIR/closed
";

/// Starts a program where the machine seems to have been started long before, and long before that for the clock
/// that a suspend stops.
const ELSEWHERE: &str = "unshare --time --boottime 1000000 --monotonic 5000000";

const START: &str = "$KNOCKD -v -i lo -c knockd.conf";

#[test]
fn both_processes_wait_by_the_clock_that_goes_on_during_a_suspend() {
    let name = "both_processes_wait_by_the_clock_that_goes_on_during_a_suspend";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let commands = DOOR.replace("cmd_timeout = 3", "cmd_timeout = 600");
    let machine = Machine::with(&commands.replace("seq_timeout = 2", "seq_timeout = 600"));
    let daemon = Daemon::start_as(&machine, &format!("exec {START}"));
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 1);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    machine.knock(&[7000]);
    daemon.wait_for("127.0.0.1: door: Stage 1");
    for process in [&daemon.sniffer, &daemon.runner] {
        wait_until("its alarm is set", || alarm(process).is_some_and(|left| left > 60));
    }
    // Nothing else ends its wait.
    wait_until("it waits without a timeout", || {
        let call = fs::read_to_string(daemon.sniffer.path("syscall")).unwrap();
        let fields: Vec<&str> = call.split_whitespace().collect();
        fields.first() == Some(&libc::SYS_ppoll.to_string().as_str())
            && fields.get(3) == Some(&"0x0")
    });
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn in_a_time_namespace_attempts_and_doors_end_in_time() {
    let name = "in_a_time_namespace_attempts_and_doors_end_in_time";
    let Some(machine) = machine(name) else { return };
    let daemon = Daemon::start_as(&machine, &format!("exec {ELSEWHERE} {START}"));
    for process in [&daemon.sniffer, &daemon.runner] {
        let namespace = |path: &Path| fs::read_link(path).unwrap();
        assert_ne!(namespace(&process.path("ns/time")), namespace(Path::new("/proc/self/ns/time")));
    }
    let begin = Instant::now();
    machine.knock(&[7000]);
    daemon.wait_for("127.0.0.1: door: sequence timeout (stage 1)");
    assert!(begin.elapsed() >= Duration::from_secs(2));
    let begin = Instant::now();
    machine.knock(&[7000, 8000]);
    daemon.wait_for("127.0.0.1: door: command timeout");
    assert!(begin.elapsed() >= Duration::from_secs(3));
    machine.wait_for_lines("closed", 1);
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_door_of_another_time_namespace_does_not_stay_open_longer() {
    let name = "a_door_of_another_time_namespace_does_not_stay_open_longer";
    for [first, second] in [[ELSEWHERE, ""], ["", ELSEWHERE]] {
        let Some(machine) = machine(name) else { return };
        let daemon = Daemon::start_as(&machine, &format!("exec {first} {START}"));
        machine.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", 1);
        daemon.runner.signal(Signal::SIGKILL);
        let _ = daemon.live.finish();
        machine.wait_for_no_process();
        let daemon = Daemon::start_as(&machine, &format!("exec {second} {START}"));
        machine.wait_for_lines("closed", 1);
        assert_eq!(daemon.end().status, Some(0));
        assert_eq!(machine.folder.read("closed").lines().count(), 1);
    }
}

fn machine(name: &str) -> Option<Machine> {
    let has_namespaces = Path::new("/proc/self/ns/time").exists();
    if !has_namespaces {
        println!("SKIPPED {name}: this kernel has no time namespaces");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{name}");
    }
    (has_namespaces && require(name, PROGRAMS, Need::Namespaces)).then(|| Machine::with(DOOR))
}

/// Returns how many seconds are left until a timer of a process that counts suspends.
fn alarm(process: &Process) -> Option<u64> {
    process.descriptors().into_iter().find_map(|(number, _)| {
        let text = fs::read_to_string(process.path(&format!("fdinfo/{number}"))).ok()?;
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        let is_boot_time = field("clockid: ")?.trim().parse() == Ok(libc::CLOCK_BOOTTIME);
        let left = field("it_value: (")?.split(',').next()?.parse().ok()?;
        is_boot_time.then_some(left)
    })
}

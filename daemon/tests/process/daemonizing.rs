//! `-d`: the caller learns the outcome, and the daemon keeps nothing of the caller.

use std::fs;

use nix::sys::signal::Signal;

use crate::common::{Machine, Need, Outcome, PROGRAMS, Process, require, wait_until};

/// Starts a daemon.
const DAEMON: &str = "$KNOCKD -d -i lo -c knockd.conf -p DIR/pid";

#[test]
fn a_knock_right_after_the_start_counts() {
    let Some(machine) = machine("a_knock_right_after_the_start_counts", &[]) else { return };
    let knocker = machine.knocker([127, 0, 0, 1]);
    for time in 1..=5 {
        machine.set_up(DAEMON);
        knocker.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", time);
        end(&machine);
    }
}

#[test]
fn the_pid_file_has_the_number_of_the_daemon_until_it_ends() {
    let Some(machine) = machine("the_pid_file_has_the_number_of_the_daemon_until_it_ends", &[])
    else {
        return;
    };
    let Outcome { status, stdout, stderr } = machine.run(DAEMON);
    // A start without problems prints nothing.
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (Some(0), "", ""));
    let runner = machine.process("knockd");
    assert_eq!(machine.folder.read("pid"), format!("{}\n", runner.inner().unwrap()));
    runner.signal(Signal::SIGTERM);
    machine.wait_for_no_process();
    assert!(!machine.folder.path("pid").exists());
}

#[test]
fn the_daemon_keeps_no_descriptor_of_its_caller() {
    let Some(machine) = machine("the_daemon_keeps_no_descriptor_of_its_caller", &["script"]) else {
        return;
    };
    // A terminal, and a lock that the caller holds.
    let line = format!("script -qec 'exec 9>lock; {DAEMON} --lookup' terminal");
    assert_eq!(machine.run(&line).status, Some(0));
    let names = ["knockd", "knockd: sniffer", "knockd: resolver"];
    let processes = names.map(|name| machine.process(name));
    for process in &processes {
        assert_eq!(process.terminal(), 0, "{}", process.name);
        for (number, what) in process.descriptors() {
            let is_its_own = what == "/dev/null"
                || what == "/"
                || what == machine.folder.path("pid").to_str().unwrap()
                || what == machine.folder.path("pid.lock").to_str().unwrap()
                || what == machine.folder.path("state/leases").to_str().unwrap()
                || what.starts_with("socket:")
                || what.starts_with("anon_inode:");
            // The pipe to the caller is closed by now.
            assert!(is_its_own, "{number} of {} is {what}", process.name);
        }
    }
    let [runner, ..] = &processes;
    assert!(leads_session(runner));
    end(&machine);
}

#[test]
fn a_shell_that_takes_the_output_does_not_wait_for_the_daemon() {
    let name = "a_shell_that_takes_the_output_does_not_wait_for_the_daemon";
    let Some(machine) = machine(name, &[]) else { return };
    // The shell waits until every process has closed the pipe.
    let outcome =
        machine.run(&format!("taken=$({DAEMON} -v --lookup 2>&1); echo \"status $?: $taken\""));
    assert_eq!(outcome.stdout, "status 0: \n");
    assert!(machine.process("knockd").inner().is_some());
    end(&machine);
}

#[test]
fn a_start_that_fails_is_reported_to_the_caller_and_leaves_nothing() {
    let name = "a_start_that_fails_is_reported_to_the_caller_and_leaves_nothing";
    let Some(machine) = machine(name, &[]) else { return };
    let one_time = "[door]\none_time_sequences = DIR/used\ncommand = true\n";
    machine.folder.write("one-time.conf", one_time);
    machine.folder.write("used", " 1,2\n");
    machine.folder.write("broken.conf", "[door]\nsequence = 7000,x\n");
    machine.set_up("mkdir folder");
    // The only files that root cannot write are on a read-only file system.
    machine.set_up("mount --bind used used && mount -o remount,bind,ro used");
    let mut report = String::new();
    for arguments in [
        "-i lo -c broken.conf",
        "-i lo -c one-time.conf",
        "-i lo -c nosuch.conf",
        "-i any,lo -c knockd.conf",
        "-i lo -c folder",
        "-i lo -c knockd.conf/x",
        "-i lo -c knockd.conf --record /nosuch/file",
        "-i lo -c knockd.conf --record folder",
        "-i lo -c knockd.conf --record DIR/knockd.conf/x",
        "-i lo -c knockd.conf -p DIR/folder",
        "-i lo -c knockd.conf -p DIR/knockd.conf/x",
    ] {
        let pid = if arguments.contains("-p ") { "" } else { "-p DIR/pid" };
        let outcome = machine.run(&format!("$KNOCKD -d {pid} {arguments}"));
        assert_eq!(outcome.stdout, "", "{arguments}");
        let errors = outcome.stderr.replace(machine.folder.directory().to_str().unwrap(), "DIR");
        let status = outcome.status.unwrap().to_string();
        let run = ["$ knockd -d ", arguments, "\n", &errors, "status ", &status, "\n\n"];
        report += &run.concat();
        machine.wait_for_no_process();
        assert!(!machine.folder.path("pid").exists(), "{arguments}");
    }
    insta::assert_snapshot!(report);
}

#[test]
fn a_daemon_that_waits_for_its_interface_has_started_and_says_so() {
    let name = "a_daemon_that_waits_for_its_interface_has_started_and_says_so";
    let Some(machine) = machine(name, &[]) else { return };
    let outcome = machine.run("$KNOCKD -d -i late -c knockd.conf -p DIR/pid -g DIR/log");
    let warning = "knockd: warning: there is no interface late: waiting for it (available: lo)\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), warning));
    machine.set_up("ip link set lo down && ip link set lo name late && ip link set late up");
    wait_until("it listens", || machine.folder.read("log").contains("] listening on late"));
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 1);
    end(&machine);
}

#[test]
fn a_warning_at_the_start_is_printed_before_the_caller_returns() {
    let name = "a_warning_at_the_start_is_printed_before_the_caller_returns";
    let Some(machine) = machine(name, &["setpriv"]) else { return };
    for _ in 0..5 {
        let unit = "setpriv --bounding-set=-all,+net_raw";
        let outcome = machine.run(&format!("{unit} {DAEMON} -g /nosuch/log"));
        let warnings: Vec<&str> = outcome.stderr.lines().collect();
        let file = "knockd: warning: cannot open the log file /nosuch/log: there is no such directory; create it, or name a file in \
             another one";
        assert_eq!((outcome.status, warnings.len(), warnings[0]), (Some(0), 2, file));
        assert!(
            warnings[1].starts_with("knockd: warning: the process that reads packets stays root")
        );
        end(&machine);
    }
}

#[test]
fn a_second_daemon_is_refused_while_the_first_runs() {
    let name = "a_second_daemon_is_refused_while_the_first_runs";
    let Some(machine) = machine(name, &[]) else { return };
    machine.set_up(DAEMON);
    let first = machine.process("knockd");
    let outcome = machine.run(DAEMON);
    let number = first.inner().unwrap();
    let file = machine.folder.path("pid");
    let expected = format!(
        "knockd: error: another knockd is already running, as process {number} ({}): stop it first, or \
         give each its own file with '-p'\n",
        file.display()
    );
    assert_eq!((outcome.status, outcome.stderr), (Some(1), expected));
    assert_eq!(fs::read_to_string(file).unwrap(), format!("{number}\n"));
    machine.knock(&[7000, 8000]);
    machine.wait_for_lines("opened", 1);
    wait_until("only one is left", || machine.named("knockd").len() == 1);
    end(&machine);
}

#[test]
fn a_daemon_that_was_killed_leaves_a_file_that_the_next_one_takes() {
    let name = "a_daemon_that_was_killed_leaves_a_file_that_the_next_one_takes";
    let Some(machine) = machine(name, &[]) else { return };
    machine.set_up(DAEMON);
    machine.process("knockd").signal(Signal::SIGKILL);
    // The sniffer notices, and ends.
    machine.wait_for_no_process();
    assert!(machine.folder.path("pid").exists());
    machine.set_up(DAEMON);
    let number = machine.process("knockd").inner().unwrap();
    assert_eq!(machine.folder.read("pid"), format!("{number}\n"));
    end(&machine);
}

fn machine(name: &str, programs: &[&str]) -> Option<Machine> {
    require(name, &[PROGRAMS, programs].concat(), Need::Namespaces).then(Machine::new)
}

fn end(machine: &Machine) {
    machine.process("knockd").signal(Signal::SIGTERM);
    machine.wait_for_no_process();
}

fn leads_session(process: &Process) -> bool {
    let inner = process.inner().unwrap().to_string();
    process.status("NSsid").split(' ').next_back() == Some(&inner)
}

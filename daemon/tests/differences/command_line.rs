//! Options, exit statuses, and becoming a daemon.

use knock_tests::command_line::CommandLine;
use nix::sys::signal::Signal;

use crate::common::{CONFIG, Machine, wait_until};
use crate::{OURS, THEIRS, both, can_run, listen, rest};

#[test]
fn a_wrong_option_is_a_failure_for_us_only() {
    if !can_run("a_wrong_option_is_a_failure_for_us_only", &[]) {
        return;
    }
    let [theirs, ours] =
        both(CONFIG, |machine, program| machine.run(&format!("{program} --nonsense")));
    assert_eq!((theirs.status, ours.status), (Some(0), Some(2)));
    assert!(theirs.stdout.starts_with("usage: knockd"), "{theirs:?}");
    assert_eq!(ours.stdout, "");
}

#[test]
fn words_that_are_no_options_are_refused_by_us_only() {
    if !can_run("words_that_are_no_options_are_refused_by_us_only", &[]) {
        return;
    }
    let [theirs, ours] = both(CONFIG, |machine, program| {
        let daemon = machine.start(&format!("exec {program} -v more -i lo -c DIR/knockd.conf"));
        if program == THEIRS { daemon.line() } else { daemon.error_line() }
    });
    assert_eq!(theirs, "listening on lo...");
    assert!(ours.starts_with("knockd: error: unexpected argument"), "{ours}");
}

#[test]
fn without_doors_knockd_08_starts_and_we_do_not() {
    if !can_run("without_doors_knockd_08_starts_and_we_do_not", &[]) {
        return;
    }
    let [theirs, ours] = both("[options]\n", |machine, program| {
        let daemon = machine.start(&format!("exec {program} -v -i lo -c DIR/knockd.conf"));
        if program == THEIRS { daemon.line() } else { daemon.error_line() }
    });
    assert_eq!(theirs, "listening on lo...");
    assert_eq!(ours, "warning[no-doors]: there is no door");
}

#[test]
fn knockd_08_runs_commands_of_a_file_that_everyone_can_write_and_we_do_not() {
    if !can_run("knockd_08_runs_commands_of_a_file_that_everyone_can_write_and_we_do_not", &[]) {
        return;
    }
    let [theirs, ours] = both(CONFIG, |machine, program| {
        machine.set_up("chown 1234 knockd.conf; chmod 666 knockd.conf");
        let daemon = machine.start(&format!("exec {program} -v -i lo -c DIR/knockd.conf"));
        if program == THEIRS { daemon.line() } else { daemon.error_line() }
    });
    assert_eq!(theirs, "listening on lo...");
    assert!(
        ours.contains("knockd.conf belongs to user 1234, and can be written by every user"),
        "{ours}"
    );
}

#[test]
fn an_abbreviated_option_means_the_same_for_both() {
    if !can_run("an_abbreviated_option_means_the_same_for_both", &[]) {
        return;
    }
    let machine = Machine::new();
    let ours = CommandLine::new(knockd::command(), "", &["", "--check"]);
    let help = machine.run("knockd --help").stdout;
    let names: Vec<&str> = help
        .lines()
        .filter_map(|line| line.split_once("--")?.1.split_whitespace().next())
        .collect();
    assert_eq!(names.len(), 11, "{help}");
    let mut meant = 0;
    for name in &names {
        for length in 1..=name.len() {
            let beginning = &name[..length];
            // Their program prints its usage in any case; before it, what is wrong with the option.
            let theirs = machine.run(&format!("knockd --{beginning}=x --help"));
            let is_ambiguous = theirs.stderr.contains("is ambiguous");
            let of = names.iter().filter(|name| name.starts_with(beginning)).count();
            assert_eq!(is_ambiguous, of > 1, "{beginning}: {theirs:?}");
            let prints = ["version", "help"].contains(name);
            if is_ambiguous {
                assert_eq!(ours.meaning(beginning), None, "{beginning}");
            } else if !prints {
                assert_eq!(ours.meaning(beginning).as_deref(), Some(*name), "{beginning}");
                meant += 1;
            }
        }
    }
    assert!(meant > 50, "{meant}");
}

#[test]
fn of_an_option_given_twice_the_last_counts_for_both() {
    if !can_run("of_an_option_given_twice_the_last_counts_for_both", &[]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::new();
        let twice = "-d -v -d -l -l -4 -4 -v -c DIR/none -g DIR/first -g DIR/log -p DIR/none/pid \
                     -p DIR/pid -c DIR/knockd.conf";
        let outcome = machine.run(&format!("{program} {twice} -i lo -i lo 2>DIR/errors"));
        assert_eq!(outcome.status, Some(0), "{}", machine.folder.read("errors"));
        machine.wait_for_lines("pid", 1);
        machine.wait_for_text("log", "starting up");
        assert!(!machine.folder.path("first").exists(), "{program}");
    }
}

#[test]
fn of_two_interfaces_knockd_08_takes_the_last_and_we_take_both() {
    if !can_run("of_two_interfaces_knockd_08_takes_the_last_and_we_take_both", &[]) {
        return;
    }
    let lines = both(CONFIG, |machine, program| {
        machine.set_up("ip link add other type veth peer name end && ip link set other up");
        let options = "-v -i other -i lo -c DIR/knockd.conf";
        machine.start(&format!("exec {program} {options}")).line()
    });
    assert_eq!(lines, ["listening on lo...", "listening on other, lo..."]);
}

#[test]
fn a_faulty_file_gets_a_usage_text_from_knockd_08_only() {
    if !can_run("a_faulty_file_gets_a_usage_text_from_knockd_08_only", &[]) {
        return;
    }
    let [theirs, ours] = both("nonsense\n", |machine, program| {
        machine.run(&format!("{program} -i lo -c DIR/knockd.conf"))
    });
    assert_eq!((theirs.status, ours.status), (Some(1), Some(1)));
    assert!(theirs.stdout.starts_with("usage: knockd"), "{theirs:?}");
    assert_eq!(ours.stdout, "");
    assert!(ours.stderr.contains("--> "), "{ours:?}");
}

#[test]
fn the_end_by_a_signal_is_a_success_for_us_only() {
    if !can_run("the_end_by_a_signal_is_a_success_for_us_only", &[]) {
        return;
    }
    for (signal, status) in [(Signal::SIGTERM, 15), (Signal::SIGINT, 2)] {
        let statuses = both(CONFIG, |machine, program| {
            let (live, process) = listen(machine, program, "");
            process.signal(signal);
            live.finish().status
        });
        assert_eq!(statuses, [Some(status), Some(0)]);
    }
}

#[test]
fn options_lose_to_the_file_for_knockd_08_only() {
    if !can_run("options_lose_to_the_file_for_knockd_08_only", &[]) {
        return;
    }
    let config = format!("[options]\nlogfile = DIR/log\npidfile = DIR/pid\n{CONFIG}");
    for (program, log, pid) in [(THEIRS, "log", "pid"), (OURS, "option-log", "option-pid")] {
        let machine = Machine::with(&config);
        let options = "-d -i lo -c DIR/knockd.conf -g DIR/option-log -p DIR/option-pid";
        assert_eq!(machine.run(&format!("{program} {options} 2>DIR/errors")).status, Some(0));
        machine.wait_for_lines(pid, 1);
        machine.wait_for_text(log, "starting up");
        let there = ["log", "pid", "option-log", "option-pid"]
            .map(|name| machine.folder.path(name).exists().then_some(name));
        assert_eq!(there.into_iter().flatten().collect::<Vec<_>>(), [log, pid]);
    }
}

#[test]
fn a_pid_file_that_is_none_is_a_failure_for_us_only() {
    if !can_run("a_pid_file_that_is_none_is_a_failure_for_us_only", &[]) {
        return;
    }
    let statuses = both(CONFIG, |machine, program| {
        machine.set_up("mkdir pid");
        machine
            .run(&format!("{program} -d -i lo -c DIR/knockd.conf -p DIR/pid 2>DIR/errors"))
            .status
    });
    assert_eq!(statuses, [Some(0), Some(1)]);
}

#[test]
fn a_pid_file_without_a_folder_is_a_failure_for_neither() {
    if !can_run("a_pid_file_without_a_folder_is_a_failure_for_neither", &[]) {
        return;
    }
    let statuses = both(CONFIG, |machine, program| {
        machine
            .run(&format!("{program} -d -i lo -c DIR/knockd.conf -p DIR/no/pid 2>DIR/errors"))
            .status
    });
    assert_eq!(statuses, [Some(0), Some(0)]);
}

#[test]
fn a_restart_without_a_pause_ends_with_a_daemon_for_both() {
    if !can_run("a_restart_without_a_pause_ends_with_a_daemon_for_both", &[]) {
        return;
    }
    for program in [THEIRS, OURS] {
        let machine = Machine::new();
        let line = format!("{program} -d -i lo -c DIR/knockd.conf -p DIR/pid 2>>DIR/errors");
        assert_eq!(machine.run(&line).status, Some(0));
        machine.wait_for_lines("pid", 1);
        let last = rest(&machine);
        let restart = format!("kill $(cat DIR/pid); {line}");
        assert_eq!(machine.run(&restart).status, Some(0), "{}", machine.folder.read("errors"));
        wait_until("one daemon runs", || {
            let running = machine.named("knockd");
            running.len() == 1 && running[0].id != last.id
        });
        machine.knock(&[7000, 8000]);
        machine.wait_for_lines("opened", 1);
    }
}

#[test]
fn two_daemons_of_one_pid_file_are_refused_by_us_only() {
    if !can_run("two_daemons_of_one_pid_file_are_refused_by_us_only", &[]) {
        return;
    }
    let statuses = both(CONFIG, |machine, program| {
        let line = format!("{program} -d -i lo -c DIR/knockd.conf -p DIR/pid 2>>DIR/errors");
        assert_eq!(machine.run(&line).status, Some(0));
        machine.wait_for_lines("pid", 1);
        machine.run(&line).status
    });
    assert_eq!(statuses, [Some(0), Some(1)]);
}

#[test]
fn a_configuration_given_by_a_relative_path_can_be_reloaded_by_us_only() {
    let name = "a_configuration_given_by_a_relative_path_can_be_reloaded_by_us_only";
    if !can_run(name, &[]) {
        return;
    }
    let config = format!("[options]\nlogfile = DIR/log\npidfile = DIR/pid\n{CONFIG}");
    for (program, goes_on) in [(THEIRS, false), (OURS, true)] {
        let machine = Machine::with(&config);
        let line = format!("{program} -d -i lo -c knockd.conf 2>DIR/errors");
        assert_eq!(machine.run(&line).status, Some(0));
        machine.wait_for_lines("pid", 1);
        let process = rest(&machine);
        process.signal(Signal::SIGHUP);
        machine.wait_for_text("log", "re-reading config file: ");
        if goes_on {
            machine.wait_for_text("log", "re-opening log file: ");
            machine.knock(&[7000, 8000]);
            machine.wait_for_lines("opened", 1);
        } else {
            wait_until("it has ended", || machine.named("knockd").is_empty());
        }
    }
}

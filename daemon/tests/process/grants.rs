//! Starts with more or fewer privileges.

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require, wait_until};
use crate::privileges::{CAPABILITIES, assert_has_no_capability, assert_is};

/// Runs a command as an ordinary user.
const AS_USER: &str = "setpriv --reuid=65534 --regid=65534 --clear-groups";

/// Runs a command with the capabilities that Debian's systemd unit leaves to root.
const AS_UNIT: &str = "setpriv --bounding-set=-all,+net_raw,+net_admin,+sys_module";

/// A door whose command writes the user and the capabilities that it has.
const WHO: &str = "\
[door]
    sequence = 7000:udp
    command = id -u > DIR/user && grep ^Cap /proc/self/status > DIR/capabilities
";

#[test]
fn the_error_for_an_ordinary_user_says_what_to_grant() {
    let Some(machine) = machine("the_error_for_an_ordinary_user_says_what_to_grant", &[], CONFIG)
    else {
        return;
    };
    let outcome = machine.run(&format!("{AS_USER} ./knockd -i lo -c knockd.conf"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""));
    let directory = machine.folder.directory().to_str().unwrap();
    insta::assert_snapshot!(outcome.stderr.replace(directory, "DIR"));
    machine.wait_for_no_process();
}

#[test]
fn a_capability_of_the_program_is_enough_and_commands_run_as_the_user() {
    let name = "a_capability_of_the_program_is_enough_and_commands_run_as_the_user";
    let Some(machine) = machine(name, &["setcap"], WHO) else { return };
    machine.folder.give_to(65534);
    machine.set_up("chgrp 65534 knockd && chmod 750 knockd && setcap cap_net_raw=ep knockd");
    let line = format!("exec {AS_USER} ./knockd -v -i lo -c knockd.conf");
    let daemon = Daemon::start_as(&machine, &line);
    // Only root can clear the bounding set, but this process can gain nothing from that.
    assert_has_no_capability(&daemon.sniffer, &["CapInh", "CapPrm", "CapEff", "CapAmb"]);
    assert_eq!(daemon.sniffer.status("Uid"), "65534 65534 65534 65534");
    assert_eq!(daemon.sniffer.status("Seccomp"), "2");
    machine.knock(&[7000]);
    machine.wait_for_text("capabilities", "CapAmb");
    assert_eq!(machine.folder.read("user"), "65534\n");
    let capabilities = machine.folder.read("capabilities");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert!(capabilities.contains(&format!("{set}:\t0000000000000000\n")), "{capabilities}");
    }
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_capability_of_a_program_that_every_user_may_execute_is_refused() {
    let name = "a_capability_of_a_program_that_every_user_may_execute_is_refused";
    let Some(machine) = machine(name, &["setcap", "bash"], WHO) else { return };
    machine.folder.give_to(65534);
    machine.set_up("setcap cap_net_raw=ep knockd");
    let refused = |line: &str| {
        let outcome = machine.run(&format!("exec {AS_USER} {line}"));
        assert_eq!((outcome.status, &*outcome.stdout), (Some(1), ""), "{outcome:?}");
        assert!(outcome.stderr.contains("every user may execute it"), "{outcome:?}");
        outcome.stderr
    };
    let message = refused("./knockd -i lo -c knockd.conf --record knocks");
    // Nor does it become one of its other processes.
    refused("bash -c 'exec -a \"knockd: sniffer\" ./knockd'");
    refused("bash -c 'exec -a \"knockd: resolver\" ./knockd'");
    assert!(!machine.folder.path("knocks").exists());
    // Root needs no capability of the file.
    assert_eq!(machine.run("./knockd --version").status, Some(0));
    // The remedy, for a group that the machine has.
    let (_, remedy) = message.trim_end().split_once("let only a group execute it: ").unwrap();
    machine.set_up(&remedy.replace("chgrp knockd", "chgrp 65534"));
    let line = format!("exec {AS_USER} ./knockd -v -i lo -c knockd.conf");
    let daemon = Daemon::start_as(&machine, &line);
    machine.knock(&[7000]);
    machine.wait_for_text("capabilities", "CapAmb");
    assert_eq!(daemon.end().status, Some(0));
    // setpriv itself still has the capabilities of root.
    let stranger = machine
        .run("setpriv --reuid=1234 --regid=1234 --clear-groups sh -c 'exec ./knockd --version'");
    assert_ne!(stranger.status, Some(0));
    assert!(stranger.stderr.contains("Permission denied"), "{stranger:?}");
}

#[test]
fn root_that_cannot_become_another_user_is_warned_and_has_no_capabilities_left() {
    let name = "root_that_cannot_become_another_user_is_warned_and_has_no_capabilities_left";
    let Some(machine) = machine(name, &[], WHO) else { return };
    let line = format!("exec {AS_UNIT} $KNOCKD -v -i lo -c knockd.conf");
    let daemon = Daemon::start_as(&machine, &line);
    assert_has_no_capability(&daemon.sniffer, &["CapInh", "CapPrm", "CapEff", "CapAmb"]);
    assert_eq!(daemon.sniffer.status("Uid"), "0 0 0 0");
    assert_eq!(daemon.sniffer.status("NoNewPrivs"), "1");
    assert_eq!(daemon.sniffer.status("Seccomp"), "2");
    machine.knock(&[7000]);
    machine.wait_for_text("capabilities", "CapAmb");
    assert_eq!(machine.folder.read("user"), "0\n");
    let outcome = daemon.end();
    assert_eq!(outcome.status, Some(0));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn names_are_looked_up_even_if_root_cannot_become_another_user() {
    let name = "names_are_looked_up_even_if_root_cannot_become_another_user";
    let Some(machine) = machine(name, &[], CONFIG) else { return };
    machine.folder.write("hosts", "127.0.0.1 named.example\n");
    machine.set_up("mount --bind hosts /etc/hosts");
    let line = format!("exec {AS_UNIT} $KNOCKD -v -i lo -c knockd.conf --lookup");
    let daemon = Daemon::start_as(&machine, &line);
    let resolver = machine.resolver();
    machine.knock(&[7000]);
    assert_eq!(daemon.live.line(), "127.0.0.1 (named.example): door: Stage 1");
    assert_has_no_capability(&resolver, &["CapInh", "CapPrm", "CapEff", "CapAmb"]);
    assert_eq!(resolver.status("Seccomp"), "2");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_sniffer_that_hangs_and_may_not_be_killed_does_not_delay_the_end() {
    let name = "a_sniffer_that_hangs_and_may_not_be_killed_does_not_delay_the_end";
    let Some(machine) = machine(name, &[], CONFIG) else { return };
    let line = format!("exec {AS_UNIT},+setuid,+setgid $KNOCKD -v -i lo -c knockd.conf");
    let daemon = Daemon::start_as(&machine, &line);
    assert_is("knockd", &daemon.sniffer);
    daemon.sniffer.signal(Signal::SIGSTOP);
    daemon.runner.signal(Signal::SIGTERM);
    // Its output is closed only when the sniffer has ended, too.
    wait_until("the process that was started has ended", || machine.named("knockd").is_empty());
    // When it continues, it notices that the runner has ended.
    daemon.sniffer.signal(Signal::SIGCONT);
    assert_eq!(daemon.live.finish().status, Some(0));
    machine.wait_for_no_process();
}

#[test]
fn capabilities_that_are_made_to_be_inherited_are_given_up_too() {
    let name = "capabilities_that_are_made_to_be_inherited_are_given_up_too";
    let Some(machine) = machine(name, &[], WHO) else { return };
    let some = "+net_raw,+sys_admin,+dac_override";
    let grant = format!("setpriv --inh-caps={some} --ambient-caps={some}");
    let line = format!("exec {grant} $KNOCKD -v -i lo -c knockd.conf");
    let daemon = Daemon::start_as(&machine, &line);
    assert_ne!(daemon.runner.status("CapAmb"), "0000000000000000");
    assert_has_no_capability(&daemon.sniffer, &CAPABILITIES);
    let outcome = daemon.end();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

/// As root is limited by the group of processes that a service is, so is an ordinary user by a number.
#[test]
fn without_threads_the_start_fails_with_an_error() {
    let Some(machine) =
        machine("without_threads_the_start_fails_with_an_error", &["prlimit"], CONFIG)
    else {
        return;
    };
    // Nobody else has processes of this user.
    let user = 100_000 + std::process::id();
    machine.folder.give_to(user);
    let grant = "--inh-caps=+net_raw --ambient-caps=+net_raw";
    let ids = format!("--reuid={user} --regid={user} --clear-groups {grant}");
    let errors = ["1", "2", "3", "4"].map(|limit| {
        let line = format!("prlimit --nproc={limit} setpriv {ids} ./knockd -i lo -c knockd.conf");
        let outcome = machine.run(&line);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{limit}");
        format!("{limit}: {}", outcome.stderr)
    });
    let directory = machine.folder.directory().to_str().unwrap();
    insta::assert_snapshot!(errors.concat().replace(directory, "DIR"));
    machine.wait_for_no_process();
}

/// Returns a machine whose folder all users may use, with a copy of the program.
fn machine(name: &str, programs: &[&str], config: &str) -> Option<Machine> {
    let programs = [PROGRAMS, &["setpriv"], programs].concat();
    if !require(name, &programs, Need::Namespaces) {
        return None;
    }
    let machine = Machine::with(config);
    machine.folder.open_to_all();
    Some(machine)
}

//! The privileges of the sniffer and the resolver, as the kernel reports them.

use std::fs;

use nix::sys::signal::Signal;

use crate::common::{Daemon, Machine, Need, PROGRAMS, Process, require, wait_until};

/// The sets of capabilities of a process.
pub(crate) const CAPABILITIES: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

#[test]
fn the_sniffer_is_knockd_and_has_no_capability() {
    if !require("the_sniffer_is_knockd_and_has_no_capability", PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    let daemon = Daemon::start(&machine, "");
    assert_is("knockd", &daemon.sniffer);
    assert_has_no_capability(&daemon.sniffer, &CAPABILITIES);
    // The process that runs commands is another one, and still root.
    assert_eq!(daemon.runner.status("Uid"), "0 0 0 0");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn without_the_user_knockd_the_sniffer_is_nobody_and_a_warning_says_so() {
    let name = "without_the_user_knockd_the_sniffer_is_nobody_and_a_warning_says_so";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    machine.run("sed -i /^knockd:/d /run/passwd && cat /run/passwd >/etc/passwd");
    let live = machine.start("exec $KNOCKD -i lo -c knockd.conf");
    let warning = "knockd: warning: there is no user knockd, so packets are read as nobody, and every other \
                   process of nobody could stop that; create the user, with 'useradd --system \
                   --user-group --no-create-home --shell /usr/sbin/nologin knockd', or name another one \
                   with the directive 'User'";
    while live.error_line() != warning {}
    let sniffer = machine.process("knockd: sniffer");
    wait_until("it is nobody", || !sniffer.status("Uid").starts_with("0 "));
    assert_is("nobody", &sniffer);
    // Who names a user is not warned.
    machine.process("knockd").signal(Signal::SIGTERM);
    assert_eq!(live.finish().status, Some(0));
    let config = machine.folder.read("knockd.conf");
    machine.folder.write("knockd.conf", &format!("[options]\nuser = nobody\n{config}"));
    let daemon = Daemon::start(&machine, "");
    assert_is("nobody", &daemon.sniffer);
    let errors = daemon.end().stderr;
    assert!(!errors.contains("warning"), "{errors}");
}

#[test]
fn the_sniffer_gains_nothing_and_its_system_calls_are_filtered() {
    let name = "the_sniffer_gains_nothing_and_its_system_calls_are_filtered";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    let daemon = Daemon::start(&machine, "");
    let status = |key| daemon.sniffer.status(key);
    assert_eq!((status("NoNewPrivs"), status("Seccomp")), ("1".to_owned(), "2".to_owned()));
    assert_eq!(status("Seccomp_filters"), "2");
    assert_eq!(status("Threads"), "1");
}

#[test]
fn the_sniffer_has_only_the_descriptors_that_it_needs_and_no_environment() {
    let name = "the_sniffer_has_only_the_descriptors_that_it_needs_and_no_environment";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    // A file of the caller, left open for the daemon to inherit.
    let line = "exec 9<knockd.conf && exec $KNOCKD -i lo -c knockd.conf";
    let daemon = Daemon::start_as(&machine, line);
    // The streams, two for the socket to the runner, the timer, and the capture. The last two come in any order.
    let streams = ["socket", "/dev/null", "/dev/null"];
    let others = ["anon_inode", "socket", "socket", "socket"];
    wait_until("it has its descriptors, and no others", || {
        let descriptors = daemon.sniffer.descriptors();
        let kinds = descriptors.iter().map(|(_, what)| what.split(':').next().unwrap());
        let mut kinds: Vec<&str> = kinds.collect();
        kinds.get_mut(3..).unwrap_or_default().sort_unstable();
        kinds == [&streams[..], &others].concat()
    });
    assert_eq!(fs::read(daemon.sniffer.path("environ")).unwrap(), b"");
}

#[test]
fn the_resolver_is_knockd_and_has_no_capability() {
    let name = "the_resolver_is_knockd_and_has_no_capability";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    let _daemon = Daemon::start(&machine, "--lookup");
    let resolver = machine.resolver();
    assert_is("knockd", &resolver);
    assert_has_no_capability(&resolver, &CAPABILITIES);
    assert_eq!(resolver.status("NoNewPrivs"), "1");
    assert_eq!(resolver.status("Seccomp"), "2");
}

#[cfg(not(target_arch = "x86_64"))]
#[test]
fn system_calls_are_tried_in_the_sniffer() {
    use std::io::{self, Write as _};
    // Not eprintln, whose output is hidden if a test passes.
    let _ = writeln!(
        io::stderr(),
        "SKIPPED: all of confinement and resolver, because they are for x86_64"
    );
}

/// Fails unless a process is this user of the machine that it runs on.
pub(crate) fn assert_is(name: &str, process: &Process) {
    let users = fs::read_to_string(process.path("root/etc/passwd")).unwrap();
    let line = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":x:")).unwrap();
    let (user, rest) = line.split_once(':').unwrap();
    let (group, _) = rest.split_once(':').unwrap();
    assert_eq!(process.status("Uid"), [user; 4].join(" "));
    assert_eq!(process.status("Gid"), [group; 4].join(" "));
    assert_eq!(process.status("Groups"), group);
}

/// Fails if a process has a capability in any of the sets.
pub(crate) fn assert_has_no_capability(process: &Process, sets: &[&str]) {
    for set in sets {
        assert_eq!(process.status(set), "0000000000000000", "{set} of {}", process.name);
    }
}

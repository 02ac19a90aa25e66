//! Configurations without doors, such as a template or a file that was cut off.

use nix::sys::signal::Signal;

use crate::common::{CONFIG, Daemon, Machine, Need, PROGRAMS, require};

const EMPTY: &str = "[options]\n    UseSyslog\n";

fn machine(name: &str, config: &str) -> Option<Machine> {
    require(name, PROGRAMS, Need::Namespaces).then(|| Machine::with(config))
}

#[test]
fn a_start_without_doors_is_refused_unless_it_is_allowed() {
    let name = "a_start_without_doors_is_refused_unless_it_is_allowed";
    let Some(machine) = machine(name, EMPTY) else { return };
    let cause = "knockd.conf has no doors, so knockd could open nothing; add one, or start knockd with \
                 '--allow-no-doors'\n";
    for (options, status) in [("-i lo", 1), ("-i lo -d -p pid", 1), ("--check", 2)] {
        let outcome = machine.run(&format!("$KNOCKD {options} -c knockd.conf"));
        assert_eq!(outcome.status, Some(status), "{options}");
        let expected = format!("error: {cause}");
        assert!(outcome.stderr.ends_with(&expected), "{options}: {}", outcome.stderr);
    }
    let outcome = machine.run("$KNOCKD --check -c knockd.conf --format json");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    let last = outcome.stdout.lines().last().unwrap();
    assert!(
        last.contains(r#""severity":"error","message":"knockd.conf has no doors, so"#),
        "{last}"
    );

    let outcome = machine.run("$KNOCKD --check -c knockd.conf --allow-no-doors");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    let daemon = Daemon::start(&machine, "--allow-no-doors");
    assert_eq!(daemon.end().status, Some(0));
}

#[test]
fn a_reload_without_doors_leaves_the_doors_as_they_were() {
    let name = "a_reload_without_doors_leaves_the_doors_as_they_were";
    let Some(machine) = machine(name, CONFIG) else { return };
    let daemon = Daemon::start(&machine, "-v");
    machine.folder.write("knockd.conf", "");
    daemon.runner.signal(Signal::SIGHUP);
    daemon.wait_for_error_beginning("error: ");
    daemon.wait_for_error_beginning("reload rejected: ");
    machine.knock(&[7000, 8000]);
    daemon.wait_for("127.0.0.1: door: OPEN SESAME");
    assert_eq!(daemon.end().status, Some(0));
}

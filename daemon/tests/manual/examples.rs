//! The configurations that the manual page shows: free of faults, and tried.

use std::collections::BTreeSet;
use std::fs;

use nix::sys::signal::Signal;

use crate::common::{Live, Machine, Need, PROGRAMS, require, wait_until};
use crate::configuration_page;

/// The examples of knockd.conf(5) that contain a text.
fn with(text: &str) -> Vec<String> {
    let page = configuration_page();
    let examples = page.prose().section("EXAMPLES").verbatim();
    examples.into_iter().filter(|lines| lines.contains(text)).map(str::to_owned).collect()
}

/// Returns a machine with an example as its configuration, whose files are in the folder of the machine.
fn machine(example: &str) -> Machine {
    let machine =
        Machine::with(&example.replace("/var/log/", "DIR/").replace("/etc/knockd/", "DIR/"));
    let [sequences] = &with("used up")[..] else { panic!("one list of sequences") };
    machine.folder.write("smtp_sequences", &format!("{sequences}\n"));
    machine
}

/// They are made to be understood, with ports that are easily told apart.
#[test]
fn every_configuration_of_the_page_passes_the_check() {
    if !require("every_configuration_of_the_page_passes_the_check", PROGRAMS, Need::Namespaces) {
        return;
    }
    let examples = with("\n    TCPFlags");
    assert!(examples.len() >= 4, "{examples:?}");
    let mut codes = BTreeSet::new();
    for example in examples {
        let of_the_machine = "world-readable,command-not-found";
        let line = format!("$KNOCKD --check -c knockd.conf --allow {of_the_machine}");
        let outcome = machine(&example).run(&line);
        assert_eq!(outcome.status, Some(0), "{example}\n{outcome:?}");
        assert!(outcome.stderr.lines().last().unwrap().contains(", no errors"), "{outcome:?}");
        let warnings = outcome.stderr.split("warning[").skip(1);
        codes.extend(warnings.map(|one| one.split(']').next().unwrap().to_owned()));
    }
    let known = [
        "ascending-sequence",
        "guessable-sequence",
        "reversed-sequence",
        "service-port",
        "unknown-to-knockd-0.8",
        "wrong-address-family",
    ];
    assert_eq!(codes, known.map(str::to_owned).into());
}

/// An example at work, with the lines of the daemon.
fn start(machine: &Machine) -> Live {
    let daemon = machine.start("exec $KNOCKD -v -i lo -c knockd.conf");
    assert_eq!(daemon.line(), "listening on lo...");
    daemon
}

/// Ends it, and checks that nothing went wrong.
fn end(machine: &Machine, daemon: Live) {
    machine.process("knockd").signal(Signal::SIGTERM);
    let outcome = daemon.finish();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

/// Waits until a program says, or does not say any more, that a client gets in.
fn wait_for(machine: &Machine, list: &str, client: &str, is_in: bool) {
    wait_until("the firewall has changed", || {
        let outcome = machine.run(list);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome.stdout.contains(client) == is_in
    });
}

#[test]
fn the_first_example_opens_and_closes() {
    let programs = [PROGRAMS, &["iptables", "knock"]].concat();
    if !require("the_first_example_opens_and_closes", &programs, Need::Namespaces) {
        return;
    }
    let machine = machine(&with("[openSSH]")[0]);
    let daemon = start(&machine);
    let rule = "-A INPUT -s 127.0.0.1/32 -p tcp -m tcp --dport 22 -j ACCEPT";
    machine.run("knock 127.0.0.1 7000 8000 9000");
    wait_for(&machine, "iptables -S", rule, true);
    machine.run("knock 127.0.0.1 9000 8000 7000");
    wait_for(&machine, "iptables -S", rule, false);
    end(&machine, daemon);
    assert!(fs::metadata(machine.folder.path("knockd.log")).is_ok());
}

#[test]
fn the_second_example_opens_for_both_families_and_closes_at_the_end() {
    let programs = [PROGRAMS, &["iptables", "ip6tables", "knock"]].concat();
    let name = "the_second_example_opens_for_both_families_and_closes_at_the_end";
    if !require(name, &programs, Need::Namespaces) {
        return;
    }
    let machine = machine(&with("[SSH]")[0]);
    let daemon = start(&machine);
    machine.run("knock 127.0.0.1 2222:udp 3333:tcp 4444:udp");
    wait_for(&machine, "iptables -S", "-A INPUT -s 127.0.0.1/32 ", true);
    machine.run("knock -6 ::1 2222:udp 3333:tcp 4444:udp");
    wait_for(&machine, "ip6tables -S", "-A INPUT -s ::1/128 ", true);
    end(&machine, daemon);
    wait_for(&machine, "iptables -S", "-A INPUT", false);
    wait_for(&machine, "ip6tables -S", "-A INPUT", false);
}

#[test]
fn the_third_example_uses_one_sequence_after_the_other() {
    let programs = [PROGRAMS, &["nft", "knock"]].concat();
    let name = "the_third_example_uses_one_sequence_after_the_other";
    if !require(name, &programs, Need::Namespaces) {
        return;
    }
    let machine = machine(&with("[SMTP]")[0]);
    machine.set_up(
        "nft 'add table inet filter; add set inet filter smtp_clients { type ipv4_addr; }'",
    );
    let list = "nft list set inet filter smtp_clients";
    for (knocks, marked) in [
        ("1001 2001 3001", "#1001,2001,3001\n 1002:udp,2002:udp,3002:udp\n"),
        ("1002:udp 2002:udp 3002:udp", "#1001,2001,3001\n#1002:udp,2002:udp,3002:udp\n"),
    ] {
        let daemon = start(&machine);
        machine.run(&format!("knock 127.0.0.1 {knocks}"));
        wait_for(&machine, list, "127.0.0.1", true);
        machine.wait_for_text("smtp_sequences", marked);
        machine.process("knockd").signal(Signal::SIGTERM);
        assert_eq!(daemon.finish().status, Some(0));
        wait_for(&machine, list, "127.0.0.1", false);
    }
    let log = machine.folder.read("knockd.log");
    // `[2026-03-09T08:07:06+01:00] `
    assert!(
        log.lines().count() > 10 && log.lines().all(|line| line.as_bytes()[11] == b'T'),
        "{log}"
    );
}

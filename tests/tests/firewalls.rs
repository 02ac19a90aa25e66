//! Checks warnings about firewalls with the firewalls themselves, in a network namespace.

#![cfg(test)]

use std::path::Path;

use knock_config::lint::{self, Circumstances};
use knock_config::warnings::Warning;
use knock_config::{self as config, DoorConfig, Fault};
use knock_engine::Command;
use knock_tests::live::Namespace;
use knock_tests::process::finish;
use knock_tests::require::{Need, require};

const PROGRAMS: &[&str] = &["unshare", "nsenter", "iptables", "ip6tables", "nft"];
const CLIENT: &str = "192.0.2.10";
const CLIENT_6: &str = "2001:db8::10";

#[test]
fn only_a_stop_command_with_a_warning_leaves_something() {
    let name = "only_a_stop_command_with_a_warning_leaves_something";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let starts = [
        "iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
        "iptables -t filter -I INPUT 1 -p tcp -s %IP% --dport 22 -j ACCEPT",
        "iptables -w 5 --append INPUT --source %IP% --protocol tcp -m tcp --dport=22 --jump ACCEPT",
        "iptables -A INPUT -s %IP% -j ACCEPT",
        "iptables -A INPUT ! -s %IP% -j DROP",
        "iptables -A INPUT -s %IP% -p tcp -m multiport --dports 22,80 -j ACCEPT",
        "iptables -t nat -A PREROUTING -s %IP% -p tcp --dport 22 -j REDIRECT",
        "nft add element inet wall clients { %IP% }",
        "nft add element inet wall clients '{ %IP% timeout 10s }'",
    ];
    let stops = [
        "iptables -D INPUT -s %IP% -p tcp --dport 22 -j ACCEPT",
        "iptables -D INPUT -s %IP%/32 -p tcp -m tcp --dport 22 -j ACCEPT",
        "iptables --delete INPUT --protocol tcp --source %IP% --destination-port 22 --jump ACCEPT",
        "iptables -D INPUT -s %IP% -p tcp --dport 2 -j ACCEPT",
        "iptables -D INPUT -s %IP% -p udp --dport 22 -j ACCEPT",
        "iptables -D INPUT -s %IP% -p tcp -j ACCEPT",
        "iptables -D INPUT -s %IP% -j ACCEPT",
        "iptables -D INPUT -s %IP% -j DROP",
        "iptables -D INPUT ! -s %IP% -j DROP",
        "iptables -D FORWARD -s %IP% -j ACCEPT",
        "iptables -D INPUT -s %IP% -p tcp -m multiport --dports 22,80 -j ACCEPT",
        "iptables -D INPUT -s %IP% -m comment --comment ssh -j ACCEPT",
        "iptables -t nat -D PREROUTING -s %IP% -p tcp --dport 22 -j REDIRECT",
        "ip6tables -D INPUT -s %IP% -j ACCEPT",
        "nft delete element inet wall clients { %IP% }",
        "nft delete element inet wall clients {%IP%}",
        "nft delete element inet wall others { %IP% }",
    ];
    let place = Namespace::new();
    let (mut undone, mut left) = (0, 0);
    for start in starts {
        for stop in stops {
            let config =
                format!("[d]\nsequence = 1\nstart_command = {start}\nstop_command = {stop}\n");
            let warned =
                advice(&config).iter().any(|one| matches!(one, Warning::StopDoesNotUndo { .. }));
            reset(&place);
            let before = rules(&place);
            assert!(runs(&place, start, CLIENT), "{start}");
            assert_ne!(rules(&place), before, "{start}");
            runs(&place, stop, CLIENT);
            let is_undone = rules(&place) == before;
            assert!(!(warned && is_undone), "a false alarm:\n{start}\n{stop}");
            // A rule of iptables is undone by no other program. After nft, iptables may undo what a script
            // did.
            let is_understood = program(start) == program(stop) || program(start) == "iptables";
            assert_eq!(warned, is_understood && !is_undone, "\n{start}\n{stop}");
            if is_undone { undone += 1 } else { left += 1 }
        }
    }
    assert!(undone >= 15 && left >= 50, "{undone} {left}");
}

#[test]
fn iptables_refuses_only_what_has_a_warning() {
    let name = "iptables_refuses_only_what_has_a_warning";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let place = Namespace::new();
    let mut tried = 0;
    for (code, client) in [("dport-without-protocol", CLIENT), ("wrong-address-family", CLIENT_6)] {
        for (file, is_taken) in [("warns", false), ("quiet", true)] {
            let file = format!("../testdata/lints/{code}/{file}.conf");
            let text = std::fs::read(Path::new(&file)).unwrap();
            let doors = config::parse(&text).config.unwrap().doors;
            for door in doors.iter().map(DoorConfig::door) {
                let client = if door.target.is_some() { CLIENT } else { client };
                let commands = &door.commands;
                let address = client.parse().unwrap();
                let all = [commands.start_for(address), commands.stop_for(address)];
                for command in all.into_iter().flatten().filter(|one| is_iptables(one)) {
                    let line = String::from_utf8_lossy(command.as_bytes()).into_owned();
                    assert_eq!(runs(&place, &line, client), is_taken, "{file}: {line}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 9, "{tried}");
    // The other way round.
    assert!(!runs(&place, "ip6tables -A INPUT -s %IP% -j ACCEPT", CLIENT));
}

fn is_iptables(command: &Command) -> bool {
    String::from_utf8_lossy(command.as_bytes()).contains("tables")
}

fn advice(text: &str) -> Vec<Warning> {
    let checked = lint::check(text.as_bytes(), &Circumstances::default());
    let found = checked.parsed.diagnostics.kept().iter().filter_map(|one| match &one.fault {
        Fault::Warning(warning) => Some(warning.clone()),
        Fault::Line(_) | Fault::Value(_) | Fault::Option(_) => None,
    });
    found.collect()
}

fn program(command: &str) -> &str {
    command.split(' ').next().unwrap()
}

fn reset(place: &Namespace) {
    place.set_up(
        "nft flush ruleset
        nft add table inet wall
        for set in clients others; do
            nft add set inet wall $set '{ type ipv4_addr; flags timeout; }'
        done
        for table in filter nat; do
            iptables -t $table -S >/dev/null
        done",
    );
}

/// Returns all rules of a network's firewalls. Their timeouts count down.
fn rules(place: &Namespace) -> String {
    let list = "iptables -S; iptables -t nat -S; ip6tables -S; nft list table inet wall";
    let outcome = finish(&mut place.command(list));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    outcome.stdout
}

/// Runs a command of a door, and returns whether it succeeds.
fn runs(place: &Namespace, command: &str, client: &str) -> bool {
    finish(&mut place.command(&command.replace("%IP%", client))).status == Some(0)
}

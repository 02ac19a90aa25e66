//! Places to try firewalls in.

use std::net::IpAddr;
use std::time::Duration;

use knock_engine::{Port, PortRange, Protocol};
use knock_firewall::{Firewall, Grant, Ruleset};
use knock_tests::live::Namespace;
use knock_tests::process::finish;
use knock_tests::require::{Need, require};

/// Returns whether the machine can run the test.
pub(crate) fn can_run(name: &str, programs: &[&str]) -> bool {
    require(name, &[&["unshare", "nsenter", "nft"], programs].concat(), Need::Namespaces)
}

/// Reads ports as the configuration has them: `tcp/22 udp/60000-61000`.
pub(crate) fn ports(text: &str) -> Vec<PortRange> {
    let range = |word: &str| {
        let (protocol, ports) = word.split_once('/').unwrap();
        let protocol = if protocol == "tcp" { Protocol::Tcp } else { Protocol::Udp };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let port = |text: &str| Port(text.parse().unwrap());
        PortRange::new(protocol, port(first), port(last)).unwrap()
    };
    text.split_whitespace().map(range).collect()
}

pub(crate) fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn grant(client: &str, range: &str, seconds: u64) -> Grant {
    let time_left = Duration::from_secs(seconds);
    let (client, ports) = (address(client), ports(range)[0]);
    Grant { client, ports, time_left, since: None }
}

/// Connects to the kernel of a namespace.
pub(crate) fn connect(place: &Namespace, ruleset: &Ruleset) -> Firewall {
    let ruleset = ruleset.clone();
    place.open(move || Firewall::connect(ruleset).unwrap())
}

/// Runs a line for the shell that must succeed, and returns what it prints.
pub(crate) fn run(place: &Namespace, line: &str) -> String {
    let outcome = finish(&mut place.command(line));
    assert_eq!(outcome.status, Some(0), "{line}: {}", outcome.stderr);
    outcome.stdout
}

/// Gives text to nft.
pub(crate) fn nft(place: &Namespace, text: &str) {
    run(place, &format!("nft -f - <<'END'\n{text}\nEND"));
}

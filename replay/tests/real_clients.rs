//! Knocks as real clients send them, each a scenario in words.

#![cfg(test)]

use std::ffi::OsString;
use std::fs;

use knock_replay::{Exit, Streams};
use tempfile::TempDir;

const SEED: &str = "\
[openSSH]
    sequence    = 7000,8000,9000
    seq_timeout = 5
    command     = open %IP%
    tcpflags    = syn

[closeSSH]
    sequence    = 9000,8000,7000
    seq_timeout = 5
    command     = close %IP%
    tcpflags    = syn
";

/// Replays a scenario, and returns what is printed with `options`.
fn replay(configuration: &str, scenario: &str, options: &[&str]) -> String {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).into_os_string();
    fs::write(path("knockd.conf"), configuration).unwrap();
    fs::write(path("clients.txt"), scenario).unwrap();
    let given = ["knock-replay".into(), path("clients.txt"), "-c".into(), path("knockd.conf")];
    let args = given.into_iter().chain(options.iter().map(OsString::from));
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    let exit = knock_replay::run(args, &mut Streams::plain(&mut output, &mut errors));
    assert_eq!(exit, Exit::Done, "{}", String::from_utf8_lossy(&errors));
    String::from_utf8(output).unwrap()
}

fn transcript(configuration: &str, scenario: &str) -> String {
    replay(configuration, scenario, &["-q"])
}

const OPENED: &str = "\
198.51.100.7: openSSH: Stage 1
198.51.100.7: openSSH: Stage 2
198.51.100.7: openSSH: Stage 3
198.51.100.7: openSSH: OPEN SESAME
openSSH: running command: open 198.51.100.7
";

/// A client whose sockets stay open, behind a firewall that drops: the system repeats each SYN after
/// 1, 3 and 7 seconds, and here every second.
fn open_sockets(gap: f64) -> String {
    let knocks = [(0.0, 50_001, 7000), (1.0, 50_002, 8000), (2.0, 50_003, 9000)];
    let lines = knocks.map(|(number, source, port)| {
        let at = number * gap;
        format!("{at:.3} 198.51.100.7:{source} > 192.0.2.1:{port} tcp syn again 7 every 1s\n")
    });
    lines.concat()
}

#[test]
fn sockets_left_open_by_a_dropping_firewall_open_however_far_apart() {
    let patient = SEED.replace("seq_timeout = 5", "seq_timeout = 10");
    for gap in [0.2, 0.6, 1.5, 3.0] {
        assert_eq!(transcript(&patient, &open_sockets(gap)), OPENED, "{gap} s apart");
    }
}

#[test]
fn knocks_0_6_s_apart_open_though_the_first_is_repeated_in_between() {
    let scenario = "\
0   198.51.100.7:50001 > 192.0.2.1:7000 tcp syn again 1 every 1s
0.6 198.51.100.7:50002 > 192.0.2.1:8000 tcp syn again 1 every 1s
1.2 198.51.100.7:50003 > 192.0.2.1:9000 tcp syn again 1 every 1s
";
    assert_eq!(transcript(SEED, scenario), OPENED);
    let explained = replay(SEED, scenario, &["-q", "--explain"]);
    assert!(explained.contains("TCP retransmission of"), "{explained}");
    assert_eq!(explained.matches("retransmission of").count(), 6, "{explained}");
}

#[test]
fn every_port_knocked_twice_from_two_source_ports_opens() {
    let scenario = "\
0    198.51.100.7:50001 > 192.0.2.1:7000 tcp syn
0.25 198.51.100.7:50002 > 192.0.2.1:7000 tcp syn
1    198.51.100.7:50003 > 192.0.2.1:8000 tcp syn
1.25 198.51.100.7:50004 > 192.0.2.1:8000 tcp syn
2    198.51.100.7:50005 > 192.0.2.1:9000 tcp syn
";
    let restarted = format!("198.51.100.7: openSSH: Stage 1\n{OPENED}");
    assert_eq!(transcript(SEED, scenario), restarted);
    let explained = replay(SEED, scenario, &["-q", "--explain"]);
    assert!(explained.contains("ignored: second try of the knock in"), "{explained}");
    // The second try of the last knock begins the door that closes, which then times out.
    let twice = format!("{scenario}2.25 198.51.100.7:50006 > 192.0.2.1:9000 tcp syn\n");
    let after = "198.51.100.7: closeSSH: Stage 1\n\
                 198.51.100.7: closeSSH: sequence timeout (stage 1)\n";
    assert_eq!(transcript(SEED, &twice), format!("{restarted}{after}"));
}

#[test]
fn udp_knocks_that_a_mirror_port_doubles_open() {
    let udp = SEED.replace("7000,8000,9000", "7000:udp,8000:udp,9000:udp");
    let scenario = "\
0     198.51.100.7:50001 > 192.0.2.1:7000 udp
0.001 198.51.100.7:50001 > 192.0.2.1:7000 udp
1     198.51.100.7:50001 > 192.0.2.1:8000 udp
1.001 198.51.100.7:50001 > 192.0.2.1:8000 udp
2     198.51.100.7:50001 > 192.0.2.1:9000 udp
2.001 198.51.100.7:50001 > 192.0.2.1:9000 udp
";
    assert!(transcript(&udp, scenario).contains("openSSH: OPEN SESAME"));
}

#[test]
fn a_client_that_starts_over_has_the_whole_time_again() {
    let scenario = "\
0 198.51.100.7:50001 > 192.0.2.1:7000 tcp syn
4 198.51.100.7:50002 > 192.0.2.1:7000 tcp syn
6 198.51.100.7:50003 > 192.0.2.1:8000 tcp syn
8 198.51.100.7:50004 > 192.0.2.1:9000 tcp syn
";
    assert_eq!(transcript(SEED, scenario), format!("198.51.100.7: openSSH: Stage 1\n{OPENED}"));
}

#[test]
fn two_people_behind_one_address_open_for_both() {
    let one = [7000, 8000, 9000].into_iter().zip([0.0, 1.0, 2.0]);
    let other = [7000, 8000, 9000].into_iter().zip([0.1, 1.1, 2.1]);
    let mut knocks: Vec<(u16, f64)> = one.chain(other).collect();
    knocks.sort_by(|one, other| one.1.total_cmp(&other.1));
    let lines: Vec<String> = (50_001..)
        .zip(knocks)
        .map(|(source, (port, at)): (u32, _)| {
            format!("{at} 198.51.100.7:{source} > 192.0.2.1:{port} tcp syn\n")
        })
        .collect();
    let scenario = lines.concat();
    assert!(transcript(SEED, &scenario).contains("openSSH: OPEN SESAME"));
}

#[test]
fn opening_and_closing_at_once_still_works() {
    let scenario = "knock 198.51.100.7 7000 8000 9000\nknock 198.51.100.7 9000 8000 7000\n";
    let printed = transcript(SEED, scenario);
    let opened = printed.lines().filter(|line| line.ends_with("OPEN SESAME"));
    let opened: Vec<&str> = opened.collect();
    assert_eq!(
        opened,
        ["198.51.100.7: openSSH: OPEN SESAME", "198.51.100.7: closeSSH: OPEN SESAME"]
    );
}

#[test]
fn a_source_that_no_host_has_opens_nothing_and_is_named() {
    for source in ["0.0.0.0", "224.0.0.1", "255.255.255.255"] {
        let knock =
            |(at, port): (u32, u16)| format!("{at} {source}:50001 > 192.0.2.1:{port} tcp syn\n");
        let lines: Vec<String> = (0..).zip([7000, 8000, 9000]).map(knock).collect();
        let scenario = lines.concat();
        assert_eq!(transcript(SEED, &scenario), "", "{source}");
        let explained = replay(SEED, &scenario, &["-q", "--explain"]);
        let named = format!("from {source}, an address that no host has");
        assert!(explained.contains(&named), "{explained}");
    }
}

/// What docs/threat-model.md says of packets in the client's name.
#[test]
fn forged_packets_void_knocks_that_are_slow() {
    let opened = |gap: &str| {
        let forged = "0 198.51.100.7 > 192.0.2.1 tcp 9000 syn repeat 6000 every 33ms\n";
        let knocks = (0..20)
            .map(|round| format!("{round}0.5 knock 198.51.100.7 7000 8000 9000 every {gap}\n"));
        let scenario: Vec<String> =
            ["to 192.0.2.1\n".to_owned(), forged.to_owned()].into_iter().chain(knocks).collect();
        let printed = transcript(SEED, &scenario.concat());
        printed.matches("openSSH: OPEN SESAME").count()
    };
    assert_eq!(["0.5s", "0.1s", "10ms", "1ms"].map(opened), [0, 0, 18, 20]);
}

/// A client that tries again and again while somebody forges its address every 10 ms. The hint comes once
/// in ten seconds, not with every packet.
#[test]
fn forged_packets_are_suspected_once_in_a_while() {
    let forged = "to 192.0.2.1\n0 198.51.100.7 > 192.0.2.1 tcp 9000 syn repeat 2500 every 10ms\n";
    let knocks = (0..20).map(|s| format!("{s}.5 knock 198.51.100.7 7000 8000 9000 every 0.1s\n"));
    let scenario: Vec<String> = std::iter::once(forged.to_owned()).chain(knocks).collect();
    assert!(!transcript(SEED, &scenario.concat()).contains("openSSH: OPEN SESAME"));
    let explained = replay(SEED, &scenario.concat(), &["--explain", "-q"]);
    let hints: Vec<&str> = explained.lines().filter(|line| line.contains("forged?")).collect();
    let hint = |line: &&str| {
        line.contains("voided 5 times in ")
            && line.contains(" s by packets from the client's address, the last to ")
    };
    assert!(hints.iter().all(hint) && hints.len() == 2, "{hints:#?}");
}

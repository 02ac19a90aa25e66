//! Compares the rule set `knockd-0.8` with a real knockd 0.8 that hears real knocks.
//!
//! Debian's knockd and tcpdump listen on one end of a wire (see [`knock_tests::live`]) while the programs
//! that people knock with run at the other end. A replay of the capture must then print the same as knockd:
//! - the lines that the daemon itself prints are the same in exactly the same order;
//! - the lines that its children print (`running command`, `command timeout`) may come at any time in the
//!   live output; they are the same lines, as often, and for each door and client in the same order. Where
//!   nothing is random, all lines are compared in exact order.
//!
//! All other assertions about the output must be true whatever the delays of the machine.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::fs;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use knock_tests::live::{Recording, Wire};
use knock_tests::require::{Need, require};

/// The programs that every test needs.
const PROGRAMS: [&str; 8] =
    ["knockd", "tcpdump", "unshare", "nsenter", "taskset", "ip", "nc", "knock"];

/// Returns whether a test can be run.
fn can_run(name: &str, programs: &[&str]) -> bool {
    require(name, &[&PROGRAMS, programs].concat(), Need::Namespaces)
}

const DOORS: &str = "
[tcp]
    sequence = 7000,8000,9000
    tcpflags = syn
    command = true tcp %IP%
[udp]
    sequence = 7000:udp,8000:udp
    command = true udp %IP%
[mixed]
    sequence = 7100,8100:udp,9100
    command = true mixed %IP%
    command_6 = true six %IP%
[target]
    sequence = 7100,9100
    target = 198.51.100.1
    command = true target %IP%
";

#[test]
fn whole_knocks_are_the_same_live_and_under_both_rule_sets() {
    if !can_run("whole_knocks_are_the_same_live_and_under_both_rule_sets", &[]) {
        return;
    }
    let wire = Wire::new(DOORS, &[]);
    wire.client("knock 192.0.2.1 7000 8000 9000");
    wire.client("knock -u 192.0.2.1 7000 8000");
    wire.client("knock 192.0.2.1 7100 8100:udp 9100");
    wire.client("knock -6 2001:db8::1 7100 8100:udp 9100");
    wire.client("knock 198.51.100.1 7100 9100");
    wire.client("for port in 7000 8000 9000; do nc -z fe80::1%client $port; done");
    wire.client("for port in 7000 8000 9000; do nc -z -s 192.0.2.11 192.0.2.1 $port; done");
    let recording = wire.end();
    assert_eq!(recording.count("OPEN SESAME"), 8, "{}", recording.live);
    assert_eq!(recording.count("mixed: running command: true six 2001:db8::10\n"), 1);
    assert_eq!(recording.replay("knock"), recording.replay("knockd-0.8"));
    recording.assert_replay_is_live();
}

#[test]
fn wrong_knocks_and_other_clients_in_between_are_the_same() {
    if !can_run("wrong_knocks_and_other_clients_in_between_are_the_same", &[]) {
        return;
    }
    let wire = Wire::new(DOORS, &[]);
    // A wrong knock begins nothing, also if it is a first one.
    wire.client("knock 192.0.2.1 7000 8000 7000 8000 9000");
    wire.client("knock 192.0.2.1 7000 7000 7000 8000 9000");
    // Ports that no door names are invisible; those of other doors are not, and the protocol matters.
    wire.client("knock 192.0.2.1 7000 7777 8000 8000:tcp 9000");
    wire.client("knock 192.0.2.1 7000 7100 8000 9000");
    wire.client("knock 192.0.2.1 7000 9000:udp 8000 8000:udp 9000");
    wire.client("knock 192.0.2.1 7000:udp 8000:tcp 8000:udp");
    wire.client("knock 192.0.2.1 7100 9100");
    // Several clients at once: the end of one attempt is the end of younger ones.
    let from_first = |port: &str| wire.client(&format!("nc -z -s 192.0.2.10 192.0.2.1 {port}"));
    let from_other = |port: &str| wire.client(&format!("nc -z -s 192.0.2.11 192.0.2.1 {port}"));
    from_first("7000");
    from_other("7000");
    from_first("8000");
    wire.client("nc -z 2001:db8::1 7000");
    from_other("8000");
    from_first("9000");
    from_other("9000");
    from_other("7000");
    from_other("8000");
    wire.client("knock -6 2001:db8::1 8000 9000 7000 8000 9000");
    from_other("9000");
    from_first("7000");
    from_other("7000");
    from_first("9000");
    from_other("8000");
    from_other("9000");
    // One knock at several addresses.
    wire.client("nc -z -s 192.0.2.10 192.0.2.1 7000; nc -z -s 192.0.2.10 198.51.100.1 8000");
    from_first("9000");
    let recording = wire.end();
    assert!(recording.count("tcp: OPEN SESAME") >= 3, "{}", recording.live);
    assert_ne!(recording.replay("knock"), recording.replay("knockd-0.8"));
    recording.assert_replay_is_live();
}

#[test]
fn scans_of_nmap_are_the_same() {
    if !can_run("scans_of_nmap_are_the_same", &["nmap"]) {
        return;
    }
    let wire = Wire::new(
        "
[syn]
    sequence = 7001,7003,7005
    tcpflags = syn,!ack
    command = true syn %IP%
[fin]
    sequence = 7011,7013
    tcpflags = fin,!syn,!psh
    command = true fin %IP%
[xmas]
    sequence = 7021,7022
    tcpflags = fin,psh,urg
    command = true xmas %IP%
[any]
    sequence = 7030,7031
    command = true any %IP%
",
        &[],
    );
    let nmap = "nmap -n -Pn -r --max-retries 0";
    for port in ["7001", "7003", "7005"] {
        wire.client(&format!("{nmap} -sS -p {port} 192.0.2.1"));
    }
    // An ascending scan opens the door; the ports between are invisible.
    wire.client(&format!("{nmap} -sS -p 6995-7010 -S 192.0.2.11 -e client 192.0.2.1"));
    wire.client(&format!("{nmap} -6 -sS -p 6995-7010 2001:db8::1"));
    for (flags, address) in [("-sF", "192.0.2.1"), ("-sX", "192.0.2.1"), ("-6 -sF", "2001:db8::1")]
    {
        wire.client(&format!("{nmap} {flags} -p 7011,7013,7021,7022 {address}"));
    }
    wire.client(&format!("{nmap} -sN -p 7000-7035 192.0.2.1"));
    wire.client(&format!("{nmap} -sS -D 192.0.2.31,192.0.2.32,ME -p 7001-7031 192.0.2.1"));
    let recording = wire.end();
    for line in [
        "192.0.2.10: syn: OPEN SESAME\n",
        "192.0.2.11: syn: OPEN SESAME\n",
        "2001:db8::10: syn: OPEN SESAME\n",
        "2001:db8::10: fin: OPEN SESAME\n",
        "192.0.2.10: fin: OPEN SESAME\n",
        "192.0.2.10: xmas: OPEN SESAME\n",
        "192.0.2.10: any: OPEN SESAME\n",
        "192.0.2.31: syn: OPEN SESAME\n",
    ] {
        assert!(recording.count(line) > 0, "{line}{}", recording.live);
    }
    recording.assert_replay_is_live();
}

#[test]
fn handmade_packets_of_hping_are_the_same() {
    if !can_run("handmade_packets_of_hping_are_the_same", &["hping3"]) {
        return;
    }
    let wire = Wire::new(
        "
[syn]
    sequence = 7001,7002,7003
    tcpflags = syn
    command = true syn %IP%
[pure]
    sequence = 7011,7012
    tcpflags = syn,!ack
    command = true pure %IP%
[fin]
    sequence = 7021,7022
    tcpflags = fin
    command = true fin %IP%
[udp]
    sequence = 7001:udp,7002:udp
    tcpflags = syn
    command = true udp %IP%
[flagless]
    sequence = 7031,7032
    command = true flagless %IP%
",
        &[],
    );
    let hping = "hping3 -n -i u1000 -c";
    for (flags, port) in [
        ("-S", 7001),
        ("-S -A", 7001),
        ("-S -A -F -P -U -X -Y", 7001),
        ("-F", 7001),
        ("-S", 7011),
        ("-S -A", 7011),
        ("-F", 7021),
        ("-F -S", 7021),
        ("-A", 7031),
        ("-R", 7031),
        ("--udp", 7001),
    ] {
        wire.client(&format!("{hping} 3 {flags} -p ++{port} 192.0.2.1"));
    }
    // Flags that a door does not ask for are harmless, and so is UDP elsewhere.
    wire.client(&format!("{hping} 1 -S -p 7001 192.0.2.1; {hping} 1 -A -p 7003 192.0.2.1"));
    wire.client(&format!("{hping} 2 -S -p ++7002 192.0.2.1"));
    // Others, of whom there may be many.
    wire.client(&format!("{hping} 3 -S --spoof 192.0.2.41 -p ++7001 192.0.2.1"));
    wire.client(&format!("{hping} 40 -S --rand-source -p 7001 192.0.2.1"));
    wire.client(&format!("{hping} 3 -S --spoof 192.0.2.1 -p ++7001 192.0.2.1"));
    let recording = wire.end();
    for (line, times) in [
        ("192.0.2.10: syn: OPEN SESAME\n", 4),
        ("192.0.2.10: pure: OPEN SESAME\n", 1),
        ("192.0.2.10: fin: OPEN SESAME\n", 2),
        ("192.0.2.10: udp: OPEN SESAME\n", 1),
        ("192.0.2.10: flagless: OPEN SESAME\n", 2),
        ("192.0.2.41: syn: OPEN SESAME\n", 1),
    ] {
        assert_eq!(recording.count(line), times, "{line}{}", recording.live);
    }
    assert!(recording.count("syn: Stage 1\n") > 40, "{}", recording.live);
    recording.assert_replay_is_live();
}

const DROPPED: &str = "
[dropped]
    sequence = 7101,7102,7103
    seq_timeout = 100
    tcpflags = syn
    command = true open %IP%
";

/// Lets a firewall drop the first knock, so that it is retransmitted after a second.
fn knock_at_a_firewall(server: &str, family: &str) -> Recording {
    let wire = Wire::new(DROPPED, &[]);
    let tables = if family == "-6" { "ip6tables" } else { "iptables" };
    wire.server(&format!("{tables} -A INPUT -p tcp --dport 7101 -j DROP"));
    // No more than one retransmission: the next one could begin a new attempt.
    let out = format!("{tables} -A OUTPUT -p tcp --dport 7101");
    let two = format!("{out} -m limit --limit 1/hour --limit-burst 2 -j ACCEPT");
    wire.client(&format!("({two} && {out} -j DROP) || exit 127"));
    wire.client(&format!("nc {family} -w 2 {server} 7101"));
    wire.client(&format!("knock {family} {server} 7102 7103"));
    wire.end()
}

fn a_retransmission_voids_the_knock_under_08_only(recording: Recording, client: &str) {
    let last = "192.0.2.99: last: Stage 1\n192.0.2.99: last: OPEN SESAME\n";
    assert_eq!(recording.live, format!("{client}: dropped: Stage 1\n{last}"));
    let opened = format!(
        "{client}: dropped: Stage 1\n{client}: dropped: Stage 2\n{client}: dropped: Stage 3\n\
         {client}: dropped: OPEN SESAME\ndropped: running command: true open {client}\n{last}"
    );
    assert_eq!(recording.replay("knock"), opened);
    recording.assert_replay_is_live();
}

#[test]
fn a_firewall_that_drops_knocks_voids_them_under_08_and_not_under_knock() {
    let name = "a_firewall_that_drops_knocks_voids_them_under_08_and_not_under_knock";
    if !can_run(name, &["iptables"]) {
        return;
    }
    let recording = knock_at_a_firewall("192.0.2.1", "-4");
    a_retransmission_voids_the_knock_under_08_only(recording, "192.0.2.10");
}

#[test]
fn a_firewall_that_drops_knocks_voids_them_under_08_and_not_under_knock_with_ipv6() {
    let name = "a_firewall_that_drops_knocks_voids_them_under_08_and_not_under_knock_with_ipv6";
    if !can_run(name, &["ip6tables"]) {
        return;
    }
    let recording = knock_at_a_firewall("2001:db8::1", "-6");
    a_retransmission_voids_the_knock_under_08_only(recording, "2001:db8::10");
}

#[test]
fn a_handshake_hurts_a_door_without_flags() {
    if !can_run("a_handshake_hurts_a_door_without_flags", &[]) {
        return;
    }
    let mut wire = Wire::new(
        "
[syn]
    sequence = 7001,7002
    tcpflags = syn
    command = true syn %IP%
[flagless]
    sequence = 7001,7002
    command = true flagless %IP%
",
        &[],
    );
    // What the server says to itself does not pass the wire.
    wire.server("nc -l -k 192.0.2.1 7001 >/dev/null 2>&1 & until nc -z 192.0.2.1 7001; do :; done");
    wire.client("nc -z 192.0.2.1 7001");
    wire.wait_for("192.0.2.10: flagless: Stage 1", 1);
    wire.client("nc -z 192.0.2.1 7002");
    let recording = wire.end();
    assert_eq!(recording.count("192.0.2.10: syn: Stage 1\n"), 1, "{}", recording.live);
    assert_eq!(recording.count("192.0.2.10: syn: OPEN SESAME\n"), 1, "{}", recording.live);
    assert_eq!(recording.count("192.0.2.10: flagless: OPEN SESAME\n"), 0, "{}", recording.live);
    recording.assert_replay_is_live();
}

const BRIEF: &str = "
[one]
    sequence = 7001,7002
    seq_timeout = 1
    tcpflags = syn
    command = true one %IP%
[two]
    sequence = 7101,7102,7103
    seq_timeout = 2
    tcpflags = syn
    command = true two %IP%
[three]
    sequence = 7201,7202,7203
    seq_timeout = 3
    tcpflags = syn
    command = true three %IP%
[four]
    sequence = 7301,7302
    seq_timeout = 4
    tcpflags = syn
    command = true four %IP%
[patient]
    sequence = 7401,7402
    seq_timeout = 100
    tcpflags = syn
    command = true patient %IP%
";

#[test]
fn late_knocks_are_the_same() {
    if !can_run("late_knocks_are_the_same", &[]) {
        return;
    }
    let wire = Wire::new(BRIEF, &[]);
    let other = |ports: &str| {
        wire.client(&format!("for p in {ports}; do nc -z -s 192.0.2.11 192.0.2.1 $p; done"));
    };
    other("7401");
    wire.client("knock 192.0.2.1 7001");
    wire.client("knock 198.51.100.1 7201 7202");
    wire.client("knock -6 2001:db8::1 7101");
    let_pass(Duration::from_millis(3200));
    // The end of attempts is not reported before the next knock, and an unnamed port is not a knock.
    wire.client("knock 192.0.2.1 7777");
    wire.client("knock 198.51.100.1 7203");
    wire.client("knock 192.0.2.1 7002");
    other("7402");
    // With the oldest attempt all younger ones end, silently.
    wire.client("knock 192.0.2.1 7001");
    other("7401");
    wire.client("knock -6 2001:db8::1 7401");
    let_pass(Duration::from_millis(1200));
    wire.client("knock 192.0.2.1 7401 7402");
    wire.client("knock -6 2001:db8::1 7402");
    other("7402");
    let recording = wire.end();
    for line in [
        "192.0.2.10: one: sequence timeout (stage 1)\n",
        "198.51.100.10: three: sequence timeout (stage 2)\n",
        "2001:db8::10: two: sequence timeout (stage 1)\n",
        "192.0.2.11: patient: OPEN SESAME\n",
    ] {
        assert!(recording.count(line) > 0, "{line}{}", recording.live);
    }
    recording.assert_replay_is_live();
}

#[test]
fn whole_seconds_are_counted_as_the_daemon_counts_them() {
    if !can_run("whole_seconds_are_counted_as_the_daemon_counts_them", &[]) {
        return;
    }
    let wire = Wire::new(BRIEF, &[]);
    // Late in one second, then early in the first second that is too late, though the time is not yet over;
    // then the reverse. If the machine is slow, the knocks come at other times, but the capture has the same
    // times.
    until_fraction_of_a_second(600);
    wire.client("knock 192.0.2.1 7001; knock 198.51.100.1 7101; knock -6 2001:db8::1 7201");
    until_fraction_of_a_second(150);
    wire.client("knock 192.0.2.1 7002; knock 198.51.100.1 7102");
    until_fraction_of_a_second(150);
    wire.client("knock 198.51.100.1 7103");
    wire.client("knock -6 2001:db8::1 7202");
    wire.client("nc -z -s 192.0.2.11 192.0.2.1 7301");
    until_fraction_of_a_second(150);
    wire.client("knock -6 2001:db8::1 7203");
    wire.client("nc -z -s 192.0.2.11 192.0.2.1 7302");
    wire.client("knock 192.0.2.1 7001");
    until_fraction_of_a_second(800);
    wire.client("knock 192.0.2.1 7002");
    wire.end().assert_replay_is_live();
}

#[test]
fn commands_and_their_timeouts_are_the_same() {
    if !can_run("commands_and_their_timeouts_are_the_same", &[]) {
        return;
    }
    let mut wire = Wire::new(
        "
[slow]
    sequence = 7001,7002
    command = touch DIR/slow-%IP%
    cmd_timeout = 2
    stop_command = rm DIR/slow-%IP%
[brief]
    sequence = 7101:udp,7102
    command = false %IP%
    cmd_timeout = 1
    stop_command = true shut %IP%
    stop_command_6 = true shut six %IP%
[empty]
    sequence = 7201
    command = true %IP%
    cmd_timeout = 1
    stop_command =
[silent]
    sequence = 7301
    command_6 =
    command = true %IP%
    stop_command = true never %IP%
",
        &[],
    );
    // Each knock waits for the last line, so that the order is certain.
    wire.client("knock 192.0.2.1 7001 7002");
    wire.wait_for("slow: running command: touch DIR/slow-192.0.2.10", 1);
    wire.client("knock 198.51.100.1 7101:udp 7102");
    wire.wait_for("brief: running command: false 198.51.100.10", 1);
    wire.wait_for("brief: running command: true shut 198.51.100.10", 1);
    wire.client("knock -6 2001:db8::1 7301 7001");
    wire.wait_for("2001:db8::10: slow: Stage 1", 1);
    wire.wait_for("slow: running command: rm DIR/slow-192.0.2.10", 1);
    wire.client("knock -6 2001:db8::1 7002");
    wire.wait_for("slow: running command: touch DIR/slow-2001:db8::10", 1);
    wire.client("knock -6 2001:db8::1 7101:udp 7102");
    wire.wait_for("brief: running command: false 2001:db8::10", 1);
    wire.wait_for("brief: running command: true shut six 2001:db8::10", 1);
    wire.wait_for("slow: running command: rm DIR/slow-2001:db8::10", 1);
    wire.client("knock 192.0.2.1 7201");
    wire.wait_for("empty: running command: true 192.0.2.10", 1);
    wire.wait_for("empty: running command: ", 1);
    let recording = wire.end();
    assert_eq!(recording.errors.matches("non-zero status code (1)").count(), 2);
    assert!(!recording.path("slow-192.0.2.10").exists());
    recording.assert_replay_is_live_in_exact_order();
}

#[test]
fn children_that_overlap_print_the_same_lines() {
    if !can_run("children_that_overlap_print_the_same_lines", &[]) {
        return;
    }
    let wire = Wire::new(
        "
[a]
    sequence = 7001,7002
    command = true a %IP%
    cmd_timeout = 1
    stop_command = true shut a %IP%
[b]
    sequence = 7001,7003
    command = true b %IP%
    cmd_timeout = 2
    stop_command = true shut b %IP%
[c]
    sequence = 7101
    command = true c %IP%
",
        &[],
    );
    for client in ["192.0.2.10", "192.0.2.11", "198.51.100.10"] {
        let ports = "7001 7002 7101 7101 7001 7003 7101";
        wire.client(&format!("for p in {ports}; do nc -z -s {client} 192.0.2.1 $p; done"));
    }
    wire.client("knock -6 2001:db8::1 7001 7003 7101 7001 7002");
    let recording = wire.end();
    assert_eq!(recording.count("command timeout"), 8, "{}", recording.live);
    recording.assert_replay_is_live();
}

#[test]
fn one_time_sequences_are_the_same() {
    if !can_run("one_time_sequences_are_the_same", &[]) {
        return;
    }
    let sequences = "# of no value\n 7001,7002\n 7003,7004\n\n 7005,7006\n 7007,7008\n";
    let conf = "
[once]
    one_time_sequences = DIR/sequences
    command = true once %IP%
[other]
    sequence = 7100,7101
    command = true other %IP%
";
    let mut wire = Wire::new(conf, &[("sequences", sequences)]);
    // knockd loses packets while it changes its filter, so wait for each opening.
    let open = |wire: &mut Wire, knocks: &str, times: usize| {
        wire.client(knocks);
        wire.wait_for("192.0.2.10: once: OPEN SESAME", times);
        wire.wait_for_rest();
    };
    open(&mut wire, "knock 192.0.2.1 7001 7002", 1);
    // The ports of used sequences are invisible afterwards, except with IPv6.
    wire.client("knock 192.0.2.1 7100 7001 7101");
    wire.client("knock -6 2001:db8::1 7100 7001 7101");
    wire.client("knock -6 2001:db8::1 7003 7004");
    open(&mut wire, "knock 192.0.2.1 7001 7002 7003 7004", 2);
    open(&mut wire, "knock 192.0.2.1 7005 7006", 3);
    wire.client("knock -6 2001:db8::1 7007 7008");
    let recording = wire.end();
    let used = fs::read_to_string(recording.path("sequences")).unwrap();
    assert_eq!(used, "# of no value\n#7001,7002\n#7003,7004\n\n#7005,7006\n 7007,7008\n");
    fs::write(recording.path("sequences"), sequences).unwrap();
    assert_eq!(recording.count("once: OPEN SESAME\n"), 3, "{}", recording.live);
    assert_eq!(recording.count("other: OPEN SESAME\n"), 1, "{}", recording.live);
    recording.assert_replay_is_live();
}

#[test]
fn a_storm_of_knocks_in_any_order_is_the_same() {
    if !can_run("a_storm_of_knocks_in_any_order_is_the_same", &["nmap", "hping3"]) {
        return;
    }
    let wire = Wire::new(
        "
[short]
    sequence = 7001
    seq_timeout = 1
    tcpflags = fin
    command = true short %IP%
[pair]
    sequence = 7001,7002
    seq_timeout = 1
    command = true pair %IP%
[syn]
    sequence = 7002,7003
    seq_timeout = 2
    tcpflags = syn
    command = true syn %IP%
[long]
    sequence = 7002,7001,7004
    seq_timeout = 3
    tcpflags = !ack
    command = true long %IP%
[mixed]
    sequence = 7003,7003:udp
    seq_timeout = 2
    command = true mixed %IP%
",
        &[],
    );
    let decoys = "192.0.2.31,192.0.2.32,192.0.2.33,ME";
    for _ in 0..2 {
        for flags in ["-sS", "-sF", "-sN", "-sA"] {
            // Without -r, nmap shuffles the ports.
            let nmap = "nmap -n -Pn --max-retries 0";
            wire.client(&format!("{nmap} {flags} -D {decoys} -p 7000-7005 192.0.2.1"));
            wire.client("hping3 -n -i u1000 -c 4 --udp -p ++7001 192.0.2.1");
        }
        wire.client("nmap -6 -n -Pn --max-retries 0 -sS -p 7000-7005 2001:db8::1");
        let_pass(Duration::from_secs(1));
    }
    let recording = wire.end();
    assert!(recording.count("Stage 1\n") > 10, "{}", recording.live);
    recording.assert_replay_is_live();
}

/// Lets time pass.
fn let_pass(time: Duration) {
    thread::sleep(time);
}

/// Waits until this many milliseconds of a second have passed.
fn until_fraction_of_a_second(milliseconds: u32) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_millis();
    let_pass(Duration::from_millis(u64::from((1000 + milliseconds - now) % 1000)));
}

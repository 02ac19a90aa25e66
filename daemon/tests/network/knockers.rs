//! Programs with which people knock.

use knock_config::diagnostics::Style;
use knock_config::options::CheckOptions;
use knock_config::{Verdict, Waits};

use crate::common::Scene;

#[test]
fn scans_of_nmap_open_doors() {
    let config = "
[syn]
    sequence = 7001,7003,7005
    seq_timeout = 100
    tcpflags = syn,!ack
    command =
[xmas]
    sequence = 7021,7022
    seq_timeout = 100
    tcpflags = fin,psh,urg
    command =
";
    let Some(scene) = Scene::new("scans_of_nmap_open_doors", &["nmap"], config) else { return };
    let daemon = scene.start("-i server");
    let nmap = "nmap -n -Pn -r --max-retries 0";
    let one_by_one = |more: &str, server: &str| {
        let scan = format!("{nmap} -sS -p $port {more} {server}");
        scene.client(&format!("for port in 7001 7003 7005; do {scan}; done"));
    };
    one_by_one("", "192.0.2.1");
    one_by_one("-6", "2001:db8::1");
    // A scan that climbs: the ports between do not exist.
    let from_other = "-e client -S 192.0.2.11";
    scene.client(&format!("{nmap} -sS -p 6995-7010 {from_other} 192.0.2.1"));
    scene.client(&format!("{nmap} -sX -p 7021,7022 198.51.100.1"));
    daemon.settle();
    for line in [
        "192.0.2.10: syn: OPEN SESAME",
        "2001:db8::10: syn: OPEN SESAME",
        "192.0.2.11: syn: OPEN SESAME",
        "198.51.100.10: xmas: OPEN SESAME",
    ] {
        assert_eq!(daemon.count(line), 1, "{line}: {}", daemon.output());
    }
    daemon.end();
}

/// Compares the doors that a scan opens with those that `--check` warns about.
#[test]
fn a_scan_of_all_ports_opens_the_doors_that_the_check_warns_of() {
    let name = "a_scan_of_all_ports_opens_the_doors_that_the_check_warns_of";
    let config = "
[climbs]
    sequence = 18044,31022,50560
    seq_timeout = 300
    tcpflags = syn
    command =
[falls]
    sequence = 61000,7326,7327
    seq_timeout = 300
    tcpflags = syn
    command =
[nearlyClimbs]
    sequence = 2207,8417,8416
    seq_timeout = 300
    command =
[disturbed]
    sequence = 61001,61003,61005
    seq_timeout = 300
    command =
[disturbs]
    sequence = 61004,61002
    seq_timeout = 300
    command =
";
    let Some(scene) = Scene::new(name, &["nmap"], config) else { return };
    let verdict = Verdict::on(
        &scene.path("knockd.conf"),
        |_| None,
        &CheckOptions::default(),
        false,
        None,
        Waits::Forever,
        Style::Plain,
    );
    let config = verdict.config.unwrap();
    let lines = verdict.errors.split("warning[ascending-sequence]").skip(1);
    let sequences: Vec<&str> = lines.map(|one| one.lines().nth(3).unwrap()).collect();
    let [sequence] = sequences[..] else { panic!("{}", verdict.errors) };
    assert!(sequence.ends_with("= 18044,31022,50560"), "{sequence}");
    assert_eq!(config.doors.len(), 6);

    let daemon = scene.start("-i server");
    scene.client("nmap -n -Pn -sS -r -p- --max-retries 0 192.0.2.1");
    daemon.settle();
    let opened = openings(&daemon.output());
    assert_eq!(opened, ["192.0.2.10: climbs: OPEN SESAME", SETTLED], "{}", daemon.output());
    daemon.end();
}

#[test]
fn handmade_packets_of_hping_open_the_doors_whose_flags_they_have() {
    let name = "handmade_packets_of_hping_open_the_doors_whose_flags_they_have";
    let config = "
[syn]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = syn
    command =
[pure]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = syn,!ack
    command =
[fin]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = fin,!syn
    command =
[any]
    sequence = 7001,7002,7003
    seq_timeout = 100
    command =
[udp]
    sequence = 7001:udp,7002:udp,7003:udp
    seq_timeout = 100
    tcpflags = syn
    command =
";
    let Some(scene) = Scene::new(name, &["hping3"], config) else { return };
    let daemon = scene.start("-i server");
    // Runs of hping3 within one second have the same sequence numbers, and would be repeats.
    for (flags, doors, number) in [
        ("-S", &["syn", "pure", "any"][..], 1),
        ("-S -A", &["syn", "any"], 2),
        ("-S -F", &["syn", "pure", "any"], 3),
        ("-F", &["fin", "any"], 4),
        ("-F -P -U", &["fin", "any"], 5),
        ("-R", &["any"], 6),
        ("-A", &["any"], 7),
        ("-Y", &["any"], 8),
        ("--udp", &["udp"], 9),
    ] {
        let before = openings(&daemon.output());
        scene.client(&format!("hping3 -n -i u1000 -c 3 -M {number} {flags} -p ++7001 192.0.2.1"));
        daemon.settle();
        let opened = openings(&daemon.output()).split_off(before.len());
        let expected = doors.iter().map(|door| format!("192.0.2.10: {door}: OPEN SESAME"));
        let expected: Vec<_> = expected.chain([SETTLED.to_owned()]).collect();
        assert_eq!(opened, expected, "{flags}");
    }
    // A spoofed address counts as another client.
    scene.client("hping3 -n -i u1000 -c 3 -S --spoof 192.0.2.41 -p ++7001 192.0.2.1");
    daemon.wait_for("192.0.2.41: pure: OPEN SESAME");
    daemon.end();
}

/// What [`crate::common::Daemon::settle`] has printed.
const SETTLED: &str = "192.0.2.99: last: OPEN SESAME";

fn openings(output: &str) -> Vec<String> {
    output.lines().filter(|line| line.ends_with("OPEN SESAME")).map(str::to_owned).collect()
}

#[test]
fn repeats_of_knocks_that_a_firewall_drops_do_no_harm() {
    let name = "repeats_of_knocks_that_a_firewall_drops_do_no_harm";
    let config = "
[dropped]
    sequence = 7101,7102,7103
    seq_timeout = 100
    tcpflags = syn
    command =
[reverse]
    sequence = 7103,7102,7101
    seq_timeout = 100
    tcpflags = syn
    command =
";
    let Some(scene) = Scene::new(name, &["iptables"], config) else { return };
    scene.server("iptables -P INPUT DROP && ip6tables -P INPUT DROP");
    scene.server("ip6tables -A INPUT -p ipv6-icmp -j ACCEPT");
    let daemon = scene.start("-D -i server");
    // Each client sends its knock again after a second, and gives up before it would do so again.
    let knock = "for port in 7101 7102 7103; do nc -w 2 $server $port; done";
    scene.client(&format!("for server in 192.0.2.1 2001:db8::1; do ({knock}) & done; wait"));
    daemon.settle();
    for client in ["192.0.2.10", "2001:db8::10"] {
        let lines = ["Stage 1", "Stage 2", "Stage 3", "OPEN SESAME"];
        let opened = lines.map(|line| format!("{client}: dropped: {line}"));
        let output = daemon.output();
        let printed = output.lines().filter(|line| line.starts_with(&format!("{client}: ")));
        let (repeats, printed): (Vec<_>, Vec<_>) =
            printed.partition(|line| line.contains(" repeats "));
        assert_eq!(printed, opened);
        for port in 7101..=7103 {
            let repeat = format!(
                "{client}: {port}/tcp repeats an earlier knock (TCP retransmission), ignored"
            );
            assert!(repeats.contains(&&*repeat), "{repeat}: {output}");
        }
    }
    daemon.end();
}

#[test]
fn tcp_and_udp_can_be_mixed() {
    let config = "
[mixed]
    sequence = 7000:udp,7000,8000:tcp,8000:udp,8000:udp
    seq_timeout = 100
    command =
";
    let Some(scene) = Scene::new("tcp_and_udp_can_be_mixed", &[], config) else { return };
    let daemon = scene.start("-i server");
    scene.client("knock 192.0.2.1 7000:udp 7000:tcp 8000:tcp 8000:udp 8000:udp");
    scene.client("knock -6 2001:db8::1 7000:udp 7000:tcp 8000:tcp 8000:udp 8000:udp");
    let send = |port| format!("printf x | nc -u -q 0 198.51.100.1 {port}");
    scene.client(&format!(
        "{}; nc -z 198.51.100.1 7000; nc -z 198.51.100.1 8000; {}; {}",
        send(7000),
        send(8000),
        send(8000)
    ));
    // The other protocol is another knock.
    scene.knock_from("192.0.2.11", "192.0.2.1", "7000 7000 8000 8000 8000");
    daemon.settle();
    for (client, times) in
        [("192.0.2.10", 1), ("2001:db8::10", 1), ("198.51.100.10", 1), ("192.0.2.11", 0)]
    {
        let line = format!("{client}: mixed: OPEN SESAME");
        assert_eq!(daemon.count(&line), times, "{line}: {}", daemon.output());
    }
    daemon.end();
}

/// The client's system repeats each SYN after a second, because nothing answers, while the client is
/// at its next knock.
#[test]
fn sockets_that_stay_open_behind_a_dropping_firewall_open_doors() {
    let name = "sockets_that_stay_open_behind_a_dropping_firewall_open_doors";
    let config = "
[d]
    sequence = 7000,8000,9000
    seq_timeout = 10
    tcpflags = syn
    command =
[reverse]
    sequence = 9000,8000,7000
    seq_timeout = 10
    tcpflags = syn
    command =
";
    let Some(scene) = Scene::new(name, &["bash", "timeout", "iptables"], config) else { return };
    scene.server("iptables -P INPUT DROP");
    let daemon = scene.start("-i server");
    let knock = "(timeout 5 bash -c \"exec 3<>/dev/tcp/192.0.2.1/$port\" 2>/dev/null || true) &";
    scene.client(&format!("for port in 7000 8000 9000; do {knock} sleep 0.6; done; wait"));
    daemon.settle();
    let output = daemon.output();
    let of_client: Vec<&str> =
        output.lines().filter(|line| line.starts_with("192.0.2.10: ")).collect();
    let opened = ["Stage 1", "Stage 2", "Stage 3", "OPEN SESAME"];
    assert_eq!(of_client, opened.map(|line| format!("192.0.2.10: d: {line}")), "{output}");
    daemon.end();
}

//! Debian's knockd opens for the client, and so do both rule sets on what it saw.

use knock_tests::live::Wire;
use knock_tests::require::{Need, require};

use crate::daemon::{self, Program};
use crate::scene::{KNOCK, NOBODY, Scene};

const DOORS: &str = "
[tcp]
    sequence = 7000,8000,9000
    seq_timeout = 100
    tcpflags = syn
    command = true %IP%
[any]
    sequence = 7100,8100:udp,9100,8100:udp,7100
    seq_timeout = 100
    command = true %IP%
[fin]
    sequence = 7200,7201
    seq_timeout = 100
    tcpflags = fin,psh,urg
    command = true %IP%
[udp]
    sequence = 7300:udp,7301:udp,7302:udp
    seq_timeout = 100
    command = true %IP%
";

#[test]
fn every_kind_of_door_opens_for_both_families_whatever_the_firewall_does() {
    let name = "every_kind_of_door_opens_for_both_families_whatever_the_firewall_does";
    let programs =
        ["knockd", "tcpdump", "unshare", "nsenter", "taskset", "ip", "nc", "iptables", "ip6tables"];
    if !require(name, &programs, Need::Namespaces) {
        return;
    }
    let mut wire = Wire::new(DOORS, &[]);
    let mut times = 0;
    let reactions = ["ACCEPT", "DROP", "REJECT"];
    for reaction in reactions {
        for iptables in ["iptables", "ip6tables"] {
            wire.server(&format!("{iptables} -F; {iptables} -A INPUT -p tcp -j {reaction}"));
            wire.server(&format!("{iptables} -A INPUT -p udp -j {reaction}"));
        }
        times += 1;
        for (server, client) in [("192.0.2.1", "192.0.2.10"), ("2001:db8::1", "2001:db8::10")] {
            wire.client(&format!("{NOBODY} {KNOCK} {server} 7000 8000 9000"));
            wire.client(&format!("{NOBODY} {KNOCK} {server} 7100 8100:udp 9100 8100:udp 7100"));
            wire.client(&format!("{KNOCK} {server} 7200:tcp:fin,psh,urg 7201:tcp:fin,psh,urg"));
            wire.client(&format!("{NOBODY} {KNOCK} -u {server} 7300 7301:tcp 7302"));
            for door in ["tcp", "any", "fin", "udp"] {
                wire.wait_for(&format!("{client}: {door}: OPEN SESAME"), times);
            }
        }
    }
    let recording = wire.end();
    let replay = recording.replay("knock");
    let all = reactions.len() * 8;
    // Each rule set opens each door as often, and no knock voids an attempt or begins another.
    for transcript in [&replay, &recording.live] {
        let lines = |text: &str| transcript.lines().filter(|line| line.contains(text)).count();
        assert_eq!(lines("OPEN SESAME"), all + 1, "{transcript}");
        assert_eq!(lines("Stage 1"), all + 1, "{transcript}");
    }
    recording.assert_replay_is_live();
}

#[test]
fn our_daemon_opens_every_kind_of_door_for_both_families() {
    let name = "our_daemon_opens_every_kind_of_door_for_both_families";
    let Some(scene) = Scene::new(name, &["iptables", "ip6tables"]) else { return };
    let daemon = daemon::start(&scene, Program::Ours, DOORS);
    let expect = |knocks: &str, client: &str, door: &str, stages: usize| {
        let outcome = scene.client(&format!("{KNOCK} {knocks}"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        for stage in 1..=stages {
            assert_eq!(daemon.line(), format!("{client}: {door}: Stage {stage}"));
        }
        assert_eq!(daemon.line(), format!("{client}: {door}: OPEN SESAME"));
        assert_eq!(daemon.line(), format!("{door}: running command: true {client}"));
    };
    for reaction in ["ACCEPT", "DROP", "REJECT"] {
        for iptables in ["iptables", "ip6tables"] {
            for protocol in ["tcp", "udp"] {
                let rule = format!("INPUT -p {protocol} --dport 7000:9999 -j {reaction}");
                scene.server(&format!("{iptables} -I {rule}"));
            }
        }
        for (server, client) in [("192.0.2.1", "192.0.2.10"), ("2001:db8::1", "2001:db8::10")] {
            expect(&format!("{server} 7000 8000 9000"), client, "tcp", 3);
            expect(&format!("{server} 7100 8100:udp 9100 8100:udp 7100"), client, "any", 5);
            let flags = "fin,psh,urg";
            expect(&format!("{server} 7200:tcp:{flags} 7201:tcp:{flags}"), client, "fin", 2);
            expect(&format!("-u {server} 7300 7301:tcp 7302"), client, "udp", 3);
        }
    }
}

#[test]
fn a_door_without_flags_opens_though_its_ports_are_open() {
    let name = "a_door_without_flags_opens_though_its_ports_are_open";
    let programs = ["knockd", "tcpdump", "unshare", "nsenter", "taskset", "ip", "nc"];
    if !require(name, &programs, Need::Namespaces) {
        return;
    }
    let door = "
[any]
    sequence = 7100,7101,7102
    seq_timeout = 100
    command = true %IP%
";
    let mut wire = Wire::new(door, &[]);
    wire.server(
        "for port in 7100 7101 7102; do (nc -l -k $port >/dev/null 2>&1 &) ; done; sleep 0.5",
    );
    // Slowly, so that the answers are there, and repeated, between the knocks.
    wire.client(&format!("{NOBODY} {KNOCK} -d 1300 192.0.2.1 7100 7101 7102"));
    wire.wait_for("192.0.2.10: any: OPEN SESAME", 1);
    let recording = wire.end();
    assert_eq!(recording.count("192.0.2.10: any: OPEN SESAME"), 1);
    assert!(recording.replay("knock").contains("192.0.2.10: any: OPEN SESAME"));
}

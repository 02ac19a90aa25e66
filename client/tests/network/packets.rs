//! What leaves the client: the packets of the plan and no other.

use std::time::Duration;

use crate::scene::{KNOCK, Scene, Seen, schema, sent};

/// The addresses of the server that every test tries.
const SERVERS: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// Longer than the kernel waits before it repeats a SYN or a SYN+ACK.
const UNTIL_REPEATED: Duration = Duration::from_millis(1300);

#[test]
fn one_packet_leaves_for_each_knock_in_order_and_paced() {
    let name = "one_packet_leaves_for_each_knock_in_order_and_paced";
    let Some(scene) = Scene::new(name, &[]) else { return };
    for server in SERVERS {
        // Resolve the neighbour's address first, so that no knock waits for it.
        assert_eq!(scene.knock(&format!("{server} 9:udp")).status, Some(0));
        for (delay, gap) in [("", 0.1), ("-d 250", 0.25), ("-d 0", 0.0)] {
            let sniffer = scene.record();
            let knocks = "7000 8000:udp 9000 7000 8000:udp";
            let outcome = scene.knock(&format!("{delay} {server} {knocks}"));
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{server}");
            let seen = sniffer.end();
            let knocks = ["7000 [S]", "8000 UDP", "9000 [S]", "7000 [S]", "8000 UDP"];
            assert_eq!(sent(&seen, server), knocks, "{delay}");
            let sent: Vec<&Seen> = seen.iter().filter(|packet| packet.to == server).collect();
            for pair in sent.windows(2) {
                let between = pair[1].at - pair[0].at;
                // A busy machine can only make it longer.
                assert!(between >= gap, "{between} s in {seen:?}");
                assert_eq!(pair[0].from, pair[1].from);
            }
        }
    }
}

#[test]
fn the_delay_is_between_knocks_and_not_after_the_last() {
    let name = "the_delay_is_between_knocks_and_not_after_the_last";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let begin = std::time::Instant::now();
    assert_eq!(scene.knock("-d 1m 192.0.2.1 7000").status, Some(0));
    assert!(begin.elapsed() < Duration::from_mins(1));
}

#[test]
fn a_firewall_that_drops_or_rejects_sees_no_knock_twice() {
    let name = "a_firewall_that_drops_or_rejects_sees_no_knock_twice";
    let Some(scene) = Scene::new(name, &["iptables", "ip6tables"]) else { return };
    for reaction in ["DROP", "REJECT", "REJECT --reject-with tcp-reset"] {
        for iptables in ["iptables", "ip6tables"] {
            scene.server(&format!("{iptables} -F; {iptables} -A INPUT -p tcp -j {reaction}"));
        }
        for server in SERVERS {
            let sniffer = scene.record();
            // The program lives long enough for a repeat to show.
            let outcome = scene.knock(&format!("-d 1300 {server} 7000 8000"));
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{reaction}");
            std::thread::sleep(UNTIL_REPEATED);
            let seen = sniffer.end();
            assert_eq!(sent(&seen, server), ["7000 [S]", "8000 [S]"], "{reaction}");
        }
    }
}

#[test]
fn an_open_port_gets_nothing_but_its_knock() {
    let Some(scene) = Scene::new("an_open_port_gets_nothing_but_its_knock", &[]) else { return };
    for server in SERVERS {
        let _listeners = [scene.listener(server, 7000), scene.listener(server, 9000)];
        let sniffer = scene.record();
        // The server repeats its answer after a second, when the client still knocks.
        let outcome = scene.knock(&format!("-d 1300 {server} 7000 8000:udp 9000"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let mut seen = sniffer.end();
        // The program ends after the last knock.
        let is_last = |packet: &Seen| packet.to == server && packet.to_port == 9000;
        let last = seen.iter().position(is_last).unwrap();
        seen.truncate(last + 1);
        let answers = seen.iter().filter(|packet| packet.from == server && packet.kind == "[S.]");
        assert!(answers.count() >= 2, "nothing was answered: {seen:?}");
        assert_eq!(sent(&seen, server), ["7000 [S]", "8000 UDP", "9000 [S]"]);
    }
}

#[test]
fn knocks_wait_for_the_address_of_the_neighbour_and_leave_once() {
    let name = "knocks_wait_for_the_address_of_the_neighbour_and_leave_once";
    let Some(scene) = Scene::new(name, &[]) else { return };
    // The kernel's queue has room for the largest number of knocks.
    let many: Vec<String> = (10_001..=10_256).map(|port| port.to_string()).collect();
    for (delay, ports) in [("", "7000 8000"), ("-d 0", &many.join(" "))] {
        for server in SERVERS {
            assert_eq!(scene.client("ip neigh flush all").status, Some(0));
            // The server is silent at first.
            scene.server("ip link set server arp off; ip -6 addr del 2001:db8::1/64 dev server");
            let sniffer = scene.record();
            let wake = "sleep 0.7; ip link set server arp on; \
                        ip -6 addr add 2001:db8::1/64 dev server nodad";
            let waker = scene.on_server(wake);
            let outcome = scene.knock(&format!("{delay} {server} {ports}"));
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            assert_eq!(waker.finish().status, Some(0));
            std::thread::sleep(UNTIL_REPEATED);
            let knocks: Vec<_> = ports.split(' ').map(|port| format!("{port} [S]")).collect();
            assert_eq!(sent(&sniffer.end(), server), knocks);
        }
    }
}

#[test]
fn flags_leave_as_they_are_given_with_right_checksums() {
    let name = "flags_leave_as_they_are_given_with_right_checksums";
    let Some(scene) = Scene::new(name, &[]) else { return };
    // The kernel leaves its own checksums to the network card.
    for server in SERVERS {
        let sniffer = scene.record();
        let knocks =
            "1:tcp:fin 2:tcp:fin,psh,urg 3:tcp:none 4:tcp:syn,ack 5:tcp:rst 6:tcp:ack 7:udp";
        let outcome = scene.client(&format!("knock -v -d 5 {server} {knocks}"));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        let hit = |knock: &str| format!("hitting tcp {server}:{knock}\n");
        let hits = ["1:fin", "2:fin,psh,urg", "3:none", "4:syn,ack", "5:rst", "6:ack"].map(hit);
        assert_eq!(outcome.stdout, hits.concat() + &format!("hitting udp {server}:7\n"));
        let seen = sniffer.end();
        let flags = ["1 [F]", "2 [FPU]", "3 [none]", "4 [S.]", "5 [R]", "6 [.]", "7 UDP"];
        assert_eq!(sent(&seen, server), flags);
        for packet in seen.iter().filter(|packet| packet.to == server && packet.kind != "UDP") {
            assert!(packet.line.contains("(correct)"), "{}", packet.line);
        }
    }
}

#[test]
fn a_syn_with_flags_in_words_needs_no_privileges() {
    let name = "a_syn_with_flags_in_words_needs_no_privileges";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let sniffer = scene.record();
    assert_eq!(scene.knock("192.0.2.1 7000:tcp:syn").status, Some(0));
    assert_eq!(sent(&sniffer.end(), "192.0.2.1"), ["7000 [S]"]);
}

#[test]
fn all_knocks_come_from_the_source_that_is_asked_for() {
    let name = "all_knocks_come_from_the_source_that_is_asked_for";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let sniffer = scene.record();
    let knocks = "7000 8000:udp 9000:tcp:fin";
    for options in ["--source 192.0.2.11", "--interface client", ""] {
        let outcome = scene.client(&format!("knock -d 5 {options} 192.0.2.1 {knocks}"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    }
    let seen = sniffer.end();
    let from = seen.iter().filter(|packet| packet.to == "192.0.2.1").map(|packet| &*packet.from);
    let (other, usual) = (["192.0.2.11"; 3], ["192.0.2.10"; 6]);
    assert_eq!(from.collect::<Vec<_>>(), [&other[..], &usual].concat());
}

#[test]
fn an_ipv4_address_that_is_written_as_ipv6_is_knocked_at_by_ipv4() {
    let name = "an_ipv4_address_that_is_written_as_ipv6_is_knocked_at_by_ipv4";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let hosts = "mount -t tmpfs none /run && echo ::ffff:192.0.2.1 mapped.example >/run/hosts \
                 && mount --bind /run/hosts /etc/hosts";
    assert_eq!(scene.client(hosts).status, Some(0));
    let options = ["::ffff:192.0.2.1", "--source ::ffff:192.0.2.11 192.0.2.1", "mapped.example"];
    for (options, from) in options.into_iter().zip(["192.0.2.10", "192.0.2.11", "192.0.2.10"]) {
        let sniffer = scene.record();
        let outcome = scene.client(&format!("knock -v {options} 7000 8000:udp 9000:tcp:fin"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.stdout.starts_with("hitting tcp 192.0.2.1:7000\n"), "{outcome:?}");
        let seen = sniffer.end();
        assert_eq!(sent(&seen, "192.0.2.1"), ["7000 [S]", "8000 UDP", "9000 [F]"]);
        let is_to_server = |packet: &&Seen| packet.to == "192.0.2.1";
        assert!(seen.iter().filter(is_to_server).all(|packet| packet.from == from), "{seen:?}");
    }
}

#[test]
fn a_link_local_address_is_knocked_at_through_its_interface() {
    let name = "a_link_local_address_is_knocked_at_through_its_interface";
    let Some(scene) = Scene::new(name, &[]) else { return };
    for arguments in ["fe80::1%client", "--interface client fe80::1"] {
        let sniffer = scene.record();
        let outcome = scene.client(&format!("knock -v {arguments} 7000 8000:udp 9000:tcp:fin"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert!(outcome.stdout.starts_with("hitting tcp fe80::1%client:7000\n"), "{outcome:?}");
        assert_eq!(sent(&sniffer.end(), "fe80::1"), ["7000 [S]", "8000 UDP", "9000 [F]"]);
        let head = format!("--dry-run {arguments} 7000");
        let plan = scene.knock(&head).stdout;
        assert!(plan.starts_with("knock at fe80::1%client "), "{plan}");
        let (_, from) = plan.lines().next().unwrap().split_once(" from fe80::").unwrap();
        assert!(from.contains("%client"), "{plan}");
        let plan = scene.knock(&format!("--json {head}")).stdout;
        let plan = schema().object(&plan);
        let source = plan["source"].as_str().unwrap();
        assert!(source.starts_with("fe80::") && source.ends_with("%client"), "{plan}");
        assert_eq!(plan["address"], "fe80::1%client");
        let printed = scene.knock(&format!("--json {arguments} 7000:udp")).stdout;
        assert_eq!(schema().object(&printed)["address"], "fe80::1%client");
    }
}

#[test]
fn knocks_by_udp_carry_what_those_of_knock_08_carry() {
    let name = "knocks_by_udp_carry_what_those_of_knock_08_carry";
    let Some(scene) = Scene::new(name, &["knock"]) else { return };
    let payload = |line: &str| {
        let sniffer = scene.record();
        assert_eq!(scene.client(line).status, Some(0));
        let seen = sniffer.end();
        assert_eq!(sent(&seen, "192.0.2.1"), ["7000 UDP"]);
        let outcome = scene.client(&format!("tcpdump -n -t -x -r {}", scene.path("seen.pcap")));
        let words: Vec<_> = outcome.stdout.lines().nth(2).unwrap().split_whitespace().collect();
        // After the port fields: length, checksum, payload.
        assert_eq!(words.len(), 8, "{words:?}");
        (words[5].to_owned(), words[7].to_owned())
    };
    let old = payload("command knock 192.0.2.1 7000:udp");
    assert_eq!(old, ("0009".to_owned(), "00".to_owned()));
    assert_eq!(payload(&format!("{KNOCK} 192.0.2.1 7000:udp")), old);
}

#[test]
fn the_host_is_resolved_once() {
    let Some(scene) = Scene::new("the_host_is_resolved_once", &["strace"]) else { return };
    let outcome = scene.client(&format!(
        "strace -f -e trace=openat {KNOCK} -d 0 -4 localhost 7000 8000 9000:udp 2>&1"
    ));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(outcome.stdout.matches("\"/etc/hosts\"").count(), 1, "{}", outcome.stdout);
}

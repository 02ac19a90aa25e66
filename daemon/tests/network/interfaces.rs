//! The interfaces on which the daemon listens.

use knock_tests::process::Live;

use crate::common::{Daemon, Scene};

const DOOR: &str = "
[door]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = syn
    command =
";

#[test]
fn several_interfaces_or_any_or_that_of_the_default_route_are_listened_on() {
    let name = "several_interfaces_or_any_or_that_of_the_default_route_are_listened_on";
    let first = ["192.0.2.10", "2001:db8::10"];
    let second = ["2001:db8:7::10", "203.0.113.10"];
    let both = ["192.0.2.10", "2001:db8:7::10", "2001:db8::10", "203.0.113.10"];
    for (options, clients) in [
        ("-i server", &first[..]),
        ("-i second", &second[..]),
        ("-i server,second", &both[..]),
        ("-i server -i second", &both[..]),
        ("-i any", &both[..]),
        ("", &second[..]),
    ] {
        let Some(scene) = Scene::new(name, &[], DOOR) else { return };
        scene.add_second();
        scene.server("ip route add default via 203.0.113.10 dev second");
        let daemon = scene.start(options);
        assert_eq!(knock_everywhere(&scene, &daemon, clients), clients, "{options}");
    }
}

#[test]
fn of_an_interface_that_is_down_it_is_said_how_to_put_it_up() {
    let name = "of_an_interface_that_is_down_it_is_said_how_to_put_it_up";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.server("ip link set lo down");
    let daemon = scene.start("-i lo");
    daemon.wait_for_error(
        "knockd: warning: lo is down: no knock arrives there until it is up; 'ip link set lo up' does that",
    );
}

#[test]
fn a_second_knockd_on_the_same_interface_warns_and_no_other_does() {
    let name = "a_second_knockd_on_the_same_interface_warns_and_no_other_does";
    let Some(scene) = Scene::new(name, &["ip"], DOOR) else { return };
    scene.add_second();
    let warning = "knockd: warning: another knockd, process ";
    // One in another network, where interfaces have the same numbers.
    let options = scene.placed("-c DIR/knockd.conf -i any");
    let mut elsewhere = scene.cable.client.command(&format!("exec $KNOCKD -v {options}"));
    elsewhere
        .env("KNOCKD", env!("CARGO_BIN_EXE_knockd"))
        .env("STATE_DIRECTORY", scene.path("there"));
    let elsewhere = Live::start(&mut elsewhere);
    assert!(elsewhere.line().starts_with("listening on any"));
    let first = scene.start("-i server");
    assert!(!first.errors().contains(warning), "{}", first.errors());
    for (options, is_warned) in
        [("-i server", true), ("-i any", true), ("-i second,server", true), ("-i second", false)]
    {
        let second = scene.start(options);
        second.settle();
        let output = second.errors();
        assert_eq!(output.contains(warning), is_warned, "{options}: {output}");
        let rest =
            ", listens on server, too: a knock that opens a door in both runs its command twice";
        assert_eq!(output.contains(rest), is_warned, "{options}: {output}");
        second.end_with_warnings();
    }
}

#[test]
fn a_start_in_the_foreground_beside_knockd_08_warns_on_its_interface_and_on_no_other() {
    let name = "a_start_in_the_foreground_beside_knockd_08_warns_on_its_interface_and_on_no_other";
    let Some(scene) = Scene::new(name, &["knockd"], DOOR) else { return };
    scene.add_second();
    let warning = "knockd: warning: another knockd, process ";
    let before = scene.start("-i server");
    assert!(!before.errors().contains(warning), "{}", before.errors());
    before.end();
    scene.write("old.conf", "[door]\nsequence = 7001,7002,7003\ntcpflags = syn\ncommand = true\n");
    let line = scene.placed("exec /usr/sbin/knockd -v -i server -c DIR/old.conf");
    let theirs = Live::start(&mut scene.cable.server.command(&line));
    assert_eq!(theirs.line(), "listening on server...");
    for (options, is_warned) in
        [("-i server", true), ("-i any", true), ("-i second,server", true), ("-i second", false)]
    {
        let output = scene.start(options).end_with_warnings();
        let found = output.lines().find(|line| line.starts_with(warning));
        assert_eq!(found.is_some(), is_warned, "{options}: {output}");
        let rest =
            ", listens on server, too: a knock that opens a door in both runs its command twice";
        assert_eq!(found.is_some_and(|line| line.contains(rest)), is_warned, "{options}: {output}");
    }
    drop(theirs);
}

#[test]
fn addresses_that_come_count_and_those_that_go_do_not() {
    let name = "addresses_that_come_count_and_those_that_go_do_not";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    let daemon = scene.start("-i server");
    scene.server("ip address add 192.0.2.77/24 dev server");
    daemon.knock_until("192.0.2.10: door: OPEN SESAME", 1, || {
        scene.knock_from("192.0.2.10", "192.0.2.77", "7001 7002 7003");
    });
    scene.server("ip address del 192.0.2.77/24 dev server");
    scene.server("ip address add 192.0.2.78/24 dev server");
    // Once the new address counts, the old one does not.
    daemon.knock_until("192.0.2.10: door: OPEN SESAME", 2, || {
        scene.knock_from("192.0.2.10", "192.0.2.78", "7001 7002 7003");
    });
    // The client still sends to it, though nothing answers ARP requests for it.
    scene.client("ip neigh replace 192.0.2.77 lladdr $(ip neigh show 192.0.2.1 | sed 's/.*lladdr //;s/ .*//') dev client");
    scene.client("for port in 7001 7002 7003; do nc -z -w 1 -s 192.0.2.11 192.0.2.77 $port; done");
    daemon.settle();
    assert_eq!(daemon.count("192.0.2.11: door: Stage 1"), 0);
}

#[test]
fn addresses_of_ipv6_come_and_go_as_well() {
    let Some(scene) = Scene::new("addresses_of_ipv6_come_and_go_as_well", &[], DOOR) else {
        return;
    };
    let daemon = scene.start("-i server");
    let knock_at = |address| format!("knock -6 {address} 7001 7002 7003");
    scene.server("ip address add 2001:db8::77/64 nodad dev server");
    daemon.knock_until("2001:db8::10: door: OPEN SESAME", 1, || {
        scene.client(&knock_at("2001:db8::77"));
    });
    scene.server("ip address del 2001:db8::77/64 dev server");
    scene.server("ip address add 2001:db8::78/64 nodad dev server");
    let opened = daemon.count("2001:db8::10: door: OPEN SESAME");
    daemon.knock_until("2001:db8::10: door: OPEN SESAME", opened + 1, || {
        scene.client(&knock_at("2001:db8::78"));
    });
    let opened = daemon.count("2001:db8::10: door: OPEN SESAME");
    // The client still sends to it, though nothing answers neighbour solicitations for it.
    let hardware = scene.ask_server("ip -o link show server | sed 's/.*ether //; s/ .*//'");
    let neighbour = format!("2001:db8::77 lladdr {} dev client", hardware.trim());
    scene.client(&format!("ip -6 neigh replace {neighbour}"));
    scene.client(&knock_at("2001:db8::77"));
    daemon.settle();
    assert_eq!(daemon.count("2001:db8::10: door: OPEN SESAME"), opened);
    daemon.end();
}

#[test]
fn one_attempt_can_go_over_several_interfaces() {
    let name = "one_attempt_can_go_over_several_interfaces";
    for options in ["-i server,second", "-i any"] {
        let door = "[door]\nsequence = 7001:udp,7002:udp,7003:udp\nseq_timeout = 100\ncommand =\n";
        let Some(scene) = Scene::new(name, &[], door) else { return };
        scene.add_second();
        let daemon = scene.start(options);
        for (server, port, stage) in
            [("192.0.2.1", 7001, 1), ("203.0.113.1", 7002, 2), ("192.0.2.1", 7003, 3)]
        {
            scene.client(&format!("printf x | nc -u -q 0 -s 192.0.2.10 {server} {port}"));
            daemon.wait_for(&format!("192.0.2.10: door: Stage {stage}"));
        }
        daemon.wait_for("192.0.2.10: door: OPEN SESAME");
        daemon.end();
    }
}

#[test]
fn knocks_that_wait_on_several_interfaces_count_in_the_order_in_which_they_came() {
    let name = "knocks_that_wait_on_several_interfaces_count_in_the_order_in_which_they_came";
    let sequence: Vec<u16> = (7001..=7012).collect();
    let config = format!(
        "[door]\nsequence = {}\nseq_timeout = 100\ncommand =\n",
        sequence.iter().map(|port| format!("{port}:udp")).collect::<Vec<_>>().join(",")
    );
    let Some(scene) = Scene::new(name, &[], &config) else { return };
    scene.add_second();
    let daemon = scene.start("-i server,second");
    let servers = ["192.0.2.1", "203.0.113.1"];
    let send = |(&port, server): (&u16, _)| {
        format!("printf x | nc -u -q 0 -s 192.0.2.10 {server} {port}\n")
    };
    scene.server("pkill -STOP -f '^knockd: sniffer'");
    for turn in [servers, [servers[1], servers[0]]] {
        scene.client(&sequence.iter().zip(turn.into_iter().cycle()).map(send).collect::<String>());
    }
    scene.server("pkill -CONT -f '^knockd: sniffer'");
    daemon.settle();
    assert_eq!(daemon.count("192.0.2.10: door: OPEN SESAME"), 2, "{}", daemon.output());
    daemon.end();
}

#[test]
fn a_default_route_of_ipv6_names_the_interface_where_there_is_none_of_ipv4() {
    let name = "a_default_route_of_ipv6_names_the_interface_where_there_is_none_of_ipv4";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.server("ip -6 route add default via 2001:db8::10 dev server");
    let daemon = scene.start("");
    assert!(daemon.output().starts_with("listening on server...\n"), "{}", daemon.output());
    scene.client("knock -6 2001:db8::1 7001 7002 7003; knock 192.0.2.1 7001 7002 7003");
    daemon.wait_for("2001:db8::10: door: OPEN SESAME");
    daemon.wait_for("192.0.2.10: door: OPEN SESAME");
    daemon.end();
}

/// Knocks over both cables, and waits until these clients have opened the door. Returns all that have.
fn knock_everywhere(scene: &Scene, daemon: &Daemon<'_>, clients: &[&str]) -> Vec<String> {
    for address in ["192.0.2.1", "203.0.113.1"] {
        scene.client(&format!("knock {address} 7001 7002 7003"));
    }
    for address in ["2001:db8::1", "2001:db8:7::1"] {
        scene.client(&format!("knock -6 {address} 7001 7002 7003"));
    }
    for client in clients {
        daemon.wait_for(&format!("{client}: door: OPEN SESAME"));
    }
    let output = daemon.output();
    let opened = output.lines().filter_map(|line| line.strip_suffix(": door: OPEN SESAME"));
    let mut opened: Vec<String> = opened.map(str::to_owned).collect();
    opened.sort();
    opened
}

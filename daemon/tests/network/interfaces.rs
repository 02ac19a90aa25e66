//! Which interfaces are listened on.

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
    for (options, heard) in [
        ("-i server", &first[..]),
        ("-i second", &second[..]),
        ("-i server,second", &both[..]),
        ("-i server -i second", &both[..]),
        ("-i any", &both[..]),
        ("", &second[..]),
    ] {
        let Some(scene) = Scene::new(name, &[], DOOR) else { return };
        add_second(&scene);
        scene.server("ip route add default via 203.0.113.10 dev second");
        let daemon = scene.start(options);
        assert_eq!(knock_everywhere(&scene, &daemon, heard), heard, "{options}");
    }
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
    // When the one that came counts, the one that went does not.
    daemon.knock_until("192.0.2.10: door: OPEN SESAME", 2, || {
        scene.knock_from("192.0.2.10", "192.0.2.78", "7001 7002 7003");
    });
    // Somebody is still asked for it, though nobody answers.
    scene.client("ip neigh replace 192.0.2.77 lladdr $(ip neigh show 192.0.2.1 | sed 's/.*lladdr //;s/ .*//') dev client");
    scene.client("for port in 7001 7002 7003; do nc -z -w 1 -s 192.0.2.11 192.0.2.77 $port; done");
    daemon.settle();
    assert_eq!(daemon.count("192.0.2.11: door: Stage 1"), 0);
}

#[test]
fn an_interface_that_is_gone_ends_the_daemon_which_says_so() {
    let name = "an_interface_that_is_gone_ends_the_daemon_which_says_so";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    let daemon = scene.start("-i server");
    scene.server("ip link set server down && ip link set server up");
    daemon.knock_until("192.0.2.10: door: OPEN SESAME", 1, || {
        scene.client("knock 192.0.2.1 7001 7002 7003");
    });
    scene.server("ip link del server");
    let ended = daemon.finish();
    assert_eq!(ended.status, Some(1));
    let expected = "knockd: error: cannot listen on server: The interface disappeared\n";
    assert_eq!(ended.errors, expected);
}

/// Joins server and client by a second cable, whose end at the server is called `second`.
fn add_second(scene: &Scene) {
    let namespace = scene.cable.client.id();
    scene.cable.server.set_up(&format!(
        "ip link add name second type veth peer name second-client netns {namespace}
        ip address add 203.0.113.1/24 dev second
        ip address add 2001:db8:7::1/64 nodad dev second
        ip link set second addrgenmode none up"
    ));
    scene.client(
        "ip address add 203.0.113.10/24 dev second-client
        ip address add 2001:db8:7::10/64 nodad dev second-client
        ip link set second-client addrgenmode none up",
    );
    scene.server("until ip -o link show second | grep -q 'state UP'; do sleep 0.01; done");
}

/// Knocks at both ends of both cables, until those who should be heard have got in. Returns who has.
fn knock_everywhere(scene: &Scene, daemon: &Daemon<'_>, heard: &[&str]) -> Vec<String> {
    for address in ["192.0.2.1", "203.0.113.1"] {
        scene.client(&format!("knock {address} 7001 7002 7003"));
    }
    for address in ["2001:db8::1", "2001:db8:7::1"] {
        scene.client(&format!("knock -6 {address} 7001 7002 7003"));
    }
    for client in heard {
        daemon.wait_for(&format!("{client}: door: OPEN SESAME"));
    }
    let output = daemon.output();
    let opened = output.lines().filter_map(|line| line.strip_suffix(": door: OPEN SESAME"));
    let mut opened: Vec<String> = opened.map(str::to_owned).collect();
    opened.sort();
    opened
}

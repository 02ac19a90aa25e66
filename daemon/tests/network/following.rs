//! Interfaces and addresses that come and go while the daemon runs.
//!
//! After the line that an interface is listened on, each test knocks once, and that must be enough.

use crate::common::{Daemon, Injector, Scene, Tunnel, wait_until};

const DOOR: &str = "
[door]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = syn
    command =
";

const PORTS: [u16; 3] = [7001, 7002, 7003];

/// The client's end of the first cable, and of the second.
const FIRST: &str = "192.0.2.10";
const SECOND: &str = "203.0.113.10";

#[test]
fn an_interface_that_is_missing_at_the_start_is_awaited() {
    let name = "an_interface_that_is_missing_at_the_start_is_awaited";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    let daemon = scene.start("-i second");
    assert_eq!(daemon.output(), "waiting for second...\n");
    let warning =
        "knockd: warning: there is no interface second: waiting for it (available: lo, server)\n";
    assert_eq!(daemon.errors(), warning);
    scene.add_second();
    wait_until_heard(&daemon, "second", 1);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    assert_eq!(daemon.end_with_warnings(), warning);
}

#[test]
fn while_one_interface_is_awaited_the_others_are_heard() {
    let name = "while_one_interface_is_awaited_the_others_are_heard";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    let daemon = scene.start("-i second,server");
    assert!(daemon.output().starts_with("listening on server...\n"), "{}", daemon.output());
    daemon.wait_for_error("there is no interface second");
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    scene.add_second();
    wait_until_heard(&daemon, "second", 1);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    daemon.end_with_warnings();
}

#[test]
fn an_interface_gets_its_first_address_late() {
    let name = "an_interface_gets_its_first_address_late";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    scene.server("ip address flush dev second");
    let daemon = scene.start("-i second");
    let warning = "knockd: warning: second has no address of its own: only knocks at other addresses of \
                   this machine count there\n";
    daemon.wait_for_error(warning);
    scene.server("ip address add 203.0.113.1/24 dev second");
    daemon.wait_for("second has an address: 203.0.113.1");
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    scene.server("ip address flush dev second");
    daemon.wait_for_error(&format!("{warning}{warning}"));
    assert_eq!(daemon.end_with_warnings(), format!("{warning}{warning}"));
}

#[test]
fn an_interface_goes_down_and_up() {
    let Some(scene) = Scene::new("an_interface_goes_down_and_up", &[], DOOR) else { return };
    scene.server("ip link set server down");
    // At the start, and later.
    let daemon = scene.start("-i server");
    let warning = "knockd: warning: server is down: no knock arrives there until it is up; 'ip link set server up' \
                   does that\n";
    for times in 1..=3 {
        daemon.wait_for_error(&warning.repeat(times));
        scene.server("ip link set server up; until ip -o link show server | grep -q 'state UP'; do sleep 0.01; done");
        daemon.wait_for_times("server is up", times);
        knock(&scene, &daemon, "192.0.2.1", FIRST);
        if times < 3 {
            scene.server("ip link set server down");
        }
    }
    assert_eq!(daemon.end_with_warnings(), warning.repeat(3));
}

#[test]
fn an_interface_is_deleted_and_made_again_and_the_other_goes_on() {
    let name = "an_interface_is_deleted_and_made_again_and_the_other_goes_on";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    let daemon = scene.start("-i server,second");
    for times in 1..=2 {
        knock(&scene, &daemon, "203.0.113.1", SECOND);
        scene.server("ip link del second");
        daemon.wait_for_errors("second is gone: waiting for it to come back\n", times);
        knock(&scene, &daemon, "192.0.2.1", FIRST);
        scene.add_second();
        wait_until_heard(&daemon, "second", times);
    }
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    daemon.end_with_warnings();
}

#[test]
fn another_interface_with_the_number_of_one_that_is_gone_is_another_interface() {
    let name = "another_interface_with_the_number_of_one_that_is_gone_is_another_interface";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    let make = "ip link add name second index 77 type veth peer name second-peer
        ip address add 203.0.113.1/24 dev second
        ip link set second-peer up
        ip link set second up";
    scene.server(make);
    let daemon = scene.start("-i second");
    // When the daemon looks, it sees the same as before.
    daemon.asleep(|| scene.server(&format!("ip link del second\n{make}")));
    daemon.wait_for("listening on second");
    let mut injector = Injector::between(&scene, "second-peer", "second");
    injector.knock("198.51.100.9", "203.0.113.1", &PORTS, &[]);
    daemon.wait_for("198.51.100.9: door: OPEN SESAME");
    assert_eq!(daemon.end_with_warnings(), "");
}

#[test]
fn an_interface_that_is_renamed_is_still_heard() {
    let name = "an_interface_that_is_renamed_is_still_heard";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    let daemon = scene.start("-i second");
    rename(&scene, "second", "other");
    let warning = "knockd: warning: second is now named other, and knockd still listens on it; after a \
                   restart it waits for second, unless you name other\n";
    daemon.wait_for_error(warning);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    rename(&scene, "other", "second");
    daemon.wait_for("other is now named second");
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    daemon.end_with_warnings();
}

#[test]
fn an_interface_is_awaited_that_gets_its_name_later() {
    let name = "an_interface_is_awaited_that_gets_its_name_later";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    let daemon = scene.start("-i wan0");
    rename(&scene, "second", "wan0");
    wait_until_heard(&daemon, "wan0", 1);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    // Another one takes its name, and then its place.
    rename(&scene, "wan0", "old");
    daemon.wait_for_error("wan0 is now named old");
    rename(&scene, "server", "wan0");
    daemon.wait_for("no longer listening on old");
    wait_until_heard(&daemon, "wan0", 2);
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    daemon.end_with_warnings();
}

#[test]
fn an_interface_that_is_moved_to_another_network_comes_back() {
    let name = "an_interface_that_is_moved_to_another_network_comes_back";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    let daemon = scene.start("-i second");
    scene.cable.server.set_up(&format!("ip link set second netns {}", scene.cable.client.id()));
    daemon.wait_for_error("second is gone");
    let server = scene.cable.server.id();
    scene.cable.client.set_up(&format!("ip link set second netns {server}"));
    daemon.wait_for("listening on second, which is down ('ip link set second up') and has no address of its own");
    scene.server("ip address add 203.0.113.1/24 dev second; ip link set second up");
    wait_until_heard(&daemon, "second", 1);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    daemon.end_with_warnings();
}

#[test]
fn every_interface_that_matches_a_pattern_is_heard() {
    let name = "every_interface_that_matches_a_pattern_is_heard";
    for options in ["-i 's*'", ""] {
        let config = format!("[options]\ninterface = se?on*,s*er{DOOR}");
        let config = if options.is_empty() { &config } else { DOOR };
        let Some(scene) = Scene::new(name, &[], config) else { return };
        let daemon = scene.start(options);
        assert!(daemon.output().starts_with("listening on server...\n"), "{}", daemon.output());
        knock(&scene, &daemon, "192.0.2.1", FIRST);
        for times in 1..=2 {
            scene.add_second();
            wait_until_heard(&daemon, "second", times);
            knock(&scene, &daemon, "203.0.113.1", SECOND);
            scene.server("ip link del second");
            // With other interfaces of the pattern, this one is not awaited.
            if options.is_empty() {
                daemon.wait_for_error("second is gone: waiting for it");
            } else {
                daemon.wait_for_times("second is gone", times);
            }
        }
        daemon.end_with_warnings();
    }
}

#[test]
fn a_pattern_that_no_interface_matches_waits() {
    let Some(scene) = Scene::new("a_pattern_that_no_interface_matches_waits", &[], DOOR) else {
        return;
    };
    let daemon = scene.start("-i 'ppp*,tun*'");
    assert_eq!(daemon.output(), "waiting for ppp*, tun*...\n");
    daemon.wait_for_error("no interface matches ppp*: waiting for one (available: lo, server)");
    daemon.wait_for_error("no interface matches tun*: waiting for one (available: lo, server)");
    let mut tunnel = Tunnel::new(&scene);
    wait_until_heard(&daemon, "tun0", 1);
    tunnel.knock("203.0.113.51", "203.0.113.1", &PORTS);
    daemon.wait_for("203.0.113.51: door: OPEN SESAME");
    daemon.end_with_warnings();
}

#[test]
fn a_tunnel_comes_and_goes() {
    let Some(scene) = Scene::new("a_tunnel_comes_and_goes", &[], DOOR) else { return };
    let daemon = scene.start("-i tun0,server");
    for times in 1..=2 {
        let mut tunnel = Tunnel::new(&scene);
        wait_until_heard(&daemon, "tun0", times);
        let client = format!("203.0.113.{times}0");
        tunnel.knock(&client, "203.0.113.1", &PORTS);
        daemon.wait_for(&format!("{client}: door: OPEN SESAME"));
        scene.server("ip link del tun0");
        daemon.wait_for_errors("tun0 is gone: waiting for it to come back\n", times);
    }
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    daemon.end_with_warnings();
}

#[test]
fn where_no_interface_is_named_the_default_route_is_awaited() {
    for (which, route, knocked_at, client) in [
        ("IPv4", "ip route add default via 192.0.2.10", "192.0.2.1", FIRST),
        ("IPv6", "ip -6 route add default via 2001:db8::10", "2001:db8::1", "2001:db8::10"),
    ] {
        let name = "where_no_interface_is_named_the_default_route_is_awaited";
        let Some(scene) = Scene::new(name, &[], DOOR) else { return };
        let daemon = scene.start("");
        assert_eq!(daemon.output(), "waiting for a default route...\n");
        let warning = "knockd: warning: no interface is named, and there is no default route: waiting for one; \
                       or name an interface with '-i' or the directive 'Interface' (available: lo, server)\n";
        assert_eq!(daemon.errors(), warning, "{which}");
        // A route to somewhere else is not waited for.
        scene.server("ip route add 10.99.0.0/16 via 192.0.2.10");
        scene.server(route);
        wait_until_heard(&daemon, "server", 1);
        knock(&scene, &daemon, knocked_at, client);
        assert_eq!(daemon.end_with_warnings(), warning);
    }
}

#[test]
fn where_no_interface_is_named_the_default_route_is_followed() {
    let name = "where_no_interface_is_named_the_default_route_is_followed";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    scene.server("ip route add default via 192.0.2.10 metric 100");
    let daemon = scene.start("");
    assert_eq!(daemon.output(), "listening on server...\n");
    // A better one, as a network manager adds it.
    scene.server("ip route add default via 203.0.113.10 metric 50");
    wait_until_heard(&daemon, "second", 1);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    // Knocks may still arrive on the first one.
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    // It goes with its interface, and the other one stays.
    scene.server("ip link delete second");
    daemon.wait_for("second is gone");
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    assert_eq!(daemon.end_with_warnings(), "");
}

#[test]
fn after_the_only_interface_is_gone_the_next_default_route_is_awaited() {
    let name = "after_the_only_interface_is_gone_the_next_default_route_is_awaited";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.add_second();
    scene.server("ip route add default via 203.0.113.10");
    let daemon = scene.start("");
    assert_eq!(daemon.output(), "listening on second...\n");
    scene.server("ip link delete second");
    let warning = "knockd: warning: second is gone: waiting for a default route\n";
    daemon.wait_for_error(warning);
    scene.server("ip route add default via 192.0.2.10");
    wait_until_heard(&daemon, "server", 1);
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    assert_eq!(daemon.end_with_warnings(), warning);
}

#[test]
fn a_reload_that_names_no_interface_any_more_follows_the_default_route() {
    let name = "a_reload_that_names_no_interface_any_more_follows_the_default_route";
    let options = |line: &str| format!("[options]\n\t{line}\n{DOOR}");
    let Some(scene) = Scene::new(name, &[], &options("Interface = server")) else { return };
    let daemon = scene.start("");
    scene.add_second();
    scene.configure(DOOR);
    daemon.signal("HUP");
    daemon.wait_for_error("there is no default route");
    scene.server("ip route add default via 203.0.113.10");
    wait_until_heard(&daemon, "second", 1);
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    daemon.end_with_warnings();
}

#[test]
fn a_reload_changes_the_interfaces_at_once() {
    let name = "a_reload_changes_the_interfaces_at_once";
    let config = |interfaces: &str| format!("[options]\ninterface = {interfaces}\n{DOOR}");
    let Some(scene) = Scene::new(name, &[], &config("server")) else { return };
    scene.add_second();
    let daemon = scene.start("");
    // The first knock of a sequence that goes on after the reload.
    scene.client("nc -z -s 192.0.2.10 192.0.2.1 7001");
    daemon.wait_for("192.0.2.10: door: Stage 1");
    scene.configure(&config("second,server"));
    daemon.signal("HUP");
    daemon.wait_for("listening on second");
    scene.client("nc -z -s 192.0.2.10 192.0.2.1 7002; nc -z -s 192.0.2.10 203.0.113.1 7003");
    daemon.wait_for("192.0.2.10: door: OPEN SESAME");
    scene.configure(&config("second,third"));
    daemon.signal("HUP");
    daemon.wait_for("no longer listening on server");
    daemon.wait_for_error("there is no interface third: waiting for it");
    scene.client("knock 192.0.2.1 7001 7002 7003");
    knock(&scene, &daemon, "203.0.113.1", SECOND);
    assert_eq!(daemon.count("192.0.2.10: door: OPEN SESAME"), 1);
    daemon.end_with_warnings();
}

#[test]
fn an_interface_that_comes_later_is_one_of_any() {
    let Some(scene) = Scene::new("an_interface_that_comes_later_is_one_of_any", &[], DOOR) else {
        return;
    };
    let daemon = scene.start("-i any");
    scene.add_second();
    scene.server("ip address add 203.0.113.7/24 dev second");
    // There is no line about it.
    daemon.knock_until(&format!("{SECOND}: door: OPEN SESAME"), 1, || {
        scene.client("knock 203.0.113.7 7001 7002 7003");
    });
    // It goes on when one of them goes.
    scene.server("ip link del server");
    knock(&scene, &daemon, "203.0.113.7", SECOND);
    assert_eq!(daemon.end_with_warnings(), "");
}

#[test]
fn an_address_that_is_moved_to_a_bridge_counts_on_its_port() {
    let name = "an_address_that_is_moved_to_a_bridge_counts_on_its_port";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    let daemon = scene.start("-i server");
    scene.server(
        "ip link add br0 type bridge
        ip address flush dev server
        ip address add 192.0.2.1/24 dev br0
        ip link set server master br0
        ip link set br0 up
        until ip -o link show br0 | grep -q 'state UP'; do sleep 0.01; done",
    );
    daemon.wait_for_error("server has no address of its own");
    knock(&scene, &daemon, "192.0.2.1", FIRST);
    daemon.end_with_warnings();
}

#[test]
fn an_address_of_the_loopback_interface_counts_where_packets_to_it_arrive() {
    let name = "an_address_of_the_loopback_interface_counts_where_packets_to_it_arrive";
    let Some(scene) = Scene::new(name, &[], DOOR) else { return };
    scene.server("ip address add 198.51.100.7/32 dev lo");
    scene.server("ip address add 2001:db8:99::7/128 dev lo");
    scene.client("ip route add 198.51.100.7 via 192.0.2.1");
    scene.client("ip -6 route add 2001:db8:99::7 via 2001:db8::1");
    let daemon = scene.start("-i server");
    knock(&scene, &daemon, "198.51.100.7", FIRST);
    scene.client("knock -6 2001:db8:99::7 7001 7002 7003");
    daemon.wait_for("2001:db8::10: door: OPEN SESAME");
    daemon.end();
}

/// Waits until the daemon has reported often enough that it listens on an interface, and by now also that
/// this is up and has an address.
fn wait_until_heard(daemon: &Daemon<'_>, interface: &str, times: usize) {
    wait_until(interface, || {
        let output = daemon.output();
        let begins: Vec<_> = output.match_indices(&format!("listening on {interface}")).collect();
        let Some((at, _)) = times.checked_sub(1).and_then(|before| begins.get(before)) else {
            return false;
        };
        let (line, rest) = output[*at..].split_once('\n').unwrap_or_default();
        let is_up = !line.contains("is down") || rest.contains(&format!("{interface} is up\n"));
        let lacks_address = line.contains("has no address");
        is_up && (!lacks_address || rest.contains(&format!("{interface} has an address")))
    });
}

/// Knocks once at one of the server's addresses, which must open the door once more.
fn knock(scene: &Scene, daemon: &Daemon<'_>, server: &str, client: &str) {
    let line = format!("{client}: door: OPEN SESAME");
    let before = daemon.count(&line);
    scene.client(&format!("knock {server} 7001 7002 7003"));
    daemon.wait_for_times(&line, before + 1);
}

/// Renames an interface, which stays up if the kernel can do that.
fn rename(scene: &Scene, old: &str, new: &str) {
    scene.server(&format!(
        "ip link set {old} name {new} || {{
            ip link set {old} down; ip link set {old} name {new}; ip link set {new} up; }}"
    ));
}

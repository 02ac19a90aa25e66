//! The kinds of links on which knocks arrive. (Not every machine has a driver for PPP.)

use crate::common::{Injector, Scene, Tunnel};

/// A door without flags, and one with flags, for which the kernel's filter has other code.
const DOORS: &str = "
[door]
    sequence = 7001,7002,7003
    seq_timeout = 100
    command =
[syn]
    sequence = 7001,7002,7003
    seq_timeout = 100
    tcpflags = syn
    command =
";

const PORTS: [u16; 3] = [7001, 7002, 7003];

const OPENED: [&str; 2] = ["door: OPEN SESAME", "syn: OPEN SESAME"];

#[test]
fn vlan_tags_are_looked_through_at_any_depth() {
    let Some(scene) = Scene::new("vlan_tags_are_looked_through_at_any_depth", &[], DOORS) else {
        return;
    };
    let mut injector = Injector::new(&scene);
    // The kernel removes the outermost tag from the frame, as some hardware does, and leaves the others.
    // What it passes on for `any` does not show that there are others (Linux 6.18).
    let depths = [&[][..], &[5], &[5, 6], &[5, 6, 7]];
    for (interface, depths) in [("server", &depths[..]), ("any", &depths[..2])] {
        let daemon = scene.start(&format!("-i {interface}"));
        for (&tags, times) in depths.iter().zip(1..) {
            injector.knock("192.0.2.51", "192.0.2.1", &PORTS, tags);
            injector.knock("2001:db8::51", "2001:db8::1", &PORTS, tags);
            for line in OPENED {
                daemon.wait_for_times(&format!("192.0.2.51: {line}"), times);
                daemon.wait_for_times(&format!("2001:db8::51: {line}"), times);
            }
        }
        daemon.end();
    }
}

#[test]
fn knocks_arrive_through_a_tunnel() {
    let Some(scene) = Scene::new("knocks_arrive_through_a_tunnel", &[], DOORS) else { return };
    let mut tunnel = Tunnel::new(&scene);
    for interface in ["tun0", "any", "server,tun0"] {
        let daemon = scene.start(&format!("-i {interface}"));
        tunnel.knock("203.0.113.51", "203.0.113.1", &PORTS);
        tunnel.knock("2001:db8:7::51", "2001:db8:7::1", &PORTS);
        for line in OPENED {
            daemon.wait_for(&format!("203.0.113.51: {line}"));
            daemon.wait_for(&format!("2001:db8:7::51: {line}"));
        }
        daemon.end();
    }
}

#[test]
fn each_knock_counts_once_on_the_loopback_interface() {
    let name = "each_knock_counts_once_on_the_loopback_interface";
    let config = "
[door]
    sequence = 7001,7001:udp,7001:udp,7002
    seq_timeout = 100
    command =
";
    let Some(scene) = Scene::new(name, &[], config) else { return };
    for interface in ["lo", "any"] {
        let daemon = scene.start(&format!("-i {interface}"));
        for (option, address) in [("-4", "127.0.0.1"), ("-6", "::1")] {
            scene.server(&format!("knock {option} {address} 7001 7001:udp 7001:udp 7002"));
            daemon.wait_for(&format!("{address}: door: OPEN SESAME"));
        }
        daemon.end();
    }
}

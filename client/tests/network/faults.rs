//! Errors of sending name the knock.

use crate::scene::{KNOCK, NOBODY, Scene, sent};

#[test]
fn an_unreachable_network_is_reported_before_the_first_packet() {
    let name = "an_unreachable_network_is_reported_before_the_first_packet";
    let Some(scene) = Scene::new(name, &[]) else { return };
    assert_eq!(scene.client("ip route add prohibit 198.18.0.0/24").status, Some(0));
    let sniffer = scene.record();
    for (host, cause) in [
        ("203.0.113.1", "Network is unreachable"),
        ("2001:db8:7::1", "Network is unreachable"),
        ("198.18.0.1", "Permission denied"),
    ] {
        let outcome = scene.knock(&format!("{host} 7000 8000"));
        let printed = format!("knock: error: cannot reach {host}: {cause}\n");
        assert_eq!((outcome.status, outcome.stderr), (Some(2), printed));
    }
    assert_eq!(sniffer.end(), []);
}

#[test]
fn a_multicast_address_is_reported_before_the_first_packet() {
    let name = "a_multicast_address_is_reported_before_the_first_packet";
    let Some(scene) = Scene::new(name, &[]) else { return };
    assert_eq!(scene.client("ip route add 224.0.0.0/4 dev client").status, Some(0));
    let sniffer = scene.record();
    for (host, shown) in [("224.0.0.7", "224.0.0.7"), ("ff02::7%client", "ff02::7")] {
        let outcome = scene.knock(&format!("-v {host} 7000:udp 8000"));
        let printed = format!(
            "knock: error: cannot reach {shown}: it is a multicast address, which TCP cannot use\n"
        );
        assert_eq!((outcome.status, outcome.stderr), (Some(2), printed));
    }
    assert_eq!(sniffer.end(), []);
}

#[test]
fn an_address_on_another_interface_is_an_error() {
    let Some(scene) = Scene::new("an_address_on_another_interface_is_an_error", &[]) else {
        return;
    };
    let outcome = scene.knock("--interface lo fe80::1%client 7000");
    let printed = "knock: error: fe80::1%client is not on interface `lo`\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), printed));
}

#[test]
fn flags_without_the_privilege_are_reported_before_the_first_packet() {
    let name = "flags_without_the_privilege_are_reported_before_the_first_packet";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let sniffer = scene.record();
    for server in ["192.0.2.1", "2001:db8::1"] {
        let outcome = scene.knock(&format!("{server} 7000 8000:tcp:fin"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
        let printed = "knock: error: knock `8000:tcp:fin` needs a raw socket, which only root and \
                    programs with CAP_NET_RAW may open\n  help: ";
        assert!(outcome.stderr.starts_with(printed), "{outcome:?}");
    }
    assert_eq!(sniffer.end(), []);
    // The capability alone is enough.
    let raw =
        NOBODY.replace("--inh-caps=-all", "--inh-caps=-all,+net_raw --ambient-caps=-all,+net_raw");
    let outcome = scene.client(&format!("{raw} {KNOCK} 192.0.2.1 8000:tcp:fin"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_knock_that_this_machine_does_not_let_out_is_reported_by_number() {
    let name = "a_knock_that_this_machine_does_not_let_out_is_reported_by_number";
    let Some(scene) = Scene::new(name, &["iptables"]) else { return };
    let rules = "iptables -A OUTPUT -p udp --dport 8000 -j DROP
        iptables -A OUTPUT -p tcp --dport 8001 -j DROP";
    assert_eq!(scene.client(rules).status, Some(0));
    for (knocks, what) in [
        ("7000 8000:udp 9000", "2 of 3, `8000:udp`"),
        ("7000 7001 8001:tcp:fin", "3 of 3, `8001:tcp:fin`"),
    ] {
        let sniffer = scene.record();
        let outcome = scene.client(&format!("knock 192.0.2.1 {knocks}"));
        let printed = format!("knock: error: cannot send knock {what}: Operation not permitted\n");
        assert_eq!((outcome.status, outcome.stderr), (Some(1), printed));
        let before = knocks.split(' ').take_while(|knock| !knock.starts_with('8'));
        let before: Vec<_> = before.map(|port| format!("{port} [S]")).collect();
        assert_eq!(sent(&sniffer.end(), "192.0.2.1"), before, "nothing leaves after it");
    }
}

#[test]
fn a_name_without_an_address_of_the_family_is_an_error() {
    let name = "a_name_without_an_address_of_the_family_is_an_error";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let hosts = "echo 192.0.2.1 four.example >/run/hosts && mount --bind /run/hosts /etc/hosts";
    let hosts = format!("mount -t tmpfs none /run && {hosts}");
    let outcome = scene.client(&format!("{hosts} && knock -6 four.example 7000"));
    assert_eq!(outcome.status, Some(2), "{outcome:?}");
    let printed = "knock: error: cannot find an IPv6 address of host `four.example`: ";
    assert!(outcome.stderr.starts_with(printed), "{outcome:?}");
    let outcome = scene.client("knock -v four.example 7000");
    assert_eq!(outcome.stdout, "hitting tcp 192.0.2.1:7000\n", "{outcome:?}");
    let outcome = scene.client("knock -v --source 192.0.2.11 four.example 7000");
    assert_eq!(outcome.stdout, "hitting tcp 192.0.2.1:7000\n", "{outcome:?}");
}

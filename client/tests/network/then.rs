//! `--then`: did it open?

use std::time::{Duration, Instant};

use crate::scene::{Scene, Seen, schema};

/// A firewall that drops port 22, and a daemon that opens it.
const CONFIG: &str = "
[ssh]
    sequence = 7000,8000,9000
    seq_timeout = 100
    tcpflags = syn
    command = iptables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
    command_6 = ip6tables -I INPUT -s %IP% -p tcp --dport 22 -j ACCEPT
";

/// Starts Debian's knockd on the server, behind a firewall that drops or rejects.
pub(crate) fn keep_door(scene: &Scene, reaction: &str) -> knock_tests::process::Live {
    for iptables in ["iptables", "ip6tables"] {
        scene.server(&format!("{iptables} -A INPUT -p tcp --dport 22 -j {reaction}"));
    }
    std::fs::write(scene.path("knockd.conf"), CONFIG).unwrap();
    let live =
        scene.on_server(&format!("exec knockd -v -i server -c {}", scene.path("knockd.conf")));
    assert_eq!(live.line(), "listening on server...");
    live
}

fn scene(name: &str) -> Option<Scene> {
    Scene::new(name, &["knockd", "iptables", "ip6tables"])
}

#[test]
fn a_door_that_opens_is_reported_with_status_0() {
    for reaction in ["DROP", "REJECT"] {
        let Some(scene) = scene("a_door_that_opens_is_reported_with_status_0") else { return };
        let _door = keep_door(&scene, reaction);
        for server in ["192.0.2.1", "2001:db8::1"] {
            let _ssh = scene.listener(server, 22);
            let outcome = scene.knock(&format!("--then 22/tcp --wait 60 {server} 7000 8000 9000"));
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{reaction}");
            let seconds = outcome.stdout.strip_prefix("22/tcp is open after ").unwrap();
            let seconds: f64 = seconds.strip_suffix(" s\n").unwrap().parse().unwrap();
            assert!(seconds < 60.0, "{seconds}");
        }
    }
}

#[test]
fn a_door_that_does_not_open_is_reported_with_the_cause_and_status_4() {
    let name = "a_door_that_does_not_open_is_reported_with_the_cause_and_status_4";
    let Some(scene) = scene(name) else { return };
    let _door = keep_door(&scene, "DROP");
    for (port, cause) in [(22, "there is no answer"), (23, "connections are refused")] {
        let begin = Instant::now();
        let outcome = scene.knock(&format!("--then {port} --wait 700ms 192.0.2.1 7000 8000"));
        assert!(begin.elapsed() >= Duration::from_millis(800));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(4), ""));
        let printed =
            format!("knock: error: {port}/tcp is not open after 700 ms: {cause}\n  help: ");
        assert!(outcome.stderr.starts_with(&printed), "{outcome:?}");
    }
}

#[test]
fn with_json_the_results_are_objects() {
    let Some(scene) = scene("with_json_the_results_are_objects") else { return };
    let _listener = scene.listener("192.0.2.1", 22);
    let outcome = scene.knock("--json --then 22 192.0.2.1 7000");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let lines = schema().objects(&outcome.stdout);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!((&lines[0]["event"], &lines[0]["port"]), (&"knock".into(), &7000.into()));
    assert_eq!((&lines[1]["event"], &lines[1]["port"]), (&"open".into(), &22.into()));
    let outcome = scene.knock("--json --then 23 --wait 0.1 --retry 1 192.0.2.1 7000 8000:udp");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(4), ""));
    let printed = schema().objects(&outcome.stdout);
    let events: Vec<_> = printed.iter().map(|object| object["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["knock", "knock", "shut", "knock", "knock", "shut"]);
    for (shut, again) in [(&printed[2], true), (&printed[5], false)] {
        assert_eq!((&shut["port"], &shut["again"]), (&23.into(), &again.into()), "{shut}");
        assert_eq!(shut["cause"], "connections are refused");
    }
    assert!(printed[5]["help"].as_str().unwrap().contains("`--retry 2`"), "{printed:?}");
}

#[test]
fn retries_knock_again_until_it_opens() {
    let Some(scene) = scene("retries_knock_again_until_it_opens") else { return };
    // No daemon hears the first round.
    let sniffer = scene.record();
    let outcome = scene.knock("--then 22 --wait 300ms --retry 2 192.0.2.1 7000 8000");
    assert_eq!(outcome.status, Some(4));
    let again = "22/tcp is not open after 300 ms (connections are refused); knocking again\n";
    assert_eq!(outcome.stdout, again.repeat(2));
    let seen = sniffer.end();
    let knocks = |port: u16| seen.iter().filter(|packet| packet.to_port == port).count();
    assert_eq!((knocks(7000), knocks(8000)), (3, 3));
    // The second round opens.
    let _listener = scene.listener("192.0.2.1", 22);
    scene.server("iptables -A INPUT -p tcp --dport 22 -j DROP");
    let opener = scene.on_server(
        "exec 2>&1; tcpdump -i server -n -c 2 --immediate-mode -Z root 'dst port 7000' >/dev/null \
         && iptables -F INPUT",
    );
    while !opener.line().contains("listening on server") {}
    let outcome = scene.knock("--then 22 --wait 2 --retry 9 192.0.2.1 7000");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.contains("knocking again\n22/tcp is open after "), "{outcome:?}");
}

#[test]
fn a_later_round_that_cannot_be_prepared_is_status_1_as_knocks_have_left() {
    let name = "a_later_round_that_cannot_be_prepared_is_status_1_as_knocks_have_left";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let outcome = scene.client(
        "{ knock --then 22 --wait 300ms --retry 99 192.0.2.1 7000; echo \"status $?\"; } |
        { read -r first && ip -4 address flush dev client; tail -n 1; }",
    );
    let printed =
        "knock: error: cannot prepare knock `7000:tcp`: Cannot assign requested address\n";
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("status 1\n", printed));
}

#[test]
fn the_port_is_tried_after_the_last_knock_only_and_closed_cleanly() {
    let name = "the_port_is_tried_after_the_last_knock_only_and_closed_cleanly";
    let Some(scene) = scene(name) else { return };
    let _listener = scene.listener("192.0.2.1", 22);
    let sniffer = scene.record();
    assert_eq!(scene.knock("--then 22 192.0.2.1 7000 8000").status, Some(0));
    let seen = sniffer.end();
    let place = |port: u16| {
        seen.iter()
            .position(|packet: &Seen| packet.to_port == port && packet.kind == "[S]")
            .unwrap()
    };
    assert!(place(7000) < place(8000) && place(8000) < place(22), "{seen:?}");
    let to_port = seen.iter().filter(|packet| packet.to_port == 22);
    let kinds: Vec<&str> = to_port.map(|packet| &*packet.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "[S]").count(), 1, "{seen:?}");
    assert!(kinds.contains(&"[F.]") && !kinds.iter().any(|kind| kind.contains('R')), "{seen:?}");
}

#[test]
fn a_connection_to_itself_is_not_an_open_port() {
    let Some(scene) = scene("a_connection_to_itself_is_not_an_open_port") else { return };
    // The only local port for connections is the one that the client tries.
    let range = "echo '40000 40003' > /proc/sys/net/ipv4/ip_local_port_range";
    assert_eq!(scene.client(range).status, Some(0));
    let outcome = scene.knock("--then 40001 --wait 2 127.0.0.1 7000:udp");
    assert_eq!(outcome.status, Some(4), "{outcome:?}");
}

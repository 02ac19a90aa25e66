//! Signed packets as they arrive.

use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use knock_signed::{Digest, Hint, Key, Minute, PACKET_BYTES, Packet, PacketKey, Verb};
use knock_tests::process::Outcome;

use crate::daemon::{self, Program};
use crate::scene::{KNOCK, Scene};

const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

fn key() -> PacketKey {
    Key::take(&mut [7; 32]).for_packets()
}

/// Writes a file with the key and these lines. Returns its path.
fn key_file(scene: &Scene, lines: &str) -> String {
    let path = scene.path("the.key");
    fs::write(&path, format!("key = {KEY}\n{lines}")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    path
}

/// Runs the client's program as the owner of the key.
fn knock(scene: &Scene, arguments: &str) -> Outcome {
    scene.client(&format!("{KNOCK} {arguments}"))
}

/// Receives signed packets on the server.
struct Ear(UdpSocket);

impl Ear {
    fn new(scene: &Scene, address: &'static str) -> Self {
        let socket = scene.cable.server.open(move || UdpSocket::bind(address).unwrap());
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self(socket)
    }

    /// Waits for a packet. Returns where it came from, and what it says.
    fn hear(&self) -> (String, Packet) {
        let mut bytes = [0; PACKET_BYTES + 1];
        let (length, from) = self.0.recv_from(&mut bytes).unwrap();
        let packet = bytes[..length].try_into().unwrap();
        let opened = key().open(packet).unwrap();
        assert_eq!(key().hint(opened.moment.minute()), Hint::of(packet));
        (from.ip().to_string(), opened)
    }
}

#[test]
fn a_packet_goes_to_each_address_of_the_host_with_a_moment_of_its_own() {
    let name = "a_packet_goes_to_each_address_of_the_host_with_a_moment_of_its_own";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let key = key_file(&scene, "server = Home.example.com\nport = 1234\ndoors = SSH\n");
    let ears = ["192.0.2.1:1234", "[2001:db8::1]:1234"].map(|address| Ear::new(&scene, address));
    let hosts = "printf '192.0.2.1 both.example\\n2001:db8::1 both.example\\n' >/run/hosts";
    let hosts =
        format!("mount -t tmpfs none /run && {hosts} && mount --bind /run/hosts /etc/hosts");
    let outcome = scene.client(&format!("{hosts} && {KNOCK} -v --key {key} both.example"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{outcome:?}");
    assert!(lines.contains(&"signed packet to 192.0.2.1 port 1234"), "{outcome:?}");
    assert!(lines.contains(&"signed packet to 2001:db8::1 port 1234"), "{outcome:?}");
    let [(from_v4, v4), (from_v6, v6)] = ears.map(|ear| ear.hear());
    assert_eq!((from_v4.as_str(), from_v6.as_str()), ("192.0.2.10", "2001:db8::10"));
    assert_eq!(v4.moment.0.abs_diff(v6.moment.0), 1);
    for packet in [v4, v6] {
        assert_eq!((packet.verb, packet.prefix, packet.seconds), (Verb::Open, None, None));
        assert_eq!(packet.admit, None);
        assert_eq!(packet.server, Digest::of_server(b"home.example.com"));
        assert_eq!(packet.door, Digest::of_door(b"SSH"));
    }
}

#[test]
fn a_packet_says_for_how_long_or_that_the_door_is_to_close() {
    let name = "a_packet_says_for_how_long_or_that_the_door_is_to_close";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let key = key_file(&scene, "");
    let ear = Ear::new(&scene, "192.0.2.1:62201");
    let said = |option: &str| {
        let outcome = knock(&scene, &format!("--key {key} --door SSH {option} 192.0.2.1"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let packet = ear.hear().1;
        (packet.verb, packet.seconds.map(NonZeroU32::get))
    };
    assert_eq!(said("--for 2h"), (Verb::Open, Some(7_200)));
    assert_eq!(said("--close"), (Verb::Close, None));
}

#[test]
fn the_time_is_the_present_and_no_two_packets_are_alike() {
    let name = "the_time_is_the_present_and_no_two_packets_are_alike";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let key = key_file(&scene, "");
    let ear = Ear::new(&scene, "192.0.2.1:62201");
    let now = || {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        u64::try_from(since.as_nanos()).unwrap()
    };
    let before = now();
    let mut moments = Vec::new();
    for _ in 0..2 {
        let outcome = knock(&scene, &format!("--key {key} --door SSH 192.0.2.1"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
        moments.push(ear.hear().1.moment.0);
    }
    assert!(before <= moments[0] && moments[0] < moments[1] && moments[1] <= now(), "{moments:?}");
}

#[test]
fn the_address_to_admit_is_that_of_this_machine_or_any_other() {
    let name = "the_address_to_admit_is_that_of_this_machine_or_any_other";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let key = key_file(&scene, "");
    let ear = Ear::new(&scene, "192.0.2.1:62201");
    for (admit, expected) in
        [("auto", "192.0.2.10"), ("198.51.100.7", "198.51.100.7"), ("2001:db8::9", "2001:db8::9")]
    {
        let arguments = format!("--key {key} --door SSH --admit {admit} 192.0.2.1");
        let outcome = knock(&scene, &arguments);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(ear.hear().1.admit, Some(expected.parse().unwrap()));
    }
}

#[test]
fn a_port_that_does_not_open_gets_another_packet_with_a_later_moment() {
    let name = "a_port_that_does_not_open_gets_another_packet_with_a_later_moment";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let key = key_file(&scene, "");
    let ear = Ear::new(&scene, "192.0.2.1:62201");
    let arguments = "--door SSH --then 22 --wait 200ms --retry 1 192.0.2.1";
    let outcome = knock(&scene, &format!("--key {key} {arguments}"));
    assert_eq!(outcome.status, Some(4), "{outcome:?}");
    assert!(outcome.stderr.contains("the clocks of the two may differ"), "{outcome:?}");
    let [first, second] = [ear.hear(), ear.hear()].map(|(_, packet)| packet.moment);
    assert!(first < second);
    let _listener = scene.listener("192.0.2.1", 22);
    let outcome = knock(&scene, &format!("--key {key} {arguments}"));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(outcome.stdout.starts_with("22/tcp is open after "), "{outcome:?}");
}

#[test]
fn a_firewall_that_blocks_one_address_of_two_is_no_failure_and_one_that_blocks_both_is() {
    let name =
        "a_firewall_that_blocks_one_address_of_two_is_no_failure_and_one_that_blocks_both_is";
    let Some(scene) = Scene::new(name, &["iptables", "ip6tables"]) else { return };
    let key = key_file(&scene, "");
    let ear = Ear::new(&scene, "192.0.2.1:62201");
    let hosts = "printf '192.0.2.1 both.example\\n2001:db8::1 both.example\\n' >/run/hosts";
    let hosts =
        format!("mount -t tmpfs none /run && {hosts} && mount --bind /run/hosts /etc/hosts");
    let knock = format!("{KNOCK} --key {key} --door SSH both.example");
    let block = |program| format!("{program} -I OUTPUT -p udp --dport 62201 -j DROP");
    let outcome = scene.client(&format!("{hosts} && {} && {knock}", block("ip6tables")));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let note = "knock: note: cannot send the packet to 2001:db8::1, `62201:udp`: \
                operation not permitted\n";
    assert_eq!(outcome.stderr.to_lowercase(), note.to_lowercase());
    let (from, packet) = ear.hear();
    assert_eq!(from, "192.0.2.10");
    assert!(packet.moment.minute() > Minute(0));
    let outcome = scene.client(&format!("{hosts} && {} && {knock}", block("iptables")));
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("knock: error: cannot send the packet to "), "{outcome:?}");
}

#[test]
fn the_daemon_opens_for_the_owner_of_a_key_over_ipv4_and_ipv6() {
    let name = "the_daemon_opens_for_the_owner_of_a_key_over_ipv4_and_ipv6";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let key = key_file(&scene, "server = home.example.com\ndoors = SSH\n");
    let keys = scene.path("keys");
    fs::create_dir(&keys).unwrap();
    fs::copy(&key, format!("{keys}/alice.laptop.key")).unwrap();
    let options = format!("[options]\nServer_Name = home.example.com\nKey_Dir = {keys}\n");
    let config = format!("{options}[SSH]\nSigned = alice\nAdmit = both\ncommand = true\n");
    let daemon = daemon::start(&scene, Program::Ours, &config);
    for (server, client) in [("192.0.2.1", "192.0.2.10"), ("2001:db8::1", "2001:db8::10")] {
        let outcome = knock(&scene, &format!("--key {key} --admit auto {server}"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(daemon.line(), format!("{client}: SSH: signed packet of alice"));
        assert_eq!(daemon.line(), format!("{client}: SSH: OPEN SESAME"));
        assert_eq!(daemon.line(), "SSH: running command: true");
    }
    // Without the address in the packet, `both` lets nobody in.
    let outcome = knock(&scene, &format!("--key {key} 192.0.2.1"));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let why = "signed packet of alice ignored: for another address than its sender's";
    assert_eq!(daemon.error_line(), format!("192.0.2.10: {why}"));
}

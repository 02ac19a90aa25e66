//! Signed packets to doors that the kernel guards.

use std::fs::{self, Permissions};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use knock_signed::{Digest, Key, Moment, PACKET_BYTES, Packet, Verb};

use crate::common::{Scene, wait_until};

const CONFIG: &str = "\
[options]
    Firewall = nft
    Server_Name = home.example.com
    Key_Dir = DIR/keys
[SSH]
    Signed = alice
    Open = tcp/22
    Open_For = 1h
";

const ALICE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

const SET: &str = "nft list set inet knockd admitted4 | grep elements || true";

/// Makes a packet of alice.
fn packet(verb: Verb, seconds: Option<u32>) -> [u8; PACKET_BYTES] {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let moment = Moment(u64::try_from(now).unwrap());
    let packet = Packet {
        verb,
        prefix: None,
        seconds: seconds.and_then(|seconds| seconds.try_into().ok()),
        moment,
        admit: None,
        server: Digest::of_server(b"home.example.com"),
        door: Digest::of_door(b"SSH"),
    };
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&moment.0.to_be_bytes());
    Key::take(&mut [7; 32]).for_packets().seal(&packet, &nonce)
}

#[test]
fn a_client_is_let_in_for_as_long_as_it_asks_and_shut_out_when_it_asks() {
    let test = "a_client_is_let_in_for_as_long_as_it_asks_and_shut_out_when_it_asks";
    let Some(scene) = Scene::new(test, &["nft"], CONFIG) else { return };
    let keys = scene.placed("DIR/keys");
    fs::create_dir(&keys).unwrap();
    fs::write(format!("{keys}/alice.key"), format!("key = {ALICE}\n")).unwrap();
    fs::set_permissions(format!("{keys}/alice.key"), Permissions::from_mode(0o600)).unwrap();
    let socket = scene.cable.client.open(|| UdpSocket::bind("192.0.2.10:0").unwrap());
    let send = |verb, seconds| {
        socket.send_to(&packet(verb, seconds), "192.0.2.1:62201").unwrap();
    };
    let is_out = || scene.ask_server(SET).is_empty();
    let shut_out = |daemon: &crate::common::Daemon<'_>| {
        daemon.wait_for("192.0.2.10: SSH: closing, as asked");
        daemon.wait_for("SSH: 192.0.2.10: admission ended");
        wait_until("the kernel lets the client in no more", is_out);
    };
    let daemon = scene.start("-i server");
    send(Verb::Open, Some(90));
    daemon.wait_for("SSH: admit 192.0.2.10 to tcp/22 for 90 s");
    assert!(!is_out());
    send(Verb::Close, None);
    shut_out(&daemon);
    // The engine of the next daemon does not know who is let in.
    send(Verb::Open, Some(7200));
    daemon.wait_for("SSH: admit 192.0.2.10 to tcp/22 for 3600 s");
    daemon.signal("KILL");
    let _ = daemon.finish();
    wait_until("no process of the daemon is left", || {
        scene.ask_server("pgrep -x 'knockd|knockd-sniffer' || true").is_empty()
    });
    assert!(!is_out());
    let daemon = scene.start("-i server");
    send(Verb::Close, None);
    shut_out(&daemon);
    let printed = daemon.end();
    assert_eq!(printed.matches("admission ended").count(), 1, "{printed}");
}

//! Signed packets to doors that the kernel guards.

use std::fs::{self, Permissions};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use knock_signed::{Key, PACKET_BYTES, Packet, Verb};
use knock_tests::signed::{request, sealed};

use crate::common::{Injector, Scene, wait_until};

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

/// Where signed packets go.
const PORT: u16 = 62_201;

const ALICE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

const SET: &str = "nft list set inet knockd admitted4 | grep elements || true";

/// Makes a packet of alice.
fn packet(verb: Verb, seconds: Option<u32>) -> [u8; PACKET_BYTES] {
    let seconds = seconds.and_then(|seconds| seconds.try_into().ok());
    let packet = Packet { verb, seconds, ..request("home.example.com", "SSH") };
    sealed(&Key::take(&mut [7; 32]).for_packets(), &packet)
}

/// Returns a scene for a test, with the key of alice; `None` if this machine lacks a program.
fn scene(test: &str, programs: &[&str]) -> Option<Scene> {
    let scene = Scene::new(test, programs, CONFIG)?;
    let keys = scene.placed("DIR/keys");
    fs::create_dir(&keys).unwrap();
    fs::write(format!("{keys}/alice.key"), format!("key = {ALICE}\n")).unwrap();
    fs::set_permissions(format!("{keys}/alice.key"), Permissions::from_mode(0o600)).unwrap();
    Some(scene)
}

#[test]
fn a_client_is_let_in_for_as_long_as_it_asks_and_shut_out_when_it_asks() {
    let test = "a_client_is_let_in_for_as_long_as_it_asks_and_shut_out_when_it_asks";
    let Some(scene) = scene(test, &["nft"]) else { return };
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

#[test]
fn honest_packets_open_in_a_flood_of_garbage_which_takes_no_memory() {
    /// More than the ring has places, before each honest packet.
    const GARBAGE: usize = 40_000;
    const CLIENTS: u8 = 5;
    let test = "honest_packets_open_in_a_flood_of_garbage_which_takes_no_memory";
    let Some(scene) = scene(test, &["nft", "pgrep"]) else { return };
    let mut injector = Injector::new(&scene);
    let mut honest = Injector::new(&scene);
    let garbage: Vec<Vec<u8>> = (0..4096).map(garbage).collect();
    let daemon = scene.start("-i server");
    let (sent, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let memory = thread::scope(|threads| {
        threads.spawn(|| {
            for frame in garbage.iter().cycle() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                injector.send(frame);
                sent.fetch_add(1, Ordering::Relaxed);
            }
        });
        let over = Over(&is_over);
        let memory: Vec<u64> = (1..=CLIENTS)
            .map(|number| {
                let before = sent.load(Ordering::Relaxed);
                wait_until("garbage is sent", || sent.load(Ordering::Relaxed) > before + GARBAGE);
                let client = Ipv4Addr::new(203, 0, 113, number);
                honest.send(&Injector::datagram(client, PORT, &packet(Verb::Open, None)));
                daemon.wait_for(&format!("SSH: admit {client} to tcp/22 for 3600 s"));
                memory(&scene)
            })
            .collect();
        drop(over);
        memory
    });
    let (first, last) = (memory[0], memory[memory.len() - 1]);
    assert!(
        last < first + 1024,
        "{memory:?} KiB, in which {} packets were sent",
        sent.into_inner()
    );
    let warnings = daemon.end_with_warnings();
    let rest = warnings.lines().filter(|line| !line.contains("packets were lost"));
    assert_eq!(rest.collect::<Vec<_>>(), [""; 0]);
}

/// Ends a thread, also if a test fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns random bytes that are as long as a signed packet and go where one would go.
fn garbage(number: u32) -> Vec<u8> {
    let random = RandomState::new();
    let bytes: [u8; PACKET_BYTES] = std::array::from_fn(|at| random.hash_one(at).to_be_bytes()[0]);
    Injector::datagram(Ipv4Addr::from(0x0a00_0000 + number), PORT, &bytes)
}

/// Returns how much memory of their own the processes of the daemon have, in KiB.
fn memory(scene: &Scene) -> u64 {
    let lines = "for id in $(pgrep -x 'knockd|exe'); do grep RssAnon: /proc/$id/status; done";
    let lines = scene.ask_server(lines);
    let sizes: Vec<u64> = lines
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(sizes.len() >= 2, "{lines}");
    sizes.iter().sum()
}

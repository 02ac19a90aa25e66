//! Reloads while knocks come without end.

use std::fs;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::common::{Scene, comes_true};

/// How often the configuration is reloaded.
const RELOADS: usize = 500;

/// The door that all knocks are for, and another one whose port is different after every reload, so that
/// the kernel's filter is, too.
fn config(number: usize) -> String {
    let other = 20_000 + number;
    format!(
        "[storm]\nsequence = 7001:udp,7002:udp,7003:udp\nseq_timeout = 300\ncommand =\n\
         [other]\nsequence = {other}:udp\ncommand =\n"
    )
}

#[test]
fn five_hundred_reloads_that_change_the_filter_lose_no_knock() {
    let name = "five_hundred_reloads_that_change_the_filter_lose_no_knock";
    let Some(scene) = Scene::new(name, &[], &config(0)) else { return };
    let daemon = scene.start("-i server");
    // From now on, the client knows the hardware address of the server, and its packets wait for nothing.
    daemon.settle();
    let socket = scene.cable.client.open(|| UdpSocket::bind("192.0.2.10:0").unwrap());
    let is_over = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let storm = scope.spawn(|| knock(&socket, &is_over));
        for number in 1..=RELOADS {
            replace(&scene, number);
            daemon.signal("HUP");
            let came = comes_true(|| count(&daemon.output(), "re-reading config file: ") >= number);
            if !came {
                break;
            }
        }
        is_over.store(true, Ordering::Relaxed);
        storm.join().unwrap()
    });
    daemon.settle();
    let output = daemon.output();
    assert_eq!(count(&output, "re-reading config file: "), RELOADS);
    assert!(sent > RELOADS, "{sent} sequences");
    assert_eq!(count(&output, "192.0.2.10: storm: OPEN SESAME"), sent);
    // The last filter lets the last port through.
    let last = 20_000 + RELOADS;
    scene.client(&format!("printf x | nc -u -q 0 192.0.2.1 {last}"));
    daemon.wait_for("192.0.2.10: other: OPEN SESAME");
    assert_eq!(daemon.end().matches("sequence timeout").count(), 0);
}

/// Replaces the configuration as a whole: an unfinished one might be read.
fn replace(scene: &Scene, number: usize) {
    let last = scene.read("knockd.conf");
    let [old, new] = [number - 1, number].map(config);
    scene.write("new.conf", &last.replace(&old, &new));
    fs::rename(scene.path("new.conf"), scene.path("knockd.conf")).unwrap();
}

/// Knocks again and again, and returns how often it has knocked at all ports.
fn knock(socket: &UdpSocket, is_over: &AtomicBool) -> usize {
    // On a cable between two processors, packets could overtake each other.
    let mut one = CpuSet::new();
    one.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
    let mut sequences = 0;
    while !is_over.load(Ordering::Relaxed) {
        for port in [7001, 7002, 7003] {
            socket.send_to(b"x", ("192.0.2.1", port)).unwrap();
            thread::sleep(Duration::from_micros(200));
        }
        sequences += 1;
    }
    sequences
}

/// Returns how many lines begin like this.
fn count(output: &str, beginning: &str) -> usize {
    output.lines().filter(|line| line.starts_with(beginning)).count()
}

//! Debian's knock 0.8 compared with this one.

use std::time::{Duration, Instant};

use knock_tests::command_line::CommandLine;

use crate::scene::{KNOCK, Scene, sent};

/// Debian's program, not the one that [`Scene::client`] calls `knock`.
const OLD: &str = "command knock";

/// Arguments to which one of our options can be added.
const BASES: &[&str] = &["host 7000", "host", "--write=x host 7000", ""];

#[test]
fn the_lines_and_the_knocks_are_those_of_knock_08() {
    let name = "the_lines_and_the_knocks_are_those_of_knock_08";
    let Some(scene) = Scene::new(name, &["knock"]) else { return };
    for arguments in [
        "-v 192.0.2.1 7000 8000:udp 9000:tcp",
        "-v -u 192.0.2.1 7000 8000:tcp 9000:udp",
        "-v -6 2001:db8::1 7000 8000:udp",
        "-v -4 -6 2001:db8::1 7000",
        "-v 2001:db8::1 7000",
        "-v fe80::1%client 7000",
        "192.0.2.1 7000 -v 8000 -d 1",
        "--verbose --delay 1 --ipv4 --udp 192.0.2.1 7000",
        "192.0.2.1 7000 8000",
        "-v -d 200 -v -d 5 192.0.2.1 7000 8000",
        "--verb --d 5 --ipv4 --ud --ud 192.0.2.1 7000 8000",
    ] {
        let [old, new] = [OLD, KNOCK].map(|knock| {
            let sniffer = scene.record();
            let outcome = scene.client(&format!("{knock} {arguments}"));
            assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments}");
            let seen = sniffer.end();
            let to = ["192.0.2.1", "2001:db8::1", "fe80::1"].map(|server| sent(&seen, server));
            (outcome.stdout, to)
        });
        assert_eq!(new, old, "{arguments}");
    }
}

#[test]
fn an_abbreviated_option_means_the_same_as_in_knock_08() {
    let name = "an_abbreviated_option_means_the_same_as_in_knock_08";
    let Some(scene) = Scene::new(name, &["knock"]) else { return };
    let ours = CommandLine::new(knock::command(), "", BASES);
    for name in ["udp", "delay", "ipv4", "ipv6", "verbose"] {
        for length in 1..=name.len() {
            let beginning = &name[..length];
            let theirs = scene.client(&format!("{OLD} --{beginning}=5 --help"));
            let is_ambiguous = theirs.stderr.contains("is ambiguous");
            let expected = if is_ambiguous { None } else { Some(name) };
            assert_eq!(ours.meaning(beginning).as_deref(), expected, "{beginning}: {theirs:?}");
        }
    }
}

#[test]
fn what_the_manual_page_says_of_knock_08_is_so() {
    let name = "what_the_manual_page_says_of_knock_08_is_so";
    let Some(scene) = Scene::new(name, &["knock", "strace"]) else { return };
    let old = |arguments: &str| scene.client(&format!("{OLD} {arguments}"));
    let hits = old("-v -d abc 192.0.2.1 7000:tpc 7000:UDP 0");
    let hit = |port: &str| format!("hitting tcp 192.0.2.1:{port}\n");
    assert_eq!(hits.stdout, ["7000", "7000", "0"].map(hit).concat());
    assert_eq!(old("-v 0.0.0.0 7000").stdout, "hitting tcp 0.0.0.0:7000\n");
    assert_eq!(old("-v ::ffff:192.0.2.1 7000").stdout, "hitting tcp ::ffff:192.0.2.1:7000\n");
    assert_eq!(old("203.0.113.1 7000").status, Some(0));
    assert_eq!(old("nobody.invalid 7000").status, Some(1));
    assert_eq!(old("192.0.2.1").status, Some(1));
    let strace = "strace -f -e trace=openat knock -4 localhost 7000 8000 9000 2>&1";
    let outcome = scene.client(&format!("unset -f knock; {strace}"));
    assert_eq!(outcome.stdout.matches("\"/etc/hosts\"").count(), 3, "{outcome:?}");
    let begin = Instant::now();
    assert_eq!(old("-d 700 192.0.2.1 7000").status, Some(0));
    assert!(begin.elapsed() >= Duration::from_millis(700));
    // An open port gets more than a SYN.
    let _listener = scene.listener("192.0.2.1", 7000);
    let sniffer = scene.record();
    assert_eq!(old("192.0.2.1 7000").status, Some(0));
    let seen = sniffer.end();
    let knocks = sent(&seen, "192.0.2.1");
    assert!(
        knocks.contains(&"7000 [.]".into()) && knocks.contains(&"7000 [F.]".into()),
        "{knocks:?}"
    );
}

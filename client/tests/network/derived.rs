//! Sequences that both sides derive from a key and the time.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::daemon::{self, Program};
use crate::scene::{KNOCK, Scene};

/// What neither side may print anywhere: the key, as it is in the file.
const KEY: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I=";

/// Writes the file of the key. Returns a configuration whose door derives its sequences from it.
fn config(scene: &Scene, more: &str) -> String {
    let file = scene.path("the.key");
    fs::write(&file, format!("# of the test\nkey = {KEY}\n")).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    format!("[SSH]\nsequence_key = {file}\n{more}command = true\n")
}

#[test]
fn a_derived_sequence_opens_once_in_a_period_over_ipv4_and_ipv6() {
    let name = "a_derived_sequence_opens_once_in_a_period_over_ipv4_and_ipv6";
    let Some(scene) = Scene::new(name, &[]) else { return };
    // One period for the whole test, unless a day begins meanwhile: the next sequence counts as well then.
    let config = config(&scene, "sequence_period = 1d\nsequence_ports = 30000-39999:udp\n");
    fs::write(scene.path("client.conf"), &config).unwrap();
    let daemon = daemon::start(&scene, Program::Ours, &config);
    let door = format!("--config {} --door SSH", scene.path("client.conf"));
    for (server, client) in [("192.0.2.1", "192.0.2.10"), ("2001:db8::1", "2001:db8::10")] {
        let outcome = scene.client(&format!("{KNOCK} {door} {server}"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        for stage in 1..=5 {
            assert_eq!(daemon.line(), format!("{client}: SSH: Stage {stage}"));
        }
        assert_eq!(daemon.line(), format!("{client}: SSH: OPEN SESAME"));
        assert_eq!(daemon.line(), "SSH: running command: true");
        let again = scene.client(&format!("{KNOCK} {door} {server}"));
        assert_eq!(again.status, Some(0), "{again:?}");
        for stage in 1..=5 {
            assert_eq!(daemon.line(), format!("{client}: SSH: Stage {stage}"));
        }
        let line = daemon.error_line();
        let why = "SSH: opened with this sequence already (Sequence_Period), ignored";
        assert!(line.ends_with(&format!("{client}: {why}")), "{line}");
    }
}

#[test]
fn knocks_of_another_key_or_door_open_nothing() {
    let name = "knocks_of_another_key_or_door_open_nothing";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let config = config(&scene, "sequence_ports = 30000-39999:udp\n");
    let daemon = daemon::start(&scene, Program::Ours, &config);
    let other_door = config.replace("[SSH]", "[web]");
    fs::write(scene.path("client.conf"), other_door).unwrap();
    let knock = |door: &str| {
        let outcome = scene.client(&format!(
            "{KNOCK} --config {} --door {door} 192.0.2.1",
            scene.path("client.conf")
        ));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
    };
    knock("web");
    let other_key = scene.path("other.key");
    fs::write(&other_key, format!("key = {}\n", KEY.replace("c2VjcmV0", "b3RoZXIg"))).unwrap();
    fs::set_permissions(&other_key, Permissions::from_mode(0o600)).unwrap();
    fs::write(scene.path("client.conf"), config.replace(&scene.path("the.key"), &other_key))
        .unwrap();
    knock("SSH");
    // Its own knocks come last, so all before them were handled.
    fs::write(scene.path("client.conf"), &config).unwrap();
    knock("SSH");
    let mut lines = vec![daemon.line()];
    while !lines.last().unwrap().contains("OPEN SESAME") {
        lines.push(daemon.line());
    }
    let own: Vec<String> = (1..=5).map(|stage| format!("192.0.2.10: SSH: Stage {stage}")).collect();
    assert_eq!(lines[lines.len() - 6..lines.len() - 1], own, "{lines:?}");
}

#[test]
fn a_key_that_others_can_read_is_refused_and_no_output_has_a_key() {
    let name = "a_key_that_others_can_read_is_refused_and_no_output_has_a_key";
    let Some(scene) = Scene::new(name, &[]) else { return };
    let config = config(&scene, "sequence_period = 1d\n");
    let path = scene.path("client.conf");
    fs::write(&path, &config).unwrap();
    let outputs = |knock: &str| {
        let outcome =
            scene.client(&format!("{KNOCK} --config {path} --door SSH 192.0.2.1 {knock}"));
        let printed = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(!printed.contains(KEY), "{printed}");
        assert!(!printed.contains("secret secret"), "{printed}");
        (outcome.status, printed)
    };
    for knock in ["-v", "--json", "--dry-run", "--dry-run --json"] {
        assert_eq!(outputs(knock).0, Some(0));
    }
    fs::set_permissions(scene.path("the.key"), Permissions::from_mode(0o644)).unwrap();
    let (status, printed) = outputs("-v");
    assert_eq!(status, Some(2), "{printed}");
    assert!(printed.contains("it has a key, and other users may read it (mode 0644)"), "{printed}");
    assert!(printed.contains("help: run `chmod 600 "), "{printed}");
}

//! Signed packets.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use serde_json::Value;

use crate::common::CaseRunner;

/// A server with a door for alice, and one for all users.
pub(crate) const CONFIG: &str = "\
[options]
    Server_Name = home.example.com
    Key_Dir = keys.d

[SSH]
    Signed = alice
    Start_Command = open %IP%
    Cmd_Timeout = 10
    Stop_Command = close %IP%

[web]
    Signed = any
    Admit = both
    Command = web %IP%
";

/// Keys, in base64.
pub(crate) const ALICE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub(crate) const ALICE_2: &str = "CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=";
pub(crate) const BOB: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Returns a folder with a configuration and the keys of alice and bob.
pub(crate) fn server() -> CaseRunner {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", CONFIG);
    DirBuilder::new().mode(0o700).create(desk.path("keys.d")).unwrap();
    write_key(&desk, "alice", &format!("key = {ALICE}\n"));
    write_key(&desk, "bob", &format!("key = {BOB}\n"));
    desk
}

/// Writes a file with a key, which nobody else may read.
pub(crate) fn write_key(desk: &CaseRunner, name: &str, text: &str) {
    let path = desk.path(&format!("keys.d/{name}.key"));
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

const OPENED: &str = "\
192.0.2.10: SSH: signed packet of alice
192.0.2.10: SSH: OPEN SESAME
SSH: running command: open 192.0.2.10
192.0.2.10: SSH: command timeout
SSH: running command: close 192.0.2.10
";

#[test]
fn a_scenario_has_signed_packets() {
    let desk = server();
    desk.write("a.scenario", "signed alice door SSH skew +40s again 1 every 3s by 10.0.0.66\n");
    let outcome = desk.run("a.scenario -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{outcome:?}");
    let piped = b"signed alice door SSH\n";
    let outcome = desk.run_with_input("- -c knockd.conf", &piped[..]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{outcome:?}");
}

#[test]
fn every_command_signs_the_packets_of_scenarios() {
    let desk = server();
    desk.write("a.scenario", "signed alice door SSH\n");
    for (arguments, status) in [
        ("explain a.scenario -c knockd.conf", 0),
        ("report a.scenario -c knockd.conf -o a.html", 0),
        ("extract a.scenario -c knockd.conf -o a.pcapng", 0),
        ("diff a.scenario -c knockd.conf --new knockd.conf", 0),
        ("a.scenario -c knockd.conf --format json", 0),
        // knockd 0.8 knows no signed packets.
        ("diff a.scenario -c knockd.conf --rules", 1),
    ] {
        let outcome = desk.run(arguments);
        assert_eq!(outcome.status, Some(status), "{arguments}: {outcome:?}");
    }
    assert_eq!(desk.run("a.pcapng -c knockd.conf").stdout, OPENED);
    assert!(fs::read_to_string(desk.path("a.html")).unwrap().contains("signed packet of alice"));
}

#[test]
fn a_scenario_has_signed_packets_that_close_a_door_or_ask_for_less_time() {
    let desk = server();
    let config = CONFIG.replace("[options]\n", "[options]\n    Firewall = nft\n");
    desk.write("knockd.conf", config + "[mail]\n    Signed = alice\n    Open = tcp/25\n");
    desk.write(
        "a.scenario",
        "signed alice door mail for 90s\n200 signed alice door mail\n+2 signed alice door mail close\n",
    );
    let outcome = desk.run("a.scenario -c knockd.conf --time=relative");
    insta::assert_snapshot!(outcome.stdout);
}

/// A command and an admission that a packet ends have it; those whose time is over, at the very moment of the packet, too,
/// have none.
#[test]
fn what_a_closing_packet_ends_has_that_packet_in_json() {
    let desk = server();
    let config = CONFIG.replace("[options]\n", "[options]\n    Firewall = nft\n");
    let mail = "[mail]\n    Signed = alice\n    Open = tcp/25\n    Open_For = 60\n";
    desk.write("knockd.conf", config + mail);
    // SSH closes after 10 s, mail after 60 s.
    desk.write(
        "a.scenario",
        "0 signed alice door SSH from 10.0.0.1\n\
         +2 signed alice door SSH from 10.0.0.1 close\n\
         100 signed alice door mail from 10.0.0.1\n\
         +2 signed alice door mail from 10.0.0.1 close\n\
         200 signed alice door SSH from 10.0.0.2\n\
         200 signed alice door SSH from 10.0.0.1\n\
         205 signed alice door SSH from 10.0.0.2\n\
         210 signed alice door SSH from 10.0.0.2 close\n",
    );
    let outcome = desk.run("a.scenario -c knockd.conf --format json -q");
    let objects = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let ends = ["closing", "admission-ended", "command-timeout", "stop-command"];
    let ends = objects.filter(|object: &Value| ends.iter().any(|end| object["event"] == *end));
    let ends = ends.map(|object| {
        let packet = object
            .get("packet")
            .map_or("no packet".to_owned(), |packet| packet["number"].to_string());
        let [event, client] =
            ["event", "client"].map(|key| object[key].as_str().unwrap().to_owned());
        format!("{} {client} {event}: {packet}\n", object["after_seconds"])
    });
    insta::assert_snapshot!(ends.collect::<String>());
}

#[test]
fn a_test_can_be_about_replays_and_wrong_clocks() {
    let desk = server();
    let scenario = "signed alice door SSH from 10.0.0.5 again 1 every 5s by 10.0.0.66\n\
                    60 signed alice door SSH from 10.0.0.6 skew -61s\n\
                    60 signed alice door SSH from 10.0.0.7 server other.example.com\n\
                    60 signed bob door SSH from 10.0.0.8\n\
                    60 signed bob door web from 10.0.0.9 admit 10.0.0.9\n\
                    60 signed bob door web from 10.0.0.66 admit 10.0.0.9\n";
    let assertions = "opens SSH 1\nmust open SSH from 10.0.0.5\nmust open web from 10.0.0.9\n\
                      must not open any from 10.0.0.6\nmust not open any from 10.0.0.7\n\
                      must not open any from 10.0.0.8\nmust not open any from 10.0.0.66\n";
    fs::create_dir(desk.path("knocks")).unwrap();
    desk.write("knocks/a.scenario", scenario);
    desk.write("knocks/a.assert", assertions);
    let outcome = desk.run("test knocks --config knockd.conf");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    // Without what is wrong with each, all of them get in.
    let right = scenario
        .replace("skew -61s", "")
        .replace("server other.example.com", "")
        .replace("bob door SSH", "alice door SSH");
    desk.write("knocks/a.scenario", right);
    let outcome = desk.run("test knocks --config knockd.conf");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    for client in 6..=8 {
        let opened = format!("door `SSH` opened for 10.0.0.{client}");
        assert!(outcome.stdout.contains(&opened), "{outcome:?}");
    }
}

#[test]
fn the_key_of_a_user_with_several_can_be_chosen() {
    let desk = server();
    write_key(&desk, "alice.old", &format!("key = {ALICE_2}\nuntil = 2001-08-31\n"));
    // `alice.key` comes before `alice.old.key`.
    for (key, is_open) in [("", true), ("key 1", true), ("key 2", false)] {
        desk.write("a.scenario", format!("signed alice door SSH {key}\n"));
        let outcome = desk.run("a.scenario -c knockd.conf");
        assert_eq!(outcome.stdout.contains("OPEN SESAME"), is_open, "{key}: {outcome:?}");
    }
}

#[test]
fn a_capture_is_made_of_signed_packets_with_the_keys_of_a_configuration() {
    let desk = server();
    desk.write("a.scenario", "signed alice door SSH\n");
    let outcome = desk.run("convert a.scenario a.pcap");
    assert_eq!(outcome.status, Some(3));
    insta::assert_snapshot!(outcome.stderr);
    assert!(!desk.path("a.pcap").exists());
    let outcome = desk.run("convert a.scenario a.pcap -c knockd.conf");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert_eq!(desk.run("a.pcap -c knockd.conf").stdout, OPENED);
    let mode = fs::metadata(desk.path("a.pcap")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What is read is not written over.
    for file in ["knockd.conf", "a.scenario"] {
        let outcome = desk.run(&format!("convert a.scenario {file} -c knockd.conf"));
        assert_eq!(outcome.status, Some(2), "{file}: {outcome:?}");
    }
}

#[test]
fn a_user_without_a_key_is_an_error_with_its_place() {
    let desk = server();
    desk.write("a.scenario", "signed alice door SSH\n+1 signed carol door SSH\n");
    let outcome = desk.run("a.scenario -c knockd.conf");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn a_scenario_with_signed_packets_is_no_file_of_assertions() {
    let desk = server();
    desk.write("a.scenario", "signed alice door SSH\n");
    let outcome = desk.run("a.scenario -c knockd.conf --assert a.scenario");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("it is a scenario, not a file of assertions"), "{outcome:?}");
}

#[test]
fn a_check_warns_of_keys_that_do_not_fit_the_configuration() {
    let desk = server();
    desk.write("knockd.conf", CONFIG.replace("Signed = alice", "Signed = alice,dave"));
    write_key(&desk, "bob", &format!("key = {BOB}\ndoors = SSH,web\n"));
    write_key(&desk, "alice.old", &format!("key = {ALICE_2}\nuntil = 2001-08-31\n"));
    let codes = |options: &str| -> Vec<String> {
        let outcome = desk.run(&format!("check knockd.conf {options} --format json"));
        let objects = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
        let found = objects.map(|object: serde_json::Value| {
            format!("{} {}", object["code"].as_str().unwrap(), object["line"])
        });
        found.filter(|one| one.contains("key")).collect()
    };
    let anywhere = ["key-without-door 3", "user-without-key 6"];
    assert_eq!(codes(""), anywhere);
    // The clock is that of the machine which the keys are for.
    let here = ["expired-key 3", anywhere[0], anywhere[1]];
    let mut found = codes("--on-this-machine");
    found.sort();
    assert_eq!(found, here);
    let denied = desk.run("check knockd.conf --deny user-without-key");
    assert_eq!(denied.status, Some(2), "{denied:?}");
    assert!(denied.stderr.contains("error[user-without-key]: `dave` has no key"), "{denied:?}");
}

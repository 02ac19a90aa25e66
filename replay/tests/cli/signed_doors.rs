//! Doors that signed packets open, in all that the program prints.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use knock_tests::schema::Schema;
use serde_json::Value;

use crate::common::CaseRunner;
use crate::signed::{self, ALICE_2, BOB, CONFIG, write_key};

/// What can be wrong with a packet, each from a client of its own.
const EVERYTHING: &str = "\
0   signed alice door SSH from 10.0.0.1 again 1 every 5s by 10.0.0.66
10  signed alice door SSH from 10.0.0.2 skew -3h
20  signed alice door SSH from 10.0.0.3 server backup.example.com
30  signed bob door SSH from 10.0.0.4
40  signed alice door SSH from 10.0.0.5 key 2
50  signed bob door web from 10.0.0.6
55  signed bob door web from 10.0.0.66 admit 10.0.0.6
60  signed bob door web from 10.0.0.7 admit 10.0.0.7
70  10.0.0.8 > 192.0.2.1 udp 62201
80  signed carol door SSH from 10.0.0.9
90  signed alice door SSH from 2001:db8::5
";

/// Returns a server, and `all.pcap` with everything that can be wrong. The key of carol is revoked.
fn server() -> CaseRunner {
    let desk = signed::server();
    write_key(&desk, "alice.old", &format!("key = {ALICE_2}\nuntil = 2001-08-31\n"));
    let carol = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
    write_key(&desk, "carol", &format!("key = {carol}\n"));
    desk.write("all.scenario", EVERYTHING);
    let made = desk.run("convert all.scenario all.pcap -c knockd.conf");
    assert_eq!(made.status, Some(0), "{made:?}");
    fs::remove_file(desk.path("keys.d/carol.key")).unwrap();
    desk
}

/// Returns the objects that a command prints, each as its schema says.
fn objects(desk: &CaseRunner, arguments: &str, schema: &str) -> Vec<Value> {
    let schema = Schema::read(schema);
    let outcome = desk.run(&format!("{arguments} --format json"));
    let objects = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    objects.inspect(|object| schema.check(object)).collect()
}

#[test]
fn every_refusal_is_explained() {
    let desk = server();
    let outcome = desk.run("explain all.pcap -c knockd.conf");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    insta::assert_snapshot!(format!("{}\n{}", outcome.stdout, outcome.stderr));
}

#[test]
fn json_has_a_name_for_every_refusal() {
    let desk = server();
    let objects = objects(&desk, "explain all.pcap -c knockd.conf", "knock-explain.schema.json");
    let refused = objects.iter().filter(|object| object["signed"]["refusal"].is_string());
    let refused = refused.map(|object| {
        let [client, door] = ["client", "door"].map(|key| object[key].as_str().unwrap());
        let signed = &object["signed"];
        let user = signed["user"].as_str().unwrap_or("-");
        let refusal = signed["refusal"].as_str().unwrap();
        format!("{client} {door} {user} {refusal} {}", signed["clock_ahead_seconds"])
    });
    let expected = [
        "10.0.0.66 SSH alice moment-used null",
        "10.0.0.2 SSH alice unknown-key -10800.0",
        "10.0.0.3 SSH alice other-server null",
        "10.0.0.4 SSH bob door-not-allowed null",
        "10.0.0.5 SSH alice key-expired null",
        "10.0.0.6 web bob address-differs null",
        "10.0.0.66 web bob address-differs null",
        "10.0.0.8 SSH - wrong-length null",
        "10.0.0.8 web - wrong-length null",
        "10.0.0.9 SSH - unknown-key null",
        "10.0.0.9 web - unknown-key null",
    ];
    assert_eq!(refused.collect::<Vec<_>>(), expected);
}

#[test]
fn a_report_tells_clients_apart_by_what_was_wrong() {
    let desk = server();
    assert_eq!(desk.run("report all.pcap -c knockd.conf -o all.html").status, Some(0));
    let page = fs::read_to_string(desk.path("all.html")).unwrap();
    for words in [
        "signed packets by a wrong clock, or sent again later",
        "signed packets that were used before",
        "signed packets for another server",
        "signed packets of users who may not open the door like that",
        "signed packets of a key that is over",
        "packets to the port of signed packets, made with no known key",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let summary = page.split("<script").next().unwrap();
    for client in ["10.0.0.1", "10.0.0.7", "2001:db8::5"] {
        assert!(summary.contains(client), "{client}");
    }
}

#[test]
fn what_is_extracted_of_signed_packets_replays_to_the_same() {
    let desk = server();
    // Packets for nobody, before and after.
    desk.write("others.scenario", "0 knock 10.9.9.9 1 2 3\n200 knock 10.9.9.9 4 5:udp\n");
    let elsewhere = CONFIG.replace("[options]\n", "[options]\n    Knock_Port = 4000\n");
    desk.write("new.conf", elsewhere);
    desk.write(
        "new.scenario",
        "100 signed bob door web from 10.0.0.7 admit 10.0.0.7 to 192.0.2.1:4000\n",
    );
    let captures = "all.pcap others.scenario new.scenario";
    let outcome = desk.run(&format!("extract {captures} -c knockd.conf -c new.conf -o x.pcapng"));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    for config in ["knockd.conf", "new.conf"] {
        let whole = desk.run(&format!("{captures} -c {config} --time")).stdout;
        let kept = desk.run(&format!("x.pcapng -c {config} --time")).stdout;
        assert!(whole.contains("OPEN SESAME"), "{config}: {whole}");
        assert_eq!(kept, whole, "{config}");
    }
}

#[test]
fn a_difference_between_configurations_has_its_reason() {
    let desk = signed::server();
    desk.write(
        "a.scenario",
        "0 signed alice door SSH from 10.0.0.1 skew +45s\n20 signed bob door web from 10.0.0.2 admit 10.0.0.2\n",
    );
    fs::DirBuilder::new().mode(0o700).create(desk.path("new.d")).unwrap();
    fs::copy(desk.path("keys.d/alice.key"), desk.path("new.d/alice.key")).unwrap();
    let mut all = String::new();
    for (from, to) in [
        ("keys.d", "new.d"),
        ("Signed = any", "Signed = alice"),
        ("[options]\n", "[options]\n    Clock_Skew = 30\n"),
        ("home.example.com", "other.example.com"),
        ("    Admit = both\n", ""),
    ] {
        desk.write("new.conf", CONFIG.replace(from, to));
        let outcome = desk.run("diff a.scenario -c knockd.conf --new new.conf -q");
        let is_same = from.contains("Admit");
        assert_eq!(outcome.status, Some(i32::from(!is_same)), "{to}: {outcome:?}");
        all.extend(["==> ", to.trim(), "\n", &outcome.stdout]);
        let back = desk.run("diff a.scenario -c new.conf --new knockd.conf -q");
        let gained = |text: &str, sign: &str| text.matches(&format!("\n  {sign}  ")).count();
        // A packet that another server's configuration signs is for that server.
        if from != "home.example.com" {
            assert_eq!(gained(&back.stdout, "+"), gained(&outcome.stdout, "-"), "{back:?}");
        }
        objects(
            &desk,
            "diff a.scenario -c knockd.conf --new new.conf",
            "knock-against.schema.json",
        );
    }
    insta::assert_snapshot!(all);
}

#[test]
fn an_assertion_that_fails_says_what_was_wrong_with_the_packet() {
    let desk = server();
    let clients = ["10.0.0.66", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.9"];
    let lines = clients.map(|client| format!("must open SSH from {client}\n"));
    desk.write("a.assert", lines.concat() + "must open web from 10.0.0.6\nopens SSH 1\n");
    let outcome = desk.run("all.pcap -c knockd.conf --assert a.assert -q");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn what_is_wrong_each_time_is_counted_by_itself() {
    let desk = signed::server();
    let twice = "0 signed alice door SSH skew -3h repeat 2 every 1s\n10 signed bob door SSH\n";
    desk.write("a.scenario", twice);
    let outcome = desk.run("explain a.scenario -c knockd.conf -q");
    let last = outcome.stdout.lines().last().unwrap();
    assert!(
        last.contains("twice signed packet of alice, but the clock of alice is 3 h behind"),
        "{last}"
    );
    assert!(
        last.contains("once signed packet of bob, but for a door that this key may not open"),
        "{last}"
    );
}

#[test]
fn no_key_is_in_any_output() {
    let desk = server();
    let mut all = String::new();
    for arguments in [
        "all.pcap -c knockd.conf -v --time",
        "all.pcap -c knockd.conf --format json",
        "explain all.pcap -c knockd.conf",
        "explain all.pcap -c knockd.conf --format json",
        "diff all.pcap -c knockd.conf --rules",
        "check knockd.conf --on-this-machine",
    ] {
        let outcome = desk.run(arguments);
        all += &(outcome.stdout + &outcome.stderr);
    }
    desk.run("report all.pcap -c knockd.conf -o all.html");
    all += &fs::read_to_string(desk.path("all.html")).unwrap();
    for key in [signed::ALICE, ALICE_2, BOB] {
        assert!(!all.contains(&key[..12]), "{key}");
    }
    // Its bytes as hexadecimal numbers.
    assert!(!all.to_lowercase().contains("00010203040506"));
    assert!(!all.contains("07070707070707"));
}

/// A server whose door lets in for 20 minutes, and clients whose time is shorter: bob asks for 90 s, alice closes after 2 s
/// for herself, and bob for alice; the last stays as long as the door says.
const SHORTER: &str = "\
0    signed bob door mail from 10.0.0.1 admit 10.0.0.1 for 90s
100  signed alice door mail from 10.0.0.2 admit 10.0.0.2
102  signed alice door mail from 10.0.0.2 admit 10.0.0.2 close
200  signed alice door mail from 10.0.0.3 admit 10.0.0.3
230  signed bob door mail from 10.0.0.4 admit 10.0.0.3 close
300  signed bob door mail from 10.0.0.5 admit 10.0.0.5
";

/// Returns that server.
fn mail_server() -> CaseRunner {
    let desk = signed::server();
    let mail =
        "[mail]\n    Signed = any\n    Admit = packet\n    Open = tcp/25\n    Open_For = 1200\n";
    let config = CONFIG.replace("[options]\n", "[options]\n    Firewall = nft\n");
    desk.write("knockd.conf", config + mail);
    desk.write("shorter.scenario", SHORTER);
    desk
}

#[test]
fn an_admission_that_a_packet_ended_or_made_shorter_says_so_and_names_the_packet() {
    let desk = mail_server();
    let outcome = desk.run("explain shorter.scenario -c knockd.conf -q");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn json_says_how_long_an_admission_lasted_and_which_packet_decided() {
    let desk = mail_server();
    let command = "explain shorter.scenario -c knockd.conf";
    let objects = objects(&desk, command, "knock-explain.schema.json");
    let ended = objects.iter().filter(|object| object["verdict"] == "admission-ended");
    let ended = ended.map(|object| {
        let number = |key: &str| object[key]["number"].clone();
        let lines = object["lines"].as_array().unwrap().len();
        let client = object["client"].as_str().unwrap();
        let (lasted, packet, by) =
            (&object["lasted_seconds"], number("packet"), number("ended_by"));
        format!("{client} {lasted} packet {packet} by {by} lines {lines}")
    });
    let expected = [
        "10.0.0.1 90.0 packet null by 1 lines 0",
        "10.0.0.2 2.0 packet 3 by 3 lines 0",
        // The packet is of another client.
        "10.0.0.3 30.0 packet null by 5 lines 0",
        "10.0.0.5 1200.0 packet null by null lines 1",
    ];
    assert_eq!(ended.collect::<Vec<_>>(), expected);
    // Also if the client that closes the door is not explained.
    let outcome = desk.run("explain shorter.scenario -c knockd.conf --client 10.0.0.3 -q");
    let line = "admission ended after 30 s: closed by packet 5";
    assert!(outcome.stdout.contains(line), "{outcome:?}");
}

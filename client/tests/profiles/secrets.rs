//! A key is in its address and in its files, and nowhere else.

use std::fs;
use std::path::Path;

use knock_config::keys::parse_key_file;
use knock_tests::process::Outcome;
use knock_tests::secrets::{Secret, assert_none_in};

use crate::case_runner::CaseRunner;

/// Returns the key in a file, and the parts that packets are made with.
fn secrets(text: &str) -> Vec<Secret> {
    let key = parse_key_file("key".to_owned(), text.as_bytes()).key_file.unwrap().key;
    let packet_key = key.for_packets();
    let (_, hint, aead) = packet_key.parts();
    vec![
        Secret::new("the key", key.as_bytes()),
        Secret::new("the part for hints", hint),
        Secret::new("the part for encryption", aead),
        Secret::new("the part for sequences", key.for_sequences().as_bytes()),
    ]
}

/// Fails if a file in a folder or below it, other than these, has a secret. Returns how many files there are.
fn assert_none_in_files(folder: &Path, but: &[&str], secrets: &[Secret]) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += assert_none_in_files(&path, but, secrets);
        } else if !but.iter().any(|name| path.ends_with(name)) {
            assert_none_in(&path.display().to_string(), &fs::read(&path).unwrap(), secrets);
            count += 1;
        }
    }
    count
}

#[test]
fn a_key_is_in_its_address_and_its_files_and_nowhere_else() {
    let desk = CaseRunner::new("");
    let keys = desk.path("keys.d");
    let enroll =
        format!("enroll --user alice --server a.example --door SSH --keys {}", keys.display());
    let made = desk.run(&enroll);
    assert_eq!(made.status, Some(0), "{made:?}");
    let secrets = secrets(&desk.read("keys.d/alice.key"));
    // The address is the last line of standard output, and has the key once.
    let (before, uri) = made.stdout.trim_end().rsplit_once('\n').unwrap();
    let places = secrets[0].places_in(uri.as_bytes());
    assert_eq!(places.len(), 2, "{places:?}");
    assert!(places.iter().all(|(_, way)| way.starts_with("base64")), "{places:?}");
    assert_none_in("what else is printed", [before, &made.stderr].concat().as_bytes(), &secrets);
    assert_none_in("the address", uri.as_bytes(), &secrets[1..]);

    desk.write("address", uri);
    let silent = |outcome: Outcome, arguments: &str| {
        let said = [outcome.stdout, outcome.stderr].concat();
        assert_none_in(arguments, said.as_bytes(), &secrets);
    };
    let mut import = desk.command("--import - home");
    import.stdin(fs::File::open(desk.path("address")).unwrap());
    silent(desk.finish(&mut import), "--import");
    desk.write("config/knock/config", "Host home\n HostName 127.0.0.1\n Key home.key\n Door SSH\n");
    for arguments in [
        "-v home",
        "-v --json home",
        "--dry-run home",
        "--dry-run --json home",
        "--list -v",
        "--list --json",
        "--write knock.pcap home",
        "--write knock.pcapng --json home",
        "--then 1 --wait 10ms home",
    ] {
        silent(desk.run(arguments), arguments);
    }
    silent(desk.run(&enroll), "a second key");
    let but = ["keys.d/alice.key", "config/knock/home.key", "address"];
    // The profiles, and the two captures.
    assert_eq!(assert_none_in_files(&desk.path(""), &but, &secrets), 3);
}

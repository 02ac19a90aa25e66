//! Profiles with a key, and how keys come to a client.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use knock_tests::process::Outcome;

use crate::case_runner::{CaseRunner, schema};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const URI: &str =
    "knock://alice@home.example.com/SSH?key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

/// Returns a folder with a key, and profiles.
fn with_key(profiles: &str, lines: &str) -> CaseRunner {
    let desk = CaseRunner::new(profiles);
    desk.write("config/knock/home.key", &format!("key = {KEY}\n{lines}"));
    desk
}

/// Runs the program with a text on its standard input.
fn with_input(desk: &CaseRunner, arguments: &str, input: &str) -> Outcome {
    let mut child = desk
        .command(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let folder = desk.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&folder, "DIR");
    Outcome {
        status: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Checks that nothing that was printed has a part of the key.
fn assert_secret(outcome: &Outcome) {
    for part in ["AAEC", "AwQF", "\0\x01\x02", "00010203"] {
        let has = outcome.stdout.contains(part) || outcome.stderr.contains(part);
        assert!(!has, "{part}: {outcome:?}");
    }
}

#[test]
fn a_profile_with_a_key_and_a_door_makes_a_signed_packet() {
    let profiles = "Host home\n  HostName 127.0.0.1\n  Key home.key\n  Door SSH\n  Then 22\n";
    let desk = with_key(profiles, "server = home.example.com\n");
    let outcome = desk.run("--dry-run home");
    assert_secret(&outcome);
    assert_eq!(
        outcome.stdout,
        "\
signed packet for door SSH of home.example.com:
  to 127.0.0.1 port 62201 from 127.0.0.1
then wait up to 5 s until 22/tcp is open
"
    );
    let outcome = desk.run("--dry-run --json --admit auto home");
    assert_secret(&outcome);
    let object: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    schema().check(&object);
    assert_eq!(object["event"], "signed_plan");
    assert_eq!(object["packets"][0]["admit"], "127.0.0.1");
}

#[test]
fn a_packet_asks_for_a_time_or_to_close() {
    let profiles = "Host home\n  HostName 127.0.0.1\n  Key home.key\n  Door SSH\n  Then 22\n";
    let desk = with_key(profiles, "server = home.example.com\n");
    let line = |arguments: &str| {
        let outcome = desk.run(&format!("--dry-run {arguments} home"));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments}");
        outcome.stdout
    };
    let end = "  to 127.0.0.1 port 62201 from 127.0.0.1\n";
    let wait = "then wait up to 5 s until 22/tcp is open\n";
    let first = "signed packet for door SSH of home.example.com for 1800 s:\n";
    assert_eq!(line("--for 30m"), format!("{first}{end}{wait}"));
    // The profile waits for an open door.
    let first = "signed packet to close door SSH of home.example.com:\n";
    assert_eq!(line("--close"), format!("{first}{end}"));
    for (arguments, action, wish) in
        [("--for 90", "open", Some(90)), ("--close", "close", None), ("", "open", None)]
    {
        let object: serde_json::Value =
            serde_json::from_str(&line(&format!("--json {arguments}"))).unwrap();
        schema().check(&object);
        assert_eq!((&object["action"], object["for"].as_u64()), (&action.into(), wish));
    }
    for arguments in
        ["--for 1.5s", "--for 0", "--for 4294967296", "--close --then 22", "--close --for 9"]
    {
        let outcome = desk.run(&format!("--dry-run {arguments} home"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments}");
    }
    for option in ["--for 9", "--close"] {
        let outcome = desk.run(&format!("--dry-run {option} 127.0.0.1"));
        let name = option.split(' ').next().unwrap();
        let error =
            format!("knock: error: `{name}` is about signed packets, and no key is given\n");
        assert!(outcome.stderr.starts_with(&error), "{outcome:?}");
    }
}

#[test]
fn the_command_line_overrides_the_profile_and_a_first_value_a_later_one() {
    let profiles = "Host plain\n  Knocks 7000\nHost *\n  HostName 127.0.0.1\n  Key home.key\n  \
                    Door SSH\n  Config knockd.conf\n";
    let profiles = profiles.replace("  Config knockd.conf\n", "Host *\n  Config knockd.conf\n");
    let desk = with_key(&profiles, "");
    let first = |arguments: &str| {
        let outcome = desk.run(&format!("--dry-run {arguments}"));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        outcome.stdout.lines().next().unwrap().to_owned()
    };
    assert_eq!(first("home"), "signed packet for door SSH of 127.0.0.1:");
    assert_eq!(first("--door web home"), "signed packet for door web of 127.0.0.1:");
    assert_eq!(
        first("plain"),
        "knock at 127.0.0.1 (127.0.0.1) from 127.0.0.1:".replace(" (127.0.0.1)", "")
    );
    assert_eq!(first("home 7000"), "knock at 127.0.0.1 from 127.0.0.1:");
    let key = desk.path("config/knock/home.key");
    let key = key.display();
    assert_eq!(
        first(&format!("--profiles none --key {key} --door SSH 127.0.0.1")),
        "signed packet for door SSH of 127.0.0.1:"
    );
}

#[test]
fn without_a_door_it_is_the_only_one_of_the_key() {
    let desk = with_key("Host home\n  HostName 127.0.0.1\n  Key home.key\n", "doors = my door\n");
    let outcome = desk.run("--dry-run home");
    assert!(
        outcome.stdout.starts_with("signed packet for door my door of 127.0.0.1:"),
        "{outcome:?}"
    );
    desk.write("config/knock/home.key", &format!("key = {KEY}\ndoors = SSH,web\n"));
    let outcome = desk.run("--dry-run home");
    assert_eq!(outcome.status, Some(2));
    assert_eq!(
        outcome.stderr,
        "\
knock: error: no door is given for the key in DIR/config/knock/home.key
  help: name it with `--door`, or with `Door` in the profile; the key is for `SSH`, `web`
"
    );
    let outcome = desk.run("--dry-run --door sesame home");
    assert_eq!(outcome.status, Some(0));
    let warning = "knock: warning: the key in DIR/config/knock/home.key is not for door `sesame`\n";
    assert!(outcome.stderr.starts_with(warning), "{outcome:?}");
}

#[test]
fn a_key_that_ends_soon_or_has_ended_gives_a_warning() {
    let desk = with_key("Host home\n  HostName 127.0.0.1\n  Key home.key\n", "");
    for (until, warning) in
        [("2001-01-01", Some("was valid until 2001-01-01")), ("2262-01-01", None)]
    {
        desk.write("config/knock/home.key", &format!("key = {KEY}\ndoors = a\nuntil = {until}\n"));
        let outcome = desk.run("--dry-run home");
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(outcome.stderr.contains("warning"), warning.is_some(), "{outcome:?}");
        assert!(warning.is_none_or(|warning| outcome.stderr.contains(warning)), "{outcome:?}");
    }
}

#[test]
fn a_key_that_others_can_read_and_one_with_mistakes_are_refused() {
    let desk = with_key("Host home\n  HostName 127.0.0.1\n  Key home.key\n  Door a\n", "");
    desk.permit("config/knock/home.key", 0o604);
    let outcome = desk.run("home");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("other users may read it (mode 0604)"), "{outcome:?}");
    assert!(
        outcome.stderr.contains("help: run `chmod 600 DIR/config/knock/home.key`"),
        "{outcome:?}"
    );
    desk.write("config/knock/home.key", &format!("kye = {KEY}\n"));
    let outcome = desk.run("home");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("did you mean `key`?"), "{outcome:?}");
    assert_secret(&outcome);
    assert_secret(&desk.run("--json home"));
}

#[test]
fn a_missing_key_is_one_that_the_server_makes() {
    let desk = with_key("Host home\n  HostName 127.0.0.1\n  Key none.key\n  Door SSH\n", "");
    let error = |file: &str, why: &str| {
        format!(
            "knock: error: cannot read `{file}`: {why}\n  help: name the file with your key; `knock --import -` stores the \
             one that `knock enroll` has printed on the server\n"
        )
    };
    let outcome = desk.run("home");
    let missing = error("DIR/config/knock/none.key", "there is no such file");
    assert_eq!((outcome.status, outcome.stderr), (Some(2), missing));
    let folder = desk.path("config").display().to_string();
    let outcome = desk.run(&format!("--key {folder} --door SSH 127.0.0.1"));
    assert_eq!(
        (outcome.status, outcome.stderr),
        (Some(2), error("DIR/config", "it is not a regular file"))
    );
}

#[test]
fn options_of_signed_packets_need_a_key() {
    let desk = CaseRunner::new("");
    for option in [
        "--admit auto",
        "--write x --at 1",
        "--write x --nonce 404142434445464748494a4b4c4d4e4f5051525354555657",
    ] {
        let outcome = desk.run(&format!("{option} 127.0.0.1 7000"));
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains("no key is given"), "{outcome:?}");
    }
}

#[test]
fn the_list_of_profiles_names_the_key() {
    let desk = with_key("Host home\n  HostName 127.0.0.1\n  Key home.key\n  Door SSH\n", "");
    let outcome = desk.run("--list -v");
    assert_eq!(outcome.stdout, "home  127.0.0.1  a signed packet, key DIR/config/knock/home.key\n");
    let outcome = desk.run("--list --json");
    schema().check(&serde_json::from_str(&outcome.stdout).unwrap());
}

#[test]
fn a_key_is_made_stored_and_used() {
    let desk = CaseRunner::new("");
    let keys = desk.path("server/keys.d");
    let keys = keys.display();
    let enroll = format!("enroll --user alice --server home.example.com --door SSH --keys {keys}");
    let outcome = desk.run(&format!("{enroll} --until 2099-12-31"));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let uri = outcome.stdout.lines().last().unwrap();
    assert!(uri.starts_with("knock://alice@home.example.com/SSH?key="), "{outcome:?}");
    assert_eq!(
        outcome.stdout.lines().next().unwrap(),
        "DIR/server/keys.d/alice.key: the key of alice for SSH"
    );
    let mode = |name: &str| fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("server/keys.d"), mode("server/keys.d/alice.key")), (0o700, 0o600));
    let on_server = desk.read("server/keys.d/alice.key");
    assert!(on_server.ends_with("doors = SSH\nuntil = 2099-12-31\n"), "{on_server}");

    let outcome = with_input(&desk, "--import - home", &format!("{uri}\n"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    let profile = "Host home\n    HostName home.example.com\n    Key home.key\n    Door SSH\n";
    let expected =
        format!("DIR/config/knock/home.key: stored\nadd to DIR/config/knock/config:\n\n{profile}");
    assert_eq!(outcome.stdout, expected);
    assert_eq!(mode("config/knock/home.key"), 0o600);
    let on_client = desk.read("config/knock/home.key");
    assert_eq!(on_client.lines().next(), on_server.lines().next());
    assert!(on_client.ends_with("until = 2099-12-31\nserver = home.example.com\n"), "{on_client}");

    desk.write("config/knock/config", &profile.replace("home.example.com", "127.0.0.1"));
    let outcome = desk.run("--dry-run home");
    let first = "signed packet for door SSH of home.example.com:\n";
    assert!(outcome.stdout.starts_with(first), "{outcome:?}");
}

#[test]
fn a_second_key_of_a_user_needs_a_label_and_nothing_is_overwritten() {
    let desk = CaseRunner::new("");
    let keys = desk.path("keys.d");
    let enroll = format!("enroll --user bob --server a --keys {}", keys.display());
    assert_eq!(desk.run(&enroll).status, Some(0));
    let before = desk.read("keys.d/bob.key");
    let outcome = desk.run(&enroll);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{outcome:?}");
    let error = "knock: error: DIR/keys.d/bob.key exists, and stays as it is\n";
    assert!(outcome.stderr.starts_with(error), "{outcome:?}");
    assert_eq!(desk.read("keys.d/bob.key"), before);
    assert_eq!(desk.run(&format!("{enroll} --label 2027")).status, Some(0));
    assert_ne!(desk.read("keys.d/bob.2027.key"), before);
}

#[test]
fn an_imported_key_overwrites_nothing() {
    let desk = CaseRunner::new("");
    assert_eq!(with_input(&desk, "--import -", URI).status, Some(0));
    let file = "config/knock/home.example.com.key";
    let before = desk.read(file);
    // All that 'knock enroll' prints can be given.
    let all = format!("/etc/knockd/keys.d/alice.key has a new key\n\n  {URI}\n");
    let again = with_input(&desk, "--import -", &all);
    assert_eq!(again.status, Some(0), "{again:?}");
    let again = with_input(&desk, "--import -", URI);
    assert_eq!(again.status, Some(0));
    assert!(again.stdout.starts_with(&format!("DIR/{file}: was there already\n")), "{again:?}");
    let other = with_input(&desk, "--import -", &URI.replace("AAEC", "AAED"));
    assert_eq!(other.status, Some(2), "{other:?}");
    assert!(other.stderr.contains(&format!("DIR/{file} exists, and stays as it is")), "{other:?}");
    assert_eq!(desk.read(file), before);
}

#[test]
fn an_address_with_a_mistake_is_refused_and_not_repeated() {
    let desk = CaseRunner::new("");
    for (uri, why) in [
        (URI.replace("knock://", "http://"), "does not begin with `knock://`"),
        (URI.replace("?key=", "?kye="), "has a part that is unknown here"),
        (URI.replace("AAEC", "AA+C"), "no `key=` with 32 bytes in base64"),
        (URI.replace("alice@home.example.com", "a%2Fb"), "cannot be the name of a file"),
    ] {
        let outcome = with_input(&desk, "--import -", &uri);
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(outcome.stderr.contains(why), "{outcome:?}");
        assert_secret(&outcome);
        assert_secret(&with_input(&desk, "--json --import -", &uri));
    }
    // An address on the command line stays in the history of the shell.
    let outcome = desk.run(&format!("--import {URI}"));
    assert_eq!(outcome.status, Some(0));
    assert!(
        outcome.stderr.contains("`knock --import -` reads it from standard input"),
        "{outcome:?}"
    );
}

#[test]
fn keys_that_are_made_and_stored_are_objects_too() {
    let desk = CaseRunner::new("");
    let keys = desk.path("keys.d");
    let enroll = format!("enroll --user bob --server a --json --keys {}", keys.display());
    let outcome = desk.run(&enroll);
    let mut uri = String::new();
    for line in outcome.stdout.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        schema().check(&object);
        if object["event"] == "enrolled" {
            object["uri"].as_str().unwrap().clone_into(&mut uri);
        }
    }
    let outcome = with_input(&desk, "--json --import -", &uri);
    let object: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    schema().check(&object);
    assert_eq!(
        (object["event"].as_str(), object["is_new"].as_bool()),
        (Some("imported"), Some(true))
    );
    let again = desk.run(&enroll);
    schema().check(&serde_json::from_str(&again.stdout).unwrap());
}

#[test]
fn a_host_may_still_be_called_enroll() {
    let desk = CaseRunner::new("Host enroll\n  HostName 127.0.0.1\n  Knocks 7000\n");
    let outcome = desk.run("enroll --dry-run");
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
}

/// With a terminal as standard output, the address is also a picture.
#[test]
fn a_terminal_shows_the_address_as_a_qr_code() {
    let name = "a_terminal_shows_the_address_as_a_qr_code";
    if !knock_tests::require::require(name, &["script"], knock_tests::require::Need::Programs) {
        return;
    }
    let desk = CaseRunner::new("");
    let keys = desk.path("keys.d");
    let knock = env!("CARGO_BIN_EXE_knock");
    let enroll = format!("{knock} enroll --user bob --server a --keys {}", keys.display());
    let mut command = std::process::Command::new("script");
    desk.set(&mut command);
    let outcome = desk.finish(command.args(["-q", "-e", "-c", &enroll, "/dev/null"]));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let lines = outcome.stdout.lines().filter(|line| line.contains("\x1b[30;47m"));
    assert!(lines.count() >= 10, "{outcome:?}");
}

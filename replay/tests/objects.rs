//! `--format json` of every case: as the schema says, and the same as the transcript.

#![cfg(test)]

use std::collections::BTreeSet;
use std::process::{Command, Output};

use knock_tests::cases::{self, Case};
use knock_tests::schema::Schema;
use serde_json::Value;

/// Replays a case in its folder.
fn replay(case: &Case, further: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(&case.folder)
        .args(&case.captures)
        .arg("--config")
        .arg(&case.conf)
        .args(&case.args)
        .args(further)
        .output()
        .unwrap()
}

/// Returns the cases that replay under one rule set.
fn replayed() -> impl Iterator<Item = Case> {
    let other = ["both", "--client", "--time", "--format"];
    let is_other = move |argument: &String| other.iter().any(|one| argument.starts_with(one));
    cases::all()
        .into_iter()
        .chain(cases::explained())
        .filter(move |case| !case.args.iter().any(is_other))
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts<'a>(objects: &'a [Value], channel: &str) -> Vec<&'a str> {
    let of_channel = objects.iter().filter(|object| object["type"] == channel);
    of_channel.map(|object| object["text"].as_str().unwrap()).collect()
}

#[test]
fn the_objects_are_the_lines_of_the_transcript() {
    let schema = Schema::read("knock-transcript.schema.json");
    let mut events = BTreeSet::new();
    for case in replayed() {
        for rules in ["knock", "knockd-0.8"] {
            let plain = replay(&case, &["--rules", rules, "--verbose"]);
            let output = replay(&case, &["--rules", rules, "--verbose", "--format", "json"]);
            assert_eq!(output.status, plain.status, "{}", case.name);
            let objects = objects(&output);
            let Some((summary, happened)) = objects.split_last() else { continue };
            for object in &objects {
                schema.check(object);
            }
            assert_eq!(summary["type"], "summary", "{}", case.name);
            let transcript = String::from_utf8_lossy(&plain.stdout);
            assert_eq!(texts(happened, "line"), transcript.lines().collect::<Vec<_>>());
            // What else there is to say stands on standard error otherwise.
            let errors = String::from_utf8_lossy(&plain.stderr);
            for (channel, name) in [("message", "warning"), ("note", "note")] {
                for text in texts(happened, channel) {
                    let line = format!("knock-replay: {name}: {text}\n");
                    assert!(errors.contains(&line), "{}: {line}", case.name);
                }
            }
            let notes = errors.matches("knock-replay: note: ").count();
            assert_eq!(texts(happened, "note").len(), notes, "{}", case.name);
            let packets = format!("{} packet", summary["packets"]);
            assert!(errors.contains(&packets), "{}: {errors}", case.name);
            let opened = happened.iter().filter(|one| one["event"] == "opened").count();
            assert_eq!(summary["opened"], opened, "{}", case.name);
            events.extend(happened.iter().map(|one| one["event"].as_str().unwrap().to_owned()));
        }
    }
    // The others need a limit, or another program than cases are for.
    let mut known = schema.names("event");
    let skipped = [
        "merged",
        "already-open",
        "cooldown",
        "at-max",
        "period-used",
        "signed",
        "not-signed",
        "closing",
        "admitted",
        "admission-ended",
    ];
    for rare in
        ["refused", "evicted", "command-too-long", "filter-refused"].into_iter().chain(skipped)
    {
        known.remove(rare);
        events.remove(rare);
    }
    assert_eq!(events, known);
}

/// Packets make everything happen that time does not, and are told as Wireshark counts.
#[test]
fn the_packet_that_made_it_happen_is_named() {
    let due = ["admission-ended", "sequence-timeout", "command-timeout", "stop-command", "summary"];
    for case in replayed() {
        for object in objects(&replay(&case, &["-q", "--format", "json"])) {
            let event = object["event"].as_str().unwrap_or("summary");
            assert_eq!(object["packet"].is_null(), due.contains(&event), "{}: {object}", case.name);
        }
    }
}

#[test]
fn without_verbose_there_are_no_notes() {
    let with_notes = replayed().filter(|case| {
        let objects = objects(&replay(case, &["--verbose", "--format", "json"]));
        let notes = texts(&objects, "note").len();
        let quiet = replay(case, &["--quiet", "--format", "json"]);
        let objects = self::objects(&quiet);
        assert!(texts(&objects, "note").is_empty(), "{}", case.name);
        notes > 0
    });
    assert!(with_notes.count() > 10);
}

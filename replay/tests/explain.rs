//! Every case of `testdata/explain`: what is explained, as text and as JSON.

#![cfg(test)]

use std::collections::BTreeSet;
use std::process::Command;

use knock_tests::cases::{self, Case};
use knock_tests::schema::Schema;
use serde_json::Value;

/// Explains a case in its folder. Returns status, standard output and standard error.
fn explain(case: &Case, further: &[&str]) -> (i32, String, String) {
    let captures = case.captures.iter().map(|path| path.strip_prefix(&case.folder).unwrap_or(path));
    let mut command = Command::new(env!("CARGO_BIN_EXE_knock-replay"));
    command.current_dir(&case.folder).arg("explain").args(captures);
    command.arg("--config").arg(case.conf.file_name().unwrap()).args(&case.args).args(further);
    let output = command.output().unwrap();
    let forged = format!("{}/", case.forged.path().display());
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&forged, "");
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn every_case_is_explained_as_its_snapshot_says() {
    let cases = cases::explained();
    assert!(cases.len() >= 30, "only {} cases were found", cases.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let _guard = settings.bind_to_scope();
    for case in cases {
        let (status, output, errors) = explain(&case, &["--quiet"]);
        assert_eq!((status, errors.as_str()), (0, ""), "{}", case.name);
        insta::assert_snapshot!(format!("explain__{}", case.name.replace('/', "__")), output);
    }
}

const SCHEMA: &str = "knock-explain.schema.json";

/// The objects of a case.
fn objects(case: &Case) -> Vec<Value> {
    let (status, output, errors) = explain(case, &["--quiet", "--format", "json"]);
    assert_eq!((status, errors.as_str()), (0, ""), "{}", case.name);
    output.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_object_is_as_the_schema_says() {
    let schema = Schema::read(SCHEMA);
    for case in cases::explained() {
        let objects = objects(&case);
        for object in &objects {
            schema.check(object);
        }
        let (summary, others) = objects.split_last().unwrap();
        assert_eq!(summary["type"], "summary", "{}", case.name);
        assert!(others.iter().all(|object| object["type"] != "summary"), "{}", case.name);
    }
}

/// Real captures, odd ones and broken ones: whatever is explained of them is as the schema says, and
/// every packet is counted once.
#[test]
fn every_other_capture_can_be_explained() {
    let schema = Schema::read(SCHEMA);
    let mut packets = 0;
    for case in cases::all() {
        if case.args.iter().any(|argument| ["--rules", "--time", "-v"].contains(&&**argument)) {
            continue;
        }
        let (status, text, _) = explain(&case, &[]);
        let (json_status, objects, errors) = explain(&case, &["--format", "json"]);
        assert_eq!(status, json_status, "{}", case.name);
        if status == 2 || objects.is_empty() {
            continue;
        }
        assert!(text.ends_with('\n'), "{}", case.name);
        let mut last = Value::Null;
        for line in objects.lines() {
            last = serde_json::from_str(line).unwrap();
            schema.check(&last);
        }
        let read: u64 =
            errors.split_once(" packet").unwrap().0.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(last["packets"], read, "{}", case.name);
        packets += read;
    }
    assert!(packets > 1000, "only {packets} packets");
}

#[test]
fn the_schema_knows_every_verdict_and_reason_and_no_other() {
    let schema = Schema::read(SCHEMA);
    let mut verdicts = BTreeSet::new();
    let mut reasons = BTreeSet::new();
    for object in cases::explained().iter().flat_map(objects) {
        verdicts.extend(object["verdict"].as_str().map(str::to_owned));
        let misses = object["misses"].as_array().cloned().unwrap_or_default();
        reasons.extend(misses.iter().map(|miss| miss["reason"].as_str().unwrap().to_owned()));
    }
    for (list, never_met, name) in [
        // At the limit of commands, where other directives than those of the cases say so, and when the
        // configuration is read again, which no replay does.
        (
            &mut verdicts,
            &[
                "door-changed",
                "refused",
                "merged",
                "already-open",
                "cooldown",
                "period-used",
                "not-now",
                "signed",
                "not-signed",
                "closing",
            ][..],
            "verdict",
        ),
        (&mut reasons, &["door-changed", "refused", "not-signed"][..], "reason"),
    ] {
        list.extend(never_met.iter().map(|&name| name.to_owned()));
        assert_eq!(*list, schema.names(name));
    }
}

#[test]
fn an_object_that_is_not_as_the_schema_says_is_found() {
    let schema = Schema::read(SCHEMA);
    let case = cases::explained().into_iter().find(|case| case.name == "wrong-port").unwrap();
    let objects = objects(&case);
    let happened = objects.iter().find(|object| object["verdict"] == "other-port").unwrap();
    assert!(schema.allows(happened));
    for (field, value) in [
        ("version", Value::from(2)),
        ("verdict", Value::from("other-ports")),
        ("time", Value::Null),
        ("stage", Value::from(33)),
        ("type", Value::from("nearest")),
        ("packet", Value::from(3)),
    ] {
        let mut broken = happened.clone();
        broken[field] = value;
        assert!(!schema.allows(&broken), "{field}");
    }
}

/// Knocks that puzzled users of knockd: what is explained says why knock opens the door or not, and
/// the comparison what their knockd did otherwise.
#[test]
fn the_puzzles_of_users_are_solved() {
    let cases = cases::explained();
    for (name, answer, difference) in [
        ("jv-13-shared-prefix", "door long: opened for 192.0.2.10 once", 11),
        ("jv-71-ten-hours", "the second knock came after 5 s, 35995 s too late", 17),
        ("jv-83-ipv6-on-a-tunnel", "door openSSH: opened for 2001:db8::10 once", 2),
        ("jv-89-vlan", "door openSSH: opened for 192.0.2.10 once", 3),
        ("jv-92-stage-1-only", "packet 2  7000/tcp  ignored: TCP retransmission of packet 1", 12),
    ] {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        let (_, output, _) = explain(case, &["--quiet"]);
        assert!(output.contains(answer), "{name}: {output}");
        let compared = Command::new(env!("CARGO_BIN_EXE_knock-replay"))
            .arg("diff")
            .args(&case.captures)
            .arg("--config")
            .arg(&case.conf)
            .args(["--rules", "--quiet"])
            .output()
            .unwrap();
        let lines = String::from_utf8(compared.stdout).unwrap();
        assert!(lines.contains(&format!("[difference {difference}, ")), "{name}: {lines}");
    }
}

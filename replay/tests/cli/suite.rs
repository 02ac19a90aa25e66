//! `knock-replay test`.

use std::fs;
use std::os::unix::fs::symlink;

use knock_tests::schema::Schema;
use serde_json::Value;

use crate::common::capture_builder::{gzip, knocks_pcap, pcap, syn, zstd};
use crate::common::{CONFIG, CaseRunner, OPENED, Outcome};

const OPENS: &str = "knock 10.0.0.5 7000 8000 9000\n";
const SHUT: &str = "knock 10.0.0.5 7000 8000 9001\n";

/// A folder `knocks` with a configuration and one test that passes.
fn desk() -> CaseRunner {
    let desk = CaseRunner::new();
    put(&desk, "knocks/knockd.conf", CONFIG);
    put(&desk, "knocks/opens.scenario", OPENS);
    put(&desk, "knocks/opens.assert", "must open ssh from 10.0.0.5\n");
    desk
}

/// A folder with a test of each kind of outcome.
fn troubled_desk() -> CaseRunner {
    let desk = desk();
    put(&desk, "knocks/deep/er/wrong.scenario", SHUT);
    put(&desk, "knocks/deep/er/wrong.assert", "must open ssh from 10.0.0.5\nmust not open mail\n");
    put(&desk, "knocks/changed.pcap", knocks_pcap());
    put(&desk, "knocks/changed.expect", OPENED.replace("Stage 2", "Stage 9"));
    put(&desk, "knocks/both.scenario", SHUT);
    put(&desk, "knocks/both.assert", "must open ssh\n");
    put(&desk, "knocks/both.expect", OPENED);
    put(&desk, "knocks/empty.pcap", pcap(&[]));
    put(&desk, "knocks/empty.assert", "must not open any\n");
    put(&desk, "knocks/faulty.scenario", "knok\n");
    put(&desk, "knocks/faulty.expect", "");
    put(&desk, "knocks/cut.pcap", &knocks_pcap()[..100]);
    put(&desk, "knocks/cut.assert", "must open ssh\n");
    put(&desk, "knocks/misspelt.scenario", OPENS);
    put(&desk, "knocks/misspelt.assert", "must open shs\n");
    put(&desk, "knocks/lonely.scenario", OPENS);
    put(&desk, "knocks/orphan.assert", "must open ssh\n");
    put(&desk, "knocks/twins.scenario", OPENS);
    put(&desk, "knocks/twins.pcap", knocks_pcap());
    put(&desk, "knocks/twins.assert", "must open ssh\n");
    put(&desk, "knocks/old/knockd.conf", CONFIG.replace("7000", "70000"));
    for name in ["knocks/old/first", "knocks/old/second"] {
        put(&desk, &format!("{name}.scenario"), OPENS);
        put(&desk, &format!("{name}.assert"), "must open ssh\n");
    }
    put(&desk, "knocks/elsewhere.scenario", OPENS);
    put(&desk, "knocks/elsewhere.assert", "config ../missing.conf\nmust open ssh\n");
    desk
}

#[test]
fn tests_that_pass_are_listed_and_counted_and_the_status_is_0() {
    let desk = desk();
    put(&desk, "knocks/deep/er/transcript.pcap", knocks_pcap());
    put(&desk, "knocks/deep/er/transcript.expect", OPENED);
    let outcome = desk.run("test knocks");
    let text =
        "knocks/deep/er/transcript ... ok\nknocks/opens ... ok\n\n2 tests: 2 passed, 0 failed\n";
    assert_eq!(told(&outcome), (Some(0), text, ""));
    assert_eq!(told(&desk.run("test knocks --quiet")), (Some(0), "", ""));
    let mut here = desk.program(env!("CARGO_BIN_EXE_knock-replay"));
    here.current_dir(desk.path("knocks")).args(["test", "."]);
    let here = crate::common::finish(&mut here);
    assert_eq!(here.stdout, text.replace("knocks/", ""));
}

#[test]
fn every_test_that_does_not_pass_says_why() {
    let outcome = troubled_desk().run("test knocks");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn of_several_statuses_that_of_a_fault_comes_first() {
    let desk = troubled_desk();
    let status = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|name| format!("--only {name}")).collect();
        desk.run(&format!("test knocks -q {}", only.join(" "))).status
    };
    assert_eq!(status(&["opens"]), Some(0));
    assert_eq!(status(&["opens", "wrong"]), Some(1));
    assert_eq!(status(&["opens", "empty"]), Some(1));
    for capture in ["faulty", "cut"] {
        assert_eq!(status(&["opens", "wrong", capture]), Some(3), "{capture}");
    }
    for fault in ["misspelt", "lonely", "orphan", "twins", "old/first", "elsewhere"] {
        assert_eq!(status(&["opens", "wrong", "cut", fault]), Some(2), "{fault}");
    }
    let full = "test knocks --only opens --junit no/such/file";
    let outcome = desk.run(full);
    let told = "knock-replay: error: cannot write no/such/file: there is no such directory; create it, or name a file in \
                another one\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(4), told));
}

#[test]
fn captures_of_every_kind_are_tests() {
    let desk = desk();
    let pcap = knocks_pcap();
    for (end, bytes) in [
        ("pcap", pcap.clone()),
        ("cap", pcap.clone()),
        ("pcapng", pcap.clone()),
        ("pcap.gz", gzip(&pcap)),
        ("pcapng.zst", zstd(&pcap)),
        ("scenario", OPENS.into()),
    ] {
        put(&desk, &format!("knocks/of.{}/knocks.{end}", end.len()), bytes);
        put(&desk, &format!("knocks/of.{}/knocks.assert", end.len()), "must open ssh\n");
    }
    let outcome = desk.run("test knocks --only of.");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("\n6 tests: 6 passed, 0 failed\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("knocks/of.7/knocks ... ok\n"), "{}", outcome.stdout);
}

#[test]
fn the_nearest_configuration_decides_unless_something_else_is_said() {
    let desk = desk();
    let other = CONFIG.replace("9000", "9001");
    put(&desk, "other.conf", &other);
    put(&desk, "knocks/deep/knockd.conf", &other);
    put(&desk, "knocks/deep/er/shut.scenario", OPENS);
    put(&desk, "knocks/deep/er/shut.assert", "must not open ssh\n");
    put(&desk, "knocks/named.scenario", OPENS);
    put(&desk, "knocks/named.assert", "config deep/knockd.conf\nmust not open ssh\n");
    let passed = desk.run("test knocks");
    assert_eq!(passed.status, Some(0), "{}", passed.stdout);
    let outcome = desk.run("test knocks -c other.conf");
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("knocks/opens ... FAILED\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("knocks/named ... ok\n"), "{}", outcome.stdout);
    // No further up than the folder that was named.
    let above = desk.run("test knocks/deep/er");
    assert_eq!(above.status, Some(2));
    let why = "there is no knockd.conf in its folder or above it, up to knocks/deep/er: name one with \
               --config, or in knocks/deep/er/shut.assert with a line `config FILE`";
    assert!(above.stdout.contains(why), "{}", above.stdout);
}

#[test]
fn a_test_says_itself_with_what_it_is_run() {
    let desk = desk();
    put(&desk, "knocks/here.scenario", OPENS);
    put(&desk, "knocks/here.assert", "local 192.0.2.1 192.0.2.2\nmust open ssh\n");
    put(&desk, "knocks/there.scenario", OPENS);
    put(&desk, "knocks/there.assert", "local 192.0.2.9\nnothing is admitted\n");
    put(&desk, "knocks/six.scenario", "knock 2001:db8::5 7000 8000 9000\n");
    put(&desk, "knocks/six.assert", "only-ip-v4\nnothing is admitted\n");
    // knockd 0.8 forgets the attempt of the second client when the first opens the door.
    let crossed = "0 10.0.0.5 > 192.0.2.1 tcp 7000\n0.1 10.0.0.6 > 192.0.2.1 tcp 7000\n\
                   1 knock 10.0.0.5 8000 9000\n2 knock 10.0.0.6 8000 9000\n";
    put(&desk, "knocks/theirs.scenario", crossed);
    put(&desk, "knocks/theirs.assert", "rules knockd-0.8\nopens ssh 1\n");
    put(&desk, "knocks/ours.scenario", crossed);
    put(&desk, "knocks/ours.assert", "rules knock\nopens ssh 2\n");
    let outcome = desk.run("test knocks");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stdout);
    let moved = desk.run("test knocks --only here --only there --local 192.0.2.9");
    assert_eq!(moved.status, Some(1));
    assert!(moved.stdout.contains("knocks/here ... FAILED\n"), "{}", moved.stdout);
    assert!(moved.stdout.contains("knocks/there ... ok\n"), "{}", moved.stdout);
    let at_one = desk.run("test knocks --only there --local 192.0.2.1");
    let again =
        "`knock-replay explain knocks/there.scenario -c knocks/knockd.conf --local 192.0.2.1`";
    assert!(at_one.stdout.contains(again), "{}", at_one.stdout);
}

#[test]
fn transcripts_are_blessed_where_they_are_expected_and_where_nothing_is() {
    let desk = desk();
    put(&desk, "knocks/new.scenario", OPENS);
    put(&desk, "knocks/old.scenario", OPENS);
    put(&desk, "knocks/old.expect", "old\n");
    put(&desk, "knocks/same.scenario", OPENS);
    put(&desk, "knocks/same.expect", OPENED);
    put(&desk, "knocks/wrong.scenario", OPENS);
    put(&desk, "knocks/wrong.assert", "must not open ssh\n");
    put(&desk, "knocks/wrong.expect", "old\n");
    put(&desk, "knocks/empty.pcap", pcap(&[]));
    let outcome = desk.run("test knocks --bless");
    assert_eq!(outcome.status, Some(1));
    let lines: Vec<&str> = outcome.stdout.lines().take(6).collect();
    let expected = [
        "knocks/empty ... FAILED",
        "knocks/new ... ok, written",
        "knocks/old ... ok, written",
        "knocks/opens ... ok",
        "knocks/same ... ok",
        "knocks/wrong ... FAILED",
    ];
    assert_eq!(lines, expected);
    let read = |name: &str| fs::read_to_string(desk.path(name)).ok();
    assert_eq!(read("knocks/new.expect").as_deref(), Some(OPENED));
    assert_eq!(read("knocks/old.expect").as_deref(), Some(OPENED));
    assert_eq!(read("knocks/opens.expect"), None);
    assert_eq!(read("knocks/wrong.expect").as_deref(), Some("old\n"));
    assert_eq!(read("knocks/empty.expect"), None);
    let again = desk.run("test knocks --only new --only old --only same");
    assert_eq!(again.status, Some(0));
}

#[test]
fn where_there_is_no_test_that_is_a_fault() {
    let desk = desk();
    fs::create_dir(desk.path("none")).unwrap();
    put(&desk, "none/README.md", "nothing\n");
    put(&desk, "hidden/.git/x.scenario", OPENS);
    put(&desk, "hidden/.y.scenario", OPENS);
    put(&desk, "loop/x.scenario", OPENS);
    symlink(".", desk.path("loop/again")).unwrap();
    symlink("nowhere", desk.path("knocks/other")).unwrap();
    let mut told = String::new();
    for arguments in [
        "none",
        "hidden",
        "loop",
        "missing",
        "knocks/opens.scenario",
        "knocks --only nothing",
        "knocks --only opens --only n\u{1b}othing",
        "",
        "knocks --json --quiet",
    ] {
        let outcome = desk.run(&format!("test {arguments}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments}");
        told.extend([
            "$ test ",
            &arguments.escape_debug().to_string(),
            "\n",
            &outcome.stderr,
            "\n",
        ]);
    }
    insta::assert_snapshot!(told);
    // A link to nothing that is no test does not matter.
    assert_eq!(desk.run("test knocks").status, Some(0));
}

#[test]
fn a_link_to_nothing_stops_its_test_and_no_other() {
    let desk = desk();
    for (name, end) in [("a", "assert"), ("c", "pcap"), ("e", "expect")] {
        if end != "pcap" {
            put(&desk, &format!("knocks/{name}.scenario"), OPENS);
        }
        symlink("nowhere", desk.path(&format!("knocks/{name}.{end}"))).unwrap();
    }
    put(&desk, "knocks/c.assert", "must open ssh\n");
    put(&desk, "knocks/deep/x.scenario", OPENS);
    put(&desk, "knocks/deep/x.assert", "must open ssh\n");
    symlink("nowhere", desk.path("knocks/deep/knockd.conf")).unwrap();
    let outcome = desk.run("test knocks");
    assert_eq!(outcome.status, Some(2));
    for name in ["a", "c", "deep/x", "e"] {
        assert!(
            outcome.stdout.contains(&format!("knocks/{name} ... error\n")),
            "{}",
            outcome.stdout
        );
    }
    for link in ["a.assert", "c.pcap", "deep/knockd.conf", "e.expect"] {
        let why = format!(
            "error: knocks/{link} is a link to a file that is not there: remove or correct it\n"
        );
        assert!(outcome.stdout.contains(&why), "{link}: {}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("knocks/opens ... ok\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("5 tests: 1 passed, 0 failed, 4 in error\n"));
    // Nothing is written through such a link.
    assert_eq!(desk.run("test knocks --bless --only knocks/e").status, Some(2));
    assert!(!desk.path("knocks/nowhere").exists());
}

#[test]
fn configurations_that_no_test_covers_are_named() {
    let desk = desk();
    for folder in ["deep", "named", "linked", "bare"] {
        fs::create_dir_all(desk.path(&format!("knocks/{folder}"))).unwrap();
    }
    put(&desk, "knocks/bare/knockd.conf", CONFIG);
    put(&desk, "knocks/named/knockd.conf", CONFIG);
    symlink("../knockd.conf", desk.path("knocks/linked/knockd.conf")).unwrap();
    put(&desk, "knocks/other.scenario", OPENS);
    put(&desk, "knocks/other.assert", "config named/knockd.conf\nmust open ssh\n");
    let outcome = desk.run("test knocks");
    let end = "\nwarning: no test covers knocks/bare/knockd.conf\n2 tests: 2 passed, 0 failed\n";
    assert_eq!(outcome.status, Some(0));
    assert!(outcome.stdout.ends_with(end), "{}", outcome.stdout);
    let quiet = desk.run("test knocks -q");
    assert_eq!(quiet.stdout, "warning: no test covers knocks/bare/knockd.conf\n");
    let objects = desk.run("test knocks --format json").stdout;
    let summary: Value = serde_json::from_str(objects.lines().last().unwrap()).unwrap();
    Schema::read("knock-test.schema.json").check(&summary);
    assert_eq!(summary["uncovered"], serde_json::json!(["knocks/bare/knockd.conf"]));
    for some in ["--only opens", "-c knockd.conf"] {
        let outcome = desk.run(&format!("test knocks {some}"));
        assert!(!outcome.stdout.contains("covers"), "{some}: {}", outcome.stdout);
    }
}

#[test]
fn packets_that_could_not_be_read_are_counted_beside_the_test() {
    let desk = desk();
    let mut cut = syn(9000, 7000).record();
    // The captured length, and the bytes after 20.
    cut[8..12].copy_from_slice(&20_u32.to_le_bytes());
    cut.truncate(16 + 20);
    put(&desk, "knocks/cut.pcap", [knocks_pcap(), cut, syn(9001, 1).arp().record()].concat());
    put(&desk, "knocks/cut.assert", "must open ssh\n");
    let outcome = desk.run("test knocks --only cut");
    let text = "knocks/cut ... ok (1 packet could not be read)\n";
    assert!(outcome.stdout.starts_with(text), "{}", outcome.stdout);
    assert_eq!(desk.run("test knocks --only cut -q").stdout, text);
    let objects = desk.run("test knocks --only cut --format json").stdout;
    let object: Value = serde_json::from_str(objects.lines().next().unwrap()).unwrap();
    Schema::read("knock-test.schema.json").check(&object);
    assert_eq!((&object["unreadable"], &object["outcome"]), (&1.into(), &"passed".into()));
}

#[test]
fn a_configuration_that_a_test_names_itself_is_not_written_over_either() {
    let desk = desk();
    put(&desk, "other.conf", CONFIG);
    put(&desk, "once.conf", "[once]\none_time_sequences = once.txt\n");
    put(&desk, "once.txt", "7000,8000,9000\n");
    put(&desk, "knocks/named.scenario", OPENS);
    put(&desk, "knocks/named.assert", "config ../other.conf\nmust open ssh\n");
    put(&desk, "knocks/once.scenario", OPENS);
    put(&desk, "knocks/once.assert", "config ../once.conf\nmust open once\n");
    symlink("../other.conf", desk.path("knocks/opens.expect")).unwrap();
    let before = fs::read(desk.path("other.conf")).unwrap();
    for (file, name) in [
        ("other.conf", "knocks/../other.conf"),
        ("./knocks/../other.conf", "knocks/../other.conf"),
        ("once.txt", "once.txt"),
    ] {
        let outcome = desk.run(&format!("test knocks --junit {file}"));
        let told = format!(
            "knock-replay: error: '--junit' would write over {name}, which is read: name another file\n"
        );
        assert_eq!((outcome.status, outcome.stderr), (Some(2), told), "{file}");
    }
    // What one test expects is what another one reads.
    let outcome = desk.run("test knocks --bless");
    assert!(
        outcome.stdout.contains("is the same file as knocks/../other.conf"),
        "{}",
        outcome.stdout
    );
    assert_eq!(fs::read(desk.path("other.conf")).unwrap(), before);
}

#[test]
fn links_are_followed_and_tests_are_run_once() {
    let desk = desk();
    fs::create_dir(desk.path("suites")).unwrap();
    symlink("../knocks", desk.path("suites/ours")).unwrap();
    let outcome = desk.run("test suites");
    assert_eq!(outcome.status, Some(0), "{}", outcome.stdout);
    assert!(outcome.stdout.starts_with("suites/ours/opens ... ok\n"), "{}", outcome.stdout);
    put(&desk, "knocks/deep/too.scenario", OPENS);
    put(&desk, "knocks/deep/too.assert", "must open ssh\n");
    let twice = desk.run("test knocks knocks/deep knocks");
    assert!(twice.stdout.ends_with("\n2 tests: 2 passed, 0 failed\n"), "{}", twice.stdout);
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let desk = desk();
    desk.pipe("knocks/pipe.pcap");
    put(&desk, "knocks/pipe.assert", "must open ssh\n");
    let outcome = desk.run("test knocks --only pipe");
    assert_eq!(outcome.status, Some(3));
    assert!(outcome.stdout.contains("error: knocks/pipe.pcap is not a regular file\n"));
    put(&desk, "knocks/other.pcap", knocks_pcap());
    desk.pipe("knocks/other.assert");
    let outcome = desk.run("test knocks --only other");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stdout.contains("error: knocks/other.assert is not a regular file\n"));
}

#[test]
fn every_object_is_as_the_schema_says() {
    let schema = Schema::read("knock-test.schema.json");
    let desk = troubled_desk();
    let outcome = desk.run("test knocks --json");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(2), ""));
    let objects: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects.len(), 15);
    for object in &objects {
        schema.check(object);
    }
    let of = |name: &str| objects.iter().find(|one| one["name"] == name).unwrap();
    assert_eq!(of("knocks/opens")["outcome"], "passed");
    assert_eq!(of("knocks/cut")["outcome"], "error");
    let wrong = of("knocks/deep/er/wrong");
    assert_eq!(wrong["outcome"], "failed");
    assert_eq!((&wrong["details"][0]["line"], &wrong["assertions"]), (&1.into(), &2.into()));
    assert!(
        of("knocks/changed")["details"][0]["diff"]
            .as_str()
            .unwrap()
            .contains("-10.0.0.5: ssh: Stage 9")
    );
    let last = objects.last().unwrap();
    assert_eq!(last["type"], "summary");
    assert_eq!((&last["tests"], &last["passed"]), (&14.into(), &1.into()));
    // The check is strict enough to find something.
    let mut broken = wrong.clone();
    broken["details"] = Value::Array(Vec::new());
    assert!(!schema.allows(&broken));
    let mut broken = last.clone();
    broken["passed"] = "1".into();
    assert!(!schema.allows(&broken));
}

#[test]
fn the_document_for_ci_systems_has_every_test_with_its_outcome() {
    let desk = troubled_desk();
    let hostile = "knocks/a\u{1b}]0;x\u{7}<&\"'>\u{1}";
    put(&desk, &format!("{hostile}.scenario"), SHUT);
    put(&desk, &format!("{hostile}.assert"), "must open ssh\n");
    put(&desk, "knocks/deep/knockd.conf", CONFIG.replace("[mail]", "[m&<ai>l']"));
    put(&desk, "knocks/deep/name.scenario", OPENS);
    put(&desk, "knocks/deep/name.assert", "must open \"m&<ai>l'\"\n");
    put(&desk, "knocks/deep/er/wrong.assert", "must open ssh from 10.0.0.5\n");
    let arguments = "test knocks --junit junit.xml --quiet";
    let first = desk.run(arguments);
    assert_eq!(first.status, Some(2));
    let text = fs::read_to_string(desk.path("junit.xml")).unwrap();
    let counts = held_to_the_form(&text);
    assert_eq!(counts, (16, 6, 9));
    desk.run(arguments);
    assert_eq!(fs::read_to_string(desk.path("junit.xml")).unwrap(), text);
}

#[test]
fn no_file_of_a_test_is_written_over() {
    let desk = desk();
    for file in ["knocks/opens.assert", "knocks/opens.scenario", "knocks/knockd.conf"] {
        let before = fs::read(desk.path(file)).unwrap();
        let outcome = desk.run(&format!("test knocks --junit {file}"));
        let told = format!(
            "knock-replay: error: '--junit' would write over {file}, which is read: name another file\n"
        );
        assert_eq!((outcome.status, outcome.stderr), (Some(2), told));
        assert_eq!(fs::read(desk.path(file)).unwrap(), before);
    }
}

/// Whoever names the configuration: what is not read is not looked at.
#[test]
fn a_pipe_in_the_place_of_a_configuration_is_not_waited_for() {
    let desk = desk();
    desk.pipe("pipe.conf");
    put(&desk, "knocks/opens.assert", "config ../pipe.conf\nmust open ssh from 10.0.0.5\n");
    let outcome = desk.run("test knocks");
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stdout.contains("pipe.conf is not a regular file"), "{}", outcome.stdout);
    desk.write("good.conf", CONFIG);
    put(&desk, "knocks/opens.assert", "must open ssh from 10.0.0.5\n");
    fs::remove_file(desk.path("knocks/knockd.conf")).unwrap();
    desk.pipe("knocks/knockd.conf");
    assert_eq!(desk.run("test knocks --config good.conf").status, Some(0));
}

#[test]
fn a_difference_commands_no_terminal_and_shows_every_byte() {
    let desk = desk();
    put(&desk, "knocks/other.scenario", OPENS);
    put(&desk, "knocks/other.expect", [b"\x1b[2J\xff\n", OPENED.as_bytes()].concat());
    let outcome = desk.run("test knocks --only other");
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("-\\u{1b}[2J\\xff\n"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains('\u{1b}'));
}

/// Whoever proposes a change to a project names the files in it.
#[test]
fn the_name_of_a_test_commands_no_log() {
    let desk = CaseRunner::new();
    desk.write("knockd.conf", CONFIG);
    let names = ["::error title=x::y", " ::error::z", "a\u{202e}b", "c ##[error]d"];
    for name in names {
        desk.write(&format!("{name}.scenario"), OPENS);
        desk.write(&format!("{name}.assert"), "must not open ssh\n");
    }
    let outcome = desk.run("test .");
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let shown = ["./ ::error::z", "./::error title=x::y", "a\\u{202e}b", "c #\\u{23}[error]d"];
    for name in shown {
        let line = format!("{name} ... FAILED");
        assert!(outcome.stdout.lines().any(|one| one == line), "{line}: {}", outcome.stdout);
    }
    for line in (outcome.stdout + &outcome.stderr).lines() {
        assert!(!line.trim_start().starts_with("::"), "{line}");
        assert!(!line.contains(['\u{202e}']) && !line.contains("##["), "{line}");
    }
}

/// A daemon that has crashed opens nothing, which is no proof of anything.
#[test]
fn what_holds_because_knockd_08_has_crashed_fails() {
    let desk = desk();
    desk.write("once.txt", "7000,8000,9000\n");
    let config =
        "[one]\none_time_sequences = once.txt\ncommand = x\n[two]\nsequence = 1,2\ncommand = y\n";
    put(&desk, "knocks/knockd.conf", config);
    put(&desk, "knocks/opens.scenario", format!("{OPENS}+1 knock 10.0.0.5 1 2\n"));
    put(&desk, "knocks/opens.assert", "rules knockd-0.8\nmust not open two from 10.0.0.5\n");
    let outcome = desk.run("test knocks");
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("one: knockd 0.8 crashes here"), "{}", outcome.stdout);
    put(&desk, "knocks/opens.assert", "must open two from 10.0.0.5\n");
    assert_eq!(desk.run("test knocks").status, Some(0));
}

#[test]
fn there_are_colours_where_they_are_wanted_and_nowhere_else() {
    let desk = desk();
    put(&desk, "knocks/wrong.scenario", SHUT);
    put(&desk, "knocks/wrong.assert", "must open ssh\n");
    let output = |variables: &[(&str, &str)]| {
        let mut command = desk.command("test knocks");
        command.env_remove("NO_COLOR").envs(variables.iter().copied());
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert!(!output(&[]).contains('\u{1b}'));
    let coloured = output(&[("CLICOLOR_FORCE", "1")]);
    assert!(coloured.contains("knocks/opens ... \u{1b}[32mok\u{1b}[0m\n"), "{coloured}");
    assert!(coloured.contains("knocks/wrong ... \u{1b}[31mFAILED\u{1b}[0m\n"), "{coloured}");
    assert!(!output(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn a_capture_that_is_called_like_a_subcommand_is_still_one() {
    let desk = CaseRunner::new();
    put(&desk, "test", knocks_pcap());
    for arguments in ["./test -c knockd.conf", "-c knockd.conf test", "-c knockd.conf -r test"] {
        let outcome = desk.run(&format!("{arguments} -q"));
        assert_eq!(told(&outcome), (Some(0), OPENED, ""), "{arguments}");
    }
}

#[test]
fn the_help_of_the_subcommand_is_its_own() {
    let help = CaseRunner::new().run("test --help");
    assert_eq!(help.status, Some(0));
    insta::assert_snapshot!(help.stdout);
}

#[test]
fn a_capture_of_another_net_fails_by_what_it_is() {
    let desk = desk();
    put(&desk, "knocks/arp.pcap", pcap(&[syn(0, 1).arp()]));
    put(&desk, "knocks/arp.assert", "must open ssh\n");
    let outcome = desk.run("test knocks --only arp");
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("no packet was admitted, so nothing was tested"));
    assert!(outcome.stdout.contains("^^^^^^^^^^^^^ no packet came\n"), "{}", outcome.stdout);
}

fn put(desk: &CaseRunner, name: &str, bytes: impl AsRef<[u8]>) {
    let path = desk.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn told(outcome: &Outcome) -> (Option<i32>, &str, &str) {
    (outcome.status, &outcome.stdout, &outcome.stderr)
}

/// Holds a document to the form that CI systems read (that of Jenkins' `junit-10.xsd`, as far as it is
/// used here). Returns how many tests, failures and errors there are.
fn held_to_the_form(text: &str) -> (usize, usize, usize) {
    let is_allowed = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}');
    assert!(text.chars().all(is_allowed), "{text}");
    let document = roxmltree::Document::parse(text).unwrap();
    let elements = |node: roxmltree::Node<'_, '_>| {
        node.children().filter(roxmltree::Node::is_element).map(|one| one.id()).collect::<Vec<_>>()
    };
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "testsuites");
    has_attributes(root, &["name", "tests", "skipped", "failures", "errors"]);
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for suite in elements(root).into_iter().map(|id| document.get_node(id).unwrap()) {
        assert_eq!(suite.tag_name().name(), "testsuite");
        has_attributes(suite, &["name", "tests", "skipped", "errors", "failures"]);
        for case in elements(suite).into_iter().map(|id| document.get_node(id).unwrap()) {
            assert_eq!(case.tag_name().name(), "testcase");
            has_attributes(case, &["name", "classname"]);
            tests += 1;
            for why in elements(case).into_iter().map(|id| document.get_node(id).unwrap()) {
                has_attributes(why, &["message", "type"]);
                assert!(!why.text().unwrap().trim().is_empty());
                match why.tag_name().name() {
                    "failure" => failures += 1,
                    "error" => errors += 1,
                    other => panic!("{other}"),
                }
            }
        }
    }
    let counts = [("tests", tests), ("failures", failures), ("errors", errors), ("skipped", 0)];
    for (name, count) in counts {
        assert_eq!(root.attribute(name), Some(count.to_string().as_str()), "{name}");
    }
    (tests, failures, errors)
}

fn has_attributes(node: roxmltree::Node<'_, '_>, names: &[&str]) {
    let found: Vec<&str> = node.attributes().map(|attribute| attribute.name()).collect();
    assert_eq!(found, names, "{node:?}");
    assert!(node.attributes().all(|attribute| !attribute.value().is_empty()), "{node:?}");
}

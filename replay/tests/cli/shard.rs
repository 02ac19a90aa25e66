//! `--shard` and `merge`: a replay in parts.

use std::fmt::Write as _;
use std::fs;

use crate::common::capture_builder::knocks_pcap;
use crate::common::{CONFIG, CaseRunner, OPENED};
use crate::signed;

/// A replay of twenty clients who open a door, some at the same moment, and one who does not.
const CAPTURE: &str = "\
0   knock 10.0.0.1-10.0.0.20 7000 8000 9000
+1  10.0.0.21 > 192.0.2.1 tcp 7000
";

/// Returns a folder with the outputs of some shards, `1.jsonl` and so on.
fn desk(capture: &str, of: u32, options: &str) -> CaseRunner {
    let desk = CaseRunner::new();
    desk.write("knocks.txt", capture);
    write_shards(&desk, of, options);
    desk
}

fn write_shards(desk: &CaseRunner, of: u32, options: &str) {
    for number in 1..=of {
        let arguments = format!("{} --shard {number}/{of} {options}", replay());
        let outcome = desk.run(&arguments);
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        desk.write(&format!("{number}.jsonl"), outcome.stdout);
    }
}

const fn replay() -> &'static str {
    "knocks.txt -c knockd.conf --format json"
}

/// Runs `merge`, which must refuse and print nothing else.
fn refusal(desk: &CaseRunner, files: &str, status: i32) -> String {
    let outcome = desk.run(&format!("merge {files}"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{}", outcome.stderr);
    let error = outcome.stderr.strip_prefix("knock-replay: error: ").unwrap();
    error.trim_end().to_owned()
}

#[test]
fn shards_are_merged_to_the_output_of_all_clients() {
    let desk = desk(CAPTURE, 3, "");
    let whole = desk.run(replay());
    let merged = desk.run("merge 2.jsonl 3.jsonl 1.jsonl");
    assert_eq!((merged.status, merged.stderr.as_str()), (Some(0), ""));
    assert_eq!(merged.stdout, whole.stdout);
    assert!(merged.stdout.contains(r#""attempts":21,"opened":20,"timed_out":1"#));
    // No shard has all of it.
    for number in 1..=3 {
        let opened = fs::read_to_string(desk.path(&format!("{number}.jsonl"))).unwrap();
        let opened = opened.matches(r#""event":"opened""#).count();
        assert!((1..20).contains(&opened), "{opened} in shard {number}");
    }
}

#[test]
fn a_shard_says_what_is_of_its_clients() {
    let desk = CaseRunner::new();
    desk.write("knocks.txt", CAPTURE);
    let whole = desk.run(replay()).stderr;
    let shard = desk.run(&format!("{} --shard 3/3", replay())).stderr;
    let packets = "61 packets read, 61 admitted, 0 undecodable\n";
    assert!(whole.contains(packets) && shard.contains(packets), "{shard}");
    let last = "knock-replay: shard 3 of 3: attempts and opens are those of its clients\n";
    assert!(shard.ends_with(last), "{shard}");
    // What no packet was for is a warning of all clients, not of those of the shard.
    desk.write("knocks.txt", "knock 10.0.0.5 7000 8000 9000\n");
    for number in 1..=2 {
        let outcome = desk.run(&format!("{} --shard {number}/2", replay()));
        assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
    }
}

#[test]
fn a_shard_is_refused_with_what_is_for_all_clients() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("a", "must open ssh from 10.0.0.5\n");
    let of_all = |option: &str| format!("'{option}' is for all clients: leave out '--shard'");
    for (arguments, told) in [
        ("", "only objects of shards can be merged: give '--format json' as well".to_owned()),
        ("--format json --rules knockd-0.8", of_all("--rules")),
        ("--rules both", of_all("--rules")),
        ("--expect a", of_all("--expect")),
        ("--assert a", of_all("--assert")),
        ("--explain", of_all("--explain")),
        ("--report a.html", of_all("--report")),
    ] {
        let outcome = desk.run(&format!("knocks.pcap -c knockd.conf --shard 1/2 {arguments}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{arguments}");
        let told = format!("knock-replay: error: {told}\n");
        assert!(outcome.stderr.starts_with(&told), "{arguments}: {}", outcome.stderr);
    }
    for shard in ["2", "0/2", "3/2", "1/0", "1/70000", "a/b"] {
        let outcome =
            desk.run(&format!("knocks.pcap -c knockd.conf --format json --shard {shard}"));
        assert_eq!(outcome.status, Some(2), "{shard}");
        let told = "not a shard, such as 2/4: the second of four, which may be up to 65536";
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    }
}

#[test]
fn doors_at_which_clients_depend_on_each_other_are_refused() {
    // With a key that alice has.
    let desk = signed::server();
    desk.write("knocks.pcap", knocks_pcap());
    desk.write("sequences", "1,2,3\n");
    for (door, why) in [
        ("one_time_sequences = sequences", "its one-time sequences are used up by any client"),
        (
            "sequence_key = keys.d/alice.key",
            "its sequences change with the time, and several of a client can be under way at once",
        ),
        (
            "sequence = 1,2,3\nopenings_per_minute = 3",
            "Openings_Per_Minute counts the openings of all clients",
        ),
        ("sequence = 1,2,3\nsigned = alice", "a signed packet can open it for another client"),
    ] {
        let options = "[options]\nserver_name = home\nkey_dir = keys.d\n\n";
        let config = format!("{options}{CONFIG}\n[other]\n{door}\ncommand = true\n");
        desk.write("knockd.conf", config);
        let replay = "knocks.pcap -c knockd.conf -q --format json";
        let outcome = desk.run(&format!("{replay} --shard 1/2"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{door}");
        let told = format!(
            "knock-replay: error: [other] cannot be replayed for a part of the clients: {why}; leave out \
             '--shard'\n"
        );
        assert_eq!(outcome.stderr, told);
        let outcome = desk.run(replay);
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    }
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let desk = desk(CAPTURE, 3, "");
    let refused = |files: &str| refusal(&desk, files, 2);
    assert_eq!(refused("1.jsonl 3.jsonl"), "shard 2 of 3 is missing: name its output as well");
    assert_eq!(refused("2.jsonl"), "shards 1 and 3 of 3 are missing: name their outputs as well");
    fs::copy(desk.path("2.jsonl"), desk.path("copy")).unwrap();
    assert_eq!(
        refused("1.jsonl 2.jsonl 3.jsonl copy"),
        "2.jsonl and copy are both shard 2 of 3: leave one out"
    );
    for (options, capture, config, why) in [
        ("--verbose", CAPTURE, CONFIG, "only one has '--verbose'"),
        ("--max-attempts 99", CAPTURE, CONFIG, "'--max-attempts 1000000' and '--max-attempts 99'"),
        ("", CAPTURE, &CONFIG.replace("= 10", "= 11"), "their configurations differ"),
        (
            "--read other.txt",
            CAPTURE,
            CONFIG,
            "their captures have other names, or are in another order",
        ),
        ("", "knock 10.0.0.1 7000", CONFIG, "their packets, local addresses or warnings differ"),
        ("--local 192.0.2.1", CAPTURE, CONFIG, "their packets, local addresses or warnings differ"),
    ] {
        desk.write("other.txt", CAPTURE);
        desk.write("knocks.txt", capture);
        desk.write("knockd.conf", config);
        let outcome = desk.run(&format!("{} --shard 2/3 {options}", replay()));
        desk.write("other", outcome.stdout);
        let told =
            format!("1.jsonl and other are not of one replay: {why}; replay one of them again");
        assert_eq!(refused("1.jsonl other 3.jsonl"), told);
    }
    write_shards(&desk, 2, "");
    assert_eq!(
        refused("1.jsonl 3.jsonl"),
        "1.jsonl is one of 2 shards, and 3.jsonl one of 3: merge takes all shards of one replay"
    );
    let summary = fs::read_to_string(desk.path("2.jsonl")).unwrap();
    let version = format!("\"program\":\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(summary.contains(&version));
    desk.write("2.jsonl", summary.replace(&version, "\"program\":\"0.0.1\""));
    let versions = format!("versions {} and 0.0.1 of the program", env!("CARGO_PKG_VERSION"));
    assert!(refused("1.jsonl 2.jsonl").contains(&versions));
}

#[test]
fn shards_that_may_have_reached_a_limit_together_are_refused() {
    let first_knocks = "10.0.0.1-10.0.0.20 > 192.0.2.1 tcp 7000\n";
    let desk = desk(first_knocks, 2, "--max-attempts 20");
    assert_eq!(
        refusal(&desk, "1.jsonl 2.jsonl", 2),
        "there may have been 20 attempts at once, which may be at a limit, where one client matters to \
         another: replay all shards again with '--max-attempts' above 20"
    );
    // As it says.
    write_shards(&desk, 2, "--max-attempts 21");
    let whole = desk.run(&format!("{} --max-attempts 21", replay())).stdout;
    assert_eq!(desk.run("merge 1.jsonl 2.jsonl").stdout, whole);
    // At the limit, a shard could not know who is evicted.
    write_shards(&desk, 2, "--max-attempts 15");
    refusal(&desk, "1.jsonl 2.jsonl", 2);
    let whole = desk.run(&format!("{} --max-attempts 15", replay())).stdout;
    assert!(whole.contains("evicted"));

    // What is remembered when attempts time out, for a moment between two packets.
    let (first, second) = (first_knocks, first_knocks.replace("7000", "8000"));
    desk.write("knocks.txt", format!("{first}0.1 {second}100 knock 10.0.0.99 7000\n"));
    write_shards(&desk, 2, "--max-attempts 39");
    let told = refusal(&desk, "1.jsonl 2.jsonl", 2);
    assert!(told.contains("40 knocks that are remembered"), "{told}");
    let whole = desk.run(&format!("{} --max-attempts 39", replay())).stdout;
    assert!(whole.contains("forgotten early"));

    desk.write("knocks.txt", CAPTURE);
    write_shards(&desk, 2, "--max-attempts 70");
    assert_eq!(desk.run("merge 1.jsonl 2.jsonl").status, Some(0));
    // One door may have no more of 10,000 leases than it leaves for others.
    let mut opens = String::from("to 192.0.2.1\n");
    for part in 0..40 {
        let _ = writeln!(opens, "0 knock 10.0.{part}.1-10.0.{part}.250 7000 8000 9000");
    }
    desk.write("knocks.txt", opens);
    write_shards(&desk, 2, "");
    let whole = desk.run(replay()).stdout;
    assert!(whole.contains(r#""event":"refused""#));
    let told = refusal(&desk, "1.jsonl 2.jsonl", 2);
    assert!(told.contains("open doors that are to be closed again at once"), "{told}");
    assert!(told.ends_with("replay without '--shard'"), "{told}");
}

/// Each shard knows only its own clients, and only ten are reported in ten seconds, which begin with the first.
#[test]
fn clients_that_are_voided_often_are_reported_as_of_all() {
    let mut capture = String::new();
    // The ten seconds that the first client begins are over when the last ones come.
    for (clients, start) in
        [("10.0.0.1", 3000), ("10.0.1.1-10.0.1.60", 12_500), ("10.0.2.1-10.0.2.60", 13_500)]
    {
        for round in 0..5 {
            for (port, later) in [(7000, 0), (9000, 50)] {
                let ms = start + round * 100 + later;
                let _ = writeln!(capture, "{ms}ms {clients} > 192.0.2.1 tcp {port}");
            }
        }
    }
    let desk = desk(&capture, 3, "");
    let whole = desk.run(replay()).stdout;
    let count = |text: &str| text.matches(r#""event":"voided-often""#).count();
    let of_shards = (1..=3)
        .map(|number| count(&fs::read_to_string(desk.path(&format!("{number}.jsonl"))).unwrap()));
    assert!(of_shards.sum::<usize>() > count(&whole) && count(&whole) == 20);
    let merged = desk.run("merge 1.jsonl 2.jsonl 3.jsonl");
    assert!(merged.stdout == whole, "{}", merged.stderr);
}

#[test]
fn a_file_that_is_not_the_whole_output_of_a_shard_is_named() {
    let desk = desk(CAPTURE, 2, "");
    let one = fs::read_to_string(desk.path("1.jsonl")).unwrap();
    let lines: Vec<&str> = one.lines().collect();
    let without_end = one.len() - lines.last().unwrap().len() - 1;
    let cut = "cannot merge bad: it has no summary at its end: replay this shard again";
    let no_object = "this is no object of a shard: replay this shard again";
    for (text, told) in [
        (&one[..without_end], cut.to_owned()),
        (&one[..one.len() - 1], cut.to_owned()),
        (&one[..one.len() / 2], cut.to_owned()),
        ("", "cannot merge bad: it is empty: replay this shard again".to_owned()),
        (
            &desk.run(replay()).stdout,
            "cannot merge bad: it is not the output of a shard: replay with '--shard I/N --format json'"
                .to_owned(),
        ),
        (
            &one.replacen(r#""version":1"#, r#""version":2"#, lines.len()),
            "cannot merge bad: another version of the program has written it".to_owned(),
        ),
        (
            &one.replace(r#""of":2"#, r#""of":4000000000"#),
            "cannot merge bad: another version of the program has written it".to_owned(),
        ),
        (
            &format!("{one}{one}"),
            format!(
                "cannot merge bad, line {}: a summary before the end: merge takes each shard as a file",
                lines.len()
            ),
        ),
    ] {
        desk.write("bad", text);
        let outcome = desk.run("merge bad 2.jsonl");
        assert_eq!(outcome.status, Some(3), "{told}");
        assert_eq!(outcome.stderr, format!("knock-replay: error: {told}\n"));
    }
    for (number, line, why) in [
        (2, "", no_object),
        (2, "{}", no_object),
        (
            3,
            lines[0],
            "this comes before the line above it: the file was changed, so replay this shard again",
        ),
        (1, &lines[0].replace("\"order\"", "\"orders\""), no_object),
        (1, &lines[0].replace('T', "t?"), no_object),
        (1, &lines[0].replace("\"version\":1", "\"version\":9"), no_object),
        (1, &"{".repeat(17 << 20), "this line is too long for one of a shard"),
    ] {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        desk.write("bad", format!("{}\n", lines.join("\n")));
        let outcome = desk.run("merge bad 2.jsonl");
        assert_eq!(outcome.status, Some(3), "{why}");
        let told = format!("knock-replay: error: cannot merge bad, line {number}: {why}\n");
        assert_eq!(outcome.stderr, told);
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let desk = desk(CAPTURE, 2, "");
    desk.pipe("pipe");
    desk.write("empty", "");
    desk.write("text", "Stage 1\n");
    fs::create_dir(desk.path("folder")).unwrap();
    for (name, told) in [
        (
            "pipe",
            "cannot merge pipe: it is no file; its last line is read first, so write it to one",
        ),
        ("folder", "cannot read folder: it is a directory; "),
        ("none", "cannot read none: there is no such file; "),
        ("empty", "cannot merge empty: it is empty: replay this shard again"),
        (
            "text",
            "cannot merge text: it is not the output of a shard: replay with '--shard I/N --format json'",
        ),
    ] {
        let mut told = told.to_owned();
        if told.ends_with("; ") {
            told += "name the output of a shard, from a replay with '--shard I/N --format json'";
        }
        // The program must not wait for somebody to write to the pipe.
        assert_eq!(refusal(&desk, &format!("1.jsonl {name}"), 3), told);
    }
}

#[test]
fn a_merge_that_cannot_be_written_is_status_4() {
    let desk = desk(CAPTURE, 2, "");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = desk.command("merge 1.jsonl 2.jsonl").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    let told = "knock-replay: error: cannot write to standard output: the disk is full; remove files, or \
         redirect it to another disk\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
}

/// It cannot be called anything else without a folder before it.
#[test]
fn a_capture_may_be_called_merge() {
    let desk = CaseRunner::with(knocks_pcap());
    fs::rename(desk.path("knocks.pcap"), desk.path("merge")).unwrap();
    assert_eq!(desk.run("./merge -c knockd.conf").stdout, OPENED);
}

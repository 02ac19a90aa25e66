//! The merged outputs of shards are the output of a replay without them.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use knock_replay::Exit;
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::in_process::knock_replay_in;
use knock_tests::model::Sequences;
use knock_tests::schema::Schema;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use tempfile::TempDir;

/// Runs the program in a folder, and returns what it printed.
fn run(folder: &Path, args: &[&str]) -> String {
    let run = knock_replay_in(folder, args.iter().map(OsString::from));
    assert_eq!(run.exit, Exit::Done, "{args:?}: {}", run.errors);
    String::from_utf8(run.output).unwrap()
}

/// Makes sure that the shards of captures, merged, give what a replay of all clients gives. Returns that.
fn assert_same(folder: &Path, captures: &[&str], of: u32, options: &[&str]) -> String {
    let replay = [captures, &["-c", "knockd.conf", "--format", "json", "-v"], options].concat();
    let whole = run(folder, &replay);
    let schema = Schema::read("knock-transcript.schema.json");
    let mut files: Vec<String> = (1..=of)
        .map(|number| {
            let shard = format!("{number}/{of}");
            let output = run(folder, &[&replay[..], &["--shard", &shard]].concat());
            output.lines().for_each(|line| schema.check(&serde_json::from_str(line).unwrap()));
            let file = format!("{number}.jsonl");
            fs::write(folder.join(&file), output).unwrap();
            file
        })
        .collect();
    // Their order does not matter.
    files.rotate_left(1);
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let merged = run(folder, &[&["merge"], &files[..]].concat());
    if merged != whole {
        let differing = merged.lines().zip(whole.lines()).find(|(merged, whole)| merged != whole);
        let config = fs::read_to_string(folder.join("knockd.conf")).unwrap_or_default();
        panic!("{differing:#?}\n{config}\n{whole}");
    }
    whole
}

/// Draws a case in which clients do not depend on each other. Stamps are rounded, so that much happens at the same time.
fn case() -> impl Strategy<Value = Case> {
    let coarse = prop_oneof![Just(1_i64), Just(1_000_000_000), Just(3_000_000_000)];
    (generators::case(Resolution::Nano), coarse).prop_map(|(mut case, coarse)| {
        for sight in &mut case.sights {
            sight.packet.at_ns -= sight.packet.at_ns.rem_euclid(coarse);
        }
        for door in &mut case.setting.doors {
            door.openings_per_minute = None;
        }
        case.setting.doors.retain(|door| matches!(door.sequences, Sequences::Fixed(_)));
        case.conf = generators::conf(&case.setting.doors, &generators::Style::plain());
        case
    })
}

/// Draws a configuration and captures, with short sequences and timeouts, of which many are over at the same moment.
fn crowd() -> impl Strategy<Value = (String, Vec<String>)> {
    (vec(crowded_door(), 1..6), vec(crowded_capture(), 1..4)).prop_map(|(doors, captures)| {
        let mut config = String::new();
        if doors.iter().any(|door| door.contains("open = ")) {
            config.push_str("[options]\nfirewall = nft\n");
        }
        for (number, door) in doors.iter().enumerate() {
            write!(config, "[d{number}]\n{door}").unwrap();
        }
        (config, captures)
    })
}

/// Draws a scenario with few clients, ports and times.
fn crowded_capture() -> impl Strategy<Value = String> {
    let second = prop_oneof![9 => 0..9_u8, 1 => 20..60_u8];
    vec((second, 0..6_u8, 1..4_u16, any::<bool>()), 1..150).prop_map(|mut packets| {
        packets.sort_by_key(|&(second, ..)| second);
        let mut capture = String::new();
        for (second, client, port, udp) in packets {
            let protocol = if udp { "udp" } else { "tcp" };
            writeln!(capture, "{second} 10.0.0.{client} > 192.0.2.1 {protocol} {port}").unwrap();
        }
        capture
    })
}

/// Draws a door: its lines in a configuration.
fn crowded_door() -> impl Strategy<Value = String> {
    let knock = (1..4_u16, any::<bool>());
    let on_reknock = prop::sample::select(vec!["extend", "separate", "ignore"]);
    let commands = prop_oneof![
        1 => Just(""),
        4 => Just("start_command = open %IP%\nstop_command = close %IP%\n"),
        1 => Just("command = once %IP%\n"),
    ];
    let more = prop_oneof![
        3 => Just(""),
        2 => Just("open = tcp/22\nopen_for = 3\n"),
        1 => Just("open = tcp/22\nopen_for = 3\nopen_max = 5\n"),
        1 => Just("seq_cooldown = 2\n"),
        1 => Just("client_openings_per_minute = 2\n"),
    ];
    (vec(knock, 1..4), 1..5_u8, 0..5_u8, on_reknock, commands, more).prop_map(
        |(knocks, seq_timeout, cmd_timeout, on_reknock, commands, more)| {
            let protocol = |udp| if udp { "udp" } else { "tcp" };
            let knocks: Vec<String> =
                knocks.into_iter().map(|(port, udp)| format!("{port}:{}", protocol(udp))).collect();
            let knocks = knocks.join(",");
            format!(
                "sequence = {knocks}\nseq_timeout = {seq_timeout}\ncmd_timeout = {cmd_timeout}\n\
                 on_reknock = {on_reknock}\n{commands}{more}"
            )
        },
    )
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/shard.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 150,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn shards_are_merged_to_what_a_replay_of_all_clients_prints(
        case in case(),
        cuts in vec(any::<Index>(), 0..3),
        of in 1..5_u32,
    ) {
        prop_assume!(!case.setting.doors.is_empty());
        let folder = TempDir::new().unwrap();
        case.write_to(folder.path()).unwrap();
        // Several captures, which overlap if time runs backwards.
        let parts = case.parts(&cuts);
        let names: Vec<String> = (0..parts.len()).map(|part| format!("part-{part}")).collect();
        for (part, name) in parts.iter().zip(&names) {
            fs::write(folder.path().join(name), part.capture().to_bytes()).unwrap();
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let arguments = case.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_same(folder.path(), &names, of, &arguments);
    }

    #[test]
    fn what_happens_at_the_same_moment_is_merged_in_its_order(
        (config, captures) in crowd(),
        of in 1..5_u32,
    ) {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("knockd.conf"), config).unwrap();
        let names: Vec<String> = (0..captures.len()).map(|at| format!("{at}.txt")).collect();
        for (capture, name) in captures.iter().zip(&names) {
            fs::write(folder.path().join(name), capture).unwrap();
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_same(folder.path(), &names, of, &[]);
    }
}

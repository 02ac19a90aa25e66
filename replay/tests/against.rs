//! `diff --new`: what it says is the difference of the two transcripts, no more and no less.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};

use fastrand::Rng;
use knock_capture::frame::datagram_frame;
use knock_tests::cases;
use knock_tests::generators::{self, Case, Resolution, Style};
use knock_tests::model::{Door, Knock, Sequences};
use knock_tests::schema::Schema;
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};
use serde_json::Value;

const SCHEMA: &str = "knock-against.schema.json";

fn run(folder: &Path, capture: &Path, arguments: &[String], further: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(folder)
        .args(further.contains(&"--new").then_some("diff"))
        .arg(capture)
        .args(arguments)
        .args(["--quiet", "--format", "json"])
        .args(further)
        .output()
        .unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What happens and shows outside, without its cause.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: String,
    name: String,
    client: String,
    door: String,
    packet: Option<u64>,
    command: Option<String>,
}

fn event(one: &Value, half: &Value) -> Event {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Event {
        time: text(&half["time"]),
        name: text(&one["event"]),
        client: text(&one["client"]),
        door: text(&one["door"]),
        packet: half["packet"]["number"].as_u64(),
        command: half["command"].as_str().map(str::to_owned),
    }
}

/// How often each event happens.
type Events = BTreeMap<Event, usize>;

fn counted(events: impl IntoIterator<Item = Event>) -> Events {
    let mut counts = Events::new();
    for event in events {
        *counts.entry(event).or_default() += 1;
    }
    counts
}

/// The events of a transcript that `diff --new` compares.
fn transcript(output: &Output, schema: &Schema) -> Events {
    let compared = schema.names("event");
    let objects = objects(output);
    let is_compared = |one: &&Value| compared.contains(one["event"].as_str().unwrap_or_default());
    counted(objects.iter().filter(is_compared).map(|one| event(one, one)))
}

/// Takes out what is in both.
fn difference(mut old: Events, mut new: Events) -> (Events, Events) {
    for (event, count) in &mut old {
        let other = new.entry(event.clone()).or_default();
        let same = (*count).min(*other);
        *count -= same;
        *other -= same;
    }
    old.retain(|_, count| *count > 0);
    new.retain(|_, count| *count > 0);
    (old, new)
}

/// How often a client opens doors under the old and the new configuration.
type Openings = BTreeSet<(String, usize, usize)>;

/// What is said of the clients that get in less often, or more often.
fn by_client(summary: &Value) -> (Openings, Openings) {
    let openings = |one: &Value| {
        let count = |side: &str| usize::try_from(one[side].as_u64().unwrap()).unwrap();
        (one["client"].as_str().unwrap().to_owned(), count("old"), count("new"))
    };
    let all = |name: &str| summary[name].as_array().unwrap().iter().map(openings).collect();
    (all("losing"), all("gaining"))
}

fn openings_that_differ(old: &Events, new: &Events) -> (Openings, Openings) {
    let mut clients = BTreeMap::<&str, (usize, usize)>::new();
    for (event, count) in old.iter().filter(|(event, _)| event.name == "opened") {
        clients.entry(&event.client).or_default().0 += count;
    }
    for (event, count) in new.iter().filter(|(event, _)| event.name == "opened") {
        clients.entry(&event.client).or_default().1 += count;
    }
    let all = clients.into_iter().map(|(client, (old, new))| (client.to_owned(), old, new));
    let (losing, rest) = all.partition(|(_, old, new)| new < old);
    let gaining = Openings::into_iter(rest).filter(|(_, old, new)| new > old).collect();
    (losing, gaining)
}

/// Holds what is said of two configurations to their transcripts. Returns what was met.
fn check(folder: &Path, capture: &Path, arguments: &[String]) -> BTreeSet<String> {
    let schema = Schema::read(SCHEMA);
    let [old, new] = ["knockd.conf", "new.conf"].map(|config| {
        let output = run(folder, capture, arguments, &["-c", config]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        output
    });
    let against = run(folder, capture, arguments, &["-c", "knockd.conf", "--new", "new.conf"]);
    let objects = objects(&against);
    for object in &objects {
        schema.check(object);
    }
    let (summary, differences) = objects.split_last().unwrap();
    assert_eq!(summary["differences"], differences.len());
    let halves = |half: &str| {
        let with_half = differences.iter().filter(|one| !one[half].is_null());
        counted(with_half.map(|one| event(one, &one[half])))
    };
    let (old, new) = (transcript(&old, &schema), transcript(&new, &schema));
    assert_eq!(by_client(summary), openings_that_differ(&old, &new));
    let (old, new) = difference(old, new);
    for (is, said) in [(old, halves("old")), (new, halves("new"))] {
        let (not_said, wrong) = difference(is, said);
        assert!(not_said.is_empty() && wrong.is_empty(), "{not_said:#?} {wrong:#?}");
    }
    let admitted =
        [&summary["old"], &summary["new"]].map(|side| side["admitted"].as_u64().unwrap());
    let is_same = differences.is_empty() && admitted != [0, 0];
    assert_eq!(against.status.code(), Some(i32::from(!is_same)), "{against:?}");
    let mut met = BTreeSet::new();
    for one in differences {
        let (old, new) = (&one["old"], &one["new"]);
        match one["change"].as_str().unwrap() {
            "moved" => {
                assert_eq!(old["command"], new["command"], "{one}");
                // Two packets can have the same time.
                assert_ne!((&old["time"], &old["packet"]), (&new["time"], &new["packet"]), "{one}");
            }
            "changed" => assert_ne!(old["command"], new["command"], "{one}"),
            "gone" => assert!(new.is_null(), "{one}"),
            _ => assert!(old.is_null(), "{one}"),
        }
        let because = &one["because"];
        assert_ne!(because["kind"], "unknown", "{one}");
        let said = |side: &Value| (side["text"].clone(), side["lines"].clone());
        if because["kind"] != "no-door" && because["kind"] != "opening" {
            assert_ne!(said(&because["old"]), said(&because["new"]), "{one}");
        }
        met.extend(["change", "event"].map(|name| one[name].as_str().unwrap().to_owned()));
        met.insert(because["kind"].as_str().unwrap().to_owned());
    }
    met
}

/// What is done to a door.
#[derive(Clone, Debug)]
enum Edit {
    SeqTimeout(u32),
    CmdTimeout(u32),
    Start(Option<&'static str>),
    Stop(Option<&'static str>),
    Knock(Knock),
    OneMore(Knock),
    Flags(u8),
    Rename,
    Remove,
}

fn edit() -> impl Strategy<Value = Edit> {
    let command = || prop_oneof![Just(None), Just(Some("run %IP%")), Just(Some("other"))];
    prop_oneof![
        3 => (1..=15_u32).prop_map(Edit::SeqTimeout),
        3 => (1..=15_u32).prop_map(Edit::CmdTimeout),
        2 => command().prop_map(Edit::Start),
        2 => command().prop_map(Edit::Stop),
        2 => generators::knock().prop_map(Edit::Knock),
        2 => generators::knock().prop_map(Edit::OneMore),
        1 => any::<u8>().prop_map(Edit::Flags),
        1 => Just(Edit::Rename),
        1 => Just(Edit::Remove),
    ]
}

/// Edits the doors, each edit at a place of its own. Files of one-time sequences stay as they are.
fn edited(doors: &[Door], edits: &[(usize, Edit)]) -> Vec<Door> {
    let mut doors = doors.to_vec();
    for (place, edit) in edits {
        let place = place % doors.len();
        let is_last = doors.len() == 1;
        let door = &mut doors[place];
        let text = |command: Option<&str>| command.map(|text| text.as_bytes().to_vec());
        match edit {
            Edit::SeqTimeout(seconds) => door.seq_timeout_s = *seconds,
            Edit::CmdTimeout(seconds) => door.cmd_timeout_s = *seconds,
            Edit::Start(command) => door.start = text(*command),
            Edit::Stop(command) => door.stop = text(*command),
            Edit::Knock(knock) => {
                if let Sequences::Fixed(knocks) = &mut door.sequences
                    && let Some(last) = knocks.last_mut()
                {
                    *last = *knock;
                }
            }
            Edit::OneMore(knock) => {
                if let Sequences::Fixed(knocks) = &mut door.sequences
                    && knocks.len() < 32
                {
                    knocks.push(*knock);
                }
            }
            Edit::Flags(wanted) => door.wanted = wanted & 2,
            Edit::Rename => door.name.push(b'x'),
            Edit::Remove if !is_last => drop(doors.remove(place)),
            Edit::Remove => {}
        }
    }
    doors
}

fn check_edited(case: &Case, edits: &[(usize, Edit)]) -> BTreeSet<String> {
    let doors = edited(&case.setting.doors, edits);
    let has_twins = |doors: &[Door]| {
        doors.iter().map(|door| &door.name).collect::<BTreeSet<_>>().len() < doors.len()
    };
    if has_twins(&case.setting.doors) || has_twins(&doors) {
        // Transcripts do not tell doors of one name apart.
        return BTreeSet::new();
    }
    let folder = tempfile::tempdir().unwrap();
    case.write_to(folder.path()).unwrap();
    let conf = generators::conf(&doors, &Style::plain());
    std::fs::write(folder.path().join("new.conf"), conf.text).unwrap();
    for (name, sequences) in conf.sequence_files {
        if case.conf.sequence_files.iter().any(|file| file.0 == name && file.1 != sequences) {
            // Without a door the others take its file.
            return BTreeSet::new();
        }
        std::fs::write(folder.path().join(name), sequences).unwrap();
    }
    let capture = case.capture().file_name();
    check(folder.path(), Path::new(&capture), &case.arguments())
}

#[test]
fn what_is_said_is_the_difference_of_the_two_transcripts() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/against.txt");
    let config = Config {
        cases: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(path))),
        ..Config::default()
    };
    let strategy =
        (generators::case(Resolution::Nano), prop::collection::vec((any::<usize>(), edit()), 0..4));
    let met = RefCell::new(BTreeMap::<String, usize>::new());
    TestRunner::new(config)
        .run(&strategy, |(case, edits)| {
            for name in check_edited(&case, &edits) {
                *met.borrow_mut().entry(name).or_default() += 1;
            }
            Ok(())
        })
        .unwrap();
    let schema = Schema::read(SCHEMA);
    let known = ["change", "event", "kind"].into_iter().flat_map(|name| schema.names(name));
    // Those need a limit to be met.
    let known = known.filter(|name| !["refused", "unknown"].contains(&name.as_str()));
    let met = met.into_inner();
    let missing: Vec<String> = known.filter(|name| !met.contains_key(name)).collect();
    assert!(missing.is_empty(), "{missing:?} not in {met:?}");
}

/// Writes datagrams to a capture: when, in milliseconds, of whom, and to which port.
fn write_datagrams(path: &Path, packets: &[(u32, Ipv4Addr, u16)]) {
    let mut bytes =
        vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for &(ms, client, port) in packets {
        let to = ([192, 0, 2, 1], port).into();
        let frame = datagram_frame((client, 9).into(), to, b"", &mut Rng::with_seed(0)).unwrap();
        let length = u32::try_from(frame.len()).unwrap();
        bytes.extend([ms / 1000, ms % 1000 * 1000, length, length].map(u32::to_le_bytes).concat());
        bytes.extend(frame);
    }
    std::fs::write(path, bytes).unwrap();
}

/// More clients than either side does at once, or hands over at once.
#[test]
fn of_a_flood_each_event_is_compared() {
    const CLIENTS: u32 = 6000;
    let folder = tempfile::tempdir().unwrap();
    let door = |timeout: u32, command: &str| {
        let command = format!("{command} %IP%");
        format!("[d]\nsequence = 1:udp,2:udp\nseq_timeout = {timeout}\ncommand = {command}\n")
    };
    for (name, text) in [("knockd.conf", door(9, "run")), ("new.conf", door(4, "other"))] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    // Every fifth opens the door, and every second of those too late for the new configuration.
    let mut packets = Vec::new();
    for client in 0..CLIENTS {
        let address = Ipv4Addr::from_bits(0x0a00_0000 + client);
        packets.push((client, address, 1));
        if client % 5 == 0 {
            packets.push((client + if client % 10 == 0 { 3000 } else { 6000 }, address, 2));
        }
    }
    packets.sort();
    write_datagrams(&folder.path().join("flood.pcap"), &packets);
    let met = check(folder.path(), Path::new("flood.pcap"), &[]);
    let expected = ["changed", "gone", "moved", "opened", "sequence-timeout", "start-command"];
    assert!(expected.iter().all(|name| met.contains(*name)), "{met:?}");
}

/// Every case of the captures, against itself.
#[test]
fn nothing_changes_if_the_configuration_does_not() {
    let mut same = 0;
    for case in cases::all() {
        if case.args.iter().any(|argument| ["--rules", "--time", "-v"].contains(&&**argument)) {
            continue;
        }
        let conf = case.conf.to_str().unwrap();
        for capture in &case.captures {
            let output = run(&case.folder, capture, &case.args, &["-c", conf, "--new", conf]);
            let objects = objects(&output);
            if output.status.code() == Some(0) {
                assert_eq!(objects.len(), 1, "{}", case.name);
                same += 1;
            }
            assert!(objects.iter().all(|one| one["type"] == "summary"), "{}", case.name);
        }
    }
    assert!(same > 30, "only {same}");
}

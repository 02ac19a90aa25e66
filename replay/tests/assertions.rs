//! Assertions beside the transcript of the same packets: what it says holds, and nothing else does.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Output};

use knock_tests::generators::{self, Case, Resolution};
use proptest::prelude::*;
use tempfile::TempDir;

/// What a transcript says, counted.
#[derive(Debug, Default)]
struct Counted {
    /// Openings by the name of the door and the client.
    openings: BTreeMap<(Vec<u8>, IpAddr), u64>,
    /// Doors that closed, by name.
    closings: BTreeMap<Vec<u8>, u64>,
    /// Commands that ran, by their texts.
    runs: BTreeMap<Vec<u8>, u64>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_the_transcript_says_holds_and_its_opposite_does_not(
        case in generators::case(Resolution::Nano),
        theirs: bool,
    ) {
        // knockd 0.8 cuts longer names off.
        prop_assume!(!theirs || case.setting.doors.iter().all(|door| door.name.len() < 128));
        let folder = TempDir::new().unwrap();
        case.write_to(folder.path()).unwrap();
        let rules = if theirs { "knockd-0.8" } else { "knock" };
        let replay = |more: &[&str]| replay(&case, folder.path(), rules, more);
        let plain = replay(&[]);
        // With some doors knockd 0.8 does not start.
        prop_assume!(plain.status.code() == Some(0));
        let counted = counted(&case, &plain.stdout);
        let summary = String::from_utf8_lossy(&plain.stderr).into_owned();
        let is_silent = summary.contains(" packets read, 0 admitted")
            || summary.contains(" packet read, 0 admitted");
        let mut clients: BTreeSet<IpAddr> =
            case.packets().iter().map(|packet| packet.src).collect();
        if theirs {
            // knockd 0.8 cannot read some packets, and hears clients that no host can be. Nothing
            // holds of a client that did not come.
            clients.extend(case.sights.iter().map(|sight| sight.packet.src));
            let text = String::from_utf8_lossy(&plain.stdout).into_owned();
            let first = |line: &str| line.split(": ").next().and_then(|client| client.parse().ok());
            let told: BTreeSet<IpAddr> = text.lines().filter_map(first).collect();
            clients.retain(|client| told.contains(client));
        }
        let (holds, fails) = assertions(&case, &clients, &counted, is_silent);
        fs::write(folder.path().join("holds.assert"), lines(&holds)).unwrap();
        fs::write(folder.path().join("fails.assert"), lines(&fails)).unwrap();
        let outcome = replay(&["--assert", "holds.assert"]);
        let printed = String::from_utf8_lossy(&outcome.stdout);
        let told = String::from_utf8_lossy(&outcome.stderr).into_owned();
        prop_assert_eq!((outcome.status.code(), &*printed), (Some(0), ""), "{}", told);
        let outcome = replay(&["--assert", "fails.assert"]);
        prop_assert_eq!(outcome.status.code(), Some(1));
        let told = String::from_utf8_lossy(&outcome.stderr).into_owned();
        let all = format!("knock-replay: {0} of {0} assertion", fails.len());
        prop_assert!(told.contains(&all), "{}{}", told, String::from_utf8_lossy(&outcome.stdout));
    }
}

fn replay(case: &Case, folder: &Path, rules: &str, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_knock-replay"))
        .current_dir(folder)
        .arg(case.capture().file_name())
        .args(["--config", "knockd.conf", "--rules", rules])
        .args(case.arguments())
        .args(more)
        .output()
        .unwrap()
}

/// Counts what a transcript says.
fn counted(case: &Case, transcript: &[u8]) -> Counted {
    let mut counted = Counted::default();
    for line in transcript.split(|byte| *byte == b'\n') {
        for door in &case.setting.doors {
            let of_door = [&door.name[..], b": running command: "].concat();
            if let Some(command) = line.strip_prefix(&of_door[..]) {
                *counted.runs.entry(command.to_vec()).or_default() += 1;
                break;
            }
            let behind = |what: &str| {
                let end = [b": ", &door.name[..], b": ", what.as_bytes()].concat();
                let client = line.strip_suffix(&end[..])?;
                std::str::from_utf8(client).ok()?.parse::<IpAddr>().ok()
            };
            if let Some(client) = behind("OPEN SESAME") {
                *counted.openings.entry((door.name.clone(), client)).or_default() += 1;
                break;
            }
            if behind("command timeout").is_some() {
                *counted.closings.entry(door.name.clone()).or_default() += 1;
                break;
            }
        }
    }
    counted
}

/// Returns what holds, and what does not.
fn assertions(
    case: &Case,
    clients: &BTreeSet<IpAddr>,
    counted: &Counted,
    is_silent: bool,
) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut holds, mut fails) = (Vec::new(), Vec::new());
    let mut either = |is_so: bool, yes: Vec<u8>, no: Vec<u8>| {
        let (right, wrong) = if is_so { (yes, no) } else { (no, yes) };
        holds.push(right);
        fails.push(wrong);
    };
    let doors: BTreeSet<&Vec<u8>> = case.setting.doors.iter().map(|door| &door.name).collect();
    for door in doors {
        let name = in_quotes(door);
        let text = |parts: &[&[u8]]| parts.concat();
        let mut total = 0;
        for client in clients {
            let times = counted.openings.get(&(door.clone(), *client)).copied().unwrap_or(0);
            total += times;
            let who = client.to_string();
            let who = who.as_bytes();
            let yes = text(&[b"must open ", &name, b" from ", who]);
            either(times > 0, yes, text(&[b"must not open ", &name, b" from ", who]));
            let many = text(&[b"opens ", &name, format!(" {times} from ").as_bytes(), who]);
            let more = format!(" at least {} from ", times + 1);
            either(true, many, text(&[b"opens ", &name, more.as_bytes(), who]));
        }
        let exactly = |times: u64| text(&[b"opens ", &name, format!(" {times}").as_bytes()]);
        either(true, exactly(total), exactly(total + 1));
        if counted.closings.contains_key(door) {
            let never = text(&[b"closes ", &name, b" after 86399.9"]);
            either(true, text(&[b"closes ", &name]), never);
        }
    }
    for (command, times) in &counted.runs {
        let runs = |times: u64| {
            [b"runs ", &in_quotes(command)[..], format!(" {times}").as_bytes()].concat()
        };
        either(true, runs(*times), runs(times + 1));
        let quoted = in_quotes(command);
        let never = [b"does not run ", &quoted[..]].concat();
        either(true, [b"runs ", &quoted[..]].concat(), never);
    }
    let total: u64 = counted.openings.values().sum();
    let any = |times: u64| format!("opens any {times}").into_bytes();
    either(true, any(total), any(total + 1));
    if is_silent {
        holds.push(b"nothing is admitted".to_vec());
    } else {
        fails.push(b"nothing is admitted".to_vec());
    }
    (holds, fails)
}

fn in_quotes(text: &[u8]) -> Vec<u8> {
    let escaped = text.iter().flat_map(|byte| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        other => vec![*other],
    });
    [b'"'].into_iter().chain(escaped).chain([b'"']).collect()
}

fn lines(assertions: &[Vec<u8>]) -> Vec<u8> {
    assertions.iter().flat_map(|line| [&line[..], b"\n"].concat()).collect()
}

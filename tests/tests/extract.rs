//! A replay of an extract prints what a replay of the whole capture prints.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::ffi::OsString;
use std::fs;

use knock_replay::Exit;
use knock_tests::generators::{self, Case, Resolution, Sight};
use knock_tests::in_process::knock_replay_in;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use tempfile::TempDir;

/// The new capture.
const EXTRACT: &str = "extract.pcapng";

/// A case in a folder of its own.
struct Desk<'a> {
    case: &'a Case,
    folder: TempDir,
}

impl<'a> Desk<'a> {
    fn new(case: &'a Case) -> Self {
        let folder = TempDir::new().unwrap();
        case.write_to(folder.path()).unwrap();
        Self { case, folder }
    }

    /// Runs the program, and returns what it printed.
    fn run(&self, args: &[&str]) -> String {
        let run = knock_replay_in(self.folder.path(), args.iter().map(OsString::from));
        assert_eq!(run.exit, Exit::Done, "{}", run.errors);
        String::from_utf8(run.output).unwrap()
    }

    /// Keeps what is needed of captures.
    fn extract(&self, captures: &[&str]) {
        self.run(&[&["extract", "-c", "knockd.conf", "-o", EXTRACT], captures].concat());
    }

    fn transcript(&self, captures: &[&str], more: &[&str]) -> String {
        let arguments = self.case.arguments();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run(&[captures, &["-c", "knockd.conf"], more, &arguments].concat())
    }

    /// Makes sure that captures and their extract give the same.
    fn assert_same(&self, captures: &[&str]) {
        self.extract(captures);
        for more in [&["--time"][..], &["--time=relative"], &["-v"]] {
            let (whole, extract) =
                (self.transcript(captures, more), self.transcript(&[EXTRACT], more));
            assert_eq!(
                extract,
                whole,
                "{more:?}\n{}",
                String::from_utf8_lossy(&self.case.conf.text)
            );
        }
    }
}

/// Draws a case with packets to other ports among the knocks, before and after them, and some of them early or late.
fn case_with_others(resolution: Resolution) -> impl Strategy<Value = Case> {
    let second = 1_000_000_000_i64;
    let other = (any::<Index>(), -20..20_i64, 1..1000_u16);
    (generators::case(resolution), vec(other, 0..20)).prop_map(move |(mut case, others)| {
        for (index, seconds, dport) in others {
            if case.sights.is_empty() {
                break;
            }
            let at = index.index(case.sights.len());
            let mut other: Sight = case.sights[at].clone();
            other.packet.dport = dport;
            other.packet.at_ns += seconds * second;
            case.sights.insert(at, other);
        }
        case
    })
}

/// Where failing cases are stored; later runs try them first.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/extract.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_extract_replays_as_the_capture(case in case_with_others(Resolution::Nano)) {
        let desk = Desk::new(&case);
        desk.assert_same(&[&case.capture().file_name()]);
    }

    #[test]
    fn an_extract_of_several_captures_replays_as_all_of_them(
        case in case_with_others(Resolution::Nano),
        cuts in vec(any::<Index>(), 1..4),
    ) {
        let desk = Desk::new(&case);
        let parts = case.parts(&cuts);
        let names: Vec<String> = (0..parts.len()).map(|part| format!("part-{part}")).collect();
        for (part, name) in parts.iter().zip(&names) {
            fs::write(desk.folder.path().join(name), part.capture().to_bytes()).unwrap();
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        desk.assert_same(&names);
        // Or each by itself, and merged then.
        let whole = desk.transcript(&names, &["--time"]);
        let extracts: Vec<String> = names.iter().map(|name| {
            desk.extract(&[name]);
            let extract = format!("{name}-extract");
            fs::rename(desk.folder.path().join(EXTRACT), desk.folder.path().join(&extract)).unwrap();
            extract
        }).collect();
        let extracts: Vec<&str> = extracts.iter().map(String::as_str).collect();
        prop_assert_eq!(desk.transcript(&extracts, &["--time"]), whole);
    }

    #[test]
    fn an_extract_of_an_extract_is_the_same_packets(case in case_with_others(Resolution::Nano)) {
        let desk = Desk::new(&case);
        desk.extract(&[&case.capture().file_name()]);
        let once = fs::read(desk.folder.path().join(EXTRACT)).unwrap();
        let again = "again.pcapng";
        desk.run(&["extract", "-c", "knockd.conf", "-o", again, EXTRACT]);
        desk.assert_same(&[again]);
        let again = fs::read(desk.folder.path().join(again)).unwrap();
        // Only comments and names of interfaces differ, which say where the packets were.
        prop_assert!(again.len() <= once.len() + 64 * (case.sights.len() + 2));
    }
}

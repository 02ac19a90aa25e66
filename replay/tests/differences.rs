//! `docs/differences.md` against the programs: every difference it claims is shown by its cases, and
//! every case that shows a difference is claimed.

#![cfg(test)]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use knock_compat::Difference;
use knock_tests::cases_08::{self, Case, Found, Who};
use knock_tests::oracle::Oracle;

/// Differences of files and of what is printed about them: both rule sets read them in one way.
const OF_FILES: [u8; 15] = [23, 28, 29, 30, 31, 32, 33, 34, 35, 36, 39, 40, 41, 71, 72];

#[test]
fn every_number_has_cases_or_tests_and_all_of_them_exist() {
    let document = Document::read();
    let numbers: Vec<u8> = document.numbered().map(|(number, _)| number).collect();
    let last = u8::try_from(numbers.len()).unwrap();
    assert_eq!(numbers, (1..=last).collect::<Vec<u8>>());
    for number in Difference::ALL.map(Difference::number) {
        assert!(numbers.contains(&number), "{number} is missing");
    }
    let letters: String = document.lettered().map(|entry| &entry.label[..]).collect();
    assert_eq!(letters, "ABCDEFGH");
    let daemon = Path::new(env!("CARGO_MANIFEST_DIR")).join("../daemon/tests");
    let source = include_str!("differences.rs").to_owned()
        + &sources(&daemon.join("process"))
        + &sources(&daemon.join("network"))
        + &sources(&daemon.join("differences"))
        + include_str!("signed.rs")
        + include_str!("../../tests/tests/include.rs");
    for entry in &document.entries {
        assert!(
            !entry.cases.is_empty() || !entry.tests.is_empty(),
            "{} shows nothing",
            entry.label
        );
        for name in &entry.cases {
            assert!(document.case(name).is_some(), "{}: there is no case {name}", entry.label);
        }
        for name in &entry.tests {
            assert!(source.contains(&format!("\nfn {name}()")), "{}: no test {name}", entry.label);
        }
    }
}

#[test]
fn the_cases_of_a_number_differ_between_the_rule_sets() {
    let document = Document::read();
    let mut compared = 0;
    for (number, case) in document.numbered_cases() {
        if OF_FILES.contains(&number) {
            continue;
        }
        let [old, new] = [Who::Knockd08, Who::Knock].map(|who| replay(case, who));
        assert!(
            (&old.end, &old.output) != (&new.end, &new.output),
            "{number}: both rule sets do the same with {}",
            case.name
        );
        compared += 1;
    }
    assert!(compared >= 50, "only {compared} cases were compared");
}

#[test]
fn a_comparison_of_the_rule_sets_names_the_number() {
    let document = Document::read();
    // The limit is one of memory, not of the rules.
    let compared = Difference::ALL.into_iter().filter(|one| *one != Difference::Unbounded);
    let compared: Vec<u8> = compared.map(Difference::number).collect();
    let mut unnamed = Vec::new();
    for (number, case) in document.numbered_cases() {
        if !compared.contains(&number) {
            continue;
        }
        if case.reload().is_some() {
            let shown = cases_08::differences_at_a_reload(case);
            if !shown.contains(&Some(number)) || shown.contains(&None) {
                unnamed.push(format!("{}: {number} is not named: {shown:?}", case.name));
            }
            continue;
        }
        let (output, errors) = cases_08::compare(case, Path::new(program()));
        let is_named = output.contains(&format!("[difference {number},"))
            || errors.contains(&format!("(difference {number})"));
        if !is_named {
            unnamed.push(format!("{}: {number} is not named:\n{output}{errors}", case.name));
        }
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}

#[test]
fn files_are_refused_by_one_side_or_mean_something_else_or_are_refused_in_other_words() {
    let document = Document::read();
    for (number, case) in document.numbered_cases() {
        if !OF_FILES.contains(&number) {
            continue;
        }
        let real = case.outcome(Who::Real).unwrap();
        let ours = replay(case, Who::Knock);
        let differs = match (real.end.as_deref() == Some("status 1"), ours.end.is_some()) {
            (true, true) => number == 36 && real.usage && ours.output.is_empty(),
            (false, false) => real.transcript != ours.output,
            (true, false) | (false, true) => true,
        };
        assert!(differs, "{number}: both do the same with {}", case.name);
    }
}

#[test]
fn the_rule_set_knockd_08_departs_from_the_real_program_where_the_document_says() {
    let document = Document::read();
    for entry in document.lettered() {
        for name in &entry.cases {
            let case = document.case(name).unwrap();
            // What the real program does is held to this by the tests of the cases.
            let real = case.outcome(Who::Real).unwrap();
            let ours = replay(case, Who::Knockd08);
            let is_told = ours.errors.contains("knockd 0.8 crashes here");
            assert!(
                (&real.end, &real.transcript) != (&ours.end, &ours.output) || is_told,
                "{}: the rule set does the same with {name}",
                entry.label
            );
        }
    }
}

#[test]
fn every_departure_of_the_rule_set_knockd_08_is_in_the_document() {
    let document = Document::read();
    let configuration = document.numbered().filter(|(number, _)| OF_FILES.contains(number));
    let entries = document.lettered().chain(configuration.map(|(_, entry)| entry));
    let named: BTreeSet<&str> = entries.flat_map(Entry::case_names).collect();
    for case in &document.all {
        let Some(ours) = case.outcome(Who::Knockd08) else { continue };
        let real = case.outcome(Who::Real).unwrap();
        let both_refuse = real.end.as_deref() == Some("status 1") && ours.end.is_some();
        assert!(both_refuse || named.contains(&case.name[..]), "{} is not named", case.name);
    }
}

#[test]
fn every_case_in_which_knock_differs_is_in_the_document() {
    let document = Document::read();
    let named: BTreeSet<&str> = document.entries.iter().flat_map(Entry::case_names).collect();
    let mut unnamed = Vec::new();
    for case in &document.all {
        let Some(ours) = case.outcome(Who::Knock) else { continue };
        let real = case.outcome(Who::Real).unwrap();
        let both_refuse = real.end.as_deref() == Some("status 1") && ours.end.is_some();
        // Timeouts that are told at the end of a capture are in nearly every case (17).
        let is_same = without_timeouts(&real.transcript) == without_timeouts(&ours.transcript)
            && real.end == ours.end;
        if !both_refuse && !is_same && !named.contains(&case.name[..]) {
            unnamed.push(&case.name);
        }
    }
    assert!(unnamed.is_empty(), "not named: {unnamed:?}");
}

#[test]
fn a_file_of_more_than_a_mebibyte_is_too_large_for_us_only() {
    let large = [b"[d]\nsequence = 1\n".to_vec(), b"#\n".repeat(1 << 19)].concat();
    let parts = [("knockd.conf", large), ("knocks.txt", b"0 192.0.2.10 > 10.0.0.1:1 tcp\n".into())];
    let parts = parts.map(|(name, text)| (name.to_owned(), text)).to_vec();
    let case = Case { name: "large".into(), parts, ..Case::default() };
    let ours = replay(&case, Who::Knock);
    assert_eq!((ours.end.as_deref(), &ours.output[..]), (Some("status 2"), &b""[..]));
    assert!(ours.errors.contains("larger than 1 MiB"), "{}", ours.errors);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(oracle) = Oracle::required_by("a large file", cache) else { return };
    let real = cases_08::judge(&case, &oracle);
    assert_eq!(real.end, None);
    assert_eq!(real.output, b"192.0.2.10: d: Stage 1\n192.0.2.10: d: OPEN SESAME\n");
}

#[test]
fn interfaces_in_one_line_are_one_name_for_knockd_08() {
    let conf = b"[options]\nInterface = eth0, ppp0\n[d]\nsequence = 1\n".to_vec();
    let parts = [("knockd.conf", conf), ("knocks.txt", b"0 192.0.2.10 > 10.0.0.1:1 tcp\n".into())];
    let parts = parts.map(|(name, text)| (name.to_owned(), text)).to_vec();
    let case = Case { name: "interfaces".into(), parts, ..Case::default() };
    let opened = "192.0.2.10: d: Stage 1\n192.0.2.10: d: OPEN SESAME\n";
    let ours = replay(&case, Who::Knock);
    assert_eq!((ours.end.as_deref(), String::from_utf8_lossy(&ours.output)), (None, opened.into()));
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(oracle) = Oracle::required_by("interfaces in one line", cache) else { return };
    let real = cases_08::judge_on_configured_interface(&case, &oracle);
    let printed = String::from_utf8_lossy(&real.output).into_owned();
    assert_eq!(printed, format!("listening on eth0, ppp0...\n{opened}"));
}

/// Returns the text of all source files of a folder.
fn sources(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

fn program() -> &'static str {
    env!("CARGO_BIN_EXE_knock-replay")
}

fn replay(case: &Case, who: Who) -> Found {
    cases_08::replay(case, Path::new(program()), who)
}

fn without_timeouts(transcript: &[u8]) -> Vec<&[u8]> {
    let lines = transcript.split(|byte| *byte == b'\n');
    lines.filter(|line| !String::from_utf8_lossy(line).contains(": sequence timeout (")).collect()
}

/// `docs/differences.md` and the cases it refers to.
struct Document {
    entries: Vec<Entry>,
    all: Vec<Case>,
}

/// A section `### LABEL. TITLE`.
struct Entry {
    label: String,
    /// What stands behind `- Cases:`.
    cases: Vec<String>,
    /// What stands behind `- Tests:`.
    tests: Vec<String>,
}

impl Entry {
    fn case_names(&self) -> impl Iterator<Item = &str> {
        self.cases.iter().map(String::as_str)
    }
}

impl Document {
    fn read() -> Self {
        let text = include_str!("../../docs/differences.md");
        let entries = text.split("\n### ").skip(1).map(|section| {
            let section = section.split("\n## ").next().unwrap();
            let (label, _) = section.split_once(". ").unwrap();
            let names = |key: &str| -> Vec<String> {
                let (_, rest) = section.split_once(key).unwrap_or_default();
                let list = rest.split("\n- ").next().unwrap();
                list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
            };
            Entry { label: label.into(), cases: names("\n- Cases:"), tests: names("\n- Tests:") }
        });
        Self { entries: entries.collect(), all: cases_08::all() }
    }

    fn numbered(&self) -> impl Iterator<Item = (u8, &Entry)> {
        self.entries.iter().filter_map(|entry| Some((entry.label.parse().ok()?, entry)))
    }

    fn lettered(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.label.parse::<u8>().is_err())
    }

    fn numbered_cases(&self) -> impl Iterator<Item = (u8, &Case)> {
        self.numbered().flat_map(move |(number, entry)| {
            entry.case_names().map(move |name| (number, self.case(name).unwrap()))
        })
    }

    fn case(&self, name: &str) -> Option<&Case> {
        self.all.iter().find(|case| case.name == name)
    }
}

/// Number 75. Its key cannot be a file of the repository, which others may read.
#[test]
fn knockd_08_never_opens_a_door_that_derives_its_sequences() {
    let folder = tempfile::tempdir().unwrap();
    let [config, key, knocks] =
        ["knockd.conf", "the.key", "knocks.txt"].map(|name| folder.path().join(name));
    let text = format!("[SSH]\nSequence_Key = {}\nCommand = open %IP%\n", key.display());
    std::fs::write(&config, text).unwrap();
    std::fs::write(&key, "key = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Of testdata/derived/vectors.txt.
    let scenario = "start 2025-12-04T00:00:30Z\n0 knock 10.0.0.5 22365 42880 23141 31602 51651\n";
    std::fs::write(&knocks, scenario).unwrap();
    let run = |rules: &str| {
        let args = ["knock-replay".into(), knocks.clone().into_os_string(), "-c".into()];
        let args = args.into_iter().chain([config.clone().into(), "--rules".into(), rules.into()]);
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        let mut streams = knock_replay::Streams::plain(&mut output, &mut errors);
        let exit = knock_replay::run(args, &mut streams);
        assert_eq!(exit, knock_replay::Exit::Done, "{}", String::from_utf8_lossy(&errors));
        String::from_utf8(output).unwrap()
    };
    assert!(run("knock").contains("10.0.0.5: SSH: OPEN SESAME"));
    assert_eq!(run("knockd-0.8"), "");
}

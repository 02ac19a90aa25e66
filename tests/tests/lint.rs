//! Every warning: its text, what triggers it, and what does not.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use knock_config::diagnostics::Style;
use knock_config::options::{CheckOptions, Denied, Format};
use knock_config::warnings::{Code, ProgramFault};
use knock_config::{Host, Verdict, Waits};
use knock_engine::Timestamp;
use knock_guard::Modes;
use knock_tests::schema::Schema;
use serde_json::Value;

const LINTS: &str = "../testdata/lints";

#[test]
fn every_warning_matches_its_snapshot() {
    for (code, file) in files("warns") {
        let verdict = check(&file, &only(code));
        assert!(verdict.errors.contains(&format!("warning[{code}]: ")), "{}", file.display());
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        insta::assert_snapshot!(format!("{code}__{name}"), verdict.errors);
    }
}

#[test]
fn sound_configurations_give_no_warning() {
    for (code, file) in files("quiet") {
        assert_eq!(check(&file, &only(code)).errors, "", "{}", file.display());
    }
}

#[test]
fn every_warning_has_files_of_both_kinds_and_every_folder_a_warning() {
    for kind in ["warns", "quiet"] {
        let shown: BTreeSet<Code> = files(kind).into_iter().map(|(code, _)| code).collect();
        let all: BTreeSet<Code> = Code::ALL.iter().copied().collect();
        assert_eq!(shown, all, "{kind}");
    }
}

#[test]
fn the_examples_of_an_explanation_are_its_first_files() {
    let without = [Code::ByteOrderMark, Code::NoSequenceLeft, Code::WorldReadable];
    for code in Code::ALL {
        let blocks: Vec<&str> = code.explanation().split("```conf\n").skip(1).collect();
        let shown: Vec<&str> = blocks.iter().map(|one| one.split("```").next().unwrap()).collect();
        let folder = Path::new(LINTS).join(code.name());
        let file = |name: &str| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            text.replace(&format!("{}/", folder.display()), "")
        };
        if without.contains(code) {
            assert_eq!(shown, Vec::<&str>::new(), "{code}");
        } else {
            assert_eq!(shown, [file("warns.conf"), file("quiet.conf")], "{code}");
        }
    }
}

#[test]
fn an_explanation_begins_with_a_sentence_and_fits_a_terminal() {
    for code in Code::ALL {
        let mut lines = code.explanation().lines();
        let first = lines.next().unwrap();
        assert!(first.ends_with('.') && lines.next() == Some(""), "{code}: {first}");
        let prose = code.explanation().split("```").step_by(2);
        let longest = prose.flat_map(str::lines).map(|line| line.chars().count()).max();
        assert!(longest <= Some(110), "{code}: {longest:?}");
    }
}

#[test]
fn the_page_of_warnings_is_up_to_date() {
    let mut page = String::from(
        "# Warnings\n\nThe warnings of `knockd --check` and `knock-replay check`, by code; `--explain CODE` \
         prints the same text.\nA warning does not prevent a start, unless it is denied: `--deny warnings`, \
         or `--deny CODE`.\n`--allow CODE` silences it. Those with a star are also printed at every \
         start. A test makes this page.\n\n",
    );
    for code in Code::ALL {
        let first = code.explanation().lines().next().unwrap();
        let star = if code.is_printed_at_every_start() { " *" } else { "" };
        let anchor = code.name().replace('.', "");
        writeln!(page, "- [`{code}`](#{anchor}){star}: {first}").unwrap();
    }
    for code in Code::ALL {
        write!(page, "\n## {code}\n\n{}", code.explanation()).unwrap();
    }
    let file = "../docs/lints.md";
    if std::env::var_os("KNOCK_BLESS").is_some() {
        fs::write(file, &page).unwrap();
    }
    let committed = fs::read_to_string(file).unwrap_or_default();
    assert!(committed == page, "{file} is old: run this test with KNOCK_BLESS=1");
}

#[test]
fn a_start_prints_the_warnings_that_are_meant_for_it() {
    let warned: BTreeSet<Code> = files("warns")
        .into_iter()
        .filter(|(code, file)| {
            let report = knock_config::Setup::load(file).report(Style::Plain);
            report.contains(&format!("warning[{code}]: "))
        })
        .map(|(code, _)| code)
        .collect();
    let meant: BTreeSet<Code> =
        Code::ALL.iter().copied().filter(|code| code.is_printed_at_every_start()).collect();
    assert_eq!(warned, meant);
}

#[test]
fn debians_file_gives_only_true_warnings() {
    let file = Path::new("../testdata/configs/good/debian-default.conf");
    insta::assert_snapshot!(check(file, &options()).errors);
}

#[test]
fn a_warning_that_is_denied_is_an_error() {
    let file = Path::new(LINTS).join("few-knocks/warns.conf");
    let by_name = CheckOptions { deny: vec![Denied::Code(Code::FewKnocks)], ..options() };
    let verdict = check(&file, &by_name);
    assert_eq!(verdict.config, None);
    let (name, text) = (file.display(), &verdict.errors);
    assert_eq!(text.matches("error[few-knocks]: ").count(), 2, "{text}");
    assert!(text.contains("warning[no-seq-timeout]: "), "{text}");
    let count =
        format!("\nerror: {name}: 2 errors, {} warnings\n", text.matches("warning[").count());
    assert!(text.ends_with(&count), "{text}");
    let all = CheckOptions { deny: vec![Denied::Warnings], ..options() };
    assert!(!check(&file, &all.clone()).errors.contains("warning["));
    let but_those = CheckOptions { allow: Code::ALL.to_vec(), ..all };
    let verdict = check(&file, &but_those);
    assert!(verdict.config.is_some() && verdict.errors.is_empty(), "{}", verdict.errors);
}

/// The codes of the warnings about a text, with their lines.
fn warnings(text: &str) -> Vec<(String, u64)> {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("knockd.conf");
    fs::write(&file, text).unwrap();
    let output = check(&file, &CheckOptions { format: Format::Json, ..options() }).output;
    let objects = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let code = |object: &Value| object["code"].as_str().map(str::to_owned);
    let line = |object: &Value| object["line"].as_u64().unwrap_or(0);
    objects.filter_map(|object| Some((code(&object)?, line(&object)))).collect()
}

#[test]
fn an_error_hides_no_warning_about_what_can_be_read() {
    let text = "[a]\nsequence = 7000,8000,9000\nseq_timeuot = 5\n\
                command = iptables -I INPUT -p tcp --dport 22 -j ACCEPT; logger opened\n\
                [b]\nsequence = 1,x\nseq_timeout = y\ncommand = /open %ip%\n";
    let found = warnings(text);
    let found: Vec<(&str, u64)> = found.iter().map(|(code, line)| (code.as_str(), *line)).collect();
    let expected = [
        ("guessable-sequence", 2),
        ("command-not-absolute", 4),
        ("no-ip-token", 4),
        ("command-not-absolute", 4),
        ("no-ip-token", 8),
    ];
    // What a door seems to lack may be in the line that cannot be read.
    assert_eq!(found, expected);
}

#[test]
fn a_warning_is_denied_also_beyond_those_that_are_kept() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("knockd.conf");
    let door = |number: usize| format!("[{number}]\nsequence = {},2,9,{number}\n", number % 7 + 3);
    let doors: String = (1..=1500).map(door).collect();
    fs::write(&file, format!("{doors}[last]\nsequence = 1\ncommand = /open %IP%\n")).unwrap();
    let denied = CheckOptions { deny: vec![Denied::Code(Code::FewKnocks)], ..options() };
    let verdict = check(&file, &denied);
    assert_eq!(verdict.config, None);
    assert!(verdict.errors.contains("error[few-knocks]: "));
    // Allowed ones take no place from others.
    let allow = Code::ALL.iter().copied().filter(|code| *code != Code::FewKnocks).collect();
    let verdict = check(&file, &CheckOptions { allow, ..options() });
    assert_eq!(verdict.errors.matches("warning[few-knocks]: ").count(), 1);
    assert!(
        verdict.summary.ends_with(": 1501 doors, no errors, 1 warning\n"),
        "{}",
        verdict.summary
    );
}

#[test]
fn json_says_the_same_in_the_form_that_is_documented() {
    let schema = Schema::read("check.schema.json");
    let configs = Path::new("../testdata/configs");
    let more = ["bad", "lint", "good", "nosuch"].map(|name| configs.join(name));
    let mut all: Vec<PathBuf> = more.iter().flat_map(|folder| entries(folder)).collect();
    all.push(configs.join("nosuch.conf"));
    all.extend(files("warns").into_iter().map(|(_, file)| file));
    let mut objects = 0;
    for file in all {
        let in_words = check(&file, &options());
        let as_json = check(&file, &CheckOptions { format: Format::Json, ..options() });
        assert_eq!((as_json.errors.as_str(), as_json.summary.as_str()), ("", ""));
        assert_eq!(as_json.config, in_words.config);
        // What is said about several lines has one title, which names the others.
        let mut repeats = 0;
        for line in as_json.output.lines() {
            let object: Value = serde_json::from_str(line).unwrap();
            schema.check(&object);
            let other = format!("` in line {}", object["line"]);
            let is_other = object["code"] == "unknown-to-knockd-0.8"
                && !in_words.errors.contains(&title(&object))
                && in_words.errors.contains(&other);
            let is_said = is_other || in_words.errors.contains(&title(&object));
            assert!(is_said, "{line}\n{}", in_words.errors);
            objects += 1;
            repeats += usize::from(is_other);
        }
        let titles = in_words.errors.lines().filter(|line| is_title(line)).count();
        assert_eq!(as_json.output.lines().count(), titles + repeats, "{}", in_words.errors);
    }
    assert!(objects > 150, "{objects}");
    let object: Value = serde_json::from_str(r#"{"version": 1, "message": "x"}"#).unwrap();
    assert!(!schema.allows(&object));
}

/// The first line of a finding in words, and its place.
fn title(object: &Value) -> String {
    let text = |key: &str| object[key].as_str().unwrap_or_default().to_owned();
    let code = object["code"].as_str().map(|code| format!("[{code}]")).unwrap_or_default();
    format!("{}{code}: {}\n", text("severity"), text("message"))
}

/// Returns whether a finding begins with the line; the last line counts them, and names the file.
fn is_title(line: &str) -> bool {
    let begins = ["error: ", "error[", "warning: ", "warning["];
    begins.iter().any(|begin| line.starts_with(begin)) && !line.starts_with("error: ../")
}

#[test]
fn json_says_where_a_finding_begins_and_ends() {
    let file = Path::new(LINTS).join("no-ip-token/warns.conf");
    let json = CheckOptions { format: Format::Json, ..only(Code::NoIpToken) };
    let output = check(&file, &json).output;
    let line = output.lines().find(|line| line.contains("%ip%")).unwrap();
    let object: Value = serde_json::from_str(line).unwrap();
    let place = ["line", "column", "end_column"].map(|key| object[key].as_u64().unwrap());
    assert_eq!(place, [7, 32, 36]);
    assert_eq!(object["file"], file.to_str().unwrap());
}

#[test]
fn json_says_how_many_findings_are_not_shown() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("knockd.conf");
    fs::write(&file, "[d]\nsequence = 1\ncommand = /open %IP%\n".repeat(1001)).unwrap();
    let json = CheckOptions { format: Format::Json, ..only(Code::FewKnocks) };
    let output = check(&file, &json).output;
    assert_eq!(output.lines().count(), 1001);
    let last: Value = serde_json::from_str(output.lines().last().unwrap()).unwrap();
    assert_eq!(last["message"], "1 more warnings are not shown");
}

fn options() -> CheckOptions {
    CheckOptions { check: true, format: Format::Text, deny: vec![], allow: vec![] }
}

/// Allows all warnings but these.
fn only(code: Code) -> CheckOptions {
    let allow = Code::ALL.iter().copied().filter(|other| *other != code).collect();
    CheckOptions { allow, ..options() }
}

/// Checks a file, under `-4` if its name says so.
fn check(file: &Path, options: &CheckOptions) -> Verdict {
    let ipv4_only = file.file_stem().unwrap().to_string_lossy().ends_with("-4");
    Verdict::on(file, |_| None, options, ipv4_only, Some(&PaperHost), Waits::Forever, Style::Plain)
}

/// A machine on which the name of a path says what it is.
struct PaperHost;

impl Host for PaperHost {
    fn modes(&self) -> Modes {
        Modes::Any
    }

    /// 1 February 2027.
    fn now(&self) -> Option<Timestamp> {
        Some(Timestamp::from_nanos(1_801_440_000_000_000_000))
    }

    fn program_fault(&self, path: &Path) -> Option<ProgramFault> {
        match path.to_str().unwrap() {
            "/folder" => Some(ProgramFault::NotAFile),
            "/text" => Some(ProgramFault::NotExecutable),
            text => text.starts_with("/nosuch/").then_some(ProgramFault::Missing),
        }
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        Some(if path.to_string_lossy().contains("0644") { 0o644 } else { 0o640 })
    }
}

/// The configurations whose names begin so, each with the warning whose folder it is in.
fn files(kind: &str) -> Vec<(Code, PathBuf)> {
    let mut found = Vec::new();
    for folder in entries(Path::new(LINTS)) {
        hide_secrets(&folder);
        let code = Code::from_name(folder.file_name().unwrap().to_str().unwrap());
        let code = code.unwrap_or_else(|| panic!("{} is no warning", folder.display()));
        let files = entries(&folder).into_iter().filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with(kind) && file.extension().is_some_and(|extension| extension == "conf")
        });
        found.extend(files.map(|file| (code, file)));
    }
    found
}

/// Lets only the owner read the keys and sequences below a folder, or they are refused. Git does not keep that.
fn hide_secrets(folder: &Path) {
    let inside = entries(folder);
    for path in inside.iter().flat_map(|inside| entries(inside)).chain(inside.clone()) {
        if path.extension().is_some_and(|extension| extension == "key" || extension == "sequence") {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

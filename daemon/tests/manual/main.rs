//! The manual pages knockd(1) and knockd.conf(5): made from the command line's definition, the table of
//! directives and docs/man/, and true in what can be tried.

#![cfg(test)]

#[path = "../process/common/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    clippy::arithmetic_side_effects,
    reason = "other tests need more of it, and a test that overflows fails"
)]
mod common;
mod examples;

use std::fs;
use std::path::Path;

use knock_config::Directive;
use knock_tests::manual::{FilePage, Page};

#[test]
fn the_completions_in_the_packages_are_up_to_date() {
    knock_tests::completions::assert_are_committed(&knockd::command());
}

#[test]
fn the_manual_pages_are_up_to_date() {
    page().assert_is_committed();
    configuration_page().assert_is_committed();
}

#[test]
fn man_has_nothing_to_say_against_the_manual_pages() {
    page().assert_man_accepts_it();
    configuration_page().assert_man_accepts_it();
}

#[test]
fn the_manual_page_has_every_option_and_every_example() {
    page().assert_has_every_option_and_every_example();
}

#[test]
fn the_page_of_the_configuration_has_every_directive() {
    let page = configuration_page().text().replace('\\', "");
    for directive in Directive::ALL {
        for name in directive.usage().split('`').skip(1).step_by(2) {
            assert!(page.contains(&format!("fB{name}")), "{name}");
        }
    }
}

#[test]
fn the_threat_model_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let quoted = model.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted.filter(|word| word.matches('_').count() >= 4).collect();
    assert!(named.len() >= 60, "{named:?}");
    let mut sources = String::new();
    for folder in [
        "client/tests",
        "daemon/src",
        "daemon/tests",
        "config/src",
        "engine/src",
        "engine/tests",
        "guard/src",
        "replay/tests",
        "tests",
    ] {
        read_all(&root.join(folder), &mut sources);
    }
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "{name}");
    }
    let is_test = |word: &str| {
        let target = root.join("tests/fuzz/fuzz_targets").join(word);
        word.matches('_').count() >= 4 || target.is_dir() || target.with_extension("rs").is_file()
    };
    let defences =
        model.split("## Defences").nth(1).unwrap().split("It can still:").next().unwrap();
    let rows = defences.lines().filter(|line| line.starts_with("| ") && !line.ends_with("tests |"));
    let rows: Vec<&str> = rows.collect();
    assert!(rows.len() >= 25, "{rows:?}");
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        assert!(tests.split('`').skip(1).step_by(2).any(is_test), "{row} names no test");
    }
}

/// Adds the text of all Rust files in a folder.
fn read_all(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

/// The page of the configuration.
fn configuration_page() -> FilePage {
    FilePage::new("knockd.conf", "doors and options of knockd", &knockd::command())
}

fn page() -> Page {
    Page::new(knockd::command(), "knockd [OPTION]...")
}

//! The manual page: made from the command line's definition and docs/man/knockd.1.md, and true in what
//! can be tried.

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
mod readme;

use std::fs;
use std::path::Path;

use knock_tests::manual::Page;

#[test]
fn the_manual_page_is_up_to_date() {
    page().assert_is_committed();
}

#[test]
fn man_has_nothing_to_say_against_the_manual_page() {
    page().assert_man_accepts_it();
}

#[test]
fn the_manual_page_has_every_option_and_every_example() {
    page().assert_has_every_option_and_every_example();
}

#[test]
fn the_manual_page_has_every_directive() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/src/parse/directive.rs");
    let source = fs::read_to_string(source).unwrap();
    let (_, names) = source.split_once("const NAMES").unwrap();
    let (names, _) = names.split_once("];").unwrap();
    let page = page().text().replace('\\', "").to_lowercase();
    let names: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        assert!(page.contains(&format!("fb{name}")), "{name}");
    }
}

#[test]
fn the_threat_model_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let model = fs::read_to_string(root.join("docs/threat-model.md")).unwrap();
    let quoted = model.split('`').skip(1).step_by(2);
    let named: Vec<&str> = quoted.filter(|word| word.matches('_').count() >= 4).collect();
    assert!(named.len() >= 10, "{named:?}");
    let mut sources = String::new();
    for folder in ["daemon/src", "daemon/tests", "config/src", "engine/src", "tests"] {
        read_all(&root.join(folder), &mut sources);
    }
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "{name}");
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

fn page() -> Page {
    Page::new(knockd::command(), "knockd [OPTION]...")
}

//! The manual page: made from the command line's definition and [`prose`], and true in what can be
//! tried.

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
mod prose;

use std::fs;

use knock_tests::manual::{Page, assert_man_accepts};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/man/knockd.1");

#[test]
fn the_manual_page_is_up_to_date() {
    page().assert_is(PAGE);
}

#[test]
fn man_has_nothing_to_say_against_the_manual_page() {
    let headings = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SIGNALS", "COMMANDS", "FILES"];
    assert_man_accepts(PAGE, &headings);
    assert_man_accepts(PAGE, &["LOGS", "LIMITS", "PRIVILEGES", "EXIT STATUS", "SEE ALSO"]);
}

#[test]
fn the_manual_page_has_every_option_and_every_example() {
    page().assert_has_every_option_and_every_example();
}

#[test]
fn the_manual_page_has_every_directive() {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src/config/directive.rs");
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

fn page() -> Page {
    Page {
        command: knockd::command(),
        usage: "knockd [OPTION]...",
        description: prose::DESCRIPTION,
        sections: prose::SECTIONS,
        exit_status: prose::EXIT_STATUS,
        see_also: prose::SEE_ALSO,
    }
}

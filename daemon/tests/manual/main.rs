//! The manual page: made from the command line's definition, the table of directives and [`prose`], and true in what can be
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
mod readme;

use std::fs;
use std::path::Path;

use knock_config::{self as config, Directive};
use knock_tests::manual::{Page, Part, Section, assert_man_accepts};

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
    let page = page().text().replace('\\', "");
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
    let sections: Vec<Section> = prose::SECTIONS.iter().map(with_directives).collect();
    Page {
        command: knockd::command(),
        usage: "knockd [OPTION]...",
        description: prose::DESCRIPTION,
        sections: sections.leak(),
        exit_status: prose::EXIT_STATUS,
        see_also: prose::SEE_ALSO,
    }
}

/// Returns the section with the directives of the table, if it is about directives.
fn with_directives(section: &Section) -> Section {
    let is_of_doors = section.heading == prose::DOOR_DIRECTIVES.heading;
    if !is_of_doors && section.heading != prose::GLOBAL_DIRECTIVES.heading {
        return *section;
    }
    let directives = Directive::ALL
        .iter()
        .filter(|directive| (directive.section() == config::Section::Door) == is_of_doors)
        .map(|directive| Part::Tagged(directive.usage(), directive.manual()));
    let parts: Vec<Part> = section.parts.iter().copied().chain(directives).collect();
    Section { parts: parts.leak(), ..*section }
}

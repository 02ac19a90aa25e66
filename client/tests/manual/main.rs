//! The manual page: made from the command line's definition and docs/man/knock.1.md.

#![cfg(test)]

use knock_tests::manual::{Page, Part, prose};

#[test]
fn the_completions_in_the_packages_are_up_to_date() {
    knock_tests::completions::assert_are_committed(&knock::command());
}

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
fn the_manual_page_says_what_the_defaults_are() {
    let prose = prose("knock");
    let parts = prose.sections().iter().flat_map(|section| &section.parts).map(|part| match part {
        Part::Text(text) | Part::Tagged(_, text) => text.plain(),
        Part::Verbatim(text) => text.clone(),
    });
    let prose: String = parts.collect();
    let delay = knock::DEFAULT_DELAY.as_millis();
    assert!(prose.contains(&format!("there are {delay} milliseconds")), "{delay}");
    assert!(prose.contains(&format!("at most {} knocks", knock::MAX_HITS)));
    let help = knock::command().render_long_help().to_string();
    assert!(help.contains(&format!("[default: {delay}]")), "{help}");
    assert!(help.contains(&format!("[default: {}]", knock::DEFAULT_WAIT.as_secs())), "{help}");
}

fn page() -> Page {
    Page::new(knock::whole_command(), "knock [OPTION]... HOST [PORT[:PROTOCOL[:FLAGS]]]...")
}

//! The manual page: made from the command line's definition and [`prose`]; and what the README says of
//! the client.

#![cfg(test)]

mod profiles;
mod prose;
mod readme;

use knock_tests::manual::{Page, Part, assert_man_accepts};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/man/knock.1");

#[test]
fn the_manual_page_is_up_to_date() {
    page().assert_is(PAGE);
}

#[test]
fn man_has_nothing_to_say_against_the_manual_page() {
    let headings = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "KNOCKS", "WITH SSH", "JSON"];
    assert_man_accepts(PAGE, &headings);
    assert_man_accepts(
        PAGE,
        &[
            "PROFILES",
            "DOORS AND ONE-TIME SEQUENCES",
            "DIFFERENCES FROM KNOCK 0.8",
            "EXIT STATUS",
            "EXAMPLES",
            "SEE ALSO",
        ],
    );
}

#[test]
fn the_manual_page_has_every_option_and_every_example() {
    page().assert_has_every_option_and_every_example();
}

#[test]
fn the_manual_page_says_what_the_defaults_are() {
    let prose = page().sections.iter().flat_map(|section| section.parts).map(|part| match part {
        Part::Text(text) | Part::Tagged(_, text) | Part::Verbatim(text) => *text,
    });
    let prose: String = prose.collect();
    let delay = knock::DEFAULT_DELAY.as_millis();
    assert!(prose.contains(&format!("there are {delay} milliseconds")), "{delay}");
    assert!(prose.contains(&format!("at most {} knocks", knock::MAX_HITS)));
    let help = knock::command().render_long_help().to_string();
    assert!(help.contains(&format!("[default: {delay}]")), "{help}");
    assert!(help.contains(&format!("[default: {}]", knock::DEFAULT_WAIT.as_secs())), "{help}");
}

fn page() -> Page {
    Page {
        command: knock::command(),
        usage: "knock [OPTION]... HOST [PORT[:PROTOCOL[:FLAGS]]]...",
        description: prose::DESCRIPTION,
        sections: [prose::SECTIONS, profiles::SECTIONS, prose::MORE_SECTIONS].concat().leak(),
        exit_status: prose::EXIT_STATUS,
        see_also: prose::SEE_ALSO,
    }
}

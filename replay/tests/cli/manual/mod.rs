//! The manual page: made from the command line's definition and [`prose`].

mod prose;

use knock_tests::manual::{Page, assert_man_accepts};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/man/knock-replay.1");

#[test]
fn the_manual_page_is_up_to_date() {
    page().assert_is(PAGE);
}

#[test]
fn man_has_nothing_to_say_against_the_manual_page() {
    let headings = ["NAME", "SYNOPSIS", "OPTIONS", "TRANSCRIPT", "EXIT STATUS", "SEE ALSO"];
    assert_man_accepts(PAGE, &headings);
}

#[test]
fn the_manual_page_has_every_option_and_every_example() {
    page().assert_has_every_option_and_every_example();
}

fn page() -> Page {
    Page {
        command: knock_replay::command(),
        usage: "knock-replay [OPTION]... -c FILE CAPTURE...",
        description: prose::DESCRIPTION,
        sections: prose::SECTIONS,
        exit_status: prose::EXIT_STATUS,
        see_also: prose::SEE_ALSO,
    }
}

//! The manual page: made from the command line's definition and docs/man/knockctl.1.md.

#![cfg(test)]

use knock_tests::manual::Page;

#[test]
fn the_completions_in_the_packages_are_up_to_date() {
    knock_tests::completions::assert_are_committed(&knockctl::command());
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

fn page() -> Page {
    Page::new(knockctl::command(), "knockctl [OPTION]... COMMAND")
}

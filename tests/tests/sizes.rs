//! The documents say how many crates are in each program.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use knock_tests::process::finish;

#[test]
fn the_numbers_of_crates_are_those_of_the_documents() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let outcome = finish(Command::new(root.join("scripts/sizes")).arg("--check-crates"));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
}

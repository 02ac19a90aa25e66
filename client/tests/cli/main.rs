//! Tests of the client as a process, without a network.

#![cfg(test)]

mod capture;
mod faults;
mod help;
mod plan;

use std::process::Command;

use knock_tests::process::{Outcome, finish};
use knock_tests::schema::Schema;
use tempfile::TempDir;

/// Returns the client with these arguments, separated by blanks.
fn knock(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_knock"));
    // No profiles of whoever runs the tests.
    command.env("XDG_CONFIG_HOME", "/nonexistent").args(arguments.split_whitespace());
    command
}

fn run(arguments: &str) -> Outcome {
    finish(&mut knock(arguments))
}

/// Returns what a run prints, which must succeed.
fn output(arguments: &str) -> String {
    let outcome = run(arguments);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{arguments}");
    outcome.stdout
}

/// Returns a folder and the path of a file in it.
fn place(name: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name).to_str().unwrap().to_owned();
    (folder, path)
}

/// Returns the schema of the lines of `--json`.
fn schema() -> Schema {
    Schema::read("knock.schema.json")
}

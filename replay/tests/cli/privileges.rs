//! The program needs nothing of the machine but its files.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::common::capture_builder::knocks_pcap;
use crate::common::{CaseRunner, Need, OPENED, finish, require};

/// Copies the program into the folder: where it is built, others may not be able to go. Another process does it,
/// because a child of another test could inherit the file while it is written, and such a file cannot be executed.
fn copy_program(desk: &CaseRunner) {
    let mut command = desk.program("cp");
    let outcome = finish(command.args([env!("CARGO_BIN_EXE_knock-replay"), "knock-replay"]));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
}

#[test]
fn an_ordinary_user_can_run_it() {
    if !require("an_ordinary_user_can_run_it", &["setpriv"], Need::Root) {
        return;
    }
    let desk = CaseRunner::with(knocks_pcap());
    fs::set_permissions(desk.directory(), Permissions::from_mode(0o755)).unwrap();
    copy_program(&desk);
    let mut command = desk.program("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    command.args(["--bounding-set=-all", "--inh-caps=-all"]);
    let outcome = finish(command.args(["./knock-replay", "knocks.pcap", "-c", "knockd.conf"]));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), OPENED), "{}", outcome.stderr);
}

#[test]
fn files_without_permission_are_reported() {
    if !require("files_without_permission_are_reported", &["setpriv"], Need::Root) {
        return;
    }
    let desk = CaseRunner::with(knocks_pcap());
    fs::set_permissions(desk.directory(), Permissions::from_mode(0o755)).unwrap();
    copy_program(&desk);
    let run = || {
        let mut command = desk.program("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
        finish(command.args(["./knock-replay", "knocks.pcap", "-c", "knockd.conf"]))
    };
    fs::set_permissions(desk.path("knocks.pcap"), Permissions::from_mode(0o600)).unwrap();
    let capture = run();
    fs::set_permissions(desk.path("knockd.conf"), Permissions::from_mode(0o600)).unwrap();
    let configuration = run();
    assert_eq!((capture.status, configuration.status), (Some(3), Some(2)));
    insta::assert_snapshot!([capture.stderr, configuration.stderr].concat());
}

#[test]
fn no_environment_is_needed() {
    let desk = CaseRunner::with(knocks_pcap());
    let expected = desk.run("knocks.pcap -c knockd.conf --time");
    assert_eq!(finish(desk.command("knocks.pcap -c knockd.conf --time").env_clear()), expected);
}

#[test]
fn no_variable_changes_what_is_printed() {
    let desk = CaseRunner::with(knocks_pcap());
    let arguments = "knocks.pcap -c knockd.conf --time";
    let expected = desk.run(arguments);
    let mut command = desk.command(arguments);
    command.envs([("TZ", "America/New_York"), ("LC_ALL", "de_DE.UTF-8"), ("TERM", "dumb")]);
    assert_eq!(finish(&mut command), expected);
}

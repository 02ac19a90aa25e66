//! The command line, and `--check`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::common::{Folder, Machine, Need, Outcome, PROGRAMS, finish, require};

#[test]
fn help_is_short_or_long_and_on_standard_output() {
    for arguments in ["-h", "--help"] {
        let outcome = run(&Folder::new(), arguments);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        let longest = outcome.stdout.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{longest:?} columns");
        insta::assert_snapshot!(outcome.stdout);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = format!("knockd {}\n", env!("CARGO_PKG_VERSION"));
    for arguments in ["-V", "--version"] {
        let outcome = run(&Folder::new(), arguments);
        assert_eq!((outcome.status, outcome.stdout), (Some(0), expected.clone()));
    }
}

#[test]
fn every_fault_of_the_command_line_is_status_2() {
    let faults = [
        "--deamon",
        "-x",
        "--check --record x",
        "--deny warnings",
        "--check --allow few-knoks",
        "-c",
        "--max-attempts 0",
        "more",
    ];
    insta::assert_snapshot!(errors(&Folder::new(), &faults, 2));
}

#[test]
fn a_valid_configuration_passes_the_check() {
    let folder = Folder::new();
    folder.write("hint.conf", "[door]\nsequence = 7000,8000\n");
    folder.write("empty.conf", "");
    for name in ["knockd.conf", "hint.conf"] {
        fs::set_permissions(folder.path(name), Permissions::from_mode(0o600)).unwrap();
    }
    let checks = [
        "-d --check -c knockd.conf",
        "--check -c hint.conf",
        "--check -c empty.conf --allow-no-doors",
    ];
    insta::assert_snapshot!(errors(&folder, &checks, 0));
}

#[test]
fn the_check_looks_at_the_machine() {
    let folder = Folder::new();
    folder.write("knockd.conf", &format!("{WITHOUT_FAULT}command = /nosuch/open %IP%\n"));
    folder.write("sound.conf", &format!("{WITHOUT_FAULT}command = /bin/sh -c 'exit 0' %IP%\n"));
    for (name, mode) in [("knockd.conf", 0o644), ("sound.conf", 0o640)] {
        fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).unwrap();
    }
    let checks = ["--check -c knockd.conf", "--check -c sound.conf"];
    insta::assert_snapshot!(errors(&folder, &checks, 0));
    let denied = ["--check -c knockd.conf --deny warnings --allow command-not-found"];
    insta::assert_snapshot!(errors(&folder, &denied, 2));
}

/// A door without any warning, except for its command.
const WITHOUT_FAULT: &str =
    "[door]\nsequence = 18044,7326,61402\nseq_timeout = 5\ntcpflags = syn\n";

#[test]
fn the_result_of_a_check_can_be_json() {
    let folder = Folder::new();
    folder.write("knockd.conf", &format!("{WITHOUT_FAULT}command = echo\ncmd_timeout = 5\n"));
    fs::set_permissions(folder.path("knockd.conf"), Permissions::from_mode(0o600)).unwrap();
    let outcome = run(&folder, "--check -c knockd.conf --format json");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(outcome.stdout);
    let denied = run(&folder, "--check -c knockd.conf --format json --deny unused-cmd-timeout");
    assert_eq!(denied.status, Some(2));
    let as_error = outcome.stdout.replace(r#""severity":"warning""#, r#""severity":"error""#);
    assert_eq!(denied.stdout, as_error);
}

#[test]
fn a_code_is_explained_without_a_configuration() {
    let outcome = run(&Folder::new(), "--explain few-knocks -c nosuch.conf");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    assert!(outcome.stdout.starts_with("few-knocks\n\nA sequence has only"), "{}", outcome.stdout);
}

#[test]
fn under_4_an_address_of_ipv6_never_opens() {
    let folder = Folder::new();
    let target = "command = echo\ntarget = 2001:db8::1\n";
    folder.write("knockd.conf", &format!("{WITHOUT_FAULT}{target}"));
    let status =
        |more| run(&folder, &format!("--check -c knockd.conf --deny never-opens{more}")).status;
    assert_eq!((status(""), status(" -4")), (Some(0), Some(2)));
}

#[test]
fn a_broken_configuration_fails_the_check_with_all_its_errors() {
    let folder = Folder::new();
    folder.write("knockd.conf", "[door]\nsequence = ssh,-1\nseq_timeout = ten\nfoo = 1\n");
    insta::assert_snapshot!(errors(&folder, &["--check -c knockd.conf"], 2));
}

#[test]
fn a_configuration_that_cannot_be_read_is_status_2_when_checked_and_1_when_run() {
    let folder = Folder::new();
    fs::create_dir(folder.path("folder")).unwrap();
    let one_time =
        "[door]\none_time_sequences = missing\ncommand = true\nseq_timeout = 5\ntcpflags = syn\n";
    folder.write("one-time.conf", one_time);
    fs::set_permissions(folder.path("one-time.conf"), Permissions::from_mode(0o600)).unwrap();
    let faults = ["-c missing.conf", "-c folder", "-c /dev/zero", "-c one-time.conf"];
    let checks = faults.map(|fault| format!("--check {fault}"));
    let errors =
        [errors(&folder, &faults, 1), errors(&folder, &checks.each_ref().map(|all| &**all), 2)];
    // A check finds the same errors as a start.
    assert_eq!(errors[0], errors[1].replace("--check ", ""));
    insta::assert_snapshot!(errors[0]);
}

#[test]
fn the_check_needs_neither_root_nor_a_network() {
    let name = "the_check_needs_neither_root_nor_a_network";
    if !require(name, &["setpriv", "unshare"], Need::Namespaces) {
        return;
    }
    let folder = Folder::new();
    folder.open_to_all();
    let check = || {
        let mut command = Command::new("unshare");
        command.args(["--net", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
        command.args(["--bounding-set=-all", "./knockd", "--check", "-c", "knockd.conf"]);
        finish(command.current_dir(folder.directory()))
    };
    let outcome = check();
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    fs::set_permissions(folder.path("knockd.conf"), Permissions::from_mode(0o600)).unwrap();
    let outcome = check();
    assert_eq!(outcome.status, Some(2));
    insta::assert_snapshot!(outcome.stderr);
}

#[test]
fn interfaces_that_contradict_one_another_are_an_error() {
    let name = "interfaces_that_contradict_one_another_are_an_error";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    let mut all = String::new();
    for arguments in ["-i any,eth0", "-i lo -i any"] {
        let outcome = machine.run(&format!("$KNOCKD {arguments} -c knockd.conf"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(1), ""), "{arguments}");
        all += &["$ knockd ", arguments, "\n", &outcome.stderr].concat();
    }
    machine.wait_for_no_process();
    insta::assert_snapshot!(all);
}

#[test]
fn a_check_warns_of_interfaces_that_are_missing_now() {
    let name = "a_check_warns_of_interfaces_that_are_missing_now";
    if !require(name, PROGRAMS, Need::Namespaces) {
        return;
    }
    let machine = Machine::new();
    for (arguments, warnings) in [
        ("-i lo", ""),
        ("-i any", ""),
        ("-i l?", ""),
        (
            "",
            "warning: no interface is named, and there is no default route: knockd would wait for one; or \
             name an interface with '-i' or the directive 'Interface' (available: lo)\n",
        ),
        (
            "-i nosuch,lo,ppp*",
            "warning: there is no interface nosuch: knockd would wait for it (available: lo)\n\
             warning: no interface matches ppp*: knockd would wait for one (available: lo)\n",
        ),
    ] {
        let outcome = machine.run(&format!("$KNOCKD --check {arguments} -c knockd.conf"));
        assert_eq!(outcome.status, Some(0), "{arguments}");
        assert!(outcome.stderr.contains(warnings), "{arguments}: {}", outcome.stderr);
        let count = outcome.stderr.matches("knockd would wait").count();
        assert_eq!(count, warnings.lines().count(), "{arguments}: {}", outcome.stderr);
    }
}

fn run(folder: &Folder, arguments: &str) -> Outcome {
    finish(&mut folder.knockd(arguments))
}

/// Runs the program with each of these arguments, and returns what it prints on standard error.
fn errors(folder: &Folder, runs: &[&str], status: i32) -> String {
    let errors = runs.iter().map(|arguments| {
        let outcome = run(folder, arguments);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(status), ""), "{arguments}");
        format!("$ knockd {arguments}\n{}\n", outcome.stderr)
    });
    errors.collect()
}

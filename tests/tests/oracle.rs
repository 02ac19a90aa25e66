//! Tests of the oracle: the real knockd on capture files.

#![cfg(test)]

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use knock_tests::capture_builder::knocks;
use knock_tests::cases::{self, Case};
use knock_tests::oracle::{End, Oracle, Reload, Run, Verdict};
use tempfile::TempDir;

#[test]
fn the_transcripts_of_the_test_data_are_what_the_real_knockd_prints() {
    let Some(oracle) = oracle("the check of the transcripts") else { return };
    let mut compared = 0;
    for case in cases::all() {
        let Some(expected) = &case.expected else { continue };
        let Verdict { output, end, errors } = oracle.run(&run_of(&case));
        assert_eq!(end, End::Status(0), "{}: {errors}", case.name);
        let printed = String::from_utf8_lossy(&output);
        assert_eq!(printed, String::from_utf8_lossy(expected), "{}", case.name);
        compared += 1;
    }
    assert!(compared >= 14, "only {compared} transcripts were found");
}

#[test]
fn a_sequence_of_packets_opens_a_door_and_stop_commands_follow_their_start() {
    let Some(oracle) = oracle("a plain run") else { return };
    let desk = CaseRunner::new(
        "[a]\nsequence = 1,2\nstart_command = open %IP%\nstop_command = close %IP%\n",
        "0 192.0.2.1 > 10.0.0.1:1 tcp\n1 192.0.2.2 > 10.0.0.1:1 tcp\n2 192.0.2.1 > 10.0.0.1:2 tcp\n",
    );
    let verdict = oracle.run(&desk.run());
    assert_eq!(verdict.end, End::Status(0));
    assert_eq!(
        text(&verdict),
        "192.0.2.1: a: Stage 1\n192.0.2.2: a: Stage 1\n192.0.2.1: a: Stage 2\n\
         192.0.2.1: a: OPEN SESAME\na: running command: open 192.0.2.1\n\
         192.0.2.1: a: command timeout\na: running command: close 192.0.2.1\n"
    );
}

#[test]
fn a_reload_comes_before_the_frame_that_was_asked_for_and_reads_other_files() {
    let Some(oracle) = oracle("a reload") else { return };
    // The second packet is one that only the new configuration lets through.
    let desk = CaseRunner::new(
        "[a]\nsequence = 1,2\n",
        "0 192.0.2.1 > 10.0.0.1:1 tcp\n1 192.0.2.1 > 10.0.0.1:7 tcp\n2 192.0.2.1 > 10.0.0.1:2 tcp\n",
    );
    desk.write("new.conf", "[b]\nsequence = 7\n");
    let renames = vec![("new.conf".to_owned(), "knockd.conf".to_owned())];
    let reloads = vec![Reload { frames_before: 1, renames }];
    let verdict = oracle.run(&Run { reloads, ..desk.run() });
    assert_eq!(
        text(&verdict),
        "192.0.2.1: a: Stage 1\nre-reading config file: knockd.conf\nclosing log file: \n\
         re-opening log file: \n192.0.2.1: b: Stage 1\n192.0.2.1: b: OPEN SESAME\n"
    );
}

#[test]
fn a_crash_loses_no_line_before_it() {
    let Some(oracle) = oracle("a crash") else { return };
    let desk = CaseRunner::new(
        "[a]\none_time_sequences = once\ncommand = open %IP%\n",
        "0 192.0.2.1 > 10.0.0.1:1 tcp\n1 192.0.2.1 > 10.0.0.1:1 tcp\n",
    );
    desk.write("once", " 1\n");
    let verdict = oracle.run(&desk.run());
    assert_eq!(verdict.end, End::Signal(6));
    assert_eq!(
        text(&verdict),
        "192.0.2.1: a: Stage 1\n192.0.2.1: a: OPEN SESAME\na: running command: open 192.0.2.1\n"
    );
    assert_eq!(fs::read(desk.0.path().join("once")).unwrap(), b"#1\n");
}

#[test]
fn names_of_clients_are_looked_up_only_among_those_given() {
    let Some(oracle) = oracle("a lookup") else { return };
    let desk = CaseRunner::new(
        "[a]\nsequence = 1\n",
        "0 192.0.2.1 > 10.0.0.1:1 tcp\n1 192.0.2.2 > 10.0.0.1:1 tcp\n",
    );
    let hosts = vec![("192.0.2.1".parse().unwrap(), "host.example".to_owned())];
    let verdict = oracle.run(&Run { hosts, args: vec!["-l".into()], ..desk.run() });
    let output = text(&verdict);
    assert!(output.starts_with("192.0.2.1 (host.example): a: Stage 1\n"), "{output}");
    assert!(output.contains("\n192.0.2.2: a: Stage 1\n"), "{output}");
}

#[test]
fn a_configuration_that_knockd_refuses_has_status_1() {
    let Some(oracle) = oracle("a refusal") else { return };
    let desk = CaseRunner::new("[a]\nsequence = 70000\n", "0 192.0.2.1 > 10.0.0.1:1 tcp\n");
    assert_eq!(oracle.run(&desk.run()).end, End::Status(1));
}

fn oracle(name: &str) -> Option<Oracle> {
    Oracle::required_by(name, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

fn text(verdict: &Verdict) -> String {
    String::from_utf8(verdict.output.clone()).unwrap()
}

/// Returns what to run for a case of the test data. Without `--local`, the local address is the loopback's.
fn run_of(case: &Case) -> Run {
    let [capture] = &case.captures[..] else { panic!("{}: more than one capture", case.name) };
    let given = case.args.chunks(2).map(|pair| match pair {
        [option, address] if option == "--local" => address.parse().unwrap(),
        _ => panic!("{}: unknown arguments {pair:?}", case.name),
    });
    let mut local: Vec<IpAddr> = given.collect();
    if local.is_empty() {
        local.push("127.0.0.1".parse().unwrap());
    }
    Run {
        folder: case.folder.clone(),
        conf: case.conf.to_str().unwrap().into(),
        capture: capture.to_str().unwrap().into(),
        local,
        ..Run::default()
    }
}

/// A directory with a configuration and a capture.
struct CaseRunner(TempDir);

impl CaseRunner {
    fn new(conf: &str, packets: &str) -> Self {
        let desk = Self(TempDir::new().unwrap());
        desk.write("knockd.conf", conf);
        let capture = knocks::parse(Path::new("knocks.txt"), packets).unwrap();
        fs::write(desk.0.path().join("capture.pcap"), capture.to_bytes()).unwrap();
        desk
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    fn run(&self) -> Run {
        Run {
            folder: self.0.path().into(),
            conf: "knockd.conf".into(),
            capture: "capture.pcap".into(),
            local: vec!["10.0.0.1".parse().unwrap()],
            ..Run::default()
        }
    }
}

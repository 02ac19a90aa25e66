//! `report`: the command around the page that `tests/report` looks at.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Stdio;

use crate::common::capture_builder::{knocks, knocks_pcap, pcap, pcap_header, syn};
use crate::common::{CaseRunner, Live, signal, wait_for_signals_held_back};

const REPORT: &str = "report knocks.pcap -c knockd.conf -o report.html";

/// The permissions of a file.
fn mode(desk: &CaseRunner, name: &str) -> u32 {
    fs::metadata(desk.path(name)).unwrap().permissions().mode() & 0o7777
}

/// The names of all files in the folder.
fn files(desk: &CaseRunner) -> Vec<String> {
    let entries = fs::read_dir(desk.directory()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn only_the_page_is_written_and_the_summary_goes_to_standard_error() {
    let desk = CaseRunner::with(knocks_pcap());
    let outcome = desk.run(REPORT);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    assert!(outcome.stderr.starts_with("knock-replay: 3 packets read"), "{}", outcome.stderr);
    assert_eq!(files(&desk), ["knockd.conf", "knocks.pcap", "report.html"]);
    let quiet = desk.run(&format!("{REPORT} --quiet"));
    assert_eq!((quiet.status, quiet.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_page_holds_the_secret_and_is_for_its_owner_only() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("report.html", "what was there");
    fs::set_permissions(desk.path("report.html"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(desk.run(REPORT).status, Some(0));
    assert_eq!(mode(&desk, "report.html"), 0o600);
    assert!(fs::read_to_string(desk.path("report.html")).unwrap().contains("7000,8000,9000"));
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("once.txt", "7000,8000,9000\n7001,8001\n");
    desk.write("one-time.conf", "[d]\none_time_sequences = once.txt\ncommand = x\n");
    symlink("knocks.pcap", desk.path("link.pcap")).unwrap();
    fs::hard_link(desk.path("knockd.conf"), desk.path("same.conf")).unwrap();
    for (arguments, read) in [
        ("report knocks.pcap -c knockd.conf -o knocks.pcap", "knocks.pcap"),
        ("report knocks.pcap -c knockd.conf -o link.pcap", "knocks.pcap"),
        ("report knocks.pcap -c knockd.conf -o knockd.conf", "knockd.conf"),
        ("report knocks.pcap -c knockd.conf -o same.conf", "knockd.conf"),
        ("report knocks.pcap -c one-time.conf -o once.txt", "once.txt"),
    ] {
        let before = fs::read(desk.path(read)).unwrap();
        let outcome = desk.run(&format!("{arguments} -q"));
        let told = format!(
            "knock-replay: error: '--output' would write over {read}, which is read: name another file\n"
        );
        assert_eq!((outcome.status, outcome.stderr), (Some(2), told), "{arguments}");
        assert_eq!(fs::read(desk.path(read)).unwrap(), before, "{arguments}");
    }
}

#[test]
fn a_link_to_nothing_is_not_replaced() {
    let desk = CaseRunner::with(knocks_pcap());
    symlink("nowhere.html", desk.path("report.html")).unwrap();
    let outcome = desk.run(&format!("{REPORT} -q"));
    let told = "knock-replay: error: cannot write report.html: it is a link to a file that is not there; \
         remove it, or create that file\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(4), told));
    assert!(fs::symlink_metadata(desk.path("report.html")).unwrap().is_symlink());
}

#[test]
fn the_file_that_a_link_leads_to_is_written() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("real.html", "what was there");
    symlink("real.html", desk.path("report.html")).unwrap();
    assert_eq!(desk.run(REPORT).status, Some(0));
    assert!(fs::symlink_metadata(desk.path("report.html")).unwrap().is_symlink());
    assert!(fs::read_to_string(desk.path("real.html")).unwrap().starts_with("<!doctype html>"));
}

#[test]
fn a_page_that_cannot_be_written_is_status_4_before_any_packet_is_read() {
    let desk = CaseRunner::with(knocks_pcap());
    let pipe = desk.pipe("pipe");
    fs::create_dir(desk.path("folder")).unwrap();
    let mut told = String::new();
    for file in
        ["missing/report.html", "folder", "pipe", "/dev/zero", "/proc/report.html", "knocks.pcap/x"]
    {
        let outcome = desk.run(&format!("report knocks.pcap -c knockd.conf -o {file}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(4), ""), "{file}");
        assert!(!outcome.stderr.contains("packets read"), "{file}: {}", outcome.stderr);
        told.push_str(&outcome.stderr);
    }
    assert!(pipe.exists());
    insta::assert_snapshot!(told);
    // Packets that have not come yet are not waited for.
    let arguments = "report - -c knockd.conf -o missing/report.html";
    let mut live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    live.send(&pcap_header());
    let _open = live.stdin.take();
    assert_eq!(live.finish().status, Some(4));
}

#[test]
fn a_capture_that_is_cut_leaves_a_page_that_says_so() {
    let mut capture = pcap(&[knocks(0), vec![syn(5000, 7000)]].concat());
    capture.truncate(capture.len() - 10);
    let desk = CaseRunner::with(capture);
    let outcome = desk.run(REPORT);
    assert_eq!(outcome.status, Some(3));
    let page = fs::read_to_string(desk.path("report.html")).unwrap();
    let told = outcome.stderr.lines().last().unwrap();
    let cause = told.strip_prefix("knock-replay: error: ").unwrap();
    assert!(page.contains(&format!("<strong>error:</strong> {cause}</p>")), "{told}");
    assert!(page.contains("OPEN SESAME"));
}

#[test]
fn live_packets_are_read_to_their_end() {
    let desk = CaseRunner::new();
    let arguments = "report - -c knockd.conf -o report.html";
    let mut live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    live.send(&pcap_header());
    for packet in knocks(0) {
        live.send(&packet.record());
    }
    assert!(live.runs() && !desk.path("report.html").exists());
    drop(live.stdin.take());
    assert_eq!(live.finish().status, Some(0));
    assert!(fs::read_to_string(desk.path("report.html")).unwrap().contains("OPEN SESAME"));
}

/// Starts a report of standard input, and waits until it holds back the signals to end.
fn live_report(desk: &CaseRunner) -> Live {
    let arguments = "report - -c knockd.conf -o report.html";
    let live = Live::start(desk.command(arguments).stdin(Stdio::piped()));
    wait_for_signals_held_back(&live);
    live
}

#[test]
fn a_signal_while_packets_come_leaves_a_whole_page_that_says_so() {
    let desk = CaseRunner::new();
    for name in ["-INT", "-TERM"] {
        let mut live = live_report(&desk);
        live.send(&pcap_header());
        for packet in knocks(0) {
            live.send(&packet.record());
        }
        // A packet that does not come whole: the program that sends it got the signal, too.
        live.send(&syn(5000, 7000).record()[..20]);
        signal(&live, name);
        // The pipe stays open.
        let open = live.stdin.take();
        let outcome = live.finish();
        drop(open);
        assert_eq!(outcome.status, Some(0), "{name}: {}", outcome.stderr);
        let last = outcome.stderr.lines().last().unwrap();
        assert_eq!(last, "knock-replay: interrupted: the page has what came until then");
        let page = fs::read_to_string(desk.path("report.html")).unwrap();
        assert!(page.contains("OPEN SESAME") && page.ends_with("</html>\n"));
        assert!(page.contains("<strong>interrupted:</strong>"));
        assert!(!page.contains("<strong>error:</strong>"));
        fs::remove_file(desk.path("report.html")).unwrap();
    }
}

#[test]
fn what_is_in_the_pipe_when_the_signal_comes_is_in_the_page() {
    let desk = CaseRunner::new();
    let mut live = live_report(&desk);
    live.send(&pcap_header());
    signal(&live, "-STOP");
    signal(&live, "-INT");
    // As tcpdump does, which got the signal, too.
    for packet in knocks(0) {
        live.send(&packet.record());
    }
    signal(&live, "-CONT");
    let open = live.stdin.take();
    assert_eq!(live.finish().status, Some(0));
    drop(open);
    assert!(fs::read_to_string(desk.path("report.html")).unwrap().contains("OPEN SESAME"));
}

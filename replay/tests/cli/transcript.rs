//! Standard output: the transcript, in order of time, and nothing else.

use std::fs::File;

use crate::common::capture_builder::{gzip, knocks, knocks_pcap, pcap, pcapng, syn, zstd};
use crate::common::{CaseRunner, OPENED, finish};

#[test]
fn every_kind_of_line_is_printed() {
    let desk = CaseRunner::with(pcap(&[knocks(0), vec![syn(60_000, 7000)]].concat()));
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    let timeout = "10.0.0.5: ssh: Stage 1\n10.0.0.5: ssh: sequence timeout (stage 1)\n";
    assert_eq!(outcome.stdout, [OPENED, timeout].concat());
}

#[test]
fn a_client_of_ipv6_is_a_client() {
    let to_six = |packet: crate::common::capture_builder::Packet| {
        packet.from("2001:db8::5").to("2001:db8::1")
    };
    let desk = CaseRunner::with(pcap(&knocks(0).into_iter().map(to_six).collect::<Vec<_>>()));
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert_eq!(outcome.stdout, OPENED.replace("10.0.0.5", "2001:db8::5"));
    let ignored = desk.run("knocks.pcap -c knockd.conf -4");
    assert_eq!((ignored.status, ignored.stdout.as_str()), (Some(0), ""));
    assert!(ignored.stderr.contains("3 packets read, 0 admitted"), "{}", ignored.stderr);
}

#[test]
fn only_local_destinations_count_and_local_can_be_repeated() {
    let [mut first, second, third] = [syn(0, 7000), syn(100, 8000), syn(200, 9000)];
    first = first.to("10.0.0.2");
    let desk = CaseRunner::with(pcap(&[first, second, third]));
    let stdout = |locals: &str| desk.run(&format!("knocks.pcap -c knockd.conf {locals}")).stdout;
    assert_eq!(stdout(""), OPENED);
    assert_eq!(stdout("--local 10.0.0.1"), "");
    assert_eq!(stdout("--local 10.0.0.1 --local=10.0.0.2 --local ::1"), OPENED);
    assert_eq!(stdout("--local 10.0.0.9"), "");
}

#[test]
fn a_target_counts_whatever_is_local() {
    let desk = CaseRunner::with(knocks_pcap());
    let config = crate::common::CONFIG.replace("[ssh]\n", "[ssh]\n    target = 10.0.0.1\n");
    desk.write("knockd.conf", config);
    assert_eq!(desk.run("knocks.pcap -c knockd.conf --local 192.0.2.1").stdout, OPENED);
}

#[test]
fn the_addresses_that_a_pcapng_capture_names_are_local_unless_others_are_given() {
    let other = knocks(0).into_iter().map(|packet| packet.to("10.0.0.9")).collect::<Vec<_>>();
    let desk = CaseRunner::with(pcapng(&[[10, 0, 0, 1].into()], &other));
    assert_eq!(desk.run("knocks.pcap -c knockd.conf").stdout, "");
    assert_eq!(desk.run("knocks.pcap -c knockd.conf --local 10.0.0.9").stdout, OPENED);
    let desk = CaseRunner::with(pcapng(&[[10, 0, 0, 1].into()], &knocks(0)));
    assert_eq!(desk.run("knocks.pcap -c knockd.conf").stdout, OPENED);
    assert_eq!(desk.run("knocks.pcap -c knockd.conf --local 10.0.0.9").stdout, "");
}

#[test]
fn times_are_those_of_packets_and_of_what_was_due() {
    let desk =
        CaseRunner::with(pcap(&[knocks(0), vec![syn(60_000, 7000), syn(90_000, 1)]].concat()));
    insta::assert_snapshot!(desk.run("knocks.pcap -c knockd.conf --time").stdout);
    insta::assert_snapshot!(desk.run("knocks.pcap -c knockd.conf --time=relative").stdout);
    assert_eq!(
        desk.run("knocks.pcap -c knockd.conf --time=utc"),
        desk.run("knocks.pcap -c knockd.conf --time")
    );
}

#[test]
fn time_does_not_take_the_capture_for_its_value() {
    let outcome = CaseRunner::with(knocks_pcap()).run("-c knockd.conf --time knocks.pcap");
    assert_eq!((outcome.status, outcome.stdout.lines().count()), (Some(0), OPENED.lines().count()));
}

#[test]
fn local_times_are_those_of_the_time_zone_with_summer_time() {
    // 02:30 on the day when summer time ends comes twice: at 00:30 and at 01:30 UTC.
    let at = |seconds: u32| {
        let mut record = syn(0, 7000).record();
        record[..4].copy_from_slice(&seconds.to_le_bytes());
        record
    };
    let capture = [pcap(&[]), at(1_729_989_000), at(1_729_992_600)].concat();
    let desk = CaseRunner::with(capture);
    let times = |zone: &str| {
        let mut command = desk.command("knocks.pcap -c knockd.conf --time=local -q");
        let outcome = finish(command.env("TZ", zone));
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        let stages = outcome.stdout.lines().filter(|line| line.ends_with("Stage 1"));
        stages.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // As POSIX writes it, for machines without a database of time zones.
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    let twice = ["2024-10-27T02:30:00.000000+02:00", "2024-10-27T02:30:00.000000+01:00"];
    assert_eq!(times(berlin), twice);
    assert_eq!(times("UTC0")[0], "2024-10-27T00:30:00.000000+00:00");
    assert_eq!(times("NST3:30")[0], "2024-10-26T21:00:00.000000-03:30");
}

#[test]
fn time_that_runs_backwards_is_taken_as_the_latest_seen() {
    let capture = pcap(&[syn(1000, 7000), syn(500, 8000), syn(1200, 9000)]);
    let outcome = CaseRunner::with(capture).run("knocks.pcap -c knockd.conf --time=relative");
    let times: Vec<_> =
        outcome.stdout.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let late = "10.200000";
    assert_eq!(times, ["0.000000", "0.000000", "0.200000", "0.200000", "0.200000", late, late]);
}

#[test]
fn read_and_the_position_name_the_same() {
    let desk = CaseRunner::with(knocks_pcap());
    let expected = desk.run("knocks.pcap --config knockd.conf");
    assert_eq!(expected.stdout, OPENED);
    for arguments in [
        "-r knocks.pcap -c knockd.conf",
        "--read=knocks.pcap -c knockd.conf",
        "-c knockd.conf -r knocks.pcap",
        "-cknockd.conf -- knocks.pcap",
    ] {
        assert_eq!(desk.run(arguments), expected, "{arguments}");
    }
}

#[test]
fn captures_are_merged_by_time_in_whatever_order_they_are_named() {
    let desk = CaseRunner::new();
    desk.write("a.pcap", pcap(&[syn(0, 7000), syn(200, 9000)]));
    desk.write("b.pcapng", pcapng(&[], &[syn(100, 8000)]));
    for captures in
        ["a.pcap b.pcapng", "b.pcapng a.pcap", "-r a.pcap b.pcapng", "-r b.pcapng -r a.pcap"]
    {
        assert_eq!(desk.run(&format!("-c knockd.conf {captures}")).stdout, OPENED, "{captures}");
    }
}

#[test]
fn packets_of_one_time_come_in_the_order_of_the_captures() {
    let desk = CaseRunner::new();
    desk.write("a.pcap", pcap(&[syn(0, 7000).from("10.0.0.6")]));
    desk.write("b.pcap", pcap(&[syn(0, 7000).from("10.0.0.7")]));
    let first = |captures: &str| {
        let stdout = desk.run(&format!("-c knockd.conf {captures}")).stdout;
        stdout.split(':').next().unwrap().to_owned()
    };
    assert_eq!(first("a.pcap b.pcap"), "10.0.0.6");
    assert_eq!(first("b.pcap a.pcap"), "10.0.0.7");
    assert_eq!(first("-r b.pcap -r a.pcap"), "10.0.0.7");
    assert_eq!(first("-r b.pcap a.pcap"), "10.0.0.6");
}

#[test]
fn every_run_prints_the_same_bytes() {
    let packets: Vec<_> = (0..300)
        .flat_map(|turn: u64| {
            let client = format!("10.0.{}.{}", turn % 7, turn % 31);
            knocks(turn * 70).into_iter().map(move |packet| packet.from(&client))
        })
        .collect();
    let desk = CaseRunner::with(pcap(&packets));
    let first = desk.run("knocks.pcap -c knockd.conf -v --time");
    assert!(first.stdout.lines().count() > 300, "{}", first.stdout);
    for _ in 0..5 {
        assert_eq!(desk.run("knocks.pcap -c knockd.conf -v --time"), first);
    }
}

#[test]
fn standard_input_is_a_capture_whether_pipe_or_file() {
    let desk = CaseRunner::with(knocks_pcap());
    for capture in
        [knocks_pcap(), gzip(&knocks_pcap()), zstd(&knocks_pcap()), pcapng(&[], &knocks(0))]
    {
        let piped = desk.run_with_input("- -c knockd.conf", capture.clone());
        assert_eq!((piped.status, piped.stdout.as_str()), (Some(0), OPENED));
        desk.write("capture", &capture);
        let file = File::open(desk.path("capture")).unwrap();
        let redirected = finish(desk.command("-r - -c knockd.conf").stdin(file));
        assert_eq!(redirected, piped);
    }
}

#[test]
fn a_capture_is_known_by_its_content_not_by_its_name() {
    let desk = CaseRunner::new();
    for capture in
        [knocks_pcap(), gzip(&knocks_pcap()), zstd(&knocks_pcap()), pcapng(&[], &knocks(0))]
    {
        desk.write("knocks.txt", capture);
        let outcome = desk.run("knocks.txt -c knockd.conf");
        assert_eq!(
            (outcome.status, outcome.stdout.as_str()),
            (Some(0), OPENED),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn commands_are_never_run() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write(
        "knockd.conf",
        "[ssh]\nsequence = 7000,8000,9000\nstart_command = touch opened\ncmd_timeout = 1\n\
         stop_command = touch closed\n",
    );
    let outcome = desk.run("knocks.pcap -c knockd.conf");
    assert!(outcome.stdout.contains("ssh: running command: touch opened\n"), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("ssh: running command: touch closed\n"), "{}", outcome.stdout);
    let files = std::fs::read_dir(desk.directory()).unwrap().count();
    assert_eq!(files, 2, "only the capture and the configuration");
}

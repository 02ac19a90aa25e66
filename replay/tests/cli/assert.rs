//! `--assert`.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::common::capture_builder::{
    Packet, first_knocks_pcap, knocks, knocks_pcap, pcap, pcapng, syn,
};
use crate::common::{CaseRunner, OPENED};

const ASSERT: &str = "knocks.pcap -c knockd.conf --assert a.assert";

/// Everything that can be asserted of the three knocks, and holds.
const HOLDS: &str = "\
# The door opens for whom it should, and for nobody else.
must open ssh from 10.0.0.5
must open any from 10.0.0.0/8 within 0.2s  # no longer
must not open any from 203.0.113.0/24
must not open mail
opens ssh 1
opens ssh at least 1 time from 10.0.0.5
opens any at most 1 times
opens mail 0
closes ssh for 10.0.0.5 after 10s
closes any
runs \"open 10.0.0.5\"
runs 'close 10.0.0.5' 1 times
does not run \"open 10.0.0.6\"
";

/// Several clients: one that gets in, and others that do not.
fn crowd() -> Vec<Packet> {
    let at = |start: u64, client: &str, ports: [u16; 3], every: u64| {
        let knock = |(number, port)| syn(start + number * every, port).from(client);
        (0..).zip(ports).map(knock).collect::<Vec<_>>()
    };
    [
        knocks(0),
        at(20_000, "10.0.0.6", [7000, 8000, 9001], 100),
        at(40_000, "10.0.0.7", [1234, 1235, 1236], 100),
        at(60_000, "10.0.0.8", [7000, 8000, 9000], 2000),
        at(80_000, "10.0.0.9", [7000, 8000, 9000], 3000),
        vec![syn(100_000, 25).udp().from("203.0.113.9"), syn(100_100, 110).from("203.0.113.9")],
        vec![syn(110_000, 7000).from("10.0.0.10"), syn(110_100, 8000).from("10.0.0.10")],
    ]
    .concat()
}

/// Networks of all sizes around the clients, each with what is counted client by client: nothing is lost
/// or counted twice where one network is a part of another, or is named again.
#[test]
fn overlapping_networks_each_count_their_own_clients() {
    let clients = ["10.0.0.5", "10.0.0.133", "10.0.9.7", "10.130.0.1", "203.0.113.9", "10.0.0.5"];
    let opens = |(number, client): (u64, &str)| {
        let knock =
            move |(more, port): (u64, u16)| syn(number * 60_000 + more * 100, port).from(client);
        (0..).zip([7000, 8000, 9000]).map(knock).collect::<Vec<_>>()
    };
    let packets: Vec<Packet> = (0..).zip(clients).flat_map(opens).collect();
    let desk = CaseRunner::with(pcap(&packets));
    let clients = clients.map(|client| client.parse::<Ipv4Addr>().unwrap());
    let (mut holds, mut fails) = (String::new(), String::new());
    let mut lines = 0;
    for around in [Ipv4Addr::new(198, 51, 100, 1)].into_iter().chain(clients) {
        for length in 0..=32 {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let network = Ipv4Addr::from_bits(around.to_bits() & mask);
            let is_part = |client: &&Ipv4Addr| client.to_bits() & mask == network.to_bits();
            let times = clients.iter().filter(is_part).count();
            if length == 32 && times == 0 {
                // Of a client that did not come nothing holds.
                continue;
            }
            let (is, is_not) = if times == 0 { ("not ", "") } else { ("", "not ") };
            let _ = writeln!(holds, "opens ssh {times} times from {network}/{length}");
            let _ = writeln!(fails, "opens ssh {} times from {network}/{length}", times + 1);
            let _ = writeln!(holds, "must {is}open any from {network}/{length}");
            let _ = writeln!(fails, "must {is_not}open any from {network}/{length}");
            lines += 2;
        }
    }
    desk.write("a.assert", &holds);
    for rules in ["knock", "knockd-0.8"] {
        let outcome = desk.run(&format!("{ASSERT} --rules {rules}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("{lines} assertions passed")), "{outcome:?}");
    }
    desk.write("a.assert", &fails);
    for rules in ["knock", "knockd-0.8"] {
        let outcome = desk.run(&format!("{ASSERT} --rules {rules}"));
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("{lines} of {lines} assertions failed")));
    }
}

#[test]
fn assertions_that_hold_are_status_0_and_print_nothing() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("a.assert", HOLDS);
    for rules in ["knock", "knockd-0.8"] {
        let outcome = desk.run(&format!("{ASSERT} --rules {rules}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""), "{outcome:?}");
        assert!(outcome.stderr.ends_with("knock-replay: 13 assertions passed\n"), "{outcome:?}");
        let quiet = desk.run(&format!("{ASSERT} --rules {rules} -q"));
        assert_eq!(
            (quiet.status, quiet.stdout, quiet.stderr),
            (Some(0), String::new(), String::new())
        );
    }
    let one = desk.run_with_input("- -c knockd.conf --assert a.assert", knocks_pcap());
    assert_eq!((one.status, one.stdout.as_str()), (Some(0), ""));
}

#[test]
fn each_failed_assertion_says_what_happened_and_which_packet_decided() {
    let desk = CaseRunner::with(pcap(&crowd()));
    desk.write(
        "a.assert",
        "must open ssh from 10.0.0.6\n\
         must open ssh from 10.0.0.7\n\
         must open ssh from 10.0.0.99\n\
         must open ssh from 10.0.0.8 within 2s\n\
         must open ssh from 10.0.0.9\n\
         must open ssh from 10.0.0.10 within 1s\n\
         must open any from 10.0.0.6\n\
         must open mail from 10.0.0.0/8\n\
         must not open any from 203.0.113.0/24\n\
         must not open any\n\
         opens ssh 3\n\
         opens ssh 1\n\
         opens mail at least 2 times from 203.0.113.9\n\
         opens mail 2 times from 10.0.0.6\n\
         opens any at most 2\n\
         closes ssh for 10.0.0.5 after 9s\n\
         closes ssh for 10.0.0.6\n\
         closes mail\n\
         closes any from\n",
    );
    let faulty = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(faulty.status, Some(2));
    let text = std::fs::read_to_string(desk.path("a.assert")).unwrap();
    desk.write("a.assert", text.replace("closes any from\n", ""));
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(1));
    assert_eq!(outcome.stderr, "knock-replay: 18 of 18 assertions failed\n");
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn a_failed_command_assertion_says_what_ran_and_why() {
    let desk = CaseRunner::with(pcap(&[knocks(0), knocks(5_000)].concat()));
    desk.write(
        "a.assert",
        "runs \"open 10.0.0.6\"\n\
         runs \"close 10.0.0.5 now\" 2\n\
         runs \"open 10.0.0.5\" 1\n\
         runs \"open 10.0.0.5\" at most 1 time\n\
         does not run \"close 10.0.0.5\"\n\
         nothing is admitted\n",
    );
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(1));
    insta::assert_snapshot!(outcome.stdout);
    desk.write("knockd.conf", "[ssh]\nsequence = 7000,8000,9000\ncommand =\n");
    let none = desk.run(&format!("{ASSERT} -q"));
    assert!(none.stdout.contains("^ no command runs at all\n"), "{}", none.stdout);
}

#[test]
fn failures_by_the_rules_of_0_8_say_what_happened_and_where_to_see_more() {
    let desk = CaseRunner::with(pcap(&crowd()));
    desk.write(
        "a.assert",
        "must open ssh from 10.0.0.6\nmust not open ssh from 10.0.0.5\nopens ssh 4\n\
         must open mail from 10.0.0.7\n",
    );
    let outcome = desk.run(&format!("{ASSERT} -q --rules knockd-0.8"));
    assert_eq!(outcome.status, Some(1));
    insta::assert_snapshot!(outcome.stdout);
}

#[test]
fn addresses_are_those_of_the_transcript() {
    let six = |packet: Packet| packet.from("::c000:201").to("2001:db8::1");
    let packets: Vec<Packet> = knocks(0).into_iter().map(six).collect();
    let desk = CaseRunner::with(pcap(&packets));
    desk.write(
        "a.assert",
        "must open ssh from ::c000:201 within 0\nmust not open ssh\nopens mail 1 from ::c000:201\n",
    );
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(1));
    for told in [
        "did not open for ::192.0.2.1 within",
        "for ::192.0.2.1 it took",
        "opened for ::192.0.2.1\n",
        "no packet of ::192.0.2.1",
    ] {
        assert!(outcome.stdout.contains(told), "{told}: {}", outcome.stdout);
    }
    assert!(
        desk.run("knocks.pcap -c knockd.conf").stdout.starts_with("::192.0.2.1: ssh: Stage 1\n")
    );
}

/// knockd 0.8 waits for a stop command that is empty, and runs it; knock does neither.
#[test]
fn an_empty_stop_command_runs_by_the_rules_of_0_8_only() {
    let desk = CaseRunner::with(knocks_pcap());
    let config = "[ssh]\nsequence = 7000,8000,9000\ncommand = x\nstop_command =\ncmd_timeout = 3\n";
    desk.write("knockd.conf", config);
    desk.write("a.assert", "closes ssh for 10.0.0.5 after 3s\nruns \"\"\n");
    assert_eq!(desk.run(&format!("{ASSERT} -q --rules knockd-0.8")).status, Some(0));
    let ours = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(ours.status, Some(1));
    assert!(ours.stdout.contains("^ there is no stop command\n"), "{}", ours.stdout);
    assert!(ours.stderr.ends_with("2 of 2 assertions failed\n"), "{}", ours.stderr);
}

#[test]
fn with_several_captures_packets_have_the_name_of_theirs() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("other.pcap", pcap(&[syn(50, 7000).from("10.0.0.6")]));
    desk.write("a.assert", "must not open ssh\nmust open ssh from 10.0.0.6\n");
    let outcome = desk.run(&format!("{ASSERT} -q --read other.pcap"));
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("^ packet 3 of knocks.pcap opened it\n"), "{}", outcome.stdout);
    let last = "^ packet 1 of other.pcap was the last that counted\n";
    assert!(outcome.stdout.contains(last), "{}", outcome.stdout);
}

#[test]
fn every_fault_of_a_file_of_assertions_is_shown_with_its_place_and_a_way_out() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write(
        "knockd.conf",
        "[ssh]\nsequence = 1,2\ncommand =\n[back door]\nsequence = 3,4\ncommand =\n",
    );
    let mut text = String::from(
        "must opne ssh\n\
         mst open ssh\n\
         must open shs\n\
         must open \"Back Door\"\n\
         must open lighthouse\n\
         must open\n\
         must open ssh from\n\
         must open ssh from any\n\
         must open ssh from host.example\n\
         must open ssh within\n\
         must open ssh within soon\n\
         must not open ssh within 2s\n\
         must open ssh form 10.0.0.5\n\
         must open ssh from 10.0.0.5 from 10.0.0.6\n\
         closes ssh after 2 after 3\n\
         must open \"ssh\n\
         must open \"ssh\"x\n\
         opens ssh\n\
         opens ssh -1\n\
         opens ssh at 3\n\
         opens ssh 3 times for 10.0.0.5\n\
         closes ssh after 10 seconds\n\
         runs open 10.0.0.5\n\
         runs \"open\" twice\n\
         does not runs \"open\"\n\
         nothing is admited\n\
         nothing is admitted here\n\
         config\n\
         config a\n\
         config b\n\
         local\n\
         local host\n\
         rules both\n\
         only-ip-v4 yes\n",
    );
    writeln!(text, "must open \"{}\"", "x".repeat(70_000)).unwrap();
    desk.write("a.assert", text);
    let outcome = desk.run(ASSERT);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(outcome.stderr);
}

/// An assertion that is true of any absent client proves nothing about a mistyped address.
#[test]
fn of_a_client_that_did_not_come_nothing_holds() {
    let desk = CaseRunner::with(knocks_pcap());
    for (text, status) in [
        ("must not open mail from 10.0.0.5", 0),
        ("must not open any from 10.0.0.55", 1),
        ("must not open any from 203.0.113.0/24", 0),
        ("opens ssh at most 3 from 10.9.9.9", 1),
        ("opens ssh 0 from 10.9.9.9", 1),
        // That is an address of IPv6, and no packet has it.
        ("must not open ssh from ::ffff:10.0.0.5", 1),
    ] {
        desk.write("a.assert", format!("{text}\n"));
        let outcome = desk.run(&format!("{ASSERT} -q"));
        assert_eq!(outcome.status, Some(status), "{text}: {}", outcome.stdout);
        let absent = ["10.0.0.55", "10.9.9.9", "::ffff:10.0.0.5"];
        let is_absent = absent.into_iter().any(|client| text.ends_with(client));
        assert_eq!(outcome.stdout.contains("nothing was tested: no packet of "), is_absent);
    }
}

#[test]
fn a_command_has_the_address_of_a_client_in_it() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("a.assert", "does not run \"open %IP%\"\n");
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(2));
    assert!(outcome.stderr.contains("`%IP%` is in no command that runs"), "{}", outcome.stderr);
}

#[test]
fn a_file_that_asserts_nothing_is_a_fault() {
    let desk = CaseRunner::with(knocks_pcap());
    let mut told = String::new();
    for text in ["", "\n\n# nothing\n", "rules knock\n", "knock 10.0.0.5 7000 8000 9000\n"] {
        desk.write("a.assert", text);
        let outcome = desk.run(ASSERT);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{text:?}");
        told += &outcome.stderr;
    }
    for file in ["missing", ".", "knocks.pcap"] {
        let outcome = desk.run(&format!("knocks.pcap -c knockd.conf --assert {file}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{file}");
        told += &outcome.stderr;
    }
    desk.write("a.assert", "must not open any\n".repeat(10_001));
    let outcome = desk.run(ASSERT);
    assert_eq!(outcome.status, Some(2));
    told += &outcome.stderr;
    insta::assert_snapshot!(told);
}

#[test]
fn packets_of_which_none_is_admitted_prove_nothing_unless_that_is_asserted() {
    let desk = CaseRunner::with(pcap(&[]));
    let nothing = "knock-replay: error: no packet was admitted, so nothing was tested; see the summary, \
                   and 'knock-replay explain'; if that is what is expected, assert `nothing is admitted`\n";
    desk.write("a.assert", "must not open any\n");
    let empty = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(
        (empty.status, empty.stdout.as_str(), empty.stderr.as_str()),
        (Some(1), "", nothing)
    );
    desk.write("knocks.pcap", knocks_pcap());
    let elsewhere = desk.run(&format!("{ASSERT} -q --local 192.0.2.9"));
    assert_eq!((elsewhere.status, elsewhere.stderr.as_str()), (Some(1), nothing));
    desk.write("a.assert", "must not open any\nnothing is admitted\n");
    let expected = desk.run(&format!("{ASSERT} --local 192.0.2.9"));
    assert_eq!((expected.status, expected.stdout.as_str()), (Some(0), ""));
    assert!(
        expected.stderr.ends_with("knock-replay: 2 assertions passed\n"),
        "{}",
        expected.stderr
    );
}

#[test]
fn a_capture_that_is_cut_is_not_judged() {
    let mut capture = knocks_pcap();
    capture.truncate(capture.len() - 1);
    let desk = CaseRunner::with(capture);
    desk.write("a.assert", "must open ssh\n");
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(3), ""));
}

#[test]
fn assertions_and_a_transcript_can_be_expected_together() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("a.assert", "must open ssh\n");
    desk.write("b.assert", "must not open mail\n");
    desk.write("wrong.assert", "must open mail\n");
    desk.write("expected", OPENED);
    let both = format!("{ASSERT} --assert b.assert -q --expect expected");
    let outcome = desk.run(&both);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    let outcome = desk.run(&format!("{both} --assert wrong.assert"));
    assert_eq!(outcome.status, Some(1));
    assert_eq!(outcome.stderr, "knock-replay: 1 of 3 assertions failed\n");
    desk.write("expected", "");
    let outcome = desk.run(&both);
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("+10.0.0.5: ssh: OPEN SESAME\n"), "{}", outcome.stdout);
    let outcome = desk.run(&format!("{both} --assert wrong.assert --bless"));
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stderr.ends_with("is not written if assertions fail\n"), "{outcome:?}");
    let blessed = desk.run(&format!("{both} --bless"));
    assert_eq!(blessed.status, Some(0), "{blessed:?}");
    assert_eq!(std::fs::read_to_string(desk.path("expected")).unwrap(), OPENED);
    let timed = desk.run(&format!("{both} --bless --time=relative"));
    assert_eq!(timed.status, Some(0), "{timed:?}");
    let lines = std::fs::read_to_string(desk.path("expected")).unwrap();
    assert_eq!(lines, desk.run("knocks.pcap -c knockd.conf --time=relative").stdout);
}

#[test]
fn what_assertions_cannot_be_given_with_is_refused_with_a_way_out() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("a.assert", "must open ssh\n");
    let mut told = String::new();
    for more in ["--rules both", "--explain", "--write x", "--format json"] {
        let outcome = desk.run(&format!("{ASSERT} {more}"));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{more}");
        told.extend(["$ ", ASSERT, " ", more, "\n", &outcome.stderr, "\n"]);
    }
    insta::assert_snapshot!(told);
}

#[test]
fn lines_that_are_for_tests_are_warned_of_where_the_command_line_decides() {
    let desk = CaseRunner::with(knocks_pcap());
    desk.write("a.assert", "must open ssh\nlocal 192.0.2.9\nrules knockd-0.8\n");
    let outcome = desk.run(ASSERT);
    assert_eq!(outcome.status, Some(0));
    let warning = "knock-replay: warning: a.assert:2: this line is for `knock-replay test`; here the \
                   command line says it\n";
    assert!(outcome.stderr.contains(warning), "{}", outcome.stderr);
}

#[test]
fn explanations_use_the_local_addresses_that_the_capture_names() {
    let desk = CaseRunner::new();
    desk.write("knocks.pcapng", pcapng(&[[192, 0, 2, 9].into()], &crowd()));
    desk.write("a.assert", "must open ssh from 10.0.0.5\nnothing is admitted\n");
    let outcome = desk.run("knocks.pcapng -c knockd.conf -q --assert a.assert");
    assert_eq!(outcome.status, Some(1));
    let why = "the first knock did not go to our address (packet 1: to 10.0.0.1)";
    assert!(outcome.stdout.contains(why), "{}", outcome.stdout);
}

#[test]
fn a_flood_of_clients_leaves_what_is_asserted_of_one_exact() {
    let mut capture = first_knocks_pcap(120_000);
    let late = knocks(130_000).into_iter().map(|packet| packet.from("10.9.9.9"));
    capture.extend(late.flat_map(|packet| packet.record()));
    let desk = CaseRunner::with(capture);
    desk.write("knockd.conf", "[ssh]\nsequence = 7000,8000,9000\nseq_timeout = 600\ncommand =\n");
    let exact = "must open ssh from 10.9.9.9 within 0.2s\nmust not open ssh from 10.0.0.0/16\nopens ssh 1\n";
    desk.write("a.assert", exact);
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    // The one comes behind more clients than are followed.
    desk.write("a.assert", "must open ssh from 10.0.0.0/8 within 0.2s\nmust not open ssh\n");
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(1));
    let unknown = "more than 100000 attempts were in progress at once; it is unknown when one that \
                   opened the door began";
    assert!(outcome.stdout.contains(unknown), "{}", outcome.stdout);
    let unknown = "it is unknown when the attempt began: more than 100000 were in progress";
    assert!(outcome.stdout.contains(unknown), "{}", outcome.stdout);
}

#[test]
fn a_flood_of_others_leaves_it_known_why_a_door_did_not_open() {
    let mut capture = first_knocks_pcap(30_000);
    let late = [syn(40_000, 7000), syn(40_100, 8000)].map(|packet| packet.from("10.9.9.9"));
    capture.extend(late.iter().flat_map(Packet::record));
    let desk = CaseRunner::with(capture);
    desk.write("a.assert", "must open ssh from 10.9.9.9\n");
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(1));
    let why =
        "10.9.9.9 came to stage 2 of 3 once; the third knock, 9000/tcp, did not come within 5 s";
    assert!(outcome.stdout.contains(why), "{}", outcome.stdout);
}

#[test]
fn of_several_clients_the_one_that_came_nearest_is_reported() {
    let two = |client: &'static str, start| {
        [syn(start, 7000), syn(start + 100, 8000)].map(|packet| packet.from(client))
    };
    let packets =
        [vec![syn(0, 7000)], two("10.0.0.6", 100).to_vec(), two("10.0.0.7", 200)[..1].to_vec()];
    let desk = CaseRunner::with(pcap(&packets.concat()));
    desk.write("a.assert", "must open ssh from 10.0.0.0/8\n");
    let outcome = desk.run(&format!("{ASSERT} -q"));
    assert_eq!(outcome.status, Some(1));
    assert!(outcome.stdout.contains("10.0.0.6 came to stage 2 of 3 once; "), "{}", outcome.stdout);
    assert!(
        outcome.stdout.contains("^ packet 3 was the last that counted\n"),
        "{}",
        outcome.stdout
    );
}

//! The coverage of the cases for the real knockd, so that none of it gets lost unnoticed.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;

use knock_compat::Difference;
use knock_tests::capture_builder::{Format, Link};
use knock_tests::differential::{Agreement, differences, judge};
use knock_tests::generators::knockd_08::{self, Case};
use knock_tests::model::{Door, Sequences};
use knock_tests::oracle::{End, Oracle};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

/// How many cases are drawn, the same in every run.
const CASES: usize = 800;

/// A property: its name, the minimum number of cases, and the test for it.
type Feature = (&'static str, usize, fn(&Case, &Agreement) -> bool);

#[test]
fn the_cases_for_the_real_knockd_have_everything_in_them() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(oracle) = Oracle::required_by("the count of what cases come to", cache) else {
        return;
    };
    let mut runner = TestRunner::deterministic();
    let strategy = knockd_08::case();
    let drawn: Vec<(Case, Agreement)> = (0..CASES)
        .map(|_| {
            let case = strategy.new_tree(&mut runner).unwrap().current();
            let folder = TempDir::new().unwrap();
            let agreement = judge(&oracle, &case, folder.path()).unwrap();
            (case, agreement)
        })
        .collect();
    let mut missing = Vec::new();
    for (name, least, holds) in [OUTCOMES, TRAFFIC, CONFIGURATIONS].concat() {
        let count = drawn.iter().filter(|(case, agreement)| holds(case, agreement)).count();
        println!("{count:>4} {name}");
        if count < least {
            missing.push(format!("{name}: {count} of {CASES} cases, not {least}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_cases_show_every_difference_that_they_can() {
    // No case has that many attempts, an exhausted file, another link type, or what knockd 0.8 refuses.
    const CANNOT: [Difference; 7] = [
        Difference::Unbounded,
        Difference::OneTimeNoneLeft,
        Difference::LinkTypes,
        Difference::Open,
        Difference::Limits,
        Difference::DerivedSequences,
        Difference::SignedPackets,
    ];
    let mut unmet: BTreeSet<Difference> = Difference::ALL.into_iter().collect();
    unmet.retain(|one| !CANNOT.contains(one));
    let mut runner = TestRunner::deterministic();
    let strategy = knockd_08::case();
    for drawn in 1..=20_000 {
        let case = strategy.new_tree(&mut runner).unwrap().current();
        let Some(met) = differences(&case) else { continue };
        unmet.retain(|one| !met.as_ref().unwrap().contains(one));
        if unmet.is_empty() {
            println!("all shown in {drawn} cases");
            return;
        }
    }
    panic!("no case shows {unmet:?}");
}

/// Actions of the real knockd.
const OUTCOMES: &[Feature] = &[
    ("a door opens", 300, |_, agreement| agreement.played.counts.opened > 0),
    ("nothing opens", 50, |_, agreement| agreement.played.counts.opened == 0),
    ("an attempt times out", 200, |_, agreement| agreement.played.counts.timed_out > 0),
    ("an attempt is void", 200, |_, agreement| agreement.played.counts.voided > 0),
    ("attempts are forgotten with the oldest", 100, |case, agreement| {
        let counts = agreement.played.counts;
        let accounted = counts.opened + counts.voided + counts.timed_out;
        let live = u64::try_from(agreement.played.live_attempts).unwrap();
        case.reload.is_none() && !agreement.played.crashed && counts.attempts > accounted + live
    }),
    ("flags keep an attempt as it is", 10, |_, agreement| agreement.played.other_flags > 0),
    ("a stop command is run", 100, |_, agreement| prints(agreement, ": command timeout\n")),
    ("an empty stop command is run", 10, |_, agreement| prints(agreement, "running command: \n")),
    ("a command is too long", 8, |_, agreement| agreement.played.too_long > 0),
    ("an IPv6 client opens a door", 20, |_, agreement| {
        text(agreement).lines().any(|line| line.starts_with("2001:") && line.ends_with("SESAME"))
    }),
    ("an IPv6 client is not understood on its link", 5, |_, agreement| {
        agreement.verdict.errors.contains("IPv6 is not supported")
    }),
    ("an address is printed with dots", 5, |_, agreement| prints(agreement, "\n::ffff:192.0.2.1:")),
    ("no packet can pass, so it does not start", 1, |case, agreement| {
        agreement.played.refused && case.reload.is_none()
    }),
    ("there is no filter", 3, |case, _| {
        case.setting.ipv4_only && case.local().iter().all(std::net::IpAddr::is_ipv6)
    }),
    ("two one-time sequences are used", 10, |_, agreement| agreement.played.used > 1),
    ("an attempt goes on in the next one-time sequence", 2, |_, agreement| {
        let output = text(agreement);
        let goes_on = |prefix: &str| {
            let mut opened = false;
            let mine = output.lines().filter_map(|line| line.strip_prefix(prefix));
            for line in mine {
                if opened && line.starts_with("Stage ") {
                    return line != "Stage 1";
                }
                opened = line == "OPEN SESAME";
            }
            false
        };
        output.lines().filter_map(|line| line.strip_suffix("OPEN SESAME")).any(goes_on)
    }),
    ("the last one-time sequence is used", 20, |_, agreement| {
        agreement.verdict.end == End::Signal(6)
    }),
    ("the last one-time sequence is used where that is no crash", 1, |_, agreement| {
        agreement.played.crashed && agreement.verdict.end != End::Signal(6)
    }),
    ("the files are read again", 20, |case, agreement| {
        prints(agreement, "re-reading") && case.reload.as_ref().unwrap().changed.is_none()
    }),
    ("another configuration is read", 30, |case, agreement| {
        prints(agreement, "re-reading") && case.reload.as_ref().unwrap().changed.is_some()
    }),
    ("a door opens after a reload", 30, |_, agreement| {
        let output = text(agreement);
        output.split_once("re-reading").is_some_and(|(_, after)| after.contains("OPEN SESAME"))
    }),
    ("a stop command outlives a reload", 5, |_, agreement| {
        let live = String::from_utf8_lossy(&agreement.played.live).into_owned();
        let count = |output: &str| {
            output.split_once("re-reading").map(|(before, _)| before.matches("timeout\n").count())
        };
        count(&live) < count(&text(agreement))
    }),
];

/// Properties of captures.
const TRAFFIC: &[Feature] = &[
    ("Ethernet", 300, |case, _| case.capture.link == Link::Ethernet),
    ("Linux cooked", 40, |case, _| case.capture.link == Link::Sll),
    ("raw IP", 40, |case, _| case.capture.link == Link::Raw),
    ("microseconds, big-endian", 40, |case, _| {
        case.capture.format == Format::Pcap { big_endian: true }
    }),
    ("nanoseconds, big-endian", 40, |case, _| {
        case.capture.format == Format::PcapNanos { big_endian: true }
    }),
    ("pcapng", 100, |case, _| matches!(case.capture.format, Format::Pcapng { .. })),
    ("a stamp goes back", 50, |case, _| {
        case.capture.records.windows(2).any(|pair| pair[1].at_ns < pair[0].at_ns)
    }),
    ("a frame is cut", 100, |case, _| {
        case.capture.records.iter().any(|record| record.data.len() < record.original_length)
    }),
    ("a frame is no knock at all", 100, |_, agreement| agreement.played.undecodable > 0),
    ("a VLAN tag", 10, |case, _| any_frame(case, |frame| frame.get(12..14) == Some(&[0x81, 0]))),
    ("an IPv4 header length below 20", 10, |case, _| any_ipv4(case, |ip| ip[0] & 15 < 5)),
    ("an IPv4 header length above 20", 30, |case, _| any_ipv4(case, |ip| ip[0] & 15 > 5)),
    ("a first fragment", 10, |case, _| any_ipv4(case, |ip| ip[6] & 0x3f == 0x20 && ip[7] == 0)),
    ("a later fragment", 10, |case, _| any_ipv4(case, |ip| ip[6] & 0x1f != 0 || ip[7] != 0)),
    ("an IPv6 extension header", 5, |case, _| {
        any_frame(case, |frame| {
            frame.get(12..14) == Some(&[0x86, 0xdd])
                && frame.get(20).is_some_and(|next| [0, 43, 44, 51, 60].contains(next))
        })
    }),
    ("UDP", 50, |case, _| any_ipv4(case, |ip| ip.get(9) == Some(&17))),
    ("a TCP packet without SYN", 50, |case, _| {
        any_ipv4(case, |ip| ip[0] == 0x45 && ip[9] == 6 && ip.get(33).is_some_and(|f| f & 2 == 0))
    }),
];

/// Properties of configurations.
const CONFIGURATIONS: &[Feature] = &[
    ("carriage returns", 10, |case, _| case.conf.text.windows(2).any(|pair| pair == b"\r\n")),
    ("a name that is not ASCII", 30, |case, _| any_door(case, |door| !door.name.is_ascii())),
    ("a name of more than 127 bytes", 5, |case, _| any_door(case, |door| door.name.len() > 127)),
    ("a name shared by two doors", 10, |case, _| {
        case.setting.doors.windows(2).any(|pair| pair[0].name == pair[1].name)
    }),
    ("a door almost named options", 30, |case, _| {
        any_door(case, |door| door.name.eq_ignore_ascii_case(b"options"))
    }),
    ("a target", 100, |case, _| any_door(case, |door| door.target.is_some())),
    ("a target that is not written as it is printed", 10, |case, _| {
        let conf = String::from_utf8_lossy(&case.conf.text);
        conf.contains("2001:DB8") || conf.contains("2001:0db8")
    }),
    ("a target of a family without a local address", 10, |case, _| {
        let is_foreign = |door: &Door| {
            let six = door.target.map(|target| target.is_ipv6());
            six.is_some_and(|six| case.local().iter().all(|local| local.is_ipv6() != six))
        };
        case.setting.doors.iter().any(is_foreign)
    }),
    ("flags", 300, |case, _| any_door(case, |door| door.wanted | door.refused != 0)),
    ("commands for IPv6", 100, |case, _| any_door(case, |door| door.start_6.is_some())),
    ("only IPv4", 20, |case, _| case.setting.ipv4_only),
    ("only IPv6 addresses", 30, |case, _| case.local().iter().all(std::net::IpAddr::is_ipv6)),
    ("a sequence of 32 knocks", 10, |case, _| {
        any_door(case, |door| matches!(&door.sequences, Sequences::Fixed(all) if all.len() == 32))
    }),
];

fn text(agreement: &Agreement) -> String {
    String::from_utf8_lossy(&agreement.verdict.output).into_owned()
}

fn prints(agreement: &Agreement, part: &str) -> bool {
    text(agreement).contains(part)
}

fn any_door(case: &Case, holds: impl Fn(&Door) -> bool) -> bool {
    case.setting.doors.iter().any(holds)
}

fn any_frame(case: &Case, holds: impl Fn(&[u8]) -> bool) -> bool {
    case.capture.link == Link::Ethernet
        && case.capture.records.iter().any(|record| holds(&record.data))
}

/// Whether there is such an IPv4 datagram, given with at least a whole header, on Ethernet.
fn any_ipv4(case: &Case, holds: impl Fn(&[u8]) -> bool) -> bool {
    any_frame(case, |frame| {
        let is_ipv4 =
            frame.get(12..14) == Some(&[8, 0]) && frame.len() >= 34 && frame[14] >> 4 == 4;
        is_ipv4 && holds(&frame[14..])
    })
}

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::net::IpAddr;
use std::num::NonZeroU32;

use knock_engine::LinkType;
use knock_tests::boundary;
use knock_tests::capture_builder::{Link, Shape};
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::model::{self, Knock, Packet, SYN, Sequences, Transport};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::naive::Naive;
use super::*;

/// Something that happens between two packets.
#[derive(Clone, Debug)]
enum Between {
    /// A reload, of which only these doors are left, in this order.
    Reload(Vec<Index>),
    /// The local addresses are others.
    Addresses(Option<Vec<&'static str>>),
}

fn between() -> impl Strategy<Value = Between> {
    let local = vec![None, Some(vec![]), Some(vec!["10.0.0.1"]), Some(vec!["2001:db8::1"])];
    prop_oneof![
        prop::collection::vec(any::<Index>(), 0..4).prop_map(Between::Reload),
        select(local).prop_map(Between::Addresses),
    ]
}

/// All that happens in a test.
struct Course<'a> {
    doors: Doors,
    listening: Listening,
    limits: Limits,
    happenings: Vec<(Timestamp, Happening<'a>)>,
}

impl Course<'_> {
    /// Checks that both comparisons say the same. Returns for how many groups of rule sets engines were
    /// needed.
    fn check(&self) -> Result<usize, TestCaseError> {
        let mut comparison = self.begin();
        let mut naive = Naive::new(&self.doors, &self.listening, &self.limits);
        let (mut expected, mut messages) = (Vec::new(), Vec::new());
        for (at, happening) in self.happenings() {
            let differing = naive.step(*at, happening);
            prop_assert_eq!(&comparison.step(*at, happening, drop), &differing);
            expected.push(differing);
            let said = naive.take_messages();
            prop_assert_eq!(&comparison.take_messages(), &said);
            messages.extend(said);
            for side in [Side::Knockd08, Side::Knock] {
                prop_assert_eq!(comparison.counts(side), naive.counts(side));
            }
        }
        let is_reload = |(_, happening): &(Timestamp, Happening<'_>)| {
            matches!(happening, Happening::Reloaded(_))
        };
        if !self.happenings.iter().any(is_reload) {
            self.check_ahead(&expected, &messages)?;
        }
        Ok(comparison.older.groups())
    }

    /// Checks that it does not matter how far knock is ahead of the others.
    fn check_ahead(
        &self,
        expected: &[Vec<Differing>],
        messages: &[Line],
    ) -> Result<(), TestCaseError> {
        let Comparison { mut older, mut knock, mut done } = self.begin();
        let seen: Vec<Seen> = self
            .happenings()
            .map(|(at, happening)| {
                let (seen, _) = knock.seen(happening);
                knock.handle(*at, &seen, &mut done);
                seen
            })
            .collect();
        for (place, ((at, _), expected)) in self.happenings().zip(expected).enumerate() {
            let differing = older.handle(*at, &seen[place], done.of_input(place), knock.doors());
            prop_assert_eq!(&differing, expected);
        }
        prop_assert_eq!(&older.take_messages(), messages);
        Ok(())
    }

    fn begin(&self) -> Comparison {
        Comparison::new(&self.doors, &self.listening, &self.limits)
    }

    fn happenings(&self) -> impl Iterator<Item = &(Timestamp, Happening<'_>)> {
        const END: (Timestamp, Happening<'static>) = (Timestamp::MAX, Happening::Time);
        self.happenings.iter().chain([&END])
    }
}

fn limits(attempts: u32) -> Limits {
    boundary::limits(NonZeroU32::new(attempts).unwrap())
}

/// Checks a case, in which something else happens besides. Returns as [`Course::check`].
fn check(
    case: &Case,
    limits: Limits,
    besides: Option<&(Index, Between)>,
) -> Result<usize, TestCaseError> {
    let doors = boundary::configured(&case.conf);
    let listening = boundary::listening(case.setting.local.as_deref(), case.setting.ipv4_only);
    let link = LinkType::from_number(case.link.number());
    let frames: Vec<(Timestamp, Vec<u8>)> = case
        .sights
        .iter()
        .map(|sight| {
            let (mut frame, kept) = sight.shape.frame(&sight.packet, case.link, false);
            frame.truncate(kept);
            (Timestamp::from_nanos(sight.packet.at_ns), frame)
        })
        .collect();
    let mut happenings: Vec<_> =
        frames.iter().map(|(at, frame)| (*at, Happening::Frame(link, frame))).collect();
    let reloaded;
    if let Some((place, between)) = besides.filter(|_| !happenings.is_empty()) {
        let place = place.index(happenings.len());
        let happening = match between {
            Between::Reload(left) => {
                let all: Vec<_> = doors.in_order().map(|(_, door)| door.clone()).collect();
                reloaded = Doors::new(left.iter().map(|one| one.get(&all).clone()).collect());
                Happening::Reloaded(reloaded.as_ref().unwrap())
            }
            Between::Addresses(local) => Happening::Addresses(match local {
                None => Listening::everywhere(),
                Some(local) => Listening::at(local.iter().map(|text| text.parse().unwrap())),
            }),
        };
        happenings.insert(place, (happenings[place].0, happening));
    }
    Course { doors, listening, limits, happenings }.check()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn rule_sets_that_are_parted_late_say_the_same(case in generators::case(Resolution::Micro)) {
        check(&case, Limits::default(), None)?;
    }

    #[test]
    fn rule_sets_that_are_parted_late_say_the_same_at_limits_and_after_reloads(
        case in generators::case(Resolution::Nano),
        attempts in 1..6_u32,
        besides in option::of((any::<Index>(), between())),
    ) {
        check(&case, limits(attempts), besides.as_ref())?;
    }
}

/// The ports of one-time sequences: few, so that clients often make the right knock.
const PORTS: [u16; 3] = [7000, 8000, 9000];

/// Draws a door with as many one-time sequences as there are lists of ports, which may be none.
fn one_time_door() -> impl Strategy<Value = Vec<Vec<u16>>> {
    prop::collection::vec(prop::collection::vec(select(&PORTS[..]), 1..4), 0..4)
}

fn with_one_time_sequences(name: &str, lines: &[Vec<u16>]) -> model::Door {
    let knocks = |line: &Vec<u16>| line.iter().copied().map(Knock::tcp).collect();
    let sequences = Sequences::OneTime(lines.iter().map(knocks).collect());
    model::Door {
        seq_timeout_s: 5,
        start: Some(b"a".to_vec()),
        ..model::Door::new(name, sequences)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whoever knocks, also part-way through a sequence that another client uses, and where none is left.
    #[test]
    fn rule_sets_that_are_parted_late_say_the_same_of_one_time_sequences(
        first in one_time_door(),
        second in option::of(one_time_door()),
        knocks in prop::collection::vec((0..3_u32, select(&PORTS[..]), 0..1500_i64), 1..60),
    ) {
        let lines = [Some(first), second];
        let doors = ["first", "second"].into_iter().zip(lines.iter().flatten());
        let doors: Vec<_> = doors.map(|(name, lines)| with_one_time_sequences(name, lines)).collect();
        let mut now = 0;
        let frames = syns(knocks.into_iter().map(|(client, port, later)| {
            now += later;
            (client, port, now)
        }));
        course(boundary::doors(&doors), &frames, 100).check()?;
    }
}

const CONF: &[u8] = b"[open]\nsequence = 7000,8000\nseq_timeout = 5\ntcpflags = syn\ncommand = open %IP%\n\
                    [close]\nsequence = 8000,7000\nseq_timeout = 5\ntcpflags = syn\ncommand = close %IP%\n";

/// Returns SYNs, each from a client to a port so many milliseconds after the beginning.
fn syns(of: impl Iterator<Item = (u32, u16, i64)>) -> Vec<(Timestamp, Vec<u8>)> {
    let frame = |(number, (client, port, ms)): (u32, (u32, u16, i64))| {
        let packet = Packet {
            at_ns: 1_700_000_000_250_000_000_i64 + ms * 1_000_000,
            src: IpAddr::V4((0x0a00_0000 + client).into()),
            dst: IpAddr::from([10, 0, 0, 1]),
            sport: 40_000,
            dport: port,
            transport: Transport::Tcp { seq: Some(number), flags: Some(SYN) },
        };
        let (frame, _) = Shape::default().frame(&packet, Link::Ethernet, false);
        (Timestamp::from_nanos(packet.at_ns), frame)
    };
    (1..).zip(of).map(frame).collect()
}

/// Checks SYNs. Returns as [`Course::check`].
fn check_syns(of: impl Iterator<Item = (u32, u16, i64)>, attempts: u32) -> usize {
    let frames = syns(of);
    let config = knock_config::parse(CONF).config.unwrap();
    let doors = config.doors.into_iter().map(|door| door.door()).collect();
    course(Doors::new(doors).unwrap(), &frames, attempts).check().unwrap()
}

fn course(doors: Doors, frames: &[(Timestamp, Vec<u8>)], attempts: u32) -> Course<'_> {
    let frames = frames.iter().map(|(at, frame)| (*at, frame.as_slice()));
    Course {
        doors,
        listening: Listening::everywhere(),
        limits: limits(attempts),
        happenings: frames
            .map(|(at, frame)| (at, Happening::Frame(LinkType::Ethernet, frame)))
            .collect(),
    }
}

#[test]
fn a_flood_of_first_knocks_needs_few_engines() {
    // Nothing differs before the end; then what is due by itself does.
    assert_eq!(check_syns((0..2000).map(|one| (one, 7000, 0)), 9999), 2);
    let slowly = || (0..2000_u32).map(|one| (one, 7000, i64::from(one) * 7));
    // Some are forgotten, time out at whole seconds, or are reported late.
    assert_eq!(check_syns(slowly(), 9999), 4);
    assert_eq!(check_syns(slowly(), 100), 4);
}

#[test]
fn one_engine_is_enough_where_nothing_differs() {
    let openings = (0..500_u32).flat_map(|one| {
        let at = i64::from(one) * 1000;
        [(one, 7000, at), (one, 8000, at + 10), (one, 8000, at + 500), (one, 7000, at + 510)]
    });
    assert_eq!(check_syns(openings, 10), 1);
}

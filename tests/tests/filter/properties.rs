//! Properties of what a filter lets through.

use std::collections::BTreeMap;

use knock_engine::filter::{Framing, Width};
use knock_engine::{Door, DoorSequence, Doors, LinkType, Listening, NamedPorts, decode};
use knock_tests::boundary;
use knock_tests::generators::frames::{Frame, Kind, LinkKind, Wild, wild};
use knock_tests::model::{self, Setting};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

use super::{Filter, admits, filters, interpreter, libpcap, listening, seen, with_all_sequences};

fn config(cases: u32) -> ProptestConfig {
    let kept = FileFailurePersistence::Direct(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/proptest-regressions/filter.txt"
    ));
    ProptestConfig { cases, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(500))]

    #[test]
    fn no_width_loses_a_packet_that_the_engine_admits(wild in wild()) {
        let judged = Judged::new(&wild);
        for frame in wild.frames.iter().filter(|frame| judged.is_admitted(frame)) {
            for bytes in [&frame.bytes, &frame.seen_by_kernel] {
                for seen in seen(wild.link, bytes) {
                    for filter in judged.filters.iter().filter(|one| one.framing == seen.framing) {
                        prop_assert!(filter.passes(&seen), "{:?}\n{}", filter.width, text(filter));
                    }
                }
            }
        }
    }

    #[test]
    fn a_frame_elsewhere_is_a_packet_that_no_door_admits(wild in wild()) {
        let doors = boundary::doors(&wild.setting.doors);
        let named = NamedPorts::of(&doors);
        let link = LinkType::from_number(wild.link.dlt());
        for frame in &wild.frames {
            let packet = decode(link, &frame.bytes);
            let is_named = |knock| {
                let names = |door: &Door| match &door.sequence {
                    DoorSequence::Fixed(sequence) => sequence.knocks().contains(&knock),
                    DoorSequence::OneTime(sequences) => {
                        sequences.unused().any(|line| line.sequence.knocks().contains(&knock))
                    }
                    DoorSequence::Derived(derived) => derived.names(knock),
                    DoorSequence::None => false,
                };
                doors.in_order().any(|(_, door)| names(door))
            };
            let is_other = packet.is_ok_and(|packet| !is_named(packet.knock()));
            prop_assert_eq!(decode(link, &frame.bytes).is_ok_and(|packet| !named.names(&packet)), is_other);
            let is_admitted = packet.is_ok_and(|it| doors.admit(&Listening::everywhere(), &it));
            prop_assert!(!(is_other && is_admitted));
        }
    }

    #[test]
    fn the_exact_filter_lets_only_wanted_packets_through(wild in wild()) {
        let judged = Judged::new(&wild);
        // The filters let packets of all clients through.
        let doors = wild.setting.doors.iter().cloned();
        let doors = doors.map(|door| model::Door { allow: vec![], deny: vec![], ..door }).collect();
        let setting = &Setting { doors, ..wild.setting.clone() };
        let wanted = boundary::doors(&with_all_sequences(&setting.doors));
        let libpcap = libpcap::judge(setting, wild.link);
        for frame in wild.frames.iter().filter(|frame| frame.is_ordinary) {
            let is_wanted = admits(&wanted, &listening(setting), wild.link.dlt(), &frame.bytes);
            let bytes = &frame.seen_by_kernel;
            prop_assert_eq!(libpcap.filter(bytes), is_wanted, "libpcap: {:?}", bytes);
            for seen in seen(wild.link, bytes) {
                let mut filters = judged.filters.iter().filter(|one| one.framing == seen.framing);
                let exact = filters.next().unwrap();
                prop_assert_eq!(exact.width, Width::Exact);
                prop_assert_eq!(exact.passes(&seen), is_wanted, "{}", text(exact));
            }
        }
    }
}

fn text(filter: &Filter) -> String {
    interpreter::text(&filter.program)
}

#[test]
fn frames_of_every_kind_are_admitted_and_refused() {
    let mut runner = TestRunner::deterministic();
    let strategy = wild();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for _ in 0..1_000 {
        let wild = strategy.new_tree(&mut runner).unwrap().current();
        let judged = Judged::new(&wild);
        for frame in &wild.frames {
            let link = format!("{:?}", wild.link);
            let kinds = frame.kinds.iter().map(|kind| format!("{kind:?}"));
            for name in kinds.chain([link]) {
                let (admitted, refused) = counts.entry(name).or_default();
                *(if judged.is_admitted(frame) { admitted } else { refused }) += 1;
            }
        }
    }
    println!("{counts:?}");
    let links = LinkKind::ALL.map(|link| format!("{link:?}"));
    let kinds = KINDS.map(|kind| format!("{kind:?}"));
    for name in links.into_iter().chain(kinds) {
        let (admitted, refused) = counts.get(&name).copied().unwrap_or_default();
        assert!(admitted >= 30 && refused >= 30, "{name}: {admitted} admitted, {refused} refused");
    }
}

const KINDS: [Kind; 7] = [
    Kind::Ipv6,
    Kind::TaggedOnce,
    Kind::TaggedTwice,
    Kind::OddlyFramed,
    Kind::Extensions,
    Kind::Options,
    Kind::CutBeforeFlags,
];

/// How the engine and each filter decide about frames.
struct Judged<'a> {
    wild: &'a Wild,
    doors: Doors,
    listening: Listening,
    filters: Vec<Filter>,
}

impl<'a> Judged<'a> {
    fn new(wild: &'a Wild) -> Self {
        let doors = boundary::doors(&wild.setting.doors);
        let listening = listening(&wild.setting);
        let framings = [Framing::Ethernet, Framing::Cooked].into_iter();
        let filters = framings.flat_map(|framing| filters(&doors, &listening, framing)).collect();
        Self { wild, doors, listening, filters }
    }

    fn is_admitted(&self, frame: &Frame) -> bool {
        admits(&self.doors, &self.listening, self.wild.link.dlt(), &frame.bytes)
    }
}

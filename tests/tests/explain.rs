//! Checks explanations against the model and against themselves.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::str::FromStr as _;

use knock_compat::{Effect, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Limits, LinkType, Listening, Phase, RunId, Stage, Timestamp};
use knock_replay::explain::{
    Attempt, CaptureNames, Explainer, Explanation, PacketId, Places, Totals, Verdict, Whom, Why,
    Words,
};
use knock_tests::boundary;
use knock_tests::capture_builder::visible;
use knock_tests::generators::{self, Case, Resolution};
use knock_tests::model::{self, Sequences};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{FileFailurePersistence, TestRunner};

/// The explanations of a case.
struct Said {
    explanations: Vec<Explanation>,
    doors: Doors,
    totals: Totals,
    explainer: Explainer,
}

fn listening(case: &Case) -> Listening {
    boundary::listening(case.setting.local.as_deref(), case.setting.ipv4_only)
}

fn explain(case: &Case, whom: Whom, pairs: usize) -> Said {
    let doors = boundary::doors(&case.setting.doors);
    let explainer = Explainer::new(doors.clone(), listening(case), &Limits::default(), whom);
    let mut explainer = explainer.with_pairs(pairs);
    let mut explanations = Vec::new();
    let link = LinkType::from_number(case.link.number());
    for (number, record) in (1..).zip(case.capture().records) {
        let at = Timestamp::from_nanos(record.at_ns);
        let id = PacketId { capture: 0, number };
        let _ = explainer.frame(at, link, &record.data, id, &mut |one| explanations.push(*one));
    }
    explainer.finish(&mut |one| explanations.push(*one));
    let totals = explainer.totals().clone();
    Said { explanations, doors, totals, explainer }
}

/// The effect of the transcript that an explanation is about.
fn effect(one: &Explanation) -> Option<Effect> {
    let Explanation { client, door, .. } = *one;
    let run = RunId::from_bits(0);
    Some(match one.verdict {
        Verdict::Stage { stage, .. } => Effect::StageReached { client, door, stage },
        Verdict::Opened => Effect::Opened { client, door },
        Verdict::Admitted { lasts } => Effect::Admit { client, door, lasts },
        Verdict::Closing => Effect::Closing { client, door },
        Verdict::AdmissionEnded(_) => Effect::AdmissionEnded { client, door },
        Verdict::Command(phase) => Effect::RunCommand { run, client, door, phase },
        Verdict::SequenceTimedOut { stage, .. } => Effect::SequenceTimedOut { client, door, stage },
        Verdict::CommandTimedOut => Effect::CommandTimedOut { client, door },
        Verdict::Signed { .. }
        | Verdict::Refused
        | Verdict::Skipped(_)
        | Verdict::Evicted { .. }
        | Verdict::SequenceChanged { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::OneTimeUsed { .. }
        | Verdict::Disabled
        | Verdict::Void { .. }
        | Verdict::VoidedOften { .. }
        | Verdict::Ignored(_) => return None,
    })
}

/// The lines of the transcript that explanations are about, each with its time.
fn lines(said: &Said) -> Vec<(i64, String)> {
    let line = |timed: &TimedEffect| {
        let mut text = Vec::new();
        let channel = transcript::write(&timed.effect, &said.doors, &mut text);
        assert_eq!(channel, Channel::Transcript);
        (timed.at.as_nanos(), String::from_utf8_lossy(&text).into_owned())
    };
    let explained = said.explanations.iter();
    explained
        .filter_map(|one| Some(line(&TimedEffect { at: one.at, effect: effect(one)? })))
        .collect()
}

/// The lines of the model for the case, each with its time.
fn transcript(case: &Case) -> Vec<(i64, String)> {
    let lines = case.expected().lines;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines.iter().map(|line| (line.at_ns, text(&line.text))).collect()
}

/// What happened to each packet at each door.
fn by_packet(said: &Said) -> BTreeMap<(u64, usize), Vec<Verdict>> {
    let mut map: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in said.explanations.iter().filter(|one| one.verdict.is_of_packet()) {
        let number = one.packet.expect("what is of a packet has one").id.number;
        map.entry((number, one.door.index())).or_default().push(one.verdict);
    }
    map
}

/// Follows attempts through their explanations, and checks that these are consistent.
fn check_attempts(said: &Said) {
    let mut live: BTreeMap<(IpAddr, usize), (Attempt, Stage)> = BTreeMap::new();
    for one in &said.explanations {
        let pair = (one.client, one.door.index());
        let there = live.get(&pair).copied();
        match one.verdict {
            Verdict::Stage { stage: Stage::FIRST, .. } => {
                // A second try of the first knock starts over.
                assert!(there.is_none_or(|(_, before)| before == Stage::FIRST), "{one:?}");
                let attempt = one.attempt.expect("it has begun");
                assert_eq!(attempt.began, one.at);
                live.insert(pair, (attempt, Stage::FIRST));
            }
            Verdict::Stage { stage, .. } => {
                let (attempt, before) = there.expect("it has begun");
                let next = before.get().saturating_add(1);
                assert_eq!((one.attempt, stage.get()), (Some(attempt), next));
                live.insert(pair, (attempt, stage));
            }
            Verdict::Void { stage, .. }
            | Verdict::SequenceTimedOut { stage, .. }
            | Verdict::SequenceChanged { stage } => {
                let (attempt, before) = there.expect("it has begun");
                assert_eq!((one.attempt, stage), (Some(attempt), before));
                live.remove(&pair);
            }
            Verdict::Ignored(
                Why::Late(_) | Why::NoAttempt { .. } | Why::NotNow | Why::OtherAttempt { .. },
            ) => {
                assert_eq!(there, None, "{one:?}");
            }
            Verdict::Ignored(Why::OtherPort { stage, .. }) => {
                assert_eq!(there.map(|(_, stage)| stage), Some(stage), "{one:?}");
            }
            Verdict::Ignored(Why::Unreadable(_)) => assert!(there.is_some(), "{one:?}"),
            Verdict::Ignored(
                Why::OtherProtocol { .. }
                | Why::OtherFlags { .. }
                | Why::SecondTry { .. }
                | Why::OtherDestination
                | Why::OtherSource { .. }
                | Why::NotSigned(_)
                | Why::Retransmission { .. },
            )
            | Verdict::Signed { .. }
            | Verdict::Admitted { .. }
            | Verdict::Closing
            | Verdict::AdmissionEnded(_)
            | Verdict::Command(_)
            | Verdict::CommandTimedOut
            | Verdict::OneTimeUsed { .. }
            | Verdict::VoidedOften { .. }
            | Verdict::Disabled => {}
            Verdict::Opened | Verdict::Skipped(_) => drop(live.remove(&pair)),
            Verdict::Refused | Verdict::Evicted { .. } | Verdict::DoorChanged { .. } => {
                panic!("at no limit: {one:?}")
            }
        }
    }
    assert!(live.is_empty(), "{live:?}");
}

fn check(case: &Case) {
    let said = explain(case, Whom::All, Explainer::PAIRS);
    assert_eq!(lines(&said), transcript(case));
    check_attempts(&said);
    let packets = u64::try_from(case.sights.len()).unwrap();
    assert_eq!(said.totals.packets(), packets);
    let of_packets = by_packet(&said);
    for (place, verdicts) in &of_packets {
        let fits = match verdicts[..] {
            [_] => true,
            [Verdict::Void { .. }, Verdict::Stage { stage, late: None, .. }] => {
                stage == Stage::FIRST
            }
            _ => false,
        };
        assert!(fits, "{place:?}: {verdicts:?}");
    }
    check_ports(case, &of_packets);
    let explained: BTreeSet<u64> = of_packets.keys().map(|&(number, _)| number).collect();
    assert_eq!(u64::try_from(explained.len()).unwrap(), said.totals.explained);
    let counted = of_packets.values().flatten().filter(|one| matches!(one, Verdict::Stage { .. }));
    let stages = lines(&said).iter().filter(|(_, line)| line.contains(": Stage ")).count();
    assert_eq!(counted.count(), stages);
    check_nearest(&said);
    check_words(&said);
}

/// A packet whose port is in the sequence of a door is explained there, whatever else is wrong with it;
/// any other only if it comes between two knocks.
fn check_ports(case: &Case, of_packets: &BTreeMap<(u64, usize), Vec<Verdict>>) {
    for (number, sight) in (1..).zip(&case.sights) {
        let packet = visible(&sight.packet, &sight.shape, case.link);
        for (place, door) in case.setting.doors.iter().enumerate() {
            // Of the others, the sequence changes.
            let Sequences::Fixed(knocks) = &door.sequences else { continue };
            let verdicts = of_packets.get(&(number, place)).map(Vec::as_slice).unwrap_or_default();
            let is_named =
                |packet: &model::Packet| knocks.iter().any(|knock| knock.port == packet.dport);
            if packet.as_ref().is_some_and(is_named) {
                assert!(!verdicts.is_empty(), "packet {number}, door {place}");
            } else {
                let only_between = verdicts.iter().all(|verdict| {
                    matches!(
                        verdict,
                        Verdict::Void { .. }
                            | Verdict::Ignored(Why::OtherPort { .. } | Why::Unreadable(_))
                    ) || matches!(
                        verdict,
                        Verdict::Ignored(Why::OtherFlags { .. } | Why::SecondTry { .. })
                    )
                });
                assert!(only_between, "packet {number}, door {place}: {verdicts:?}");
                let is_unreadable =
                    verdicts.iter().any(|one| matches!(one, Verdict::Ignored(Why::Unreadable(_))));
                assert!(!is_unreadable || packet.is_none(), "packet {number}, door {place}");
            }
        }
    }
}

/// The summary at the end matches the explanations.
fn check_nearest(said: &Said) {
    for nearest in said.explainer.nearest() {
        let here = |one: &&Explanation| (one.client, one.door) == (nearest.client, nearest.door);
        let count = |wanted: fn(&Verdict) -> bool| {
            let explained = said.explanations.iter().filter(here);
            u64::try_from(explained.filter(|one| wanted(&one.verdict)).count()).unwrap()
        };
        assert_eq!(nearest.openings, count(|one| *one == Verdict::Opened));
        let first = |one: &Verdict| matches!(one, Verdict::Stage { stage: Stage::FIRST, .. });
        assert_eq!(nearest.attempts, count(first));
        let failed: Vec<Stage> =
            said.explanations.iter().filter(here).filter_map(ended_at).collect();
        let greatest = failed.iter().max().copied().unwrap_or(Stage::NONE);
        assert_eq!(nearest.stage, greatest);
        if greatest > Stage::NONE {
            let times = failed.iter().filter(|stage| **stage == greatest).count();
            assert_eq!(nearest.times(), u64::try_from(times).unwrap());
        }
    }
}

/// The stage at which an attempt fails.
fn ended_at(one: &Explanation) -> Option<Stage> {
    if let Verdict::Void { stage, .. }
    | Verdict::SequenceTimedOut { stage, .. }
    | Verdict::SequenceChanged { stage } = one.verdict
    {
        Some(stage)
    } else {
        None
    }
}

/// Everything has a text.
fn check_words(said: &Said) {
    let captures = CaptureNames::new(vec!["a".into(), "b".into()]);
    let places = Places::default();
    let words = Words {
        doors: &said.doors,
        listening: said.explainer.listening(),
        places: &places,
        captures: &captures,
    };
    for one in &said.explanations {
        let text = words.sentence(one);
        let is_clean = !text.is_empty() && !text.contains(char::is_control);
        assert!(is_clean || one.verdict == Verdict::Command(Phase::Start), "{text:?}");
    }
    for nearest in said.explainer.nearest() {
        assert!(!words.nearest(&nearest).is_empty());
    }
}

/// A property that no case exercises would prove nothing.
#[test]
fn the_cases_reach_every_verdict_possible_without_limits() {
    let mut runner = TestRunner::deterministic();
    let strategy = generators::case(Resolution::Micro);
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..1000 {
        let case = strategy.new_tree(&mut runner).unwrap().current();
        for one in explain(&case, Whom::All, Explainer::PAIRS).explanations {
            let count = met.entry(one.verdict.name()).or_default();
            *count = count.saturating_add(1);
        }
    }
    println!("{met:#?}");
    let all = [
        "stage",
        "opened",
        "start-command",
        "stop-command",
        "sequence-timeout",
        "command-timeout",
        "sequence-changed",
        "one-time-used",
        "disabled",
        "void",
        "other-port",
        "other-protocol",
        "other-flags",
        "other-destination",
        "retransmission",
        "late",
        "no-attempt",
        "other-attempt",
        "unreadable",
    ];
    let missing: Vec<&&str> =
        all.iter().filter(|name| met.get(**name).is_none_or(|n| *n < 5)).collect();
    assert!(missing.is_empty(), "{missing:?} of {met:?}");
}

const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/explain.txt");

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 1500,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn explanations_are_the_transcript_and_account_for_every_packet_once(
        case in generators::case(Resolution::Nano),
    ) {
        check(&case);
    }

    #[test]
    fn the_explanation_of_a_client_is_the_same_alone_and_among_all(
        case in generators::case(Resolution::Micro),
    ) {
        let all = explain(&case, Whom::All, Explainer::PAIRS);
        let clients: BTreeSet<IpAddr> = case.sights.iter().map(|sight| sight.packet.src).collect();
        for client in clients {
            let whom = Whom::from_str(&client.to_string()).unwrap();
            let one = explain(&case, whom, Explainer::PAIRS);
            let of_it: Vec<Explanation> =
                all.explanations.iter().filter(|one| one.client == client).copied().collect();
            prop_assert_eq!(&one.explanations, &of_it);
            prop_assert_eq!(one.totals.packets(), all.totals.packets());
            prop_assert_eq!(one.totals.left_out, 0);
        }
    }

    /// At the limit less is explained, nothing differently, and what is left out is counted.
    #[test]
    fn fewer_clients_at_doors_than_there_are_can_be_followed(
        case in generators::case(Resolution::Micro),
        pairs in 0..6_usize,
    ) {
        let all = explain(&case, Whom::All, Explainer::PAIRS);
        let some = explain(&case, Whom::All, pairs);
        prop_assert!(some.explainer.nearest().count() <= pairs);
        prop_assert_eq!(some.totals.packets(), all.totals.packets());
        let followed: BTreeSet<(IpAddr, usize)> =
            some.explainer.nearest().map(|one| (one.client, one.door.index())).collect();
        let kept = |one: &&Explanation| followed.contains(&(one.client, one.door.index()));
        let verdicts = |list: &[Explanation]| -> Vec<_> {
            list.iter().filter(kept).map(|one| (one.at, one.door, one.verdict.name())).collect()
        };
        prop_assert_eq!(some.explanations.iter().filter(kept).count(), some.explanations.len());
        prop_assert_eq!(verdicts(&some.explanations), verdicts(&all.explanations));
        let explained = some.totals.explained.saturating_add(some.totals.left_out);
        prop_assert!(explained <= all.totals.explained);
    }
}

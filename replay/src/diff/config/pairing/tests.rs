//! Events are paired with the nearest of their kind, and each once.

use std::net::Ipv4Addr;

use knock_engine::Timestamp;
use proptest::prelude::*;

use super::super::change::{Half, Kind};
use super::super::event::{Key, Moment, VisibleEvent, What};
use super::super::twins::without_twins;
use super::*;
use crate::session::names::PacketId;

fn add_old(all: &mut AllUnmatched, event: VisibleEvent) {
    all.add_old(event.id(), || Unmatched { event, divergence: None });
}

fn add_new(all: &mut AllUnmatched, event: VisibleEvent) {
    all.add_new(event.id(), || Unmatched { event, divergence: None });
}

fn event(what: What, at: i64) -> VisibleEvent {
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let key = Key { client, door: Named::default(), what };
    VisibleEvent { key, moment: Moment { at: Timestamp::from_nanos(at), packet: None } }
}

fn command(text: &str, at: i64) -> VisibleEvent {
    event(What::StartCommand(text.into()), at)
}

/// Pairs events as they come out of one step. Returns the times under both.
fn paired(
    mut old: Vec<VisibleEvent>,
    mut new: Vec<VisibleEvent>,
) -> Vec<(Kind, Option<i64>, Option<i64>)> {
    without_twins(&mut old, &mut new);
    let mut all = AllUnmatched::default();
    for event in old {
        add_old(&mut all, event);
    }
    for event in new {
        add_new(&mut all, event);
    }
    let at = |half: Option<&Half>| half.map(|(_, moment)| moment.at.as_nanos());
    let (changes, left_out) = all.paired();
    assert_eq!(left_out, 0);
    changes.iter().map(|one| (one.kind(), at(one.old()), at(one.new_half()))).collect()
}

fn opened(times: &[i64]) -> Vec<VisibleEvent> {
    times.iter().map(|&at| event(What::Opened, at)).collect()
}

/// Events of few clients and kinds, in the order of time.
fn events() -> impl Strategy<Value = Vec<VisibleEvent>> {
    let what = prop_oneof![
        Just(What::Opened),
        Just(What::CommandTimedOut),
        (0..3_u8).prop_map(|text| What::StartCommand(vec![text])),
        (0..3_u8).prop_map(|text| What::StopCommand(vec![text])),
        (1..3_u32).prop_map(|seconds| What::Admitted("22".to_owned(), seconds)),
    ];
    let one = (0..3_u32, what, 0..12_i64).prop_map(|(client, what, at)| {
        let client = IpAddr::V4(Ipv4Addr::from_bits(client));
        let key = Key { client, door: Named::default(), what };
        VisibleEvent { key, moment: Moment { at: Timestamp::from_nanos(at), packet: None } }
    });
    prop::collection::vec(one, 0..25).prop_map(|mut events| {
        events.sort_by_key(|one| one.moment);
        events
    })
}

/// Takes out of each what is in the other.
fn difference(mut one: Vec<VisibleEvent>, other: &[VisibleEvent]) -> Vec<VisibleEvent> {
    for event in other {
        if let Some(at) = one.iter().position(|one| one == event) {
            one.remove(at);
        }
    }
    one.sort();
    one
}

proptest! {
    /// Each event without a twin is half of one change; both halves are of a kind; and nothing is gone that
    /// could be the other half of what is new.
    #[test]
    fn each_event_is_half_of_one_change(old in events(), new in events()) {
        let mut all = AllUnmatched::default();
        for event in &old {
            add_old(&mut all, event.clone());
        }
        for event in &new {
            add_new(&mut all, event.clone());
        }
        let (changes, left_out) = all.paired();
        prop_assert_eq!(left_out, 0);
        let halves = |of: fn(&Change) -> Option<&Half>| {
            let half = |change: &Change| {
                let (what, moment) = of(change)?.clone();
                let key = Key { client: change.client, door: change.door, what };
                Some(VisibleEvent { key, moment })
            };
            let mut halves: Vec<VisibleEvent> = changes.iter().filter_map(half).collect();
            halves.sort();
            halves
        };
        prop_assert_eq!(halves(Change::old), difference(old.clone(), &new));
        prop_assert_eq!(halves(Change::new_half), difference(new, &old));
        for change in &changes {
            if let (Some((old, _)), Some((new, _))) = (change.old(), change.new_half()) {
                prop_assert_eq!(old.kind(), new.kind());
            }
        }
        let alone = |kind| {
            let ones = changes.iter().filter(move |change| change.kind() == kind);
            ones.map(|one| (one.client, one.what().clone())).collect::<Vec<_>>()
        };
        let is_command = |what: &What| what.command().is_some();
        for (client, gone) in alone(Kind::Gone) {
            let could_be = |(new_client, new): &(IpAddr, What)| {
                let is_alike = *new == gone || is_command(new) && new.kind() == gone.kind();
                *new_client == client && is_alike
            };
            prop_assert!(!alone(Kind::New).iter().any(could_be), "{changes:?}");
        }
        let times: Vec<Timestamp> = changes.iter().map(Change::at).collect();
        prop_assert!(times.is_sorted());
    }
}

#[test]
fn what_happens_at_the_same_time_is_no_change() {
    assert_eq!(paired(opened(&[1, 2, 2]), opened(&[2, 1, 2])), []);
    assert_eq!(paired(opened(&[2, 2]), opened(&[2])), [(Kind::Gone, Some(2), None)]);
}

/// With `cmd_timeout = 0` a door can close under the one before a packet, and under the other after
/// the next packet of that time.
#[test]
fn what_happens_at_the_same_time_in_different_steps_is_no_change() {
    let mut all = AllUnmatched::default();
    for at in [5, 5, 7] {
        add_old(&mut all, event(What::CommandTimedOut, at));
    }
    add_new(&mut all, event(What::CommandTimedOut, 5));
    let kinds: Vec<Kind> = all.paired().0.iter().map(Change::kind).collect();
    assert_eq!(kinds, [Kind::Gone; 2]);
}

#[test]
fn what_is_left_is_paired_with_the_nearest() {
    use Kind::{Gone, Moved, New};
    assert_eq!(
        paired(opened(&[10, 100]), opened(&[11, 99])),
        [(Moved, Some(10), Some(11)), (Moved, Some(100), Some(99))]
    );
    assert_eq!(
        paired(opened(&[10, 100]), opened(&[101])),
        [(Gone, Some(10), None), (Moved, Some(100), Some(101))]
    );
    assert_eq!(
        paired(opened(&[101]), opened(&[10, 100, 300])),
        [(New, None, Some(10)), (Moved, Some(101), Some(100)), (New, None, Some(300))]
    );
    assert_eq!(paired(opened(&[1]), vec![]), [(Gone, Some(1), None)]);
}

#[test]
fn commands_are_paired_by_text_first() {
    use Kind::{Changed, Gone, Moved};
    assert_eq!(
        paired(vec![command("a", 1), command("b", 2)], vec![command("b", 9), command("c", 1)]),
        [(Changed, Some(1), Some(1)), (Moved, Some(2), Some(9))]
    );
    assert_eq!(
        paired(vec![command("a", 1)], vec![event(What::StopCommand(b"a".to_vec()), 1)]),
        [(Gone, Some(1), None), (Kind::New, None, Some(1))]
    );
}

/// What may have been left out under the other configuration is not reported as gone.
#[test]
fn with_too_many_events_only_known_facts_are_reported() {
    let closes = |client: usize, at| {
        let client = IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(client).unwrap()));
        let key = Key { client, door: Named::default(), what: What::CommandTimedOut };
        VisibleEvent { key, moment: Moment { at: Timestamp::from_nanos(at), packet: None } }
    };
    let mut all = AllUnmatched::default();
    for client in 0..MAX {
        add_old(&mut all, closes(client, 1));
    }
    // All but one close later, as far as there is room none.
    for client in 1..MAX {
        add_new(&mut all, closes(client, 2));
    }
    let (changes, left_out) = all.paired();
    let kinds: Vec<Kind> = changes.iter().map(Change::kind).collect();
    assert_eq!(kinds, [Kind::Gone]);
    assert_eq!(left_out, u64::try_from(2 * (MAX - 1)).unwrap());
}

#[test]
fn too_many_events_are_counted() {
    let mut all = AllUnmatched::default();
    for at in 0..=i64::try_from(MAX).unwrap() {
        add_old(&mut all, event(What::Opened, at));
    }
    add_new(&mut all, event(What::Refused, -1));
    let (changes, left_out) = all.paired();
    assert_eq!((changes.len(), left_out), (MAX, 2));
}

/// Of two openings at one time, that of the other packet is new: packets were made something else of only there.
#[test]
fn of_one_time_what_the_same_packet_does_is_a_pair() {
    let by = |text, number| {
        let packet = Some(PacketId { capture: 0, number });
        let VisibleEvent { key, moment } = command(text, 5);
        VisibleEvent { key, moment: Moment { packet, ..moment } }
    };
    let mut all = AllUnmatched::default();
    add_old(&mut all, by("a", 9));
    add_new(&mut all, by("b", 7));
    add_new(&mut all, by("b", 9));
    let (changes, _) = all.paired();
    let number = |half: Option<&Half>| half?.1.packet.map(|packet| packet.number);
    let found = changes.iter().map(|one| (one.kind(), number(one.old()), number(one.new_half())));
    let mut found: Vec<_> = found.collect();
    found.sort();
    assert_eq!(found, [(Kind::New, None, Some(7)), (Kind::Changed, Some(9), Some(9))]);
}

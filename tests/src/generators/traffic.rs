//! Traffic: the visits of a few clients, merged in the order of time, with a few oddities added.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::honest_run::{HonestRun, honest_run};
use super::{Resolution, address};
use crate::capture_builder::{Link, Oddity, Shape, visible};
use crate::model::{Door, Knock, Packet, Sequences, Setting};

/// A packet of a capture and the frame it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The packet as it was sent.
    pub packet: Packet,
    /// How it was captured.
    pub shape: Shape,
}

/// When the first visit may begin: nanoseconds since the epoch, in November 2023.
pub(super) const START_NS: i64 = 1_700_000_000_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Plan {
    visits: Vec<HonestRun>,
    /// Where stamps go back, and by how many milliseconds.
    backwards: Vec<(Index, i64)>,
    /// Which packets are captured in an unusual shape.
    shapes: Vec<(Index, Shape)>,
}

pub(super) fn plan() -> impl Strategy<Value = Plan> {
    let backwards = prop_oneof![
        4 => Just(vec![]),
        1 => vec((any::<Index>(), 1..30_000_i64), 1..=2),
    ];
    let shapes = prop_oneof![2 => Just(vec![]), 3 => vec((any::<Index>(), shape()), 1..=3)];
    (vec(honest_run(), 1..=8), backwards, shapes).prop_map(|(visits, backwards, shapes)| Plan {
        visits,
        backwards,
        shapes,
    })
}

pub(super) fn shape() -> impl Strategy<Value = Shape> {
    let oddity = prop_oneof![
        4 => Just(Oddity::None),
        1 => Just(Oddity::Options),
        1 => Just(Oddity::FirstFragment),
        1 => (1..=8_191_u16, any::<bool>())
            .prop_map(|(offset, more)| Oddity::LaterFragment { offset, more }),
        1 => prop_oneof![Just(0), Just(20), Just(39), any::<u16>()].prop_map(Oddity::WrongLength),
        1 => Just(Oddity::WrongChecksums),
        1 => (0..5_u8).prop_map(Oddity::ShortHeader),
        1 => prop_oneof![Just(1), Just(47), Just(58), Just(132)].prop_map(Oddity::OtherProtocol),
    ];
    let vlan = prop_oneof![6 => Just(vec![]), 1 => vec(0..4_095_u16, 1..=3)];
    // TCP flags are in byte 13, the sequence number in bytes 4 to 7, the ports before.
    let kept_of_transport = prop_oneof![
        4 => Just(None),
        2 => prop::sample::select(vec![0, 3, 4, 7, 8, 13, 14, 19]).prop_map(Some),
    ];
    let kept_of_frame = prop_oneof![9 => Just(None), 1 => (0..60_usize).prop_map(Some)];
    (vec(any::<u8>(), 0..24), any::<bool>(), oddity, vlan, kept_of_transport, kept_of_frame)
        .prop_map(|(payload, tcp_options, oddity, vlan, kept_of_transport, kept_of_frame)| Shape {
            payload,
            tcp_options,
            oddity,
            vlan,
            kept_of_transport,
            kept_of_frame,
        })
}

pub(super) fn sights(plan: &Plan, setting: &Setting, resolution: Resolution) -> Vec<Sight> {
    let mut visits: Vec<&HonestRun> = plan.visits.iter().collect();
    visits.sort_by_key(|visit| visit.start_ms());
    let mut visits_of_door = vec![0; setting.doors.len()];
    let mut packets = Vec::new();
    for visit in visits {
        let at = visit.door_index(setting);
        let door = &setting.doors[at];
        let sequence = sequence_by_then(door, visits_of_door[at]);
        visits_of_door[at] += 1;
        packets.extend(visit.packets(setting, door, sequence, packets.len(), resolution));
    }
    packets.sort_by_key(|packet| packet.at_ns);
    for (index, back_ms) in &plan.backwards {
        let at = index.index(packets.len());
        packets[at].at_ns -= back_ms * 1_000_000;
    }
    let usual = |packet| Sight { packet, shape: Shape::default() };
    let mut sights: Vec<Sight> = packets.into_iter().map(usual).collect();
    for (index, shape) in &plan.shapes {
        let at = index.index(sights.len());
        sights[at].shape = shape.clone();
    }
    sights
}

/// Returns the sequence that most likely opens the door after this many visits.
fn sequence_by_then(door: &Door, visits: usize) -> &[Knock] {
    match &door.sequences {
        Sequences::Fixed(knocks) => knocks,
        Sequences::OneTime(lines) => &lines[visits.min(lines.len() - 1)],
        Sequences::Derived(_) => &[],
    }
}

/// The rules leave open whether the clock follows the stamp of a frame without a packet; so no such
/// stamp is later than those before it.
pub(super) fn keep_unseen_stamps_unimportant(sights: &mut [Sight], link: Link) {
    let mut latest_ns = START_NS - 60_000_000_000;
    for sight in sights {
        if visible(&sight.packet, &sight.shape, link).is_some() {
            latest_ns = latest_ns.max(sight.packet.at_ns);
        } else {
            sight.packet.at_ns = sight.packet.at_ns.min(latest_ns);
        }
    }
}

/// The addresses of the clients, IPv4 and IPv6. All but the first are odd: our own, those that no
/// client should have, those that are printed with dots or shortened in an unusual place.
const CLIENTS: [(&str, &str); 11] = [
    ("192.0.2.1", "2001:db8:1::1"),
    ("203.0.113.9", "2001:db8:1:0:1::9"),
    ("192.0.2.200", "fe80::a00:27ff:fe00:1"),
    ("10.0.0.1", "::ffff:192.0.2.1"),
    ("127.0.0.1", "::192.0.2.1"),
    ("0.0.0.0", "::"),
    ("255.255.255.255", "2001:db8::1:0:0:1"),
    ("224.0.0.1", "2001:0:0:1::"),
    ("198.51.100.7", "2001:db8:0:1:1:1:1:1"),
    ("1.2.3.4", "64:ff9b::102:304"),
    ("10.0.0.2", "::1"),
];

/// How many clients there are.
pub(super) const CLIENT_COUNT: usize = CLIENTS.len();

/// Returns a client's address and a destination that belongs to the door, if there is one of the
/// wanted family, else of the other.
pub(super) fn route(
    setting: &Setting,
    door: &Door,
    client: usize,
    six: bool,
    destination: usize,
) -> (IpAddr, IpAddr) {
    let local = setting.local.clone();
    let everywhere = || ["10.0.0.1", "10.0.0.2", "2001:db8::1"].map(address).to_vec();
    let possible = match door.target {
        Some(target) => vec![target],
        None => local.unwrap_or_else(everywhere),
    };
    let of_family: Vec<IpAddr> =
        possible.iter().copied().filter(|address| address.is_ipv6() == six).collect();
    let choices = if of_family.is_empty() { possible } else { of_family };
    let dst = choices[destination % choices.len()];
    let (v4, v6) = CLIENTS[client % CLIENT_COUNT];
    (address(if dst.is_ipv6() { v6 } else { v4 }), dst)
}

//! What doors are, and which of them a packet concerns.

use alloc::string::ToString;
use alloc::vec;

use core::net::IpAddr;

use super::knock_index::KnockPlace;
use super::*;
use crate::door::FlagRule;
use crate::hearing::Hearing;
use crate::listening::Listening;
use crate::one_time::{OneTimeLine, OneTimeSequences};
use crate::packet::{Knock, Packet, Port, Protocol, TcpFlags, TcpHeader, Transport};
use crate::sequence::Sequence;

fn tcp(port: u16) -> Knock {
    Knock { port: Port(port), protocol: Protocol::Tcp }
}

fn named(name: &str) -> Door {
    Door { name: DoorName::new(name.as_bytes()), ..one_time(&[&[1]]) }
}

fn doors(names: &[&str]) -> Doors {
    Doors::new(names.iter().map(|name| named(name)).collect()).unwrap()
}

#[test]
fn doors_in_another_process_can_be_given_the_ids_that_the_engine_gave() {
    let mut here = doors(&["a", "b"]);
    here.adopt(doors(&["c", "b", "d"]), &[2, 1, 3]).unwrap();
    let names = |doors: &Doors| -> Vec<(usize, alloc::string::String)> {
        let all = doors.in_order();
        all.map(|(id, door)| (id.index(), door.name.to_string())).collect()
    };
    assert_eq!(names(&here), [(2, "c".into()), (1, "b".into()), (3, "d".into())]);
    assert_eq!(here.door(here.with_index(0).unwrap()).name.to_string(), "a");
    assert_eq!(here.with_index(4), None);
}

#[test]
fn impossible_ids_are_refused_and_change_nothing() {
    let mut here = doors(&["a", "b"]);
    for indices in [&[0][..], &[0, 0], &[0, 1, 2], &[0, 3], &[3, 2], &[2, 2], &[0, 65_536]] {
        assert_eq!(here.adopt(doors(&["c", "d"]), indices), Err(NotIds), "{indices:?}");
    }
    assert_eq!(here.len(), 2);
    assert_eq!(here.adopt(doors(&["c", "d"]), &[1, 2]), Ok(()));
}

fn one_time(lines: &[&[u16]]) -> Door {
    let line = |(number, ports): (u32, &&[u16])| OneTimeLine {
        number,
        offset: 0,
        sequence: Sequence::new(ports.iter().map(|&port| tcp(port)).collect()).unwrap(),
    };
    let sequences = OneTimeSequences::new((1..).zip(lines).map(line).collect());
    Door::new(DoorName::new(b"d"), DoorSequence::OneTime(sequences))
}

/// The content of the index for each port: the doors that name it, and those that begin with it.
fn said(doors: &Doors) -> Vec<(Vec<DoorId>, Vec<DoorId>)> {
    let of = |port| {
        let knock = tcp(port);
        let place = doors.index.place(knock).unwrap_or(KnockPlace::NONE);
        let first = doors.index.starting_with(knock, place);
        // Whatever place the knock had before.
        for other in (1..10).filter_map(|port| doors.index.place(tcp(port))) {
            assert_eq!(doors.index.starting_with(knock, other), first);
        }
        let anywhere = doors.index.naming(place);
        assert_eq!(doors.names(knock), !anywhere.is_empty());
        (anywhere.to_vec(), first.to_vec())
    };
    (1..9).map(of).collect()
}

#[test]
fn there_are_at_most_32767_doors() {
    let doors = |count| Doors::new(vec![one_time(&[&[1]]); count]);
    assert_eq!(doors(0).unwrap().len(), 0);
    assert!(doors(0).unwrap().is_empty());
    let most = doors(32_767).unwrap();
    assert_eq!(most.len(), 32_767);
    assert!(!most.is_empty());
    let error = doors(32_768).unwrap_err();
    assert_eq!(error.to_string(), "there are more than 32767 doors");
}

#[test]
fn an_index_updated_for_used_sequences_equals_a_new_one() {
    let lines: [&[&[u16]]; 3] =
        [&[&[1, 2, 1], &[2, 3], &[4]], &[&[2, 1], &[2, 2, 5]], &[&[1], &[7, 1]]];
    let mut doors = Doors::new(lines.iter().map(|lines| one_time(lines)).collect()).unwrap();
    for id in [0, 2, 1, 0, 1, 2, 0].map(DoorId) {
        assert!(doors.use_up_sequence(id).is_some());
        let fresh = doors.in_order().map(|(_, door)| door.clone()).collect();
        let fresh = Doors::new(fresh).unwrap();
        assert_eq!(said(&doors), said(&fresh));
    }
    assert!(doors.use_up_sequence(DoorId(0)).is_none());
    assert!(said(&doors).iter().all(|(anywhere, first)| anywhere.is_empty() && first.is_empty()));
}

#[test]
fn a_door_says_why_it_does_not_hear_a_packet() {
    let flags = FlagRule::default().want(TcpFlags::SYN);
    let target = Some(IpAddr::from([10, 0, 0, 1]).into());
    let door = |ports, target| Door { flags, target, ..one_time(&[ports]) };
    let doors =
        Doors::new(vec![door(&[7, 8], None), door(&[9], None), door(&[8], target)]).unwrap();
    let listening = Listening::at([[10, 0, 0, 2].into()]);
    let heard = |host, port, transport| {
        let packet = Packet {
            source: [10, 0, 0, 9].into(),
            destination: [10, 0, 0, host].into(),
            source_port: Port(40_000),
            destination_port: Port(port),
            transport,
        };
        let all: Vec<_> = doors.hearing(&listening, &packet).collect();
        let any = all.iter().any(|(_, hearing)| *hearing == Hearing::Heard);
        assert_eq!(doors.admit(&listening, &packet), any);
        all.into_iter().map(|(id, hearing)| (id.index(), hearing)).collect::<Vec<_>>()
    };
    let tcp = |flags| Transport::Tcp(TcpHeader { sequence_number: Some(1), flags });
    let syn = tcp(Some(TcpFlags::SYN));
    let (here, there) = (Hearing::Heard, Hearing::OtherDestination);
    assert_eq!(heard(2, 8, syn), [(0, here), (2, there)]);
    assert_eq!(heard(1, 8, syn), [(0, there), (2, here)]);
    assert_eq!(heard(2, 9, tcp(Some(TcpFlags::ACK))), [(1, Hearing::OtherFlags)]);
    assert_eq!(heard(2, 9, tcp(None)), [(1, Hearing::OtherFlags)]);
    assert_eq!(heard(2, 7, Transport::Udp), [(0, Hearing::OtherProtocol)]);
    assert_eq!(heard(2, 10, syn), []);
}

/// Pairs of doors that differ in the last of 32 knocks only: each has 31 groups, one below the other.
#[test]
fn doors_with_more_groups_than_an_attempt_can_name_are_in_none() {
    let door = |number: u16| {
        let (first, last) = (number / 2 + 1, number % 2 + 1);
        let knocks = (0..32).map(|at| if at < 31 { first } else { last }).map(tcp).collect();
        let sequence = DoorSequence::Fixed(Sequence::new(knocks).unwrap());
        Door::new(DoorName::new(number.to_string().as_bytes()), sequence)
    };
    let doors = Doors::new((0..2200).map(door).collect()).unwrap();
    let is_grouped: Vec<bool> =
        doors.in_order().map(|(id, _)| doors.group_of(id).is_some()).collect();
    let grouped = 32_768 / 31 * 2;
    assert!(is_grouped.iter().take(grouped).all(|&is| is));
    assert!(is_grouped.iter().skip(grouped).all(|&is| !is));
    // All groups that there are have their doors.
    let (first, _) = doors.in_order().next().unwrap();
    let mut group = doors.group_of(first).unwrap();
    for _ in 1..31 {
        assert_eq!(doors.groups().doors(group).len(), 2);
        group = doors.groups().below(group, tcp(1)).unwrap();
    }
    assert_eq!(doors.groups().below(group, tcp(1)), None);
}

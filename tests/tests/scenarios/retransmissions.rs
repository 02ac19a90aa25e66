//! Rule 1: retransmissions.

use super::*;

#[test]
fn a_retransmitted_syn_is_ignored() {
    let packets = [
        (0.0, syn(A, 1).number(77)),
        (1.0, syn(A, 1).number(77)),
        (1.5, syn(A, 2).number(78)),
        (2.5, syn(A, 2).number(78)),
        (3.0, syn(A, 3).number(79)),
    ];
    let play = expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
    assert_eq!(play.engine.counts().retransmissions, 2);
    assert_eq!(
        play.notes.first().map(String::as_str),
        Some("192.0.2.10: 1/tcp repeats an earlier knock (TCP retransmission), ignored")
    );
}

#[test]
fn a_fresh_packet_to_the_same_port_is_no_retransmission() {
    for fresh in [
        syn(A, 1).number(78),
        syn(A, 1).number(77).source_port(40_001),
        syn(A, 1).number(0),
        syn(A, 1).number(77).flags(Some(TcpFlags::ACK)),
    ] {
        let packets = [(0.0, syn(A, 1).number(77)), (1.0, fresh), (2.0, syn(A, 2))];
        let play = Play::new(vec![door("d", "1,2")]).packets(&packets).end();
        assert_eq!(play.engine.counts().retransmissions, 0, "{fresh:?}");
        // The attempt started over with it.
        assert_eq!(play.lines, lines(A, "d", "1 1 2 !"), "{fresh:?}");
    }
}

#[test]
fn sequence_number_0_proves_nothing() {
    let packets = [(0.0, syn(A, 1).number(0)), (1.0, syn(A, 1).number(0))];
    let play = Play::new(vec![door("d", "1,2")]).packets(&packets);
    assert_eq!(play.engine.counts().retransmissions, 0);
    assert_eq!(play.lines, lines(A, "d", "1 1"));
}

#[test]
fn the_repeat_of_any_earlier_knock_is_ignored() {
    let packets = [
        (0.0, syn(A, 1).number(77)),
        (1.0, syn(A, 2).number(78)),
        (2.0, syn(A, 1).number(77)),
        (2.5, syn(A, 3).number(79)),
        (3.0, syn(A, 2).number(78)),
        (3.1, syn(A, 1).number(77)),
    ];
    let play = expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
    assert_eq!(play.engine.counts().retransmissions, 3);
}

#[test]
fn the_repeat_of_a_knock_whose_attempt_was_voided_is_ignored() {
    let packets =
        [(0.0, syn(A, 1).number(77)), (1.0, syn(A, 3).number(78)), (2.0, syn(A, 1).number(77))];
    let play = Play::new(vec![door("d", "1,2,3")]).packets(&packets);
    assert_eq!(play.lines, lines(A, "d", "1"));
    assert_eq!((play.engine.counts().voided, play.engine.counts().retransmissions), (1, 1));
}

#[test]
fn a_second_try_of_a_later_knock_is_ignored() {
    let packets = [
        (0.0, syn(A, 1).number(1)),
        (1.0, syn(A, 2).number(2)),
        (1.2, syn(A, 2).number(3).source_port(40_001)),
        (2.0, syn(A, 3).number(4)),
    ];
    let play = expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
    assert_eq!(
        play.notes.first().map(String::as_str),
        Some("192.0.2.10: d: still at stage 2: 2/tcp was tried again, ignored")
    );
}

#[test]
fn a_second_try_of_the_first_knock_starts_the_time_over() {
    let packets = [(0.0, udp(A, 1)), (4.0, udp(A, 1)), (6.0, udp(A, 2)), (8.0, udp(A, 3))];
    expect(vec![door("d", "1:udp,2:udp,3:udp")], &packets, &text(&lines(A, "d", "1 1 2 3 !")));
}

#[test]
fn a_sequence_with_one_port_twice_counts_each() {
    let packets = [(0.0, udp(A, 1)), (1.0, udp(A, 1)), (2.0, udp(A, 2))];
    expect(vec![door("d", "1:udp,1:udp,2:udp")], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

#[test]
fn the_repeat_of_a_last_knock_does_not_begin_the_reverse_door() {
    let doors = || vec![door("open", "1,2"), door("close", "2,1")];
    let knocks = [(0.0, syn(A, 1).number(7)), (1.0, syn(A, 2).number(8))];
    let repeat = syn(A, 2).number(8);
    let play = Play::new(doors()).packets(&knocks).packets(&[(5.999, repeat)]);
    assert_eq!(play.lines, lines(A, "open", "1 2 !"));
    // seq_timeout after the opening it is forgotten.
    let play = Play::new(doors()).packets(&knocks).packets(&[(6.0, repeat)]);
    assert_eq!(play.lines.last().map(String::as_str), Some("192.0.2.10: close: Stage 1"));
}

#[test]
fn every_opening_is_remembered_on_its_own() {
    let packets = [
        (0.0, syn(A, 1).number(7)),
        (0.1, syn(A, 1).number(8)),
        (1.0, syn(A, 1).number(7)),
        (1.1, syn(A, 1).number(8)),
    ];
    let play = Play::new(vec![door("d", "1")]).packets(&packets);
    assert_eq!(play.engine.counts().opened, 2);
}

#[test]
fn a_packet_that_opens_two_doors_is_remembered_for_the_longer_timeout() {
    let short = Door { seq_timeout: Seconds::new(2).unwrap(), ..door("short", "1") };
    for doors in [vec![short.clone(), door("long", "1")], vec![door("long", "1"), short]] {
        let packets = [(0.0, syn(A, 1).number(7)), (4.0, syn(A, 1).number(7))];
        let play = Play::new(doors).packets(&packets);
        assert_eq!(play.engine.counts().opened, 2);
        assert_eq!(play.engine.counts().retransmissions, 1);
    }
}

#[test]
fn the_knock_of_another_client_is_no_retransmission() {
    let packets = [(0.0, syn(A, 1).number(7)), (1.0, syn(B, 1).number(7))];
    let play = Play::new(vec![door("d", "1")]).packets(&packets);
    assert_eq!(play.engine.counts().opened, 2);
}

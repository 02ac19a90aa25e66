//! Rule 1: a retransmission is ignored.

use super::*;

#[test]
fn a_retransmitted_syn_does_not_kill_the_knock() {
    // Case b-retransmission-kills: in knockd 0.8 the repeat of 1 is a wrong port.
    let house = vec![door("a", "1,2,3")];
    let seen =
        [tcp(0, 1).seq(11), tcp(1_000, 1).seq(11), tcp(1_100, 2).seq(12), tcp(1_200, 3).seq(13)];
    check(house, &seen, "0 C a Stage 1|1100 C a Stage 2|1200 C a Stage 3|1200 C a OPEN SESAME");
}

#[test]
fn a_fresh_packet_to_the_same_port_is_no_retransmission() {
    for again in [tcp(10, 1).seq(12), tcp(10, 1).seq(11).sport(40_001)] {
        let house = vec![door("a", "1,2")];
        let seen = [tcp(0, 1).seq(11), again, tcp(20, 2).seq(13)];
        check(house, &seen, "0 C a Stage 1|10 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME");
    }
}

#[test]
fn sequence_number_0_or_none_and_packets_without_syn_prove_nothing() {
    // A packet that is no retransmission starts the attempt over.
    let lines = |seen: &[Packet]| outcome(vec![door("a", "1,2")], seen).lines.len();
    let timeout = 1;
    assert_eq!(lines(&[tcp(0, 1).seq(11), tcp(10, 1).seq(11)]), 1 + timeout);
    assert_eq!(lines(&[tcp(0, 1).seq(0), tcp(10, 1).seq(0)]), 2 + timeout);
    assert_eq!(lines(&[tcp(0, 1).cut_behind_ports(), tcp(10, 1).cut_behind_ports()]), 2 + timeout);
    let ack = |at| tcp(at, 1).seq(11).flags(ACK);
    assert_eq!(lines(&[ack(0), ack(10)]), 2 + timeout);
    assert_eq!(lines(&[ack(0), tcp(10, 1).seq(11)]), 2 + timeout);
    assert_eq!(lines(&[udp(0, 1), udp(10, 1)]), 0, "udp 1 is not admitted");
    let udp_lines = outcome(vec![door("a", "1u,2u")], &[udp(0, 1), udp(10, 1)]).lines.len();
    assert_eq!(udp_lines, 2 + timeout);
}

#[test]
fn every_knock_of_an_attempt_is_remembered() {
    let house = vec![door("a", "1,2,3")];
    let seen = [tcp(0, 1).seq(11), tcp(10, 2).seq(12), tcp(20, 1).seq(11)];
    check(house, &seen, "0 C a Stage 1|10 C a Stage 2|25000 C a timeout 2");
}

#[test]
fn a_repeated_port_is_counted_twice_but_not_its_retransmission() {
    let house = vec![door("a", "1,1,2")];
    let seen = [tcp(0, 1).seq(11), tcp(5, 1).seq(11), tcp(10, 1).seq(12), tcp(20, 2).seq(13)];
    check(house, &seen, "0 C a Stage 1|10 C a Stage 2|20 C a Stage 3|20 C a OPEN SESAME");
}

#[test]
fn the_repeat_of_a_last_knock_does_not_begin_the_reverse_door_until_it_is_forgotten() {
    let house = || vec![door("open", "1,2").lasting(5), door("close", "2,1").lasting(7)];
    let opened = "0 C open Stage 1|100 C open Stage 2|100 C open OPEN SESAME";
    let knocks = [tcp(0, 1).seq(11), tcp(100, 2).seq(12)];
    let [first, last] = knocks;
    check(house(), &[first, last, tcp(5_099, 2).seq(12)], opened);
    check(
        house(),
        &[first, last, tcp(5_100, 2).seq(12)],
        &format!("{opened}|5100 C close Stage 1|12100 C close timeout 1"),
    );
}

#[test]
fn a_retransmission_of_one_client_is_no_retransmission_of_another() {
    let house = vec![door("a", "1")];
    let seen = [tcp(0, 1).seq(11), tcp(10, 1).seq(11).from("192.0.2.9"), tcp(20, 1).seq(11)];
    check(
        house,
        &seen,
        "0 C a Stage 1|0 C a OPEN SESAME|10 192.0.2.9 a Stage 1|10 192.0.2.9 a OPEN SESAME",
    );
}

#[test]
fn the_first_knock_is_remembered_where_it_was_voided_but_not_where_it_timed_out() {
    let house = || vec![door("a", "1,2,3").lasting(5), door("b", "9,9")];
    let voided = [tcp(0, 1).seq(11), tcp(10, 3).seq(12), tcp(20, 1).seq(11)];
    check(house(), &voided, "0 C a Stage 1");
    let timed_out = [tcp(0, 1).seq(11), tcp(5_000, 1).seq(11)];
    check(
        house(),
        &timed_out,
        "0 C a Stage 1|5000 C a timeout 1|5000 C a Stage 1|10000 C a timeout 1",
    );
}

//! Rule 2: what a packet does to live attempts.

use super::*;

#[test]
fn a_wrong_port_voids_and_a_later_first_knock_starts_anew() {
    let house = vec![door("a", "1,2,3")];
    let seen = [tcp(0, 1), tcp(10, 3), tcp(20, 1), tcp(30, 2), tcp(40, 3)];
    check(
        house,
        &seen,
        "0 C a Stage 1|20 C a Stage 1|30 C a Stage 2|40 C a Stage 3|40 C a OPEN SESAME",
    );
}

#[test]
fn the_void_packet_may_start_anew() {
    // Cases b-wrong-packet-is-no-start and b-third-first-port-starts: in knockd 0.8 1,1,2,3
    // does not open 1,2,3.
    let house = vec![door("a", "1,2,3")];
    let seen = [tcp(0, 1), tcp(10, 1), tcp(20, 2), tcp(30, 3)];
    check(
        house,
        &seen,
        "0 C a Stage 1|10 C a Stage 1|20 C a Stage 2|30 C a Stage 3|30 C a OPEN SESAME",
    );
}

#[test]
fn the_named_port_of_another_door_voids_and_an_unnamed_port_does_not() {
    let house = || vec![door("a", "1,2"), door("b", "8,9")];
    let opened = "0 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME";
    check(house(), &[tcp(0, 1), tcp(10, 9), tcp(20, 2)], "0 C a Stage 1");
    check(house(), &[tcp(0, 1), tcp(10, 7), tcp(20, 2)], opened);
    check(house(), &[tcp(0, 1), udp(10, 9), tcp(20, 2)], opened);
}

#[test]
fn the_next_port_with_the_other_protocol_voids_if_a_door_names_it() {
    // Case a-same-port-other-proto-named.
    let house = vec![door("a", "1,2u"), door("b", "8,2")];
    check(house, &[tcp(0, 1), tcp(10, 2), udp(20, 2)], "0 C a Stage 1");
}

#[test]
fn flags_that_do_not_satisfy_are_ignored_also_through_another_door() {
    // Case d-mismatch-through-other-door.
    let house = vec![door("a", "1,2").wanting(SYN), door("b", "2,3")];
    let seen = [tcp(0, 1), tcp(10, 2).flags(ACK), tcp(20, 2)];
    let lines = "0 C a Stage 1|10 C b Stage 1|20 C a Stage 2|20 C a OPEN SESAME|20 C b Stage 1|\
                 25020 C b timeout 1";
    check(house, &seen, lines);
}

#[test]
fn the_ack_of_a_handshake_hurts_only_a_door_without_flags() {
    // Case d-handshake-hurts-flagless-door.
    let seen = [tcp(0, 1), tcp(10, 1).flags(ACK), tcp(20, 2)];
    let opened = "0 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME";
    check(vec![door("a", "1,2").wanting(SYN)], &seen, opened);
    check(vec![door("a", "1,2").wanting(SYN).refusing(ACK)], &seen, opened);
    let restarted = "0 C a Stage 1|10 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME";
    check(vec![door("a", "1,2")], &seen, restarted);
}

#[test]
fn doors_with_a_common_prefix_advance_together_and_part_without_harm() {
    // Case i-headloss-diverging-doors.
    let house = vec![door("a", "1,2,3"), door("b", "1,4,5")];
    let seen = [tcp(0, 1), tcp(10, 4), tcp(20, 5)];
    check(
        house,
        &seen,
        "0 C a Stage 1|0 C b Stage 1|10 C b Stage 2|20 C b Stage 3|20 C b OPEN SESAME",
    );
}

#[test]
fn a_short_door_that_opens_does_not_end_the_long_one_in_either_order() {
    // Case i-headloss-one-client-prefix-door.
    let seen = [tcp(0, 1), tcp(10, 2)];
    check(
        vec![door("short", "1"), door("long", "1,2")],
        &seen,
        "0 C short Stage 1|0 C short OPEN SESAME|0 C long Stage 1|\
         10 C long Stage 2|10 C long OPEN SESAME",
    );
    check(
        vec![door("long", "1,2"), door("short", "1")],
        &seen,
        "0 C long Stage 1|0 C short Stage 1|0 C short OPEN SESAME|\
         10 C long Stage 2|10 C long OPEN SESAME",
    );
}

#[test]
fn equal_doors_both_open() {
    // Case b-same-sequence-twice.
    let house = vec![door("a", "1,2"), door("b", "1,2")];
    check(
        house,
        &[tcp(0, 1), tcp(10, 2)],
        "0 C a Stage 1|0 C b Stage 1|10 C a Stage 2|10 C a OPEN SESAME|\
         10 C b Stage 2|10 C b OPEN SESAME",
    );
}

#[test]
fn attempts_are_visited_in_order_of_creation_not_of_the_file() {
    let house = vec![door("later", "2,9"), door("earlier", "1,2,9")];
    // 2 advances the attempt at `earlier`, so it starts nothing; 1 voids, restarts.
    let seen = [tcp(0, 2), tcp(10, 1), tcp(20, 2), tcp(30, 9)];
    check(
        house,
        &seen,
        "0 C later Stage 1|10 C earlier Stage 1|20 C earlier Stage 2|\
         30 C earlier Stage 3|30 C earlier OPEN SESAME",
    );
    let house = vec![door("b", "2,9").wanting(ACK), door("a", "1,9")];
    let seen = [tcp(0, 1), tcp(10, 2).flags(ACK), tcp(20, 1), tcp(30, 2).flags(ACK)];
    // 2 with ACK voids a (no flags asked for); 1 without ACK is ignored for b.
    check(
        house,
        &seen,
        "0 C a Stage 1|10 C b Stage 1|20 C a Stage 1|30 C b Stage 1|25030 C b timeout 1",
    );
    let house = vec![door("b", "2,9").wanting(ACK), door("a", "1,9").wanting(SYN)];
    let seen = [tcp(0, 1), tcp(10, 2).flags(ACK), tcp(20, 9).flags(SYN | ACK)];
    check(
        house,
        &seen,
        "0 C a Stage 1|10 C b Stage 1|20 C a Stage 2|20 C a OPEN SESAME|\
         20 C b Stage 2|20 C b OPEN SESAME",
    );
}

#[test]
fn no_client_disturbs_another() {
    // Cases i-headloss-complete, -fail, -timeout and -attack.
    let house = vec![door("a", "1,2,3").lasting(5)];
    let seen = [
        tcp(0, 1).from("192.0.2.66"),
        tcp(10, 1),
        tcp(20, 3).from("192.0.2.66"),
        tcp(30, 2),
        tcp(40, 1).from("192.0.2.66"),
        tcp(50, 3),
    ];
    check(
        house,
        &seen,
        "0 192.0.2.66 a Stage 1|10 C a Stage 1|30 C a Stage 2|40 192.0.2.66 a Stage 1|\
         50 C a Stage 3|50 C a OPEN SESAME|5040 192.0.2.66 a timeout 1",
    );
}

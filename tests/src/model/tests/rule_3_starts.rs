//! Rule 3: what starts an attempt.

use super::*;

#[test]
fn a_busy_client_can_start_elsewhere() {
    // Case b-busy-client-cannot-start-elsewhere: knockd 0.8 hears only the attempt on a.
    let house = vec![door("a", "1,2"), door("b", "3,4")];
    let seen = [tcp(0, 1), tcp(10, 3), tcp(20, 4)];
    check(house, &seen, "0 C a Stage 1|10 C b Stage 1|20 C b Stage 2|20 C b OPEN SESAME");
}

#[test]
fn a_packet_that_advanced_an_attempt_starts_nothing() {
    // Case b-completing-packet-is-no-start.
    let house = vec![door("open", "1,2"), door("close", "2,1")];
    let seen = [tcp(0, 1), tcp(10, 2), tcp(20, 1)];
    check(
        house,
        &seen,
        "0 C open Stage 1|10 C open Stage 2|10 C open OPEN SESAME|20 C open Stage 1|\
         25020 C open timeout 1",
    );
}

#[test]
fn an_attempt_whose_flags_do_not_fit_does_not_block_a_start_elsewhere() {
    // Case d-mismatch-blocks-start-elsewhere.
    let house = vec![door("a", "1,2").wanting(SYN), door("b", "3")];
    let seen = [tcp(0, 1), tcp(10, 3).flags(ACK), tcp(20, 2)];
    check(
        house,
        &seen,
        "0 C a Stage 1|10 C b Stage 1|10 C b OPEN SESAME|20 C a Stage 2|20 C a OPEN SESAME",
    );
}

#[test]
fn a_client_has_one_attempt_at_a_door() {
    // The first 1 with ACK is ignored for the attempt, and does not start a second one.
    let house = vec![door("a", "1,2").wanting(SYN), door("b", "1,5")];
    let seen = [tcp(0, 1), tcp(10, 1).flags(ACK), tcp(20, 2)];
    check(
        house,
        &seen,
        "0 C a Stage 1|0 C b Stage 1|10 C b Stage 1|20 C a Stage 2|20 C a OPEN SESAME",
    );
}

#[test]
fn a_door_of_one_knock_opens_on_every_fresh_packet() {
    // Case b-one-port-again-and-again.
    let house = vec![door("a", "1")];
    check(
        house,
        &[tcp(0, 1), tcp(10, 1)],
        "0 C a Stage 1|0 C a OPEN SESAME|10 C a Stage 1|10 C a OPEN SESAME",
    );
}

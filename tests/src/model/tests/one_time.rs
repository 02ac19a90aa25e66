//! One-time sequences.

use super::*;

#[test]
fn an_opening_uses_up_its_sequence_and_the_last_one_disables_the_door() {
    let house = vec![one_time("a", &["1,2", "5,6"]), door("b", "9")];
    let seen = [tcp(0, 1), tcp(10, 2), tcp(20, 1), tcp(30, 5), tcp(40, 6), tcp(50, 5)];
    check(
        house,
        &seen,
        "0 C a Stage 1|10 C a Stage 2|10 C a OPEN SESAME|30 C a Stage 1|40 C a Stage 2|\
         40 C a OPEN SESAME",
    );
}

#[test]
fn attempts_of_all_clients_end_silently_with_the_sequence() {
    // Case g-others-keep-their-stage: in knockd 0.8 their stage counts for the next sequence.
    let other = "192.0.2.9";
    let house = vec![one_time("a", &["1,2,3", "5,6,7"]).lasting(5)];
    let seen = [
        tcp(0, 1).from(other),
        tcp(10, 2).from(other),
        tcp(20, 1),
        tcp(30, 2),
        tcp(40, 3),
        tcp(50, 7).from(other),
    ];
    check(
        house,
        &seen,
        "0 192.0.2.9 a Stage 1|10 192.0.2.9 a Stage 2|20 C a Stage 1|30 C a Stage 2|\
         40 C a Stage 3|40 C a OPEN SESAME",
    );
}

#[test]
fn the_client_that_opened_has_no_stage_in_the_next_sequence() {
    // Case g-longer-next-sequence.
    let house = vec![one_time("a", &["1,2", "5,6,7"])];
    check(
        house,
        &[tcp(0, 1), tcp(10, 2), tcp(20, 7)],
        "0 C a Stage 1|10 C a Stage 2|10 C a OPEN SESAME",
    );
}

#[test]
fn ending_the_attempts_of_others_passes_over_none_of_the_clients_own() {
    // An attempt of another client at `once`, older than both of C, ends in the middle of the
    // round through the attempts of C; the second of C must still be visited.
    let house = vec![one_time("once", &["1,2"]), door("b", "1,2")];
    let seen = [tcp(0, 1).from("192.0.2.9"), tcp(10, 1), tcp(20, 2)];
    check(
        house,
        &seen,
        "0 192.0.2.9 once Stage 1|0 192.0.2.9 b Stage 1|10 C once Stage 1|10 C b Stage 1|\
         20 C once Stage 2|20 C once OPEN SESAME|20 C b Stage 2|20 C b OPEN SESAME|\
         25000 192.0.2.9 b timeout 1",
    );
}

#[test]
fn leases_and_remembered_openings_survive() {
    let house = || vec![one_time("a", &["1"]).starting("up").stopping("down").after(3)];
    let opened = "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up|";
    let stopped = "3000 C a command timeout|3000 a runs down";
    check(house(), &[tcp(0, 1)], &format!("{opened}{stopped}"));
    let house = vec![one_time("a", &["1", "1"])];
    let seen = [tcp(0, 1).seq(7), tcp(1_000, 1).seq(7)];
    check(house, &seen, "0 C a Stage 1|0 C a OPEN SESAME");
}

#[test]
fn the_ports_of_a_used_sequence_are_invisible_again() {
    // Cases g-used-sequence-no-longer-seen and g-filter-follows.
    let house = vec![one_time("a", &["1", "5"]), door("b", "8,9")];
    let seen = [tcp(0, 1), tcp(10, 8), tcp(20, 1), tcp(30, 9)];
    check(
        house,
        &seen,
        "0 C a Stage 1|0 C a OPEN SESAME|10 C b Stage 1|30 C b Stage 2|30 C b OPEN SESAME",
    );
}

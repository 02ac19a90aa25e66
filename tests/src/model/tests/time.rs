//! When things are due, and in which order.

use super::*;

#[test]
fn a_sequence_timeout_is_exact_to_the_nanosecond() {
    // Cases c-exactly, c-just-under and c-whole-seconds-only.
    let house = || vec![door("a", "1,2").lasting(5)];
    let first = tcp(900, 1);
    let at_limit = first.at_ns + 5_000_000_000;
    let late = Packet { at_ns: at_limit, ..tcp(0, 2) };
    check(house(), &[first, late], "900 C a Stage 1|5900 C a timeout 1");
    let in_time = Packet { at_ns: at_limit - 1, ..tcp(0, 2) };
    assert_eq!(outcome(house(), &[first, in_time]).counts.opened, 1);
}

#[test]
fn the_timeout_counts_from_the_first_knock_and_fires_without_a_packet() {
    // Cases c-from-first-packet, c-not-told-by-unseen and c-not-told-at-end.
    let house = vec![door("a", "1,2,3").lasting(5)];
    check(
        house,
        &[tcp(0, 1), tcp(4_000, 2), tcp(7_000, 3)],
        "0 C a Stage 1|4000 C a Stage 2|5000 C a timeout 2",
    );
}

#[test]
fn the_late_packet_may_start_an_attempt() {
    // Case c-late-packet-starts-anew.
    let house = vec![door("a", "1,1").lasting(5)];
    check(
        house,
        &[tcp(0, 1), tcp(5_000, 1)],
        "0 C a Stage 1|5000 C a timeout 1|5000 C a Stage 1|10000 C a timeout 1",
    );
}

#[test]
fn due_things_fire_by_due_time_and_ties_by_creation() {
    let house = vec![door("slow", "1,9").lasting(6), door("fast", "2,9").lasting(5)];
    check(
        house,
        &[tcp(0, 1), tcp(1_000, 2).from("192.0.2.9")],
        "0 C slow Stage 1|1000 192.0.2.9 fast Stage 1|6000 C slow timeout 1|\
         6000 192.0.2.9 fast timeout 1",
    );
    let house = vec![door("b", "2,9").lasting(5), door("a", "1,9").lasting(7)];
    check(
        house,
        &[tcp(0, 1), tcp(1_000, 2).from("192.0.2.9")],
        "0 C a Stage 1|1000 192.0.2.9 b Stage 1|6000 192.0.2.9 b timeout 1|7000 C a timeout 1",
    );
}

#[test]
fn a_tie_of_stop_command_and_attempt_goes_to_the_older_timer() {
    let lease = door("lease", "1").starting("up").stopping("down").after(5);
    let house = || vec![lease.clone(), door("attempt", "1,9").lasting(5)];
    // One packet makes both: its start command ends after the packet is handled.
    check(
        house(),
        &[tcp(0, 1)],
        "0 C lease Stage 1|0 C lease OPEN SESAME|0 lease runs up|0 C attempt Stage 1|\
         5000 C attempt timeout 1|5000 C lease command timeout|5000 lease runs down",
    );
    // The lease of 0 s comes before the attempt of the client that came at the same moment.
    check(
        house(),
        &[tcp(0, 1), tcp(0, 1).from("192.0.2.9")],
        "0 C lease Stage 1|0 C lease OPEN SESAME|0 lease runs up|0 C attempt Stage 1|\
         0 192.0.2.9 lease Stage 1|0 192.0.2.9 lease OPEN SESAME|0 lease runs up|\
         0 192.0.2.9 attempt Stage 1|5000 C attempt timeout 1|5000 C lease command timeout|\
         5000 lease runs down|5000 192.0.2.9 attempt timeout 1|\
         5000 192.0.2.9 lease command timeout|5000 lease runs down",
    );
}

#[test]
fn an_earlier_stamp_is_handled_as_the_latest() {
    let house = vec![door("a", "1,2").lasting(5)];
    check(
        house.clone(),
        &[tcp(10_000, 1), tcp(3_000, 2)],
        "10000 C a Stage 1|10000 C a Stage 2|10000 C a OPEN SESAME",
    );
    // The stamp of a packet that no door admits counts, too: the attempt is over at 5 s.
    check(house, &[tcp(0, 1), tcp(6_000, 77), tcp(1_000, 2)], "0 C a Stage 1|5000 C a timeout 1");
}

#[test]
fn what_is_due_after_the_end_of_time_is_due_at_the_end_of_time() {
    let house = vec![door("a", "1,2").lasting(5)];
    let last = Packet { at_ns: i64::MAX - 1, ..tcp(0, 1) };
    let outcome = outcome(house, &[last]);
    assert_eq!(outcome.lines[1].at_ns, i64::MAX);
    assert_eq!(outcome.counts.timed_out, 1);
}

//! Events other than packets: commands that take time, changed doors, changed addresses, limits.

use super::*;

const SECOND: i64 = 1_000_000_000;

fn house(doors: Vec<Door>) -> ModelState {
    ModelState::new(&Setting { doors, local: None, ipv4_only: false })
}

/// Returns the new lines of a house, abbreviated.
fn lines(house: &mut ModelState) -> String {
    let out = Outcome { lines: house.take_lines(), ..Outcome::default() };
    short(&out)
}

#[test]
fn the_command_timeout_counts_from_the_end_of_the_start_command() {
    let mut house = house(vec![door("a", "1").starting("s").stopping("t").after(10)]);
    house.packet(&tcp(0, 1));
    house.command_ended(3 * SECOND, 0);
    house.time(13 * SECOND - 1);
    assert_eq!(lines(&mut house), "0 C a Stage 1|0 C a OPEN SESAME|0 a runs s");
    house.time(13 * SECOND);
    assert_eq!(lines(&mut house), "13000 C a command timeout|13000 a runs t");
}

#[test]
fn an_attempt_survives_a_reload_if_its_door_does() {
    let mut house = house(vec![door("a", "1,2"), door("b", "1,3")]);
    house.packet(&tcp(0, 1));
    house.reload(SECOND, vec![door("c", "1"), door("b", "1,3")]);
    house.packet(&tcp(2_000, 3));
    assert_eq!(
        lines(&mut house),
        "0 C a Stage 1|0 C b Stage 1|2000 C b Stage 2|2000 C b OPEN SESAME"
    );
    assert_eq!(house.outcome().counts.voided, 0);
}

#[test]
fn a_lease_keeps_its_stop_command_and_its_timeout_over_a_reload() {
    let before = door("a", "1").starting("s").stopping("t").after(10);
    let mut house = house(vec![before.clone()]);
    house.packet(&tcp(0, 1));
    house.command_ended(0, 0);
    house.reload(SECOND, vec![Door { stop: Some("u".into()), ..before.after(3) }]);
    lines(&mut house);
    house.time(10 * SECOND);
    assert_eq!(lines(&mut house), "10000 C a command timeout|10000 a runs t");
}

#[test]
fn other_addresses_count_from_then_on() {
    let mut house = house(vec![door("a", "1,2")]);
    house.packet(&tcp(0, 1));
    house.addresses(SECOND, Some(vec![ip("10.0.0.9")]), false);
    house.packet(&tcp(2_000, 2));
    house.packet(&tcp(3_000, 2).to("10.0.0.9"));
    assert_eq!(lines(&mut house), "0 C a Stage 1|3000 C a Stage 2|3000 C a OPEN SESAME");
}

#[test]
fn at_the_limit_the_least_progress_is_evicted_the_longest_at_its_stage_first() {
    let mut house = house(vec![door("a", "1,2,3")]).with_limit(2);
    house.packet(&tcp(0, 1));
    house.packet(&tcp(1, 1).from("192.0.2.2"));
    house.packet(&tcp(2, 2));
    house.packet(&tcp(3, 1).from("192.0.2.3"));
    assert_eq!(house.outcome().counts.evicted, 1);
    house.packet(&tcp(4, 2).from("192.0.2.2"));
    house.packet(&tcp(5, 2).from("192.0.2.3"));
    house.packet(&tcp(6, 3).from("192.0.2.3"));
    house.packet(&tcp(7, 3));
    assert_eq!(house.outcome().counts.opened, 2);
}

#[test]
fn at_the_limit_a_door_with_a_command_stays_shut() {
    let mut house = house(vec![door("a", "1").starting("s")]).with_limit(1);
    house.packet(&tcp(0, 1));
    house.packet(&tcp(1, 1));
    house.command_ended(SECOND, 0);
    house.packet(&tcp(2_000, 1));
    let counts = house.outcome().counts;
    assert_eq!((counts.opened, counts.refused), (2, 1));
}

#[test]
fn a_door_opens_once_the_line_of_its_sequence_is_marked() {
    let mut house = house(vec![one_time("a", &["1,2", "3", "1,2"]).starting("s"), door("b", "2")]);
    for packet in [tcp(0, 1), tcp(1_000, 2), tcp(2_000, 3)] {
        house.packet(&packet);
    }
    let stages = "0 C a Stage 1|1000 C a Stage 2|2000 C a Stage 1";
    assert_eq!(lines(&mut house), stages);
    house.one_time_marked(3 * SECOND, 1, true);
    assert_eq!(lines(&mut house), "3000 C a OPEN SESAME|3000 a runs s");
    house.command_ended(3 * SECOND, 0);
    // The sequence is used although it could not be marked.
    house.one_time_marked(4 * SECOND, 0, false);
    assert_eq!(lines(&mut house), "");
    assert_eq!(house.outcome().counts.not_marked, 1);
    house.packet(&tcp(5_000, 3));
    assert_eq!(lines(&mut house), "");
}

#[test]
fn lines_that_are_being_marked_count_for_the_limit() {
    let mut house = house(vec![one_time("a", &["1", "2", "3"]), door("b", "9").starting("s")]);
    house = house.with_limit(1);
    house.packet(&tcp(0, 1));
    house.packet(&tcp(1_000, 2));
    house.packet(&tcp(2_000, 9));
    assert_eq!(house.outcome().counts.refused, 2);
    house.one_time_marked(3 * SECOND, 0, true);
    house.packet(&tcp(4_000, 9));
    let all = "0 C a Stage 1|1000 C a Stage 1|2000 C b Stage 1|3000 C a OPEN SESAME|\
               4000 C b Stage 1|4000 C b OPEN SESAME|4000 b runs s";
    assert_eq!(lines(&mut house), all);
}

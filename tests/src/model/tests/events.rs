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

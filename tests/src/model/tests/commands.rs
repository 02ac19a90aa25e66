//! Commands and leases.

use super::*;

#[test]
fn the_stop_command_is_due_cmd_timeout_after_the_opening() {
    let house = vec![door("a", "1").starting("up %IP%").stopping("down %IP%").after(3)];
    check(
        house,
        &[tcp(0, 1), tcp(3_000, 1)],
        "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up 192.0.2.1|3000 C a command timeout|\
         3000 a runs down 192.0.2.1|3000 C a Stage 1|3000 C a OPEN SESAME|\
         3000 a runs up 192.0.2.1|6000 C a command timeout|6000 a runs down 192.0.2.1",
    );
}

const TWICE_OPENED: &str = "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up|1000 C a Stage 1|\
     1000 C a OPEN SESAME|1000 a runs up";

#[test]
fn an_opening_extends_the_one_before() {
    let house = vec![door("a", "1").starting("up").stopping("down").after(3)];
    let closed = "4000 C a command timeout|4000 a runs down";
    let wanted = format!("{TWICE_OPENED}|{closed}|{closed}");
    check(house, &[tcp(0, 1), tcp(1_000, 1)], &wanted);
}

#[test]
fn an_opening_has_a_lease_of_its_own_where_they_are_separate() {
    let door = door("a", "1").starting("up").stopping("down").after(3);
    let house = vec![Door { on_reknock: OnReknock::Separate, ..door }];
    let wanted = format!(
        "{TWICE_OPENED}|3000 C a command timeout|3000 a runs down|4000 C a command timeout|\
         4000 a runs down"
    );
    check(house, &[tcp(0, 1), tcp(1_000, 1)], &wanted);
}

#[test]
fn an_opening_of_an_open_door_can_be_ignored() {
    let door = door("a", "1").starting("up").stopping("down").after(3);
    let house = vec![Door { on_reknock: OnReknock::Ignore, ..door }];
    check(
        house,
        &[tcp(0, 1), tcp(1_000, 1), tcp(3_000, 1)],
        "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up|1000 C a Stage 1|3000 C a command timeout|\
         3000 a runs down|3000 C a Stage 1|3000 C a OPEN SESAME|3000 a runs up|\
         6000 C a command timeout|6000 a runs down",
    );
}

#[test]
fn openings_in_a_cooldown_are_ignored_and_do_not_prolong_it() {
    let house = vec![Door { seq_cooldown_s: Some(2), ..door("a", "1").starting("up") }];
    check(
        house,
        &[tcp(0, 1), tcp(1_999, 1), tcp(2_000, 1)],
        "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up|1999 C a Stage 1|2000 C a Stage 1|\
         2000 C a OPEN SESAME|2000 a runs up",
    );
}

#[test]
fn a_command_timeout_of_0_fires_before_the_next_packet() {
    let house = vec![door("a", "1").starting("up").stopping("down").after(0), door("b", "1")];
    check(
        house,
        &[tcp(0, 1)],
        "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up|0 C b Stage 1|0 C b OPEN SESAME|\
         0 C a command timeout|0 a runs down",
    );
}

#[test]
fn without_a_start_command_nothing_runs_not_even_the_stop_command() {
    let opened = "0 C a Stage 1|0 C a OPEN SESAME";
    check(vec![door("a", "1").stopping("down")], &[tcp(0, 1)], opened);
    check(vec![door("a", "1").starting("").stopping("down")], &[tcp(0, 1)], opened);
}

#[test]
fn an_empty_stop_command_does_not_run() {
    let house = vec![door("a", "1").starting("up").stopping("")];
    check(house, &[tcp(0, 1)], "0 C a Stage 1|0 C a OPEN SESAME|0 a runs up");
}

#[test]
fn ipv6_clients_use_the_ipv6_commands_and_fall_back_one_by_one() {
    let six = |at| tcp(at, 1).from("2001:db8::1").to("2001:db8::2");
    let runs = |house: Vec<Door>, packet: Packet| {
        let text = short(&outcome(house, &[packet]));
        let runs: Vec<_> = text.split('|').filter(|line| line.contains("runs")).collect();
        runs.join("|")
    };
    let base = door("a", "1").starting("up").stopping("down %IP%").after(1);
    let own = Door { start_6: Some("up6".into()), ..base.clone() };
    assert_eq!(runs(vec![own.clone()], six(0)), "0 a runs up6|1000 a runs down 2001:db8::1");
    assert_eq!(runs(vec![own], tcp(0, 1)), "0 a runs up|1000 a runs down 192.0.2.1");
    let silent = Door { start_6: Some(vec![]), ..base.clone() };
    assert_eq!(runs(vec![silent], six(0)), "");
    let no_stop = Door { stop_6: Some(vec![]), ..base.clone() };
    assert_eq!(runs(vec![no_stop], six(0)), "0 a runs up");
    let only_6 = Door { start: None, start_6: Some("up6".into()), ..base };
    assert_eq!(runs(vec![only_6], tcp(0, 1)), "");
}

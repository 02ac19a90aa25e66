//! Which packets are admitted.

use super::*;

#[test]
fn ports_do_not_distinguish_clients_but_address_families_do() {
    let house = || vec![door("a", "1,2")];
    let opened = "0 C a Stage 1|10 C a Stage 2|10 C a OPEN SESAME";
    check(house(), &[tcp(0, 1), tcp(10, 2).sport(9)], opened);
    let six = tcp(10, 2).from("2001:db8::1").to("2001:db8::2");
    check(house(), &[tcp(0, 1), six], "0 C a Stage 1|25000 C a timeout 1");
}

#[test]
fn a_packet_to_another_host_is_invisible() {
    let house = vec![door("a", "1,2")];
    let elsewhere = tcp(10, 1).to("10.0.0.99");
    let seen = [tcp(0, 1), elsewhere, tcp(20, 2).to("10.0.0.2")];
    let setting = Setting {
        doors: house.clone(),
        local: Some(vec![ip("10.0.0.1"), ip("10.0.0.2")]),
        ipv4_only: false,
    };
    let opened = "0 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME";
    assert_eq!(short(&replay(&setting, &seen)), opened);
    check(house, &seen, "0 C a Stage 1|10 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME");
}

#[test]
fn a_target_replaces_the_local_addresses_for_its_door() {
    // Case b-target-and-local-at-once.
    let routed = door("routed", "1,2").at("198.51.100.7");
    let seen =
        [tcp(0, 1).to("198.51.100.7"), tcp(10, 1), tcp(20, 2).to("198.51.100.7"), tcp(30, 2)];
    let setting = Setting {
        doors: vec![routed.clone(), door("here", "1,2")],
        local: Some(vec![ip("10.0.0.1")]),
        ipv4_only: false,
    };
    assert_eq!(
        short(&replay(&setting, &seen)),
        "0 C routed Stage 1|10 C here Stage 1|20 C routed Stage 2|20 C routed OPEN SESAME|\
         30 C here Stage 2|30 C here OPEN SESAME"
    );
    check(vec![routed], &seen, "0 C routed Stage 1|20 C routed Stage 2|20 C routed OPEN SESAME");
}

#[test]
fn wanted_and_refused_flags_must_both_be_satisfied() {
    let opens = |flags: u8| {
        let house = vec![door("a", "1").wanting(SYN).refusing(ACK)];
        outcome(house, &[tcp(0, 1).flags(flags)]).counts.opened == 1
    };
    assert!(opens(SYN));
    assert!(opens(SYN | ECE | CWR | PSH));
    assert!(!opens(SYN | ACK));
    assert!(!opens(0));
    assert!(!opens(ACK));
}

#[test]
fn a_packet_whose_flags_no_door_that_names_it_wants_does_not_exist() {
    let house = || vec![door("a", "1,2"), door("b", "8,9").wanting(SYN)];
    let opened = "0 C a Stage 1|20 C a Stage 2|20 C a OPEN SESAME";
    check(house(), &[tcp(0, 1), tcp(10, 9).flags(ACK), tcp(20, 2)], opened);
    check(house(), &[tcp(0, 1), tcp(10, 9).flags(SYN), tcp(20, 2)], "0 C a Stage 1");
}

#[test]
fn missing_flags_satisfy_only_doors_without_flags() {
    let opened = |house: Vec<Door>| outcome(house, &[tcp(0, 1).cut_after_ports()]).counts;
    assert_eq!(opened(vec![door("a", "1")]).opened, 1);
    assert_eq!(opened(vec![door("a", "1").wanting(SYN)]).opened, 0);
    assert_eq!(opened(vec![door("a", "1").refusing(ACK)]).opened, 0);
    let both = vec![door("a", "1").wanting(SYN), door("b", "1")];
    check(both, &[tcp(0, 1).cut_after_ports()], "0 C b Stage 1|0 C b OPEN SESAME");
}

#[test]
fn udp_has_no_flags_and_satisfies_every_door() {
    let house = vec![door("a", "1u,2,3u").wanting(SYN)];
    check(
        house,
        &[udp(0, 1), tcp(10, 2), udp(20, 3)],
        "0 C a Stage 1|10 C a Stage 2|20 C a Stage 3|20 C a OPEN SESAME",
    );
}

#[test]
fn ipv6_packets_do_not_exist_with_ipv4_only() {
    let six = |at, port| tcp(at, port).from("2001:db8::1").to("2001:db8::2");
    let doors = vec![door("a", "1")];
    let mut setting = Setting { doors, local: None, ipv4_only: true };
    assert_eq!(short(&replay(&setting, &[six(0, 1)])), "");
    setting.ipv4_only = false;
    let opened = "0 2001:db8::1 a Stage 1|0 2001:db8::1 a OPEN SESAME";
    assert_eq!(short(&replay(&setting, &[six(0, 1)])), opened);
}

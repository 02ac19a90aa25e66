//! Admission.

use super::*;

#[test]
fn a_port_that_no_door_names_is_invisible() {
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 99)), (2.0, udp(A, 2)), (3.0, syn(A, 2))];
    let play = expect(vec![door("d", "1,2")], &packets, &text(&lines(A, "d", "1 2 !")));
    assert_eq!(play.engine.counts().admitted, 2);
}

#[test]
fn a_port_of_another_door_voids_an_attempt() {
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 99)), (2.0, syn(A, 2))];
    let play =
        expect(vec![door("d", "1,2"), door("e", "98,99")], &packets, &["192.0.2.10: d: Stage 1"]);
    assert_eq!(play.notes, ["192.0.2.10: d: void at stage 1: 99/tcp is not the next knock"]);
}

#[test]
fn a_destination_that_is_not_ours_is_invisible() {
    let packets =
        [(0.0, syn(A, 1)), (1.0, syn(A, 3).to("10.0.0.9")), (2.0, syn(A, 2)), (3.0, syn(A, 3))];
    expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

#[test]
fn a_target_replaces_the_local_addresses() {
    let doors = vec![door("d", "1").target("192.0.2.99")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1).to("192.0.2.99"))];
    expect(doors, &packets, &text(&lines(A, "d", "1 !")));
}

#[test]
fn flags_that_no_door_asks_for_make_a_packet_invisible() {
    let ack = Some(TcpFlags::ACK);
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1).flags(ack)), (2.0, syn(A, 2))];
    let play = expect(vec![door("d", "1,2").syn()], &packets, &text(&lines(A, "d", "1 2 !")));
    assert_eq!(play.engine.counts().admitted, 2);
}

#[test]
fn flags_that_are_missing_count_for_a_door_without_flags_only() {
    let doors = vec![door("d", "1"), door("e", "1").syn()];
    expect(doors, &[(0.0, syn(A, 1).flags(None))], &text(&lines(A, "d", "1 !")));
}

//! Rules 2 and 3: advancing, voiding, beginning.

use super::*;

#[test]
fn the_packet_that_voids_an_attempt_can_begin_the_next() {
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1)), (2.0, syn(A, 2)), (3.0, syn(A, 3))];
    expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 1 2 3 !")));
}

#[test]
fn the_packet_that_completes_a_door_begins_no_other() {
    let doors = vec![door("open", "1,2"), door("close", "2,1")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 2)), (2.0, syn(A, 1))];
    let mut wanted = lines(A, "open", "1 2 ! 1");
    wanted.push("192.0.2.10: open: sequence timeout (stage 1)".to_string());
    expect(doors, &packets, &text(&wanted));
}

#[test]
fn a_first_knock_is_heard_while_another_door_is_pending() {
    let doors = vec![door("d", "1,2"), door("e", "5,6").target("192.0.2.99")];
    let elsewhere = |port| syn(A, port).to("192.0.2.99");
    let packets = [(0.0, syn(A, 1)), (1.0, elsewhere(5)), (2.0, syn(A, 2)), (3.0, elsewhere(6))];
    expect(
        doors,
        &packets,
        &[
            "192.0.2.10: d: Stage 1",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: d: Stage 2",
            "192.0.2.10: d: OPEN SESAME",
            "192.0.2.10: e: Stage 2",
            "192.0.2.10: e: OPEN SESAME",
        ],
    );
}

#[test]
fn other_flags_leave_an_attempt_as_it_is_while_another_door_begins() {
    let doors = vec![door("d", "1,2").syn(), door("e", "9")];
    let rst = Some(TcpFlags::RST);
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 9).flags(rst)), (2.0, syn(A, 2))];
    let play = expect(
        doors,
        &packets,
        &[
            "192.0.2.10: d: Stage 1",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: e: OPEN SESAME",
            "192.0.2.10: d: Stage 2",
            "192.0.2.10: d: OPEN SESAME",
        ],
    );
    assert_eq!(
        play.notes,
        [
            "192.0.2.10: d: still at stage 1: the packet does not have the flags that tcpflags asks for"
        ]
    );
}

#[test]
fn doors_that_share_a_prefix_advance_together() {
    let doors = vec![door("short", "1,2"), door("long", "1,2,3")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 2)), (2.0, syn(A, 3))];
    expect(
        doors,
        &packets,
        &[
            "192.0.2.10: short: Stage 1",
            "192.0.2.10: long: Stage 1",
            "192.0.2.10: short: Stage 2",
            "192.0.2.10: short: OPEN SESAME",
            "192.0.2.10: long: Stage 2",
            "192.0.2.10: long: Stage 3",
            "192.0.2.10: long: OPEN SESAME",
        ],
    );
}

#[test]
fn one_attempt_of_a_client_can_end_while_older_and_younger_ones_go_on() {
    let doors = || vec![door("a", "1,2,3"), door("b", "1,4,5"), door("c", "1,2,6")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 2))];
    for (last, opened) in [(3, "a"), (6, "c")] {
        let play = Play::new(doors()).packets(&packets).packets(&[(2.0, syn(A, last))]);
        let open = [A, ": ", opened, ": OPEN SESAME"].concat();
        assert_eq!(play.lines.last(), Some(&open));
        // That of `b` at the second knock, and the other one at the last.
        assert_eq!(play.engine.counts().voided, 2);
        assert_eq!(play.engine.live_attempts(), 0);
    }
}

#[test]
fn a_client_has_one_attempt_at_a_door() {
    // The packet lacks the flags of `d`, so it neither advances nor ends the attempt there, and `d` does
    // not begin again.
    let doors = vec![door("d", "1,2").syn(), door("e", "1")];
    let ack = Some(TcpFlags::ACK);
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1).flags(ack)), (2.0, syn(A, 2))];
    let play = Play::new(doors).packets(&packets).end();
    assert_eq!(play.engine.counts().attempts, 3);
    assert_eq!(play.engine.counts().opened, 3);
}

#[test]
fn no_client_disturbs_another() {
    let packets = [
        (0.0, syn(B, 1)),
        (0.5, syn(A, 1)),
        (1.0, syn(B, 3)),
        (1.5, syn(A, 2)),
        (2.0, syn(B, 1)),
        (2.5, syn(A, 3)),
    ];
    let play = Play::new(vec![door("d", "1,2,3")]).packets(&packets);
    let of_a: Vec<_> = play.lines.iter().filter(|line| line.starts_with(A)).cloned().collect();
    assert_eq!(of_a, lines(A, "d", "1 2 3 !"));
}

#[test]
fn udp_and_tcp_knocks_mix() {
    let packets = [(0.0, udp(A, 1)), (1.0, syn(A, 1)), (2.0, udp(A, 2))];
    expect(vec![door("d", "1:udp,1,2:udp").syn()], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

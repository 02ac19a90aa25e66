//! Time.

use super::*;

#[test]
fn timeouts_are_exact() {
    let door = || vec![door("d", "1,2")];
    let last = |at| Play::new(door()).packets(&[(0.9, syn(A, 1)), (at, syn(A, 2))]).lines;
    assert_eq!(last(5.899_999_999), lines(A, "d", "1 2 !"));
    assert_eq!(last(5.9), ["192.0.2.10: d: Stage 1", "192.0.2.10: d: sequence timeout (stage 1)"]);
}

#[test]
fn the_timeout_counts_from_the_first_knock() {
    let packets = [(0.0, syn(A, 1)), (4.0, syn(A, 2)), (6.0, syn(A, 3))];
    let play = Play::new(vec![door("d", "1,2,3")]).packets(&packets);
    assert_eq!(
        play.lines.last().map(String::as_str),
        Some("192.0.2.10: d: sequence timeout (stage 2)")
    );
}

#[test]
fn what_is_due_happens_in_order_of_time_then_of_creation() {
    let slow = Door { seq_timeout: Seconds::new(7).unwrap(), ..door("slow", "1,2") };
    let doors = vec![slow, door("a", "1,3"), door("b", "1,4"), door("run", "9").runs("s", "t")];
    let doors =
        doors.into_iter().map(|door| Door { cmd_timeout: Seconds::new(5).unwrap(), ..door });
    let packets = [(0.0, syn(A, 1)), (0.0, syn(B, 9))];
    let play = Play::new(doors.collect()).packets(&packets).end();
    assert_eq!(
        play.lines.get(6..).unwrap(),
        [
            "192.0.2.10: a: sequence timeout (stage 1)",
            "192.0.2.10: b: sequence timeout (stage 1)",
            "192.0.2.11: run: command timeout",
            "run: running command: t",
            "192.0.2.10: slow: sequence timeout (stage 1)",
        ]
    );
}

#[test]
fn time_that_runs_backwards_counts_as_stopped() {
    let packets = [(10.0, syn(A, 1)), (2.0, syn(A, 2)), (14.9, syn(A, 3))];
    expect(vec![door("d", "1,2,3")], &packets, &text(&lines(A, "d", "1 2 3 !")));
}

#[test]
fn a_deadline_says_when_for_which_client_and_why() {
    let mut play = Play::new(vec![door("d", "1,2"), door("e", "9").runs("s", "t")]);
    play.event(seconds(1.0), Event::Packet(syn(A, 1)));
    let deadline = play.engine.poll_deadline().unwrap();
    assert_eq!((deadline.at, deadline.why), (seconds(6.0), DeadlineReason::SequenceTimeout));
    assert_eq!((deadline.client, deadline.door.index()), (A.parse().unwrap(), 0));
    play.event(seconds(2.0), Event::Packet(syn(B, 9)));
    play.event(seconds(6.0), Event::DeadlineReached);
    let deadline = play.engine.poll_deadline().unwrap();
    assert_eq!((deadline.at, deadline.why), (seconds(12.0), DeadlineReason::CommandTimeout));
    assert_eq!((deadline.client, deadline.door.index()), (B.parse().unwrap(), 1));
}

/// So many attempts that they are ended together if nothing else can happen before.
#[test]
fn many_attempts_that_time_out_together_do_so_as_one_by_one() {
    let slow = Door { seq_timeout: Seconds::new(7).unwrap(), ..door("slow", "8,9") };
    let doors = vec![door("a", "1,2,3"), slow, door("b", "1,2,4"), door("run", "6").runs("s", "t")];
    let of_network = |network: &str, each: &dyn Fn(&str) -> Packet| -> Vec<Packet> {
        (0..100).map(|number| each(&format!("{network}.{number}"))).collect()
    };
    let clients = |each: &dyn Fn(&str) -> Packet| of_network("198.51.100", each);
    let others = |port| of_network("203.0.113", &|client| syn(client, port));
    let knock = |play: &mut Play, at: f64, packets: &[Packet]| {
        for packet in packets {
            play.event(seconds(at), Event::Packet(*packet));
        }
    };
    let run = |jump: fn(&mut Play, Timestamp)| {
        let mut play = Play::new(doors.clone());
        knock(&mut play, 0.0, &clients(&|client| syn(client, 1).number(7)));
        knock(&mut play, 0.5, &others(8));
        knock(&mut play, 1.0, &clients(&|client| syn(client, 1).number(9)).split_off(50));
        knock(&mut play, 2.0, &clients(&|client| syn(client, 2)).split_off(90));
        knock(&mut play, 2.5, &[syn(A, 6)]);
        // All at one door are over, those at the other can go on.
        jump(&mut play, seconds(6.5));
        assert_eq!(play.engine.live_attempts(), 100);
        knock(&mut play, 6.6, &others(9).split_off(95));
        jump(&mut play, seconds(1000.0));
        assert_eq!(play.engine.live_attempts(), 0);
        assert_eq!(play.engine.counts().timed_out, 2 * 100 + 95);
        // Their next attempts are found by their packets.
        let before = play.lines.len();
        knock(&mut play, 1000.0, &clients(&|client| syn(client, 1)));
        knock(&mut play, 1000.0, &clients(&|client| syn(client, 2)));
        assert_eq!(play.lines.len(), before + 400);
        play.lines
    };
    let at_once = run(|play, until| play.event(until, Event::DeadlineReached));
    let one_by_one = run(|play, until| {
        while let Some(deadline) = play.engine.poll_deadline().filter(|next| next.at <= until) {
            play.event(deadline.at, Event::DeadlineReached);
        }
    });
    let differ = at_once.iter().zip(&one_by_one).find(|(one, other)| one != other);
    assert_eq!((differ, at_once.len()), (None, one_by_one.len()));
}

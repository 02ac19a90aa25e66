//! One-time sequences.

use super::*;

#[test]
fn a_one_time_sequence_opens_once_and_the_next_takes_its_place() {
    let packets = [
        (0.0, syn(A, 1)),
        (1.0, syn(A, 2)),
        (2.0, syn(A, 1)),
        (3.0, syn(A, 2)),
        (4.0, syn(A, 3)),
        (5.0, syn(A, 4)),
    ];
    let mut play = Play::new(vec![one_time("d", &["1,2", "3,4", "5,6"])]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    play.engine.handle(seconds(1.0), Event::Packet(syn(A, 2)));
    let mark = std::iter::from_fn(|| play.engine.poll_effect()).find_map(|timed| {
        if let Effect::MarkOneTime { line, offset, .. } = timed.effect {
            Some((line, offset))
        } else {
            None
        }
    });
    assert_eq!(mark, Some((1, 100)));
    let play = Play::new(vec![one_time("d", &["1,2", "3,4", "5,6"])]).packets(&packets);
    assert_eq!(play.lines, lines(A, "d", "1 2 ! 1 2 !"));
    assert_eq!(
        play.notes,
        ["d: one-time sequence on line 1 is used up", "d: one-time sequence on line 2 is used up"]
    );
}

#[test]
fn attempts_at_a_used_one_time_sequence_end() {
    let packets = [
        (0.0, syn(B, 1)),
        (0.5, syn(B, 2)),
        (1.0, syn(A, 1)),
        (1.1, syn(A, 2)),
        (1.2, syn(A, 3)),
        (2.0, syn(B, 7)),
    ];
    let play = Play::new(vec![one_time("d", &["1,2,3", "5,6,7"])]).packets(&packets).end();
    let mut wanted = lines(B, "d", "1 2");
    wanted.extend(lines(A, "d", "1 2 3 !"));
    assert_eq!(play.lines, wanted);
    assert_eq!(
        play.notes.last().map(String::as_str),
        Some("192.0.2.11: d: dropped at stage 2: another client used the one-time sequence")
    );
}

#[test]
fn a_door_whose_sequences_are_used_up_is_disabled_and_others_go_on() {
    let doors = vec![one_time("d", &["1"]).runs("s", "t"), door("e", "1")];
    let packets = [(0.0, syn(A, 1)), (1.0, syn(A, 1))];
    let play = expect(
        doors,
        &packets,
        &[
            "192.0.2.10: d: Stage 1",
            "192.0.2.10: d: OPEN SESAME",
            "d: running command: s",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: e: OPEN SESAME",
            "192.0.2.10: e: Stage 1",
            "192.0.2.10: e: OPEN SESAME",
            "192.0.2.10: d: command timeout",
            "d: running command: t",
        ],
    );
    assert_eq!(play.messages, ["d: no one-time sequence is left, the door is disabled"]);
}

#[test]
fn a_door_that_starts_without_a_sequence_is_disabled() {
    let play = expect(vec![one_time("d", &[])], &[(0.0, syn(A, 1))], &[]);
    assert_eq!(play.engine.counts().admitted, 0);
}

#[test]
fn the_repeat_of_the_last_knock_of_a_one_time_sequence_is_ignored() {
    let packets = [(0.0, syn(A, 1).number(7)), (1.0, syn(A, 1).number(7))];
    let play = Play::new(vec![one_time("d", &["1", "1"])]).packets(&packets);
    assert_eq!(play.engine.counts().opened, 1);
}

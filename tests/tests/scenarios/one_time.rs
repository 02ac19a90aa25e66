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

/// Hands an event to an engine that waits for marks. Returns the lines, and the line to be marked.
fn told(engine: &mut Engine, second: f64, event: Event) -> (Vec<String>, Option<MarkId>) {
    engine.handle(seconds(second), event);
    let (mut lines, mut asked) = (Vec::new(), None);
    while let Some(timed) = engine.poll_effect() {
        let mut text = Vec::new();
        transcript::write(&timed.effect, engine.doors(), &mut text);
        lines.push(String::from_utf8(text).unwrap());
        if let Effect::MarkOneTime { mark, .. } = timed.effect {
            asked = Some(mark);
        }
    }
    (lines, asked)
}

fn waiting(doors: Vec<Door>) -> Engine {
    Engine::new(Doors::new(doors).unwrap(), Listening::everywhere(), &Limits::default())
}

#[test]
fn a_door_opens_only_when_its_line_is_marked() {
    let mut engine = waiting(vec![one_time("d", &["1", "2"]).runs("s", "-")]);
    let (lines, mark) = told(&mut engine, 0.0, Event::Packet(syn(A, 1)));
    assert_eq!(lines, ["192.0.2.10: d: Stage 1", "d: one-time sequence on line 1 is used up"]);
    let mark = mark.unwrap();
    // Nobody gets in with the same sequence meanwhile, and the next one has a line of its own.
    assert_eq!(told(&mut engine, 1.0, Event::Packet(syn(B, 1))), (vec![], None));
    let (_, next) = told(&mut engine, 2.0, Event::Packet(syn(B, 2)));
    assert_ne!(next, Some(mark));
    let answer = |mark, is_marked| Event::Marked { mark, is_marked };
    let (lines, _) = told(&mut engine, 3.0, answer(mark, true));
    assert_eq!(lines, ["192.0.2.10: d: OPEN SESAME", "d: running command: s"]);
    let (lines, _) = told(&mut engine, 4.0, answer(next.unwrap(), false));
    assert_eq!(lines, ["192.0.2.11: d: not opened: its sequence could not be marked as used"]);
    // Neither an answer that comes twice nor a knock opens it once more.
    for event in [answer(mark, true), answer(next.unwrap(), true), Event::Packet(syn(B, 2))] {
        assert_eq!(told(&mut engine, 5.0, event), (vec![], None));
    }
    let Counts { opened, not_marked, .. } = engine.counts();
    assert_eq!((opened, not_marked), (1, 1));
}

#[test]
fn a_reload_keeps_a_door_whose_line_is_being_marked() {
    let mut engine = waiting(vec![one_time("d", &["1", "2"]).runs("s", "-")]);
    let (_, mark) = told(&mut engine, 0.0, Event::Packet(syn(A, 1)));
    for name in ["x", "y"] {
        let doors = Doors::new(vec![door(name, "9")]).unwrap();
        told(&mut engine, 1.0, Event::Reloaded(Box::new(doors)));
    }
    let answer = Event::Marked { mark: mark.unwrap(), is_marked: true };
    let (lines, _) = told(&mut engine, 2.0, answer);
    assert_eq!(lines, ["192.0.2.10: d: OPEN SESAME", "d: running command: s"]);
}

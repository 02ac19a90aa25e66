//! Reloads.

use super::*;

impl Play {
    fn reload(&mut self, at: f64, doors: Vec<Door>) {
        let doors = Box::new(Doors::new(doors).unwrap());
        self.event(seconds(at), Event::Reloaded(doors));
    }
}

#[test]
fn an_attempt_at_an_unchanged_door_goes_on_wherever_the_door_is() {
    let mut play = Play::new(vec![door("other", "8"), door("d", "1,2")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    play.reload(1.0, vec![door("d", "1,2"), door("new", "9"), door("other", "8,9")]);
    let play = play.packets(&[(2.0, syn(A, 2))]);
    assert_eq!(play.lines, lines(A, "d", "1 2 !"));
    assert_eq!(play.notes, [""; 0]);
}

#[test]
fn an_attempt_at_an_unchanged_door_times_out_when_it_would_have() {
    let mut play = Play::new(vec![door("d", "1,2")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    play.reload(4.0, vec![door("new", "9"), door("d", "1,2")]);
    let deadline = play.engine.poll_deadline().unwrap();
    assert_eq!(deadline.at, seconds(5.0));
    assert_eq!(play.engine.doors().door(deadline.door).name.as_bytes(), b"d");
}

#[test]
fn attempts_at_doors_that_are_changed_or_gone_end() {
    let doors = vec![door("changed", "1,2"), door("gone", "1,2"), door("same", "1,2")];
    let mut play = Play::new(doors);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    let slower = Door { seq_timeout: Seconds::new(9).unwrap(), ..door("changed", "1,2") };
    play.reload(1.0, vec![slower, door("same", "1,2")]);
    let why = "the reload changed or removed the door";
    let note = |door: &str| [A, ": ", door, ": dropped at stage 1: ", why].concat();
    assert_eq!(play.notes, [note("changed"), note("gone")]);
    assert_eq!(play.engine.live_attempts(), 1);
    let play = play.packets(&[(2.0, syn(A, 2))]);
    assert_eq!(play.lines.last().map(String::as_str), Some("192.0.2.10: same: OPEN SESAME"));
    assert_eq!(play.engine.counts().opened, 1);
}

#[test]
fn of_doors_that_are_equal_the_first_is_the_first() {
    let mut play = Play::new(vec![door("d", "1,2"), door("d", "1,2"), door("d", "1,3")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    play.reload(1.0, vec![door("d", "1,3"), door("d", "1,2")]);
    assert_eq!(play.engine.live_attempts(), 2);
    let ids: Vec<usize> = play.engine.doors().in_order().map(|(id, _)| id.index()).collect();
    assert_eq!(ids, [2, 0]);
}

#[test]
fn only_the_doors_of_the_new_configuration_are_heard() {
    let mut play = Play::new(vec![door("old", "1"), door("both", "5")]);
    play.reload(1.0, vec![door("new", "2"), door("both", "5")]);
    let play = play.packets(&[(2.0, syn(A, 1)), (2.1, syn(A, 2)), (2.2, syn(A, 5))]);
    let wanted = [lines(A, "new", "1 !"), lines(A, "both", "1 !")].concat();
    assert_eq!(play.lines, wanted);
    assert_eq!(play.engine.doors().len(), 2);
}

#[test]
fn doors_that_begin_with_one_knock_begin_in_the_order_of_the_new_file() {
    let mut play = Play::new(vec![door("a", "1"), door("b", "1"), door("c", "2")]);
    play.reload(1.0, vec![door("c", "2"), door("b", "1"), door("new", "1"), door("a", "1")]);
    let play = play.packets(&[(2.0, syn(A, 1))]);
    let wanted = [lines(A, "b", "1 !"), lines(A, "new", "1 !"), lines(A, "a", "1 !")].concat();
    assert_eq!(play.lines, wanted);
}

#[test]
fn a_next_one_time_sequence_begins_in_the_order_of_the_new_file() {
    let mut play = Play::new(vec![one_time("a", &["7", "1"]), door("b", "1")]);
    play.reload(1.0, vec![door("b", "1"), one_time("a", &["7", "1"])]);
    let play = play.packets(&[(2.0, syn(A, 7)), (3.0, syn(A, 1))]);
    let wanted = [lines(A, "a", "1 !"), lines(A, "b", "1 !"), lines(A, "a", "1 !")].concat();
    assert_eq!(play.lines, wanted);
}

#[test]
fn a_lease_keeps_the_commands_and_the_timeout_it_began_with() {
    let mut play = Play::new(vec![door("d", "1").runs("s", "t %IP%")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    let slower = Door { cmd_timeout: Seconds::new(60).unwrap(), ..door("d", "1").runs("u", "v") };
    play.reload(1.0, vec![slower, door("new", "2")]);
    // The same number of doors again, so that every free place is taken.
    play.reload(2.0, vec![door("x", "3"), door("y", "4")]);
    let play = play.packets(&[(10.0, syn(A, 99))]);
    let wanted = ["192.0.2.10: d: command timeout", "d: running command: t 192.0.2.10"];
    assert_eq!(play.lines.get(3..).unwrap(), wanted);
}

#[test]
fn a_command_that_runs_during_a_reload_is_followed_by_its_own_stop_command() {
    let doors = Doors::new(vec![door("d", "1").runs("s", "t")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(A, 1)));
    let effects: Vec<_> = std::iter::from_fn(|| engine.poll_effect()).collect();
    let Some(TimedEffect { effect: Effect::RunCommand { run, .. }, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    for name in ["x", "y"] {
        let doors = Box::new(Doors::new(vec![door(name, "2")]).unwrap());
        engine.handle(seconds(1.0), Event::Reloaded(doors));
    }
    engine.handle(seconds(3.0), Event::CommandEnded { run: *run, status: CommandStatus::SUCCESS });
    let deadline = engine.poll_deadline().unwrap();
    assert_eq!(deadline.at, seconds(13.0));
    assert_eq!(engine.doors().door(deadline.door).name.as_bytes(), b"d");
}

#[test]
fn effects_still_in_the_queue_are_printed_with_their_own_doors() {
    let doors = Doors::new(vec![door("d", "1,2")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(A, 1)));
    let new = Box::new(Doors::new(vec![door("new", "3")]).unwrap());
    engine.handle(seconds(1.0), Event::Reloaded(new));
    let TimedEffect { effect, .. } = engine.poll_effect().unwrap();
    let mut text = Vec::new();
    transcript::write(&effect, engine.doors(), &mut text);
    assert_eq!(text, b"192.0.2.10: d: Stage 1");
}

#[test]
fn notes_still_in_the_queue_are_printed_with_their_own_doors() {
    let mut play = Play::new(vec![door("d", "1,2")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1)));
    let reload = |name: &str| {
        Event::Reloaded(Box::new(Doors::new(vec![door(name, "3"), door("more", "4")]).unwrap()))
    };
    play.engine.handle(seconds(1.0), reload("new"));
    play.event(seconds(2.0), reload("newer"));
    let note = "192.0.2.10: d: dropped at stage 1: the reload changed or removed the door";
    assert!(play.notes.iter().all(|one| one.starts_with(note)), "{:?}", play.notes);
    assert_eq!(play.notes.len(), 1);
}

#[test]
fn the_repeat_of_a_last_knock_is_known_after_a_reload() {
    let mut play = Play::new(vec![door("open", "1,2")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1).number(7)));
    play.event(seconds(0.1), Event::Packet(syn(A, 2).number(8)));
    play.reload(1.0, vec![door("close", "2,1")]);
    let play = play.packets(&[(1.1, syn(A, 2).number(8))]);
    assert_eq!(play.engine.counts().retransmissions, 1);
    assert_eq!(play.engine.live_attempts(), 0);
}

#[test]
fn a_reload_for_which_there_are_too_many_open_doors_is_refused_and_changes_nothing() {
    let many = |name: &str| vec![door(name, "1").runs("s", "t"); Doors::MAX];
    let limits = Limits::default();
    let doors = Doors::new(many("first")).unwrap();
    let mut engine = Rules::Knock.engine(doors, Listening::everywhere(), &limits);
    let mut refused = 0;
    for name in ["second", "third"] {
        let doors = Doors::new(many(name)).unwrap();
        let events = [Event::Packet(syn(A, 1)), Event::Reloaded(Box::new(doors))];
        for (at, event) in [0.0, 1.0].into_iter().zip(events) {
            drive::tell(&mut engine, seconds(at), event, |_, timed| {
                refused += u32::from(matches!(timed.effect, Effect::ReloadRefused));
            });
        }
    }
    assert_eq!(refused, 1);
    let (_, first) = engine.doors().in_order().next().unwrap();
    assert_eq!(first.name.as_bytes(), b"second");
}

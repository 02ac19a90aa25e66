//! The interface between driver and engine.

use super::*;

#[test]
fn the_end_of_a_stop_command_is_taken_before_the_packet_that_let_time_pass() {
    let doors = Doors::new(vec![door("d", "1").runs("s", "t")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    let status = CommandStatus(9);
    let mut seen = Vec::new();
    for (at, packet) in [(0.0, syn(A, 1)), (60.0, syn(A, 1))] {
        let (event, commands) = (Event::Packet(packet), CommandsEnd::AtOnce(status));
        let Ok(()) = engine.drive(seconds(at), event, commands, |_, timed| {
            seen.push((timed.at, timed.effect));
            Ok::<(), Infallible>(())
        });
    }
    let times: Vec<_> = seen.iter().map(|&(at, _)| at).collect();
    assert!(times.is_sorted(), "{seen:?}");
    let failed = |(at, effect): &(Timestamp, Effect)| {
        matches!(effect, Effect::CommandFailed { .. }).then_some(*at)
    };
    let failures: Vec<_> = seen.iter().filter_map(failed).collect();
    assert_eq!(failures, [seconds(0.0), seconds(10.0), seconds(60.0)]);
}

#[test]
fn commands_of_one_packet_end_in_the_order_in_which_they_were_asked_for() {
    // The first lease is due at once, when the second and third are not even open.
    let at_once = Door { cmd_timeout: Seconds::new(0).unwrap(), ..door("a", "1").runs("s", "t") };
    let doors = vec![at_once, door("b", "1").runs("s", "t"), door("c", "1").runs("s", "t")];
    let play = Play::new(doors).packets(&[(0.0, syn(A, 1)), (0.0, syn(A, 1))]).end();
    let timeouts: Vec<_> = play.lines.iter().filter(|line| line.ends_with("timeout")).collect();
    let order: Vec<_> = timeouts.iter().filter_map(|line| line.split(": ").nth(1)).collect();
    assert_eq!(order, ["a", "a", "b", "c", "b", "c"]);
}

#[test]
fn an_event_handed_over_before_the_last_was_polled_loses_nothing() {
    let doors = Doors::new(vec![door("d", "1,2")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(A, 1)));
    engine.handle(seconds(1.0), Event::Packet(syn(A, 2)));
    let effects: Vec<_> = std::iter::from_fn(|| engine.poll_effect()).collect();
    assert_eq!(effects.len(), 3);
    assert!(matches!(effects.last().unwrap().effect, Effect::Opened { .. }));
}

#[test]
fn packets_handed_over_before_a_deadline_was_polled_are_all_heard_in_order() {
    let doors = Doors::new(vec![door("d", "1,2,3")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(B, 1)));
    // The attempt of B is due, so the packets wait for each other.
    for port in [1, 2, 3] {
        engine.handle(seconds(6.0), Event::Packet(syn(A, port)));
    }
    while engine.poll_effect().is_some() {}
    assert_eq!(engine.counts().timed_out, 1);
    assert_eq!(engine.counts().opened, 1);
}

#[test]
fn events_at_one_time_fall_due_in_their_order() {
    let leased =
        Door { cmd_timeout: Seconds::new(5).unwrap(), ..door("leased", "9").runs("s", "t") };
    let doors = Doors::new(vec![door("tried", "1,2"), leased]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(B, 9)));
    let effects: Vec<_> = std::iter::from_fn(|| engine.poll_effect()).collect();
    let Some(TimedEffect { effect: Effect::RunCommand { run, .. }, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    // The attempt begins and the command ends before the next poll; both are due at 6.
    engine.handle(seconds(1.0), Event::Packet(syn(A, 1)));
    engine.handle(seconds(1.0), Event::CommandEnded { run: *run, status: CommandStatus::SUCCESS });
    while engine.poll_effect().is_some() {}
    let deadline = engine.poll_deadline().unwrap();
    assert_eq!((deadline.at, deadline.why), (seconds(6.0), DeadlineReason::SequenceTimeout));
}

#[test]
fn addresses_that_change_count_from_then_on() {
    let mut play = Play::new(vec![door("d", "1")]);
    play.event(seconds(0.0), Event::Packet(syn(A, 1).to("10.0.0.2")));
    let moved = Listening::at(["10.0.0.2".parse().unwrap()]);
    play.event(seconds(1.0), Event::AddressesChanged(moved));
    play.event(seconds(2.0), Event::Packet(syn(A, 1)));
    play.event(seconds(3.0), Event::Packet(syn(A, 1).to("10.0.0.2")));
    assert_eq!(play.engine.counts().admitted, 1);
}

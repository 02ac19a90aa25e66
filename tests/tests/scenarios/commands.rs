//! Commands and leases.

use super::*;

#[test]
fn the_stop_command_comes_after_the_command_timeout() {
    let play = Play::new(vec![door("d", "1").runs("open %IP%", "close %IP%")]).packets(&[
        (0.0, syn(A, 1)),
        (9.999, syn(B, 1)),
        (10.0, syn(B, 7)),
    ]);
    let mut wanted = lines(A, "d", "1 !");
    wanted.push("d: running command: open 192.0.2.10".to_string());
    wanted.extend(lines(B, "d", "1 !"));
    wanted.push("d: running command: open 192.0.2.11".to_string());
    wanted.push("192.0.2.10: d: command timeout".to_string());
    wanted.push("d: running command: close 192.0.2.10".to_string());
    assert_eq!(play.lines, wanted);
}

#[test]
fn the_stop_command_waits_for_the_end_of_the_start_command() {
    let doors = Doors::new(vec![door("d", "1").runs("s", "t")]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    engine.handle(seconds(0.0), Event::Packet(syn(A, 1)));
    let effects: Vec<_> = std::iter::from_fn(|| engine.poll_effect()).collect();
    let Some(TimedEffect { effect: Effect::RunCommand { run, .. }, .. }) = effects.last() else {
        panic!("{effects:?}")
    };
    assert_eq!(engine.poll_deadline(), None);
    let status = CommandStatus::SUCCESS;
    engine.handle(seconds(3.0), Event::CommandEnded { run: *run, status });
    assert_eq!(engine.poll_effect(), None);
    assert_eq!(engine.poll_deadline().map(|deadline| deadline.at), Some(seconds(13.0)));
    // The same end handed over twice opens no second lease.
    engine.handle(seconds(4.0), Event::CommandEnded { run: *run, status });
    engine.handle(seconds(13.0), Event::DeadlineReached);
    let stops = std::iter::from_fn(|| engine.poll_effect())
        .filter(|timed| matches!(timed.effect, Effect::CommandTimedOut { .. }));
    assert_eq!(stops.count(), 1);
    assert_eq!(engine.poll_deadline(), None);
}

#[test]
fn every_opening_is_closed_once() {
    let packets = [(0.0, syn(A, 1)), (4.0, syn(A, 1))];
    let play = Play::new(vec![door("d", "1").runs("s", "t")]).packets(&packets).end();
    let count = |line: &str| play.lines.iter().filter(|other| *other == line).count();
    assert_eq!(count("d: running command: s"), 2);
    assert_eq!(count("d: running command: t"), 2);
}

#[test]
fn a_failed_command_is_reported_and_its_stop_command_runs_anyway() {
    let mut play = Play::new(vec![door("d", "1").runs("s", "t")]);
    play.status = CommandStatus(3);
    let play = play.packets(&[(0.0, syn(A, 1))]).end();
    assert_eq!(play.messages, ["d: command returned non-zero status code (3)"; 2]);
    assert_eq!(play.lines.last().map(String::as_str), Some("d: running command: t"));
}

#[test]
fn ipv6_clients_run_the_ipv6_commands() {
    let doors = vec![door("d", "1").runs("s %IP%", "t").runs_6("s6 %IP%", "-")];
    let play = Play::new(doors).packets(&[(0.0, syn(A6, 1))]).end();
    assert_eq!(
        play.lines,
        [
            "2001:db8:a::10: d: Stage 1",
            "2001:db8:a::10: d: OPEN SESAME",
            "d: running command: s6 2001:db8:a::10",
            "2001:db8:a::10: d: command timeout",
            "d: running command: t",
        ]
    );
}

#[test]
fn a_door_without_a_start_command_opens_and_runs_nothing() {
    for door in [door("d", "1").runs("-", "t"), door("d", "1").runs("", "t"), door("d", "1")] {
        expect(vec![door], &[(0.0, syn(A, 1))], &text(&lines(A, "d", "1 !")));
    }
}

/// The command of the first opening runs, so that of the second waits, and runs for all that follow.
#[test]
fn every_opening_renews_an_admission_while_a_command_waits() {
    let lasts = Seconds::new(10).unwrap();
    let ssh = PortRange::new(Protocol::Tcp, Port(22), Port(22)).unwrap();
    let ports = OpenPorts::new(vec![ssh]).unwrap();
    let admission = Admission { ports, lasts, max: None };
    let mut door = door("d", "1").runs("s", "t");
    door.admission = Some(admission);
    let doors = Doors::new(vec![door]).unwrap();
    let mut engine = Engine::new(doors, Listening::everywhere(), &Limits::default());
    let mut begun = 0;
    let mut admitted = Vec::new();
    for at in [0.0, 4.0, 8.0, 12.0] {
        engine.handle(seconds(at), Event::Packet(syn(A, 1)));
        for timed in std::iter::from_fn(|| engine.poll_effect()) {
            let effect = timed.effect;
            begun += usize::from(matches!(effect, Effect::RunCommand { .. }));
            let is_over =
                matches!(effect, Effect::OpeningSkipped { .. } | Effect::AdmissionEnded { .. });
            assert!(!is_over, "{effect:?} at {at}");
            if let Effect::Admit { lasts, .. } = effect {
                admitted.push((at, lasts.get()));
            }
        }
    }
    assert_eq!(begun, 1);
    assert_eq!(admitted, [(0.0, 10), (4.0, 10), (8.0, 10), (12.0, 10)]);
    assert_eq!(engine.poll_deadline().map(|deadline| deadline.at), Some(seconds(22.0)));
}

//! The names of the rule sets, their effect on a configuration before any packet, and what all of them
//! have in common.

use super::*;

#[test]
fn rule_sets_are_printed_by_the_names_that_choose_them() {
    let names = [Rules::Knock, Rules::Knockd08].map(|rules| rules.to_string());
    assert_eq!(names, ["knock", "knockd-0.8"]);
    assert_eq!(Rules::Knockd08.to_string(), "knockd-0.8");
    assert_eq!(Rules::FixedUpTo(Difference::LongName).to_string(), "knockd-0.8+27");
}

#[test]
fn knockd_08_cuts_a_long_name_until_that_is_fixed() {
    let name_bytes = |rules: Rules| {
        let doors = Doors::new(vec![door(&"x".repeat(200), "1")]).unwrap();
        let engine = rules.engine(doors, Listening::everywhere(), &Limits::default());
        let (_, door) = engine.doors().in_order().next().unwrap();
        door.name.as_bytes().len()
    };
    assert_eq!(name_bytes(Rules::Knock), 200);
    assert_eq!(name_bytes(Rules::Knockd08), 127);
    assert_eq!(name_bytes(Rules::FixedUpTo(Difference::LongCommand)), 127);
    assert_eq!(name_bytes(Rules::FixedUpTo(Difference::LongName)), 200);
}

#[test]
fn only_knockd_08_does_not_start_with_a_door_that_has_no_sequence_left() {
    let doors = Doors::new(vec![door("d", "1"), one_time("e", &[])]).unwrap();
    let refusal = |rules: Rules| rules.refusal(&doors, &Listening::everywhere());
    assert_eq!(refusal(Rules::Knock), None);
    let Some(knock_compat::Refusal::NoSequenceLeft(id)) = refusal(Rules::Knockd08) else {
        panic!("{:?}", refusal(Rules::Knockd08))
    };
    assert_eq!(doors.door(id).name.as_bytes(), b"e");
}

const BETWEEN: Rules = Rules::FixedUpTo(Difference::TargetFamily);
const EVERY: [Rules; 3] = [Rules::Knockd08, BETWEEN, Rules::Knock];

#[test]
fn every_rule_set_counts_the_attempts_that_live() {
    for rules in EVERY {
        let play = Play::under(rules, vec![door("d", "1,2")], 10);
        let play = play.packets(&[(0.0, syn(A, 1)), (0.1, syn(B, 1))]);
        assert_eq!(play.engine.live_attempts(), 2, "{rules}");
    }
}

#[test]
fn every_rule_set_reports_only_commands_that_fail() {
    for rules in EVERY {
        let messages = |status| {
            let mut play = Play::under(rules, vec![door("d", "1").runs("s", "t")], 10);
            play.status = status;
            play.event(seconds(0.0), Event::Packet(syn(A, 1)));
            play.event(seconds(10.0), Event::DeadlineReached);
            play.messages
        };
        assert_eq!(messages(CommandStatus::SUCCESS), [""; 0], "{rules}");
        let failed = "d: command returned non-zero status code (3)";
        assert_eq!(messages(CommandStatus(3)), [failed; 2], "{rules}");
    }
}

#[test]
fn every_rule_set_runs_no_more_commands_than_the_limit() {
    for rules in EVERY {
        let play = Play::under(rules, vec![door("d", "1").runs("s", "t")], 2);
        let play = play.packets(&[(0.0, syn("192.0.2.1", 1)), (1.0, syn("192.0.2.2", 1))]);
        assert_eq!(play.engine.counts().refused, 0, "{rules}");
        let play = play.packets(&[(2.0, syn("192.0.2.3", 1))]);
        assert_eq!(play.engine.counts().refused, 1, "{rules}");
        // The first stop command has run, so there is a free place again.
        let play = play.packets(&[(11.0, syn("192.0.2.4", 1))]);
        assert_eq!(play.engine.counts().refused, 1, "{rules}");
    }
}

#[test]
fn under_every_rule_set_a_stop_command_outlives_the_door_it_belongs_to() {
    for rules in EVERY {
        let mut play = Play::under(rules, vec![door("d", "1").runs("s", "t %IP%")], 10);
        play.event(seconds(0.0), Event::Packet(syn(A, 1)));
        // The same number of doors again, so that every free place is taken.
        for doors in [vec![door("u", "2"), door("v", "3")], vec![door("x", "4"), door("y", "5")]] {
            let doors = std::boxed::Box::new(Doors::new(doors).unwrap());
            play.event(seconds(1.0), Event::Reloaded(doors));
        }
        play.event(seconds(10.0), Event::DeadlineReached);
        let stop = ["192.0.2.10: d: command timeout", "d: running command: t 192.0.2.10"];
        assert_eq!(play.lines.get(3..).unwrap(), stop, "{rules}");
    }
}

#[test]
fn packets_with_unwanted_flags_do_not_report_a_late_timeout() {
    for rules in [Rules::Knockd08, BETWEEN] {
        let mut play = Play::under(rules, vec![door("d", "1,2").syn()], 10);
        play.event(seconds(0.0), Event::Packet(syn(A, 1)));
        play.event(seconds(6.0), Event::Packet(syn(B, 1).flags(Some(TcpFlags::ACK))));
        assert_eq!(play.lines, lines(A, "d", "1"), "{rules}");
        play.event(seconds(7.0), Event::Packet(syn(B, 1)));
        let timeout = "192.0.2.10: d: sequence timeout (stage 1)";
        assert_eq!(play.lines.get(1).map(String::as_str), Some(timeout), "{rules}");
    }
}

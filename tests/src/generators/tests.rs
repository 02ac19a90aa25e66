use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;
use crate::model::{Knock, Sequences, Transport};

/// Draws the same cases in every run.
fn cases(resolution: Resolution, count: usize) -> Vec<Case> {
    let mut runner = TestRunner::deterministic();
    let strategy = case(resolution);
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

#[test]
fn interesting_events_are_frequent() {
    let drawn: Vec<(Case, Outcome)> = cases(Resolution::Micro, 1_000)
        .into_iter()
        .map(|case| (case.clone(), case.expected()))
        .collect();
    let share = |what: &str, least: usize, holds: &dyn Fn(&Case, &Outcome) -> bool| {
        let count = drawn.iter().filter(|(case, outcome)| holds(case, outcome)).count();
        assert!(count >= least, "{what}: only {count} of 1,000 cases");
    };
    share("a door opens", 750, &|_, outcome| outcome.counts.opened > 0);
    share("three openings", 300, &|_, outcome| outcome.counts.opened >= 3);
    share("a sequence times out", 500, &|_, outcome| outcome.counts.timed_out > 0);
    share("a retransmission is ignored", 250, &|_, outcome| outcome.counts.retransmissions > 0);
    share("an attempt is void", 400, &|_, outcome| outcome.counts.voided > 0);
    share("a one-time sequence is used", 200, &|_, outcome| outcome.counts.one_time_used > 0);
    share("a stamp goes back", 100, &|_, outcome| outcome.counts.backwards > 0);
    share("a stop command is run", 250, &|_, outcome| {
        outcome.lines.iter().any(|line| line.text.ends_with(b": command timeout"))
    });
    share("an IPv6 client gets in", 100, &|_, outcome| {
        let gets_in =
            |text: &[u8]| text.starts_with(b"2001:db8:1:") && text.ends_with(b": OPEN SESAME");
        outcome.lines.iter().any(|line| gets_in(&line.text))
    });
    share("a door is disabled", 40, &|case, outcome| {
        let last_used = |door: &model::Door| {
            let Sequences::OneTime(lines) = &door.sequences else { return false };
            let opened = [b": ", &door.name[..], b": OPEN SESAME"].concat();
            let openings = outcome.lines.iter().filter(|line| line.text.ends_with(&opened));
            openings.count() == lines.len()
        };
        case.setting.doors.iter().any(last_used)
    });
    share("a packet is invisible", 150, &|case, _| case.packets().len() < case.sights.len());
    share("the flags are missing", 20, &|case, _| {
        let cut = |packet: &Packet| matches!(packet.transport, Transport::Tcp { flags: None, .. });
        case.packets().iter().any(cut)
    });
    share("a packet comes within a tick of a timeout", 50, &|case, outcome| {
        let packets = case.packets();
        let near = |at_ns: i64| packets.iter().any(|packet| (at_ns - packet.at_ns).abs() <= 1_000);
        let timeout = |text: &[u8]| String::from_utf8_lossy(text).contains("sequence timeout");
        outcome.lines.iter().any(|line| timeout(&line.text) && near(line.at_ns))
    });
}

#[test]
fn stamps_are_multiples_of_the_resolution_and_fit_the_format() {
    for case in cases(Resolution::Micro, 200) {
        assert!(case.sights.iter().all(|sight| sight.packet.at_ns % 1_000 == 0));
    }
    let fine = cases(Resolution::Nano, 200);
    let odd = |case: &Case| case.sights.iter().any(|sight| sight.packet.at_ns % 1_000 != 0);
    assert!(fine.iter().any(odd));
    assert!(fine.iter().all(|case| !matches!(case.format, Format::Pcap { .. })));
}

#[test]
fn sequences_have_1_to_32_knocks() {
    for case in cases(Resolution::Micro, 300) {
        for door in &case.setting.doors {
            let lines = match &door.sequences {
                Sequences::Fixed(knocks) => vec![knocks.clone()],
                Sequences::OneTime(lines) => lines.clone(),
                Sequences::Derived(_) => vec![],
            };
            assert!(lines.iter().all(|knocks| (1..=32).contains(&knocks.len())));
        }
    }
}

#[test]
fn the_plain_style_is_plain() {
    let sequence = Sequences::Fixed(vec![Knock::tcp(7000), Knock::udp(8000)]);
    let open = model::Door {
        seq_timeout_s: 5,
        wanted: model::SYN,
        refused: model::ACK,
        start: Some(b"open %IP%".to_vec()),
        ..model::Door::new("openSSH", sequence)
    };
    let once = model::Door::new(
        "once",
        Sequences::OneTime(vec![vec![Knock::tcp(1)], vec![Knock::tcp(2), Knock::tcp(3)]]),
    );
    let Conf { text, sequence_files } = conf(&[open, once], &Style::plain());
    assert_eq!(
        String::from_utf8(text).unwrap(),
        "[options]\n\
         [openSSH]\n\
         \tTCPFlags = syn,!ack\n\
         \tSequence = 7000,8000:udp\n\
         \tSeq_Timeout = 5\n\
         \tStart_Command = open %IP%\n\
         [once]\n\
         \tOne_Time_Sequences = sequences-0.txt\n"
    );
    assert_eq!(sequence_files, [("sequences-0.txt".to_owned(), b" 1\n 2,3\n".to_vec())]);
}

#[test]
fn most_failing_cases_shrink_to_a_handful_of_packets_at_one_plain_door() {
    let mut runner = TestRunner::deterministic();
    let strategy = case(Resolution::Micro);
    let trees = std::iter::repeat_with(|| strategy.new_tree(&mut runner).unwrap());
    let fails = |case: &Case| case.expected().counts.retransmissions > 0;
    let failing = trees.filter(|tree| fails(&tree.current())).take(21);
    let shrunk: Vec<Case> = failing.map(|tree| shrink(tree, &fails)).collect();
    assert!(shrunk.iter().all(&fails));
    let mut packets: Vec<usize> = shrunk.iter().map(|case| case.sights.len()).collect();
    let mut doors: Vec<usize> = shrunk.iter().map(|case| case.setting.doors.len()).collect();
    packets.sort_unstable();
    doors.sort_unstable();
    assert!(packets[10] <= 4 && packets[20] <= 20, "{packets:?}");
    assert!(doors[10] == 1, "{doors:?}");
    for case in shrunk {
        assert_eq!(case.conf, conf(&case.setting.doors, &Style::plain()));
    }
}

/// Does what proptest does with a failing case.
fn shrink(mut tree: impl ValueTree<Value = Case>, fails: &dyn Fn(&Case) -> bool) -> Case {
    let mut smallest = tree.current();
    let mut more = tree.simplify();
    while more {
        let candidate = tree.current();
        more = if fails(&candidate) {
            smallest = candidate;
            tree.simplify()
        } else {
            tree.complicate()
        };
    }
    smallest
}

#[test]
fn a_case_is_written_as_files() {
    let folder = tempfile::tempdir().unwrap();
    let case = cases(Resolution::Micro, 1).remove(0);
    case.write_to(folder.path()).unwrap();
    let capture = std::fs::read(folder.path().join(case.capture().file_name())).unwrap();
    assert_eq!(capture, case.capture().to_bytes());
    let conf = std::fs::read(folder.path().join("knockd.conf")).unwrap();
    assert_eq!(conf, case.conf.text);
}

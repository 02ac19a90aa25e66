//! Checks the claims of warnings with the engine.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
#![expect(clippy::wildcard_enum_match_arm, reason = "only kinship is looked at")]

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use knock_config::lint::{self, Checked, Circumstances};
use knock_config::warnings::Warning;
use knock_config::{Fault, Span};

fn knock_at(ports: &[u16]) -> Vec<(f64, Packet)> {
    let at =
        |(number, port): (u32, &u16)| (f64::from(number) / 100.0, syn(A, *port).number(number));
    (1..).zip(ports).map(at).collect()
}

/// The doors that open under a rule set, in turn.
fn opened(rules: Rules, doors: &[Door], packets: &[(f64, Packet)]) -> Vec<String> {
    let play = Play::under(rules, doors.to_vec(), 1000).packets(packets);
    let opened = play.lines.iter().filter_map(|line| line.strip_suffix(": OPEN SESAME"));
    opened.map(|line| line.rsplit(": ").next().unwrap().to_string()).collect()
}

#[test]
fn of_two_doors_with_one_sequence_both_open() {
    let doors = [door("a", "1,2,3"), door("b", "1,2,3").syn()];
    assert_eq!(opened(Rules::Knock, &doors, &knock_at(&[1, 2, 3])), ["a", "b"]);
}

#[test]
fn a_door_whose_sequence_begins_another_opens_on_the_way() {
    let doors = [door("short", "1,2"), door("long", "1,2,3")];
    let packets = knock_at(&[1, 2, 3]);
    assert_eq!(opened(Rules::Knock, &doors, &packets), ["short", "long"]);
    let [short, long] = doors.clone();
    assert_eq!(opened(Rules::Knock, &[long.clone(), short.clone()], &packets), ["short", "long"]);
    // In one order of the file the attempt at the longer one is forgotten.
    assert_eq!(opened(Rules::Knockd08, &doors, &packets), ["short"]);
}

#[test]
fn a_door_whose_sequence_ends_another_opens_where_the_beginning_is_lost() {
    let doors = [door("short", "2,3"), door("long", "1,2,3")];
    assert_eq!(opened(Rules::Knock, &doors, &knock_at(&[1, 2, 3])), ["long"]);
    assert_eq!(opened(Rules::Knock, &doors, &knock_at(&[2, 3])), ["short"]);
}

#[test]
fn with_a_reversed_sequence_a_last_knock_sent_twice_keeps_knockd_08_shut() {
    let doors = [door("open", "1,2,3"), door("close", "3,2,1")];
    let packets = knock_at(&[1, 2, 3, 3, 1, 2, 3]);
    assert_eq!(opened(Rules::Knock, &doors, &packets), ["open", "open"]);
    assert_eq!(opened(Rules::Knockd08, &doors, &packets), ["open"]);
}

#[test]
fn with_a_rotated_sequence_every_try_after_a_lost_knock_opens_the_other_door() {
    let doors = [door("open", "1,2,3"), door("close", "2,3,1")];
    let whole = knock_at(&[1, 2, 3, 1, 2, 3]);
    assert_eq!(opened(Rules::Knock, &doors, &whole), ["open", "open"]);
    let first_is_lost = knock_at(&[2, 3, 1, 2, 3, 1, 2, 3]);
    assert_eq!(opened(Rules::Knock, &doors, &first_is_lost), ["close", "close"]);
}

#[test]
fn a_knock_that_comes_again_is_made_by_a_repeated_packet_in_knockd_08_only() {
    let doors = [door("d", "1,1,2")];
    let again = syn(A, 1).number(7);
    let packets = [(0.1, again), (1.1, again), (1.2, syn(A, 2).number(8))];
    assert_eq!(opened(Rules::Knockd08, &doors, &packets), ["d"]);
    assert_eq!(opened(Rules::Knock, &doors, &packets), Vec::<String>::new());
}

/// Returns a text with these doors, named by their index.
fn configuration(doors: &[Vec<u16>]) -> String {
    let text = |(place, ports): (usize, &Vec<u16>)| {
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let flags = ["", "tcpflags = syn\n"][place % 2];
        std::format!("[{place}]\nsequence = {}\n{flags}command =\n\n", ports.join(","))
    };
    doors.iter().enumerate().map(text).collect()
}

fn checked(text: &str) -> (Vec<Door>, Vec<(Warning, Option<Span>)>) {
    let with = Circumstances { ipv4_only: true, ..Circumstances::default() };
    let Checked { parsed, programs: _ } = lint::check(text.as_bytes(), &with);
    let advice = |diagnostic: &knock_config::Diagnostic| match &diagnostic.fault {
        Fault::Warning(warning) => Some((warning.clone(), diagnostic.span)),
        Fault::Line(_) | Fault::Value(_) | Fault::Option(_) => None,
    };
    let found = parsed.diagnostics.kept().iter().filter_map(advice).collect();
    (parsed.config.unwrap().doors.into_iter().map(|door| door.door()).collect(), found)
}

fn sequences() -> impl Strategy<Value = Vec<Vec<u16>>> {
    vec(vec(1..8_u16, 1..5), 1..5)
}

proptest! {
    /// So there is no warning about a door that others keep shut.
    #[test]
    fn the_knocks_of_a_door_open_it_whatever_other_doors_there_are(
        sequences in sequences(),
    ) {
        let (doors, _) = checked(&configuration(&sequences));
        for (place, ports) in sequences.iter().enumerate() {
            let opened = opened(Rules::Knock, &doors, &knock_at(ports));
            prop_assert!(opened.contains(&place.to_string()), "{place}: {opened:?}");
        }
    }

    /// A scan that begins at a lower port can make the first knock while it continues an attempt at
    /// another door, and then it begins none at this one.
    #[test]
    fn an_ascending_scan_opens_exactly_the_doors_with_a_warning(
        sequences in sequences(),
    ) {
        let (doors, found) = checked(&configuration(&sequences));
        let is_warned_of = |line: u32| found.iter().any(|(advice, span)| {
            matches!(advice, Warning::AscendingSequence { .. }) && span.unwrap().line == line
        });
        let opens = |first: u16, place: usize| {
            let scan: Vec<u16> = (first..9).collect();
            opened(Rules::Knock, &doors, &knock_at(&scan)).contains(&place.to_string())
        };
        let mut line = 2;
        for (place, ports) in sequences.iter().enumerate() {
            // A door with one knock has a warning of its own.
            if ports.len() > 1 {
                prop_assert_eq!(opens(ports[0], place), is_warned_of(line), "{}", place);
                prop_assert!(is_warned_of(line) || !opens(1, place), "{}", place);
            }
            line += if place % 2 == 0 { 4 } else { 5 };
        }
    }

    #[test]
    fn no_packet_opens_a_door_that_never_opens(
        ports in vec(1..8_u16, 1..4),
        target in prop::sample::select(&["0.0.0.0", "::", "2001:db8::1"][..]),
        packets in vec((1..8_u16, prop::sample::select(&["10.0.0.1", "192.0.2.1"][..])), 0..60),
    ) {
        let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
        let text = std::format!("[d]\ntarget = {target}\nsequence = {}\n", ports.join(","));
        let (doors, found) = checked(&text);
        let is_one = |advice: &Warning| matches!(advice, Warning::NeverOpens { .. });
        prop_assert!(found.iter().any(|(advice, _)| is_one(advice)), "{found:?}");
        let packet = |(number, (port, to)): (u32, &(u16, &str))| {
            (f64::from(number) / 100.0, syn(A, *port).to(to).number(number))
        };
        let packets: Vec<(f64, Packet)> = (1..).zip(&packets).map(packet).collect();
        prop_assert_eq!(opened(Rules::Knock, &doors, &packets), Vec::<String>::new());
    }

    /// The warnings about two doors are true of the named doors.
    #[test]
    fn doors_that_warnings_call_related_open_as_they_say(sequences in sequences()) {
        let text = configuration(&sequences);
        let (doors, found) = checked(&text);
        let door_at = |line: u32| -> usize {
            let header = text.lines().nth(usize::try_from(line).unwrap() - 1).unwrap();
            header.trim_matches(['[', ']']).parse().unwrap()
        };
        for (advice, span) in found {
            // The name is right above the sequence.
            let place = || door_at(span.unwrap().line - 1);
            let opened = |ports: &[u16]| opened(Rules::Knock, &doors, &knock_at(ports));
            let name = |place: usize| place.to_string();
            match advice {
                Warning::SameSequence { line, .. } | Warning::SequencePrefix { line, .. } => {
                    let opened = opened(&sequences[place()]);
                    prop_assert!(opened.contains(&name(place())));
                    prop_assert!(opened.contains(&name(door_at(line))));
                }
                Warning::SequenceSuffix { line, .. } => {
                    let (long, short) = (&sequences[place()], door_at(line));
                    let rest = &long[long.len() - sequences[short].len()..];
                    prop_assert!(opened(rest).contains(&name(short)));
                }
                Warning::ReversedSequence { line, .. } => {
                    let backwards: Vec<u16> = sequences[place()].iter().rev().copied().collect();
                    prop_assert!(opened(&backwards).contains(&name(door_at(line))));
                }
                _ => {}
            }
        }
    }
}

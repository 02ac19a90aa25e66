//! Runs cases with the engine alone: with reloads, and with rule sets that no program offers.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::Path;

use knock_compat::{Difference, Effect, Engine, Rules, TimedEffect};
use knock_config as config;
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Event, Limits, LinkType, Listening, Timestamp};
use knock_replay::diff::rules::compare::{Comparison, Happening};

use super::case_runner::Found;
use super::{Case, Who};
use crate::capture_builder::knocks;
use crate::drive;

pub(super) const CONF: &str = "knockd.conf";
pub(super) const SEQUENCES: &str = "sequences.txt";

/// What the real program prints at a reload, and no rule set does.
const RELOADING: &str =
    "re-reading config file: knockd.conf\nclosing log file: \nre-opening log file: \n";

/// Returns the rule set whose outcome it is.
///
/// # Panics
/// For the real program.
#[must_use]
pub(super) fn rules(who: Who) -> Rules {
    match who {
        Who::Real => panic!("the real program is no rule set"),
        Who::Knockd08 => Rules::Knockd08,
        Who::Knock => Rules::Knock,
    }
}

/// Plays a case.
///
/// # Panics
/// If the packets of the case are not understood.
#[must_use]
pub fn play(case: &Case, rules: Rules) -> Found {
    let (local, ipv4_only, limits) = arguments(case);
    let listening = Listening::at(local).with_ipv4_only(ipv4_only);
    let mut found =
        Found { sequences: case.part(SEQUENCES).map(<[u8]>::to_vec), ..Found::default() };
    let refused = |found: Found| Found { end: Some("status 2".into()), ..found };
    let Some(doors) = doors(case, case.conf()) else { return refused(found) };
    if rules.refusal(&doors, &listening).is_some() {
        return refused(found);
    }
    let mut engine = rules.engine(doors, listening, &limits);
    let capture = knocks::parse(Path::new(&case.name), case.knocks());
    let capture = capture.unwrap_or_else(|error| panic!("{error}"));
    let link = LinkType::from_number(capture.link.number());
    for (at, record) in capture.records.iter().enumerate() {
        if let Some(reload) = case.reload().filter(|reload| reload.packets_before == at) {
            let doors = self::doors(case, reload.conf).expect("a good configuration is read again");
            let now = Timestamp::from_nanos(record.at_ns);
            handle(&mut engine, now, Event::DeadlineReached, &mut found);
            found.output.extend(RELOADING.bytes());
            handle(&mut engine, now, Event::Reloaded(Box::new(doors)), &mut found);
        }
        let event = knock_compat::decode(&engine, link, &record.data)
            .map_or(Event::DeadlineReached, Event::Packet);
        handle(&mut engine, Timestamp::from_nanos(record.at_ns), event, &mut found);
    }
    handle(&mut engine, Timestamp::MAX, Event::DeadlineReached, &mut found);
    found
}

/// Returns the numbers of the differences in a case with a reload, which no program replays; `None` means
/// a line that differs for no known reason.
///
/// # Panics
/// If the case has no reload or is not understood.
#[must_use]
pub fn differences_at_a_reload(case: &Case) -> BTreeSet<Option<u8>> {
    let (local, ipv4_only, limits) = arguments(case);
    let listening = Listening::at(local).with_ipv4_only(ipv4_only);
    let reload = case.reload().expect("the configuration is read again");
    let doors = |conf| doors(case, conf).expect("the configuration is good");
    let (before, after) = (doors(case.conf()), doors(reload.conf));
    let mut comparison = Comparison::new(&before, &listening, &limits);
    let capture = knocks::parse(Path::new(&case.name), case.knocks());
    let capture = capture.unwrap_or_else(|error| panic!("{error}"));
    let link = LinkType::from_number(capture.link.number());
    let mut differing = Vec::new();
    let mut now = Timestamp::EPOCH;
    for (at, record) in capture.records.iter().enumerate() {
        // Right after the packet before, so that no attempt has timed out.
        if reload.packets_before == at {
            differing.extend(comparison.step(now, &Happening::Reloaded(&after), drop));
        }
        now = Timestamp::from_nanos(record.at_ns);
        differing.extend(comparison.step(now, &Happening::Frame(link, &record.data), drop));
    }
    differing.extend(comparison.step(Timestamp::MAX, &Happening::Time, drop));
    differing.iter().map(|one| one.due_to.map(Difference::number)).collect()
}

fn handle(engine: &mut Engine, at: Timestamp, event: Event, found: &mut Found) {
    drive::tell(engine, at, event, |engine, TimedEffect { effect, .. }| {
        let mut text = Vec::new();
        let channel = transcript::write(&effect, engine.doors(), &mut text);
        text.push(b'\n');
        match channel {
            Channel::Transcript => found.output.extend(text),
            Channel::Message | Channel::Note => found.errors += &String::from_utf8_lossy(&text),
        }
        if let (Effect::MarkOneTime { offset, .. }, Some(file)) = (effect, &mut found.sequences) {
            file[usize::try_from(offset).expect("files are small")] = b'#';
        }
    });
}

/// Returns the doors of a configuration; `None` if anything is wrong with it.
fn doors(case: &Case, conf: &[u8]) -> Option<Doors> {
    let mut doors = Vec::new();
    for mut door in config::parse(conf).config?.doors {
        if door.one_time_file().is_some() {
            let (sequences, _) = knock_config::parse_one_time(case.part(SEQUENCES)?);
            door.set_one_time(sequences?);
        }
        doors.push(door.door());
    }
    Doors::new(doors).ok()
}

/// Returns what the arguments of a case mean: the local addresses, whether only IPv4 counts, and
/// the limits.
///
/// # Panics
/// If an argument is not one of those that cases may use.
#[must_use]
pub(super) fn arguments(case: &Case) -> (Vec<IpAddr>, bool, Limits) {
    let (mut local, mut ipv4_only, mut limits) = (vec![], false, Limits::default());
    let arguments = case.args();
    let mut words = arguments.iter();
    let value = |word: Option<&String>| word.expect("an argument has a value").clone();
    while let Some(word) = words.next() {
        match &word[..] {
            "--local" => local.push(value(words.next()).parse().expect("an address")),
            "--max-attempts" => {
                let attempts: NonZeroU32 = value(words.next()).parse().expect("a number");
                limits.attempts = attempts;
            }
            "-4" => ipv4_only = true,
            other => panic!("{}: unknown argument {other}", case.name),
        }
    }
    (local, ipv4_only, limits)
}

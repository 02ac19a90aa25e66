//! The engine on a case, with its lines in both orders.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use knock_compat::{Difference, Effect, Engine, Knockd08Effect, Rules, TimedEffect};
use knock_config as config;
use knock_engine::transcript::{self, Channel};
use knock_engine::{
    Counts, DoorId, Doors, Event, Limits, LinkType, Listening, Note, Phase, Timestamp,
};

use knock_replay::diff::rules::compare::{self, Comparison, Differing, Happening};

use crate::drive;
use crate::generators::Conf;
use crate::generators::knockd_08::Case;

/// What knockd 0.8 prints when it exits because of a configuration that it refuses.
const FAREWELL: &str = "waiting for child processes...\nclosing...\n";

/// What it prints at a reload.
const RELOADING: &str =
    "re-reading config file: knockd.conf\nclosing log file: \nre-opening log file: \n";

/// What the engine did.
#[derive(Debug, Default)]
pub struct Played {
    /// The transcript in the order of time.
    pub live: Vec<u8>,
    /// The transcript in the order of the oracle: stop commands after their start commands.
    pub as_oracle: Vec<u8>,
    /// The stop commands that were not due `cmd_timeout` after a start command; empty if all were.
    pub late: Vec<u8>,
    /// The files of one-time sequences in the end.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Whether a configuration was refused.
    pub refused: bool,
    /// Whether knockd 0.8 exited because it could not update its filter.
    pub ended: bool,
    /// Whether knockd 0.8 crashes.
    pub crashed: bool,
    /// Counters of what happened.
    pub counts: Counts,
    /// How many attempts were left in the end.
    pub live_attempts: usize,
    /// How many one-time sequences were used.
    pub used: usize,
    /// How many openings had a command that is too long.
    pub too_long: usize,
    /// How many frames carried nothing that could be a knock.
    pub undecodable: usize,
    /// How many packets did not have the TCP flags that an attempt asks for.
    pub other_flags: usize,
}

/// Plays a case.
pub(super) fn play(case: &Case) -> Played {
    let files = case.conf.sequence_files.iter().cloned().collect();
    let (doors, names) = read(&case.conf, &files);
    let local = case.local().iter().copied();
    let listening = Listening::at(local).with_ipv4_only(case.setting.ipv4_only);
    if Rules::Knockd08.refusal(&doors, &listening).is_some() {
        let as_oracle = FAREWELL.into();
        return Played { as_oracle, files, refused: true, ..Played::default() };
    }
    let engine = Rules::Knockd08.engine(doors, listening, &Limits::default());
    let played = Played { files, ..Played::default() };
    let output = Output { names: BTreeMap::new(), lines: vec![], played };
    let mut playback = Playback { engine, output };
    playback.name_files(names);
    let link = LinkType::from_number(case.capture.link.number());
    let mut now = Timestamp::EPOCH;
    for at in 0..=case.capture.records.len() {
        if playback.output.played.crashed || playback.output.played.ended {
            break;
        }
        if let Some(reload) = case.reload.as_ref().filter(|reload| reload.frames_before == at) {
            let changed = reload.changed.as_ref().map(|(_, conf)| conf);
            let new_files = changed.map(|conf| conf.sequence_files.clone());
            playback.output.played.files.extend(new_files.unwrap_or_default());
            if !playback.reload(now, changed.unwrap_or(&case.conf)) {
                break;
            }
        }
        let Some(record) = case.capture.records.get(at) else { break };
        let stamp = Timestamp::from_nanos(record.at_ns);
        now = now.max(stamp);
        let event = knock_compat::decode(&playback.engine, link, &record.data).map(Event::Packet);
        playback.output.played.undecodable += usize::from(event.is_err());
        playback.handle(stamp, event.unwrap_or(Event::DeadlineReached));
    }
    playback.handle(Timestamp::MAX, Event::DeadlineReached);
    let Playback { engine, mut output } = playback;
    output.played.counts = engine.counts();
    output.played.live_attempts = engine.live_attempts();
    output.finish()
}

/// Returns why lines of a case differ between knockd 0.8 and knock; `Err` with the first line that
/// differs for no known reason. `None` if a configuration with one-time sequences is reloaded: the
/// content of the files then depends on which program marked them.
///
/// # Errors
/// The first line that differs for no known reason.
///
/// # Panics
/// If the configuration is not a good one.
#[must_use]
pub fn differences(case: &Case) -> Option<Result<BTreeSet<Difference>, compare::Line>> {
    let files: BTreeMap<String, Vec<u8>> = case.conf.sequence_files.iter().cloned().collect();
    let reload = case.reload.as_ref();
    let reloaded =
        reload.map(|reload| reload.changed.as_ref().map_or(&case.conf, |(_, conf)| conf));
    let has_files = |conf: &Conf| !conf.sequence_files.is_empty();
    if reload.is_some() && (has_files(&case.conf) || reloaded.is_some_and(has_files)) {
        return None;
    }
    let (doors, _) = read(&case.conf, &files);
    let new_doors = reloaded.map(|conf| read(conf, &files).0);
    let local = case.local().iter().copied();
    let listening = Listening::at(local).with_ipv4_only(case.setting.ipv4_only);
    // knockd 0.8 exits at such a reload, but the bridge does not.
    let refuses = |doors: &Doors| Rules::Knockd08.refusal(doors, &listening).is_some();
    if new_doors.as_ref().is_some_and(refuses) {
        return None;
    }
    let mut comparison = Comparison::new(&doors, &listening, &Limits::default());
    let link = LinkType::from_number(case.capture.link.number());
    let mut differing = Vec::new();
    let mut now = Timestamp::EPOCH;
    for at in 0..=case.capture.records.len() {
        if let Some(doors) = &new_doors
            && reload.is_some_and(|reload| reload.frames_before == at)
        {
            differing.extend(comparison.step(now, &Happening::Reloaded(doors), drop));
        }
        let Some(record) = case.capture.records.get(at) else { break };
        now = Timestamp::from_nanos(record.at_ns);
        differing.extend(comparison.step(now, &Happening::Frame(link, &record.data), drop));
    }
    differing.extend(comparison.step(Timestamp::MAX, &Happening::Time, drop));
    let due_to = |one: Differing| one.due_to.ok_or(one.line);
    Some(differing.into_iter().map(due_to).collect())
}

/// Reads a configuration with its sequences as they are now. Returns the name of the file of each
/// door besides.
fn read(conf: &Conf, files: &BTreeMap<String, Vec<u8>>) -> (Doors, Vec<Option<String>>) {
    let parsed = config::parse(&conf.text);
    let config = parsed.config.unwrap_or_else(|| panic!("{:?}", parsed.diagnostics));
    let (mut doors, mut names) = (Vec::new(), Vec::new());
    for mut door in config.doors {
        let name = door.one_time_file().map(ToString::to_string);
        if let Some(name) = &name {
            let sequences = knock_config::parse_one_time(&files[name]).0.expect("the file is good");
            door.set_one_time(sequences);
        }
        doors.push(door.door());
        names.push(name);
    }
    (Doors::new(doors).expect("there are few doors"), names)
}

/// The engine at work.
struct Playback {
    engine: Engine,
    output: Output,
}

/// What came out of it.
struct Output {
    /// The file of each door with one-time sequences.
    names: BTreeMap<DoorId, String>,
    lines: Vec<Line>,
    played: Played,
}

/// A line of the transcript.
struct Line {
    at: Timestamp,
    text: Vec<u8>,
    part: Part,
}

/// The client and the door of an opening.
type Opening = (IpAddr, DoorId);

/// The role of a line in an opening.
#[derive(Clone, Copy)]
enum Part {
    None,
    /// The start command. If there is a stop command, it is due at this time.
    Start(Opening, Timestamp),
    /// The end of the command timeout; the stop command follows at once.
    Timeout(Opening),
    /// The stop command.
    Stop(Opening),
}

impl Playback {
    fn name_files(&mut self, names: Vec<Option<String>>) {
        let ids = self.engine.doors().in_order().map(|(id, _)| id);
        self.output.names.extend(ids.zip(names).filter_map(|(id, name)| Some((id, name?))));
    }

    /// Returns whether the daemon goes on.
    fn reload(&mut self, now: Timestamp, conf: &Conf) -> bool {
        self.handle(now, Event::DeadlineReached);
        self.output.push(now, RELOADING.into(), Part::None);
        let (doors, names) = read(conf, &self.output.played.files);
        if Rules::Knockd08.refusal(&doors, self.engine.listening()).is_some() {
            self.output.push(now, FAREWELL.into(), Part::None);
            self.output.played.refused = true;
            return false;
        }
        self.handle(now, Event::Reloaded(Box::new(doors)));
        self.name_files(names);
        true
    }

    fn handle(&mut self, at: Timestamp, event: Event) {
        let Self { engine, output } = self;
        drive::tell(engine, at, event, |engine, timed| output.take(engine.doors(), timed));
    }
}

impl Output {
    fn take(&mut self, doors: &Doors, TimedEffect { at, effect }: TimedEffect) {
        let mut text = Vec::new();
        if transcript::write(&effect, doors, &mut text) == Channel::Transcript {
            text.push(b'\n');
            self.push(at, text, part(doors, at, &effect));
        }
        if let Effect::MarkOneTime { door, offset, .. } = effect {
            self.played.used += 1;
            let name = &self.names[&door];
            let text = self.played.files.get_mut(name).expect("the door has a file");
            text[usize::try_from(offset).expect("files are small")] = b'#';
        }
        self.played.crashed |= matches!(effect, Effect::Own(Knockd08Effect::Crashed { .. }));
        if matches!(effect, Effect::Own(Knockd08Effect::FilterRefused { .. })) {
            self.lines.push(Line { at, text: FAREWELL.into(), part: Part::None });
            self.played.ended = true;
        }
        let other_flags = matches!(effect, Effect::Note(Note::OtherFlags { .. }));
        self.played.other_flags += usize::from(other_flags);
        let too_long = matches!(effect, Effect::Own(Knockd08Effect::CommandTooLong { .. }));
        self.played.too_long += usize::from(too_long);
    }

    fn push(&mut self, at: Timestamp, text: Vec<u8>, part: Part) {
        self.played.live.extend(&text);
        self.lines.push(Line { at, text, part });
    }

    fn finish(mut self) -> Played {
        let mut stops = self.stops();
        for line in self.lines {
            match line.part {
                Part::None => self.played.as_oracle.extend(line.text),
                Part::Start(opening, due) => {
                    self.played.as_oracle.extend(line.text);
                    let stops = stops.entry(opening).or_default();
                    if stops.front().is_some_and(|(at, _)| *at == due) {
                        self.played.as_oracle.extend(stops.pop_front().unwrap_or_default().1);
                    }
                }
                Part::Timeout(_) | Part::Stop(_) => {}
            }
        }
        let late = stops.into_values().flatten().flat_map(|(_, text)| text);
        self.played.late = late.collect();
        self.played
    }

    /// Returns the lines of the stop commands of each opening, in order, with their times.
    fn stops(&self) -> BTreeMap<Opening, VecDeque<(Timestamp, Vec<u8>)>> {
        let mut stops: BTreeMap<Opening, VecDeque<(Timestamp, Vec<u8>)>> = BTreeMap::new();
        for line in &self.lines {
            match line.part {
                Part::Timeout(opening) => {
                    stops.entry(opening).or_default().push_back((line.at, line.text.clone()));
                }
                Part::Stop(opening) => match stops.entry(opening).or_default().back_mut() {
                    Some((at, text)) if *at == line.at => text.extend(&line.text),
                    other => panic!("{other:?} comes before the stop command"),
                },
                Part::None | Part::Start(..) => {}
            }
        }
        stops
    }
}

/// Returns what the line of an effect is to an opening.
fn part(doors: &Doors, at: Timestamp, effect: &Effect) -> Part {
    if let Effect::CommandTimedOut { client, door } = *effect {
        return Part::Timeout((client, door));
    }
    let Effect::RunCommand { client, door, phase, .. } = *effect else { return Part::None };
    match phase {
        Phase::Start => {
            let timeout = doors.door(door).cmd_timeout;
            Part::Start((client, door), at.saturating_add(timeout))
        }
        Phase::Stop => Part::Stop((client, door)),
    }
}

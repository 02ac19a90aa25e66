//! Runs one test after another: from its files to its result.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use knock_compat::{Effect, Knockd08Effect, Rules};
use knock_config::Setup;
use knock_config::file_faults::WriteFault;
use knock_config::text::{printable, shown};
use knock_engine::address;
use knock_engine::transcript;
use knock_engine::{Doors, Limits, TooManyDoors};

use super::find::Found;
use super::outcome::{Detail, Outcome, Verdict};
use crate::args::TestArgs;
use crate::explain::Places;
use crate::output::Output as _;
use crate::output::text::{Printer, Shown};
use crate::session::drive::Played;
use crate::session::exit::Exit;
use crate::session::load;
use crate::session::reader::Reader;
use crate::test::assert::{self, Assertions, Judgement, Settings, Trial};
use crate::test::expect::{self, KeptTranscript, TOO_LONG};
use knock_capture::scenario::Signers;
use knock_capture::{Merge, Opener};

/// The error if no packet was admitted.
const NONE_ADMITTED: &str = "no packet was admitted, so nothing was tested; check the ports, \
                              tcpflags, targets and local addresses, or assert `nothing is \
                              admitted`";

/// Runs tests, and reads each configuration once.
pub(super) struct Judge<'a> {
    args: &'a TestArgs,
    configs: BTreeMap<PathBuf, Rc<Config>>,
    /// The files that tests read: none of them is written.
    read: BTreeSet<PathBuf>,
}

/// A configuration that was read.
struct Config {
    setup: Rc<Setup>,
    /// The doors, or why there are none if the setup does not say.
    doors: Result<Doors, Option<TooManyDoors>>,
    places: Places,
}

/// Why a test does not pass.
struct Failure {
    verdict: Verdict,
    details: Vec<Detail>,
}

impl Failure {
    fn error(exit: Exit, detail: Detail) -> Self {
        Self { verdict: Verdict::Error(exit), details: vec![detail] }
    }

    fn message(message: impl Into<String>) -> Self {
        Self::error(Exit::Config, Detail::Message(message.into()))
    }
}

/// What a test is made of.
struct Test<'t> {
    capture: &'t Path,
    config_path: &'t Path,
    config: &'t Config,
    local: &'t [IpAddr],
    settings: &'t Settings,
    assertions: &'t [Assertions],
    expect: Option<&'t Path>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(args: &'a TestArgs) -> Self {
        Self { args, configs: BTreeMap::new(), read: BTreeSet::new() }
    }

    /// Finds out which files these tests read.
    pub(super) fn look(&mut self, tests: &[Found]) -> &BTreeSet<PathBuf> {
        for found in tests {
            self.read.extend(found.captures.iter().chain(&found.assert).cloned());
            let assert = found.assert.as_deref();
            let assert = assert.filter(|path| must_be_a_file(path, Exit::Config).is_ok());
            let settings = assert.and_then(|path| assert::load(path, None).ok());
            let settings = settings.map(|assertions| assertions.settings).unwrap_or_default();
            let Ok(path) = self.config_path(found, &settings) else { continue };
            if must_be_a_file(&path, Exit::Config).is_ok() {
                let config = self.config(&path);
                self.read.extend(config.places.files().map(Path::to_owned));
            }
            self.read.insert(path);
        }
        &self.read
    }

    /// Returns the configurations that were read.
    pub(super) fn configs(&self) -> impl Iterator<Item = &Path> {
        self.configs.keys().map(PathBuf::as_path)
    }

    /// Runs a test.
    pub(super) fn judge(&mut self, found: &Found) -> Outcome {
        let mut outcome = Outcome {
            name: found.name(),
            root: shown(&found.root),
            capture: found.captures.first().map(|capture| shown(capture)),
            config: None,
            assertions: 0,
            unreadable: 0,
            verdict: Verdict::Passed,
            details: Vec::new(),
        };
        match self.run(found, &mut outcome) {
            Ok(verdict) => outcome.verdict = verdict,
            Err(Failure { verdict, details }) => {
                outcome.verdict = verdict;
                outcome.details = details;
            }
        }
        outcome
    }

    fn run(&mut self, found: &Found, outcome: &mut Outcome) -> Result<Verdict, Failure> {
        let capture = self.capture(found)?;
        let unusable = |cause| Failure::error(Exit::Config, Detail::Unusable(cause));
        let settings = match &found.assert {
            Some(path) => assert::load(path, None).map_err(unusable)?.settings,
            None => Settings::default(),
        };
        let path = self.config_path(found, &settings)?;
        outcome.config = Some(shown(&path));
        must_be_a_file(&path, Exit::Config)?;
        let config = self.config(&path);
        let doors = match &config.doors {
            Ok(doors) => doors,
            Err(None) => {
                let detail = Detail::Config(Rc::clone(&config.setup));
                return Err(Failure::error(Exit::Config, detail));
            }
            Err(Some(why)) => return Err(Failure::message(format!("{}: {why}", shown(&path)))),
        };
        let read = |path| assert::load(path, Some(doors)).map_err(unusable);
        let assertions: Vec<Assertions> =
            found.assert.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
        outcome.assertions = assertions.iter().map(Assertions::len).sum();
        let is_new = self.args.bless && found.assert.is_none() && found.expect.is_none();
        let new = is_new.then(|| with_suffix(&found.stem, ".expect"));
        let test = Test {
            capture,
            config_path: &path,
            config: &config,
            local: if self.args.local.is_empty() { &settings.local } else { &self.args.local },
            settings: &settings,
            assertions: &assertions,
            expect: found.expect.as_deref().or(new.as_deref()),
        };
        self.hold(&test, doors, &mut outcome.unreadable)
    }

    /// Returns the capture of a test that has one and something to check it against.
    fn capture<'f>(&self, found: &'f Found) -> Result<&'f Path, Failure> {
        let capture = match &found.captures[..] {
            [] => {
                return Err(Failure::message(format!(
                    "there is no capture or scenario beside what is expected: make {}.scenario",
                    found.name()
                )));
            }
            [capture] => capture,
            several => {
                let list: Vec<String> = several.iter().map(|path| shown(path)).collect();
                return Err(Failure::message(format!(
                    "these belong to the same test: {}; give each its own name",
                    list.join(", ")
                )));
            }
        };
        must_be_a_file(capture, Exit::Capture)?;
        for path in [&found.assert, &found.expect].into_iter().flatten() {
            must_be_a_file(path, Exit::Config)?;
        }
        if found.assert.is_none() && found.expect.is_none() && !self.args.bless {
            let name = found.name();
            return Err(Failure::message(format!(
                "no expectations: write {name}.assert, or create {name}.expect \
                 with --bless"
            )));
        }
        Ok(capture)
    }

    fn config_path(&self, found: &Found, settings: &Settings) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.args.config {
            return Ok(path.clone());
        }
        if let Some(path) = &settings.config {
            let folder = found.stem.parent().unwrap_or(Path::new(""));
            return Ok(folder.join(path));
        }
        found.config.clone().ok_or_else(|| {
            Failure::message(format!(
                "there is no knockd.conf in its folder or above it, up to {}: name one with --config, \
                 or in {}.assert with a line `config FILE`",
                shown(&found.root),
                found.name()
            ))
        })
    }

    fn config(&mut self, path: &Path) -> Rc<Config> {
        let read = || {
            let setup = Setup::load_unless(path, load::refusal);
            let doors = match &setup.config {
                Some(config) => knock_config::doors(config).map_err(Some),
                None => Err(None),
            };
            let places = Places::new(path, &setup);
            Rc::new(Config { setup: Rc::new(setup), doors, places })
        };
        Rc::clone(self.configs.entry(path.to_owned()).or_insert_with(read))
    }

    /// Replays a test and checks the result.
    fn hold(
        &self,
        test: &Test<'_>,
        doors: &Doors,
        unreadable: &mut u64,
    ) -> Result<Verdict, Failure> {
        let rules = test.settings.rules.unwrap_or(Rules::Knock);
        let capture = Opener::new(Signers::of(&[doors]))
            .open(test.capture)
            .map_err(|error| Failure::error(Exit::Capture, Detail::Capture(Box::new(error))))?;
        let only_ip_v4 = test.settings.only_ip_v4;
        let mut reader = Reader::at(test.local, only_ip_v4, Merge::new(vec![capture]));
        if let Some(refusal) = rules.refusal(doors, &reader.listening()) {
            return Err(Failure::message(format!("knockd 0.8 would not start: {refusal}")));
        }
        let limits = load::limits(Limits::DEFAULT_ATTEMPTS);
        let about = (doors.clone(), &test.config.places);
        let mut trial = Trial::new(test.assertions, rules, about, &reader, limits);
        let (mut kept, mut no_messages) = (KeptTranscript::default(), io::sink());
        // Only what is compared is made.
        let mut printer =
            test.expect.map(|_| Printer::new(Shown::default(), None, &mut kept, &mut no_messages));
        let mut spoiled = None;
        let (playing, replayed) = trial.run(&mut reader, |played| {
            spoiled = spoiled.take().or_else(|| spoils(played));
            printer.as_mut().map_or(Ok(()), |printer| printer.one(*played))
        });
        let flushed = printer.as_mut().map_or(Ok(()), Printer::flush);
        drop(printer);
        if replayed.and(flushed).is_err() {
            // Nothing but the transcript that is kept can fail.
            return Err(Failure::error(Exit::Output, Detail::Message(TOO_LONG.to_owned())));
        }
        let reading = reader.finish();
        *unreadable = reading.tally.unreadable_packets();
        let errors = reading.errors;
        if !errors.is_empty() {
            let details = errors.into_iter().map(|error| Detail::Capture(Box::new(error)));
            let (verdict, details) = (Verdict::Error(Exit::Capture), details.collect());
            return Err(Failure { verdict, details });
        }
        let judgement = trial.judge(&playing, &test.explaining());
        // A transcript can be expected that ends so; what is asserted would hold for a wrong reason.
        let spoiled = spoiled.filter(|_| !test.assertions.is_empty());
        self.verdict(test, judgement, spoiled, &kept)
    }

    fn verdict(
        &self,
        test: &Test<'_>,
        judgement: Judgement,
        spoiled: Option<String>,
        kept: &KeptTranscript,
    ) -> Result<Verdict, Failure> {
        let holds = judgement.holds() && spoiled.is_none();
        let mut details: Vec<Detail> = spoiled.map(Detail::Message).into_iter().collect();
        if judgement.proves_nothing {
            details.push(Detail::Message(NONE_ADMITTED.to_owned()));
        }
        if !judgement.failed.is_empty() {
            details.push(Detail::Assertions(judgement.failed));
        }
        let mut verdict = Verdict::Passed;
        match test.expect {
            Some(path) if self.args.bless && holds => {
                if bless(path, kept, &self.read)? {
                    verdict = Verdict::Blessed;
                }
            }
            Some(path) if !judgement.proves_nothing => details.extend(compare(path, kept)?),
            Some(_) | None => {}
        }
        if details.is_empty() {
            return Ok(verdict);
        }
        Err(Failure { verdict: Verdict::Failed, details })
    }
}

impl Test<'_> {
    /// Returns the command line that explains the test, but for the option that says whom.
    fn explaining(&self) -> String {
        let local =
            self.local.iter().flat_map(|local| ["--local".to_owned(), address::text(*local)]);
        let local = local.map(OsString::from);
        let (capture, config) = (self.capture.into(), self.config_path.into());
        let mut words: Vec<OsString> =
            vec!["knock-replay".into(), "explain".into(), capture, "-c".into(), config];
        words.extend(local);
        words.extend(self.settings.only_ip_v4.then(|| "-4".into()));
        let words = words.iter().map(|word| word.as_bytes());
        // A name with a NUL cannot be that of a file.
        let command = shlex::bytes::try_join(words).unwrap_or_default();
        printable(&command)
    }
}

/// Refuses pipes, which would block, and links to nothing. A missing file is reported where it is read.
fn must_be_a_file(path: &Path, exit: Exit) -> Result<(), Failure> {
    match fs::metadata(path) {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_ok() =>
        {
            let message = format!(
                "{} is a link to a file that is not there: remove or correct it",
                shown(path)
            );
            Err(Failure::error(exit, Detail::Message(message)))
        }
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
            let message = format!("{} is not a regular file", shown(path));
            Err(Failure::error(exit, Detail::Message(message)))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Returns the words for it, if after this a door does less than its configuration says: that it does not
/// open or runs nothing then proves nothing.
fn spoils(played: &Played<'_>) -> Option<String> {
    let spoils = matches!(
        played.timed.effect,
        Effect::Own(
            Knockd08Effect::Crashed { .. }
                | Knockd08Effect::FilterRefused { .. }
                | Knockd08Effect::CommandTooLong { .. }
        ) | Effect::OpeningRefused { .. }
    );
    let mut text = Vec::new();
    spoils.then(|| transcript::write(&played.timed.effect, played.doors, &mut text))?;
    Some(printable(&text))
}

/// Writes what is expected from now on. Returns whether it is something else than before.
fn bless(path: &Path, kept: &KeptTranscript, read: &BTreeSet<PathBuf>) -> Result<bool, Failure> {
    if expect::read(path).is_ok_and(|before| before == kept.bytes) {
        return Ok(false);
    }
    expect::write(path, kept, read.iter().map(PathBuf::as_path)).map(|()| true).map_err(|error| {
        let message = format!("cannot write {}: {}", shown(path), WriteFault(&error));
        Failure::error(Exit::Output, Detail::Message(message))
    })
}

/// Compares a transcript with what is expected.
fn compare(path: &Path, kept: &KeptTranscript) -> Result<Option<Detail>, Failure> {
    let name = shown(path);
    let expected =
        expect::read(path).map_err(|why| Failure::message(format!("cannot read {name}: {why}")))?;
    if expected == kept.bytes {
        return Ok(None);
    }
    let difference = expect::difference(&name, &expected, kept);
    Ok(Some(Detail::Transcript(name, difference)))
}

fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

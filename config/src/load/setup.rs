//! From texts to doors, or to errors.

use std::collections::BTreeMap;
use std::path::Path;

use super::check::{Check, has_sequences};
use super::files::{Files, Refusal, Unreadable, Waits, path_of, read_configuration, read_one_time};
use super::host::Host;
use super::include::Expanded;
use super::key::read_sequence_key;
use super::secrets::read_sequence;
use super::user_keys::{UserKeysError, read_user_keys};
use crate::config::{Config, DoorConfig};
use crate::diagnostics::{self, Diagnostics, Finding, Source, Style};
use crate::lint::KeyInFile;
use crate::names::FileName;
use crate::read;
use crate::text::shown;
use crate::wording::{Severity, Wording};
use knock_engine::{DoorName, Doors, OneTimeSequences, Sequence, TooManyDoors, UserKey};
use knock_guard::Modes;
use knock_signed::SequenceKey;

/// The most bytes of sequence files, over all doors: a configuration can name a file once a door,
/// and each door has its sequences in memory.
pub const MAX_ONE_TIME_BYTES: u64 = 4 << 20;

/// The result of reading a configuration and the files it names.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configuration, every door with its sequences; `None` if anything is in error.
    pub config: Option<Config>,
    /// The texts that could be read.
    pub files: Files,
    outcome: Outcome,
}

#[derive(Clone, Debug)]
enum Outcome {
    /// The configuration could not be read.
    Unreadable(Wording),
    /// What was found in the configuration, then in each sequence file with findings.
    Read(Vec<Source>),
}

impl Setup {
    /// Reads the configuration at `path` and its sequence files, which are relative to the
    /// current directory.
    ///
    /// The configuration may be a pipe; a sequence file, which must be marked, may not. Sequence
    /// files are read only if there is no error in the configuration.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        Self::load_within(path, Modes::Any, Waits::Forever)
    }

    /// Does the same as [`Setup::load`] for a program that runs the commands: only files are read that
    /// these modes allow. Waits so long for a configuration that is a pipe.
    #[must_use]
    pub fn load_within(path: &Path, modes: Modes, waits: Waits) -> Self {
        Self::load_as(path, modes, waits, |_| None)
    }

    /// Does the same as [`Setup::load`], unless `refuse` rejects the text of the configuration. It gets
    /// a little more than [`crate::MAX_FILE_BYTES`] at most.
    #[must_use]
    pub fn load_unless(path: &Path, refuse: impl FnOnce(&[u8]) -> Option<Refusal>) -> Self {
        Self::load_as(path, Modes::Any, Waits::Forever, refuse)
    }

    fn load_as(
        path: &Path,
        modes: Modes,
        waits: Waits,
        refuse: impl FnOnce(&[u8]) -> Option<Refusal>,
    ) -> Self {
        match read_configuration(path, modes, waits, refuse) {
            Ok(text) => {
                let text = Expanded::new(path, text, modes);
                Self::new(path, text, |_| true, OnDisk::of_server(modes), None)
            }
            Err(cause) => Self::unreadable(path, &cause),
        }
    }

    /// Does the same as [`Setup::load`] for a program that uses some of the doors, such as a client: the
    /// sequence files of the others are not read, and need not exist.
    #[must_use]
    pub fn load_for(path: &Path, wanted: impl Fn(&DoorName) -> bool) -> Self {
        match read_configuration(path, Modes::Any, Waits::Forever, |_| None) {
            Ok(text) => {
                let text = Expanded::new(path, text, Modes::Any);
                Self::new(path, text, wanted, OnDisk::of_client(), None)
            }
            Err(cause) => Self::unreadable(path, &cause),
        }
    }

    /// Does the same as [`Setup::load_unless`], with advice.
    pub(crate) fn check(
        path: &Path,
        refuse: impl FnOnce(&[u8]) -> Option<Refusal>,
        with: &Check<'_>,
    ) -> Self {
        let modes = with.host.map_or(Modes::Any, Host::modes);
        match read_configuration(path, modes, with.waits, refuse) {
            Ok(text) => {
                let text = Expanded::new(path, text, modes);
                Self::new(path, text, |_| true, OnDisk::of_server(modes), Some(with))
            }
            Err(cause) => Self::unreadable(path, &cause),
        }
    }

    fn unreadable(path: &Path, cause: &Unreadable) -> Self {
        let wording = cause.wording(&shown(path), &cause.help_for_configuration());
        Self { config: None, files: Files::default(), outcome: Outcome::Unreadable(wording) }
    }

    /// Makes a setup of texts that were read before; `name` is the path of the configuration.
    /// Nothing is read.
    ///
    /// The files of a setup without errors give the same configuration and the same report. A
    /// sequence file that is named and not among `files` is an error.
    #[must_use]
    pub fn parse(name: &Path, files: Files) -> Self {
        let Files { configuration, parts, one_time, sequences, keys, packet_keys } = files;
        let text = Expanded { text: configuration, parts, findings: Vec::new() };
        Self::new(name, text, |_| true, ReadBefore { one_time, sequences, keys, packet_keys }, None)
    }

    fn new(
        name: &Path,
        configuration: Expanded,
        wanted: impl Fn(&DoorName) -> bool,
        named: impl NamedFiles,
        check: Option<&Check<'_>>,
    ) -> Self {
        let Expanded { text: configuration, parts, findings } = configuration;
        let parsed = match check {
            Some(check) => check.configuration(name, &configuration),
            None => read::parse(&configuration),
        };
        let mut source = Source::new(shown(name), configuration.clone(), &parsed.diagnostics);
        source.findings.extend(findings);
        let mut reader = Reader::new(named, source, check);
        let has_sequences = parsed.config.as_ref().is_none_or(has_sequences);
        let included = parts.files().map(Path::to_owned).collect();
        let config = parsed.config.map(|config| {
            let config = Config { included, ..config };
            let config = reader.give_sequences(config, &configuration, wanted);
            reader.give_keys(config, &configuration, parsed.diagnostics)
        });
        let packet_keys = config.as_ref().map(|config| config.keys.clone()).unwrap_or_default();
        let Reader { named: _, check: _, sources, files, fixed, keys, bytes: _ } = reader;
        let mut sources = sources.into_iter();
        let main = sources.next().map(|main| parts.split(main)).unwrap_or_default();
        let check = check.filter(|_| has_sequences);
        let of_parts = parts.files().filter_map(|path| check?.included(path));
        let sources: Vec<Source> = main.into_iter().chain(of_parts).chain(sources).collect();
        let errors = sources.iter().any(|source| source.errors() > 0);
        let one_time = files.into_iter().map(|(name, (text, _))| (name, text)).collect();
        let sequences = fixed.into_iter().map(|(name, (text, _))| (name, text)).collect();
        Self {
            config: config.filter(|_| !errors),
            files: Files { configuration, parts, one_time, sequences, keys, packet_keys },
            outcome: Outcome::Read(sources),
        }
    }

    /// Returns what [`Setup::report`] does without the warnings, which are for the administrator of the
    /// doors and not for their clients.
    #[must_use]
    pub fn report_of_errors(&self, style: Style) -> String {
        match &self.outcome {
            Outcome::Unreadable(_) => self.report(style),
            Outcome::Read(sources) => {
                let sources: Vec<Source> = sources.iter().map(Source::without_warnings).collect();
                diagnostics::render(&sources, style)
            }
        }
    }

    /// Returns what was found, source by source; `Err` says why the configuration could not be read.
    pub(crate) fn sources(&self) -> Result<&[Source], &Wording> {
        match &self.outcome {
            Outcome::Unreadable(wording) => Err(wording),
            Outcome::Read(sources) => Ok(sources),
        }
    }

    /// Returns all errors and warnings as text; empty if there are none.
    ///
    /// Every finding is followed by an empty line. If there are errors in a configuration that
    /// could be read, a line that counts them comes last.
    #[must_use]
    pub fn report(&self, style: Style) -> String {
        match &self.outcome {
            Outcome::Unreadable(wording) => {
                diagnostics::render_alone(Severity::Error, wording, style)
            }
            Outcome::Read(sources) => diagnostics::render(sources, style),
        }
    }
}

/// Returns the doors of a configuration in its order, with the sequences that they have there.
///
/// # Errors
/// [`TooManyDoors`]; never for the configuration of a [`Setup`].
pub fn doors(config: &Config) -> Result<Doors, TooManyDoors> {
    let doors = Doors::new(config.doors.iter().map(DoorConfig::door).collect())?;
    Ok(match config.signing() {
        Some(signing) => doors.with_signing(signing),
        None => doors,
    })
}

/// The files that a configuration names.
trait NamedFiles {
    /// Returns the text of a file of one-time sequences.
    fn one_time(&self, name: &FileName) -> Result<Vec<u8>, Unreadable>;

    /// Returns the text of a file with the sequence of a door.
    fn sequence(&self, name: &FileName) -> Result<Vec<u8>, Unreadable>;

    /// Returns what sequences are derived from, of a file with a key.
    fn key(&self, name: &FileName) -> Result<SequenceKey, Unreadable>;

    /// Returns the keys of users in a folder, or what is wrong with it.
    fn user_keys(&self, folder: &Path) -> Result<Vec<KeyInFile>, UserKeysError>;
}

/// The files as they are.
struct OnDisk {
    /// What they must be like.
    modes: Modes,
    /// Whether the keys of users are among them. A client of the doors has keys of its own.
    has_user_keys: bool,
}

impl OnDisk {
    const fn of_server(modes: Modes) -> Self {
        Self { modes, has_user_keys: true }
    }

    const fn of_client() -> Self {
        Self { modes: Modes::Any, has_user_keys: false }
    }
}

impl NamedFiles for OnDisk {
    fn one_time(&self, name: &FileName) -> Result<Vec<u8>, Unreadable> {
        read_one_time(path_of(name), self.modes)
    }

    fn sequence(&self, name: &FileName) -> Result<Vec<u8>, Unreadable> {
        read_sequence(path_of(name), self.modes)
    }

    fn key(&self, name: &FileName) -> Result<SequenceKey, Unreadable> {
        read_sequence_key(path_of(name), self.modes)
    }

    fn user_keys(&self, folder: &Path) -> Result<Vec<KeyInFile>, UserKeysError> {
        if self.has_user_keys { read_user_keys(folder, self.modes) } else { Ok(Vec::new()) }
    }
}

/// Files that were read before.
struct ReadBefore {
    one_time: BTreeMap<FileName, Vec<u8>>,
    sequences: BTreeMap<FileName, Vec<u8>>,
    keys: BTreeMap<FileName, SequenceKey>,
    packet_keys: Vec<UserKey>,
}

impl NamedFiles for ReadBefore {
    fn one_time(&self, name: &FileName) -> Result<Vec<u8>, Unreadable> {
        self.one_time.get(name).cloned().ok_or(Unreadable::NotAmongFiles)
    }

    fn sequence(&self, name: &FileName) -> Result<Vec<u8>, Unreadable> {
        self.sequences.get(name).cloned().ok_or(Unreadable::NotAmongFiles)
    }

    fn key(&self, name: &FileName) -> Result<SequenceKey, Unreadable> {
        self.keys.get(name).cloned().ok_or(Unreadable::NotAmongFiles)
    }

    fn user_keys(&self, _: &Path) -> Result<Vec<KeyInFile>, UserKeysError> {
        let key = |key: &UserKey| KeyInFile { file: String::new(), key: key.clone() };
        Ok(self.packet_keys.iter().map(key).collect())
    }
}

/// The named files so far.
struct Reader<'a, N> {
    named: N,
    check: Option<&'a Check<'a>>,
    /// What was found in the configuration, then in each sequence file with findings.
    sources: Vec<Source>,
    /// The text and the sequences of each.
    files: BTreeMap<FileName, (Vec<u8>, OneTimeSequences)>,
    /// The text of each file of `Sequence_File`, and its sequence; `None` if it has an error.
    fixed: BTreeMap<FileName, (Vec<u8>, Option<Sequence>)>,
    /// What sequences are derived from, of each file with a key.
    keys: BTreeMap<FileName, SequenceKey>,
    /// The bytes of all files, counted once for each door.
    bytes: u64,
}

impl<'a, N: NamedFiles> Reader<'a, N> {
    fn new(named: N, configuration: Source, check: Option<&'a Check<'a>>) -> Self {
        let (files, fixed, keys) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { named, check, sources: vec![configuration], files, fixed, keys, bytes: 0 }
    }

    /// Gives every door that is wanted the sequences or the key of its file, if it has one; `text` is that of
    /// the configuration.
    fn give_sequences(
        &mut self,
        mut config: Config,
        text: &[u8],
        wanted: impl Fn(&DoorName) -> bool,
    ) -> Config {
        let mut unreadable = Vec::new();
        for door in config.doors.iter_mut().filter(|door| wanted(&door.name)) {
            let Some(given) = &door.knocks else { continue };
            let at = given.value_at(text);
            if let Some(file) = door.one_time_file() {
                match self.sequences(file) {
                    Ok(sequences) => door.set_one_time(sequences),
                    Err(cause) => unreadable.push(cause.finding(file, at)),
                }
            } else if let Some(file) = door.sequence_file() {
                match self.sequence(file) {
                    Ok(Some(sequence)) => door.set_sequence(sequence),
                    // The errors of the file are reported.
                    Ok(None) => {}
                    Err(cause) => unreadable.push(cause.finding_about_sequence(file, at)),
                }
            } else if let Some(file) = door.key_file() {
                match self.key(file) {
                    Ok(key) => door.set_key(key),
                    Err(cause) => unreadable.push(cause.finding_about_key(file, at)),
                }
            }
        }
        if let Some(configuration) = self.sources.first_mut() {
            configuration.findings.extend(unreadable);
        }
        config
    }

    /// Gives the configuration the keys of users, if a door hears signed packets. `diagnostics` are those of its text.
    fn give_keys(&mut self, config: Config, text: &[u8], diagnostics: Diagnostics) -> Config {
        let signed = config.doors.iter().find_map(|door| door.signed.as_ref());
        let Some(signed) = signed else { return config };
        let at = config.options.key_dir.as_ref().map_or(signed.at, |given| given.at);
        match self.named.user_keys(config.options.key_dir()) {
            Ok(keys) => {
                if let (Some(check), Some(source)) = (self.check, self.sources.first_mut()) {
                    source.add(&check.keys(&config, text, &keys, diagnostics));
                }
                Config { keys: keys.into_iter().map(|one| one.key).collect(), ..config }
            }
            Err(UserKeysError { findings, sources }) => {
                let findings = findings.into_iter().map(|wording| Finding {
                    severity: Severity::Error,
                    code: None,
                    span: Some(at),
                    wording,
                });
                if let Some(configuration) = self.sources.first_mut() {
                    configuration.findings.extend(findings);
                }
                self.sources.extend(sources);
                config
            }
        }
    }

    fn sequence(&mut self, name: &FileName) -> Result<Option<Sequence>, Unreadable> {
        if let Some((_, sequence)) = self.fixed.get(name) {
            return Ok(sequence.clone());
        }
        let text = self.named.sequence(name)?;
        let (sequence, diagnostics) = match self.check {
            Some(check) => check.sequence(&text),
            None => read::sequence_file::parse(&text),
        };
        if sequence.is_none() && diagnostics.errors() == 0 {
            return Err(Unreadable::NoSequence);
        }
        if !diagnostics.kept().is_empty() {
            self.sources.push(Source::new(shown(path_of(name)), text.clone(), &diagnostics));
        }
        self.fixed.insert(name.clone(), (text, sequence.clone()));
        Ok(sequence)
    }

    fn key(&mut self, name: &FileName) -> Result<SequenceKey, Unreadable> {
        if let Some(key) = self.keys.get(name) {
            return Ok(key.clone());
        }
        let key = self.named.key(name)?;
        self.keys.insert(name.clone(), key.clone());
        Ok(key)
    }

    fn sequences(&mut self, name: &FileName) -> Result<OneTimeSequences, Unreadable> {
        if let Some((text, sequences)) = self.files.get(name) {
            self.bytes = sum(self.bytes, text);
            if self.bytes > MAX_ONE_TIME_BYTES {
                return Err(Unreadable::TooLargeTogether);
            }
            return Ok(sequences.clone());
        }
        let text = self.named.one_time(name)?;
        self.bytes = sum(self.bytes, &text);
        if self.bytes > MAX_ONE_TIME_BYTES {
            return Err(Unreadable::TooLargeTogether);
        }
        let (sequences, diagnostics) = match self.check {
            Some(check) => check.one_time(path_of(name), &text),
            None => read::one_time::parse(&text),
        };
        if !diagnostics.kept().is_empty() {
            self.sources.push(Source::new(shown(path_of(name)), text.clone(), &diagnostics));
        }
        // The errors of the file are reported; its door is not used, so it gets no sequence.
        let sequences = sequences.unwrap_or_default();
        self.files.insert(name.clone(), (text, sequences.clone()));
        Ok(sequences)
    }
}

fn sum(bytes: u64, text: &[u8]) -> u64 {
    bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX))
}

//! Reads a `knockd.conf` and the files it names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use knock_engine::config::{self, Config, FileName, OneTimeFile, Severity, Wording};
use knock_engine::{DoorSequence, OneTimeSequences};

use crate::capture;
use crate::report::{self, Finding, Source, Style};
use crate::text::{Cause, shown};

/// The largest configuration and the largest sequence file, in bytes.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// The most bytes of sequence files, over all doors: a configuration can name a file once a door,
/// and each door has its sequences in memory.
pub const MAX_ONE_TIME_BYTES: u64 = 4 << 20;

/// What became of a configuration and of the files it names.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The configuration, every door with its sequences; `None` if anything is in error.
    pub config: Option<Config>,
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
    /// Reads the configuration at `path` and its sequence files, which stand relative to the
    /// current directory.
    ///
    /// The configuration may be a pipe; a sequence file, which must be marked, may not. Sequence
    /// files are read only if there is no error in the configuration.
    #[must_use]
    pub fn load(path: &Path) -> Self {
        let text = match read_configuration(path) {
            Ok(text) => text,
            Err(cause) => {
                let wording = cause.wording(&shown(path), cause.help_for_configuration());
                return Self { config: None, outcome: Outcome::Unreadable(wording) };
            }
        };
        let parsed = config::parse(&text);
        let mut sources = vec![Source::new(shown(path), text, &parsed.diagnostics)];
        let config = parsed.config.map(|config| load_one_time(config, &mut sources));
        let errors = sources.iter().any(|source| source.errors() > 0);
        Self { config: config.filter(|_| !errors), outcome: Outcome::Read(sources) }
    }

    /// Returns everything that is wrong or hardly meant, as text; empty if nothing is.
    ///
    /// Every finding is followed by an empty line. If there are errors in a configuration that
    /// could be read, a line that counts them comes last.
    #[must_use]
    pub fn report(&self, style: Style) -> String {
        match &self.outcome {
            Outcome::Unreadable(wording) => report::render_alone(Severity::Error, wording, style),
            Outcome::Read(sources) => report::render(sources, style),
        }
    }
}

/// Gives every one-time door the sequences of its file. The first source is the configuration.
fn load_one_time(mut config: Config, sources: &mut Vec<Source>) -> Config {
    let mut files = OneTimeFiles::default();
    let mut unreadable = Vec::new();
    for door in &mut config.doors {
        let Some(file) = &door.one_time_file else { continue };
        match files.sequences(&file.name, sources) {
            Ok(sequences) => door.door.sequence = DoorSequence::OneTime(sequences),
            Err(cause) => unreadable.push(cause.finding(file)),
        }
    }
    if let Some(configuration) = sources.first_mut() {
        configuration.findings.extend(unreadable);
        configuration.findings.sort_by_key(|finding| {
            finding.span.map_or((u32::MAX, usize::MAX), |span| (span.line, span.start))
        });
    }
    config
}

/// The sequence files read so far.
#[derive(Default)]
struct OneTimeFiles {
    /// The size and the sequences of each.
    read: BTreeMap<FileName, (u64, OneTimeSequences)>,
    /// The bytes of all files, counted once for each door.
    bytes: u64,
}

impl OneTimeFiles {
    fn sequences(
        &mut self,
        name: &FileName,
        sources: &mut Vec<Source>,
    ) -> Result<OneTimeSequences, Unreadable> {
        if let Some((size, sequences)) = self.read.get(name) {
            self.bytes = self.bytes.saturating_add(*size);
            if self.bytes > MAX_ONE_TIME_BYTES {
                return Err(Unreadable::TooLargeTogether);
            }
            return Ok(sequences.clone());
        }
        let path = Path::new(OsStr::from_bytes(name.as_bytes()));
        let text = read_one_time(path)?;
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > MAX_ONE_TIME_BYTES {
            return Err(Unreadable::TooLargeTogether);
        }
        let (sequences, diagnostics) = OneTimeSequences::parse(&text);
        if !diagnostics.kept().is_empty() {
            sources.push(Source::new(shown(path), text, &diagnostics));
        }
        // A file in error has told of it; its door, which nobody will see, gets no sequence.
        let sequences = sequences.unwrap_or_default();
        self.read.insert(name.clone(), (size, sequences.clone()));
        Ok(sequences)
    }
}

/// Why a file cannot be read.
#[derive(Debug)]
enum Unreadable {
    /// It is a directory.
    Directory,
    /// It is a pipe, a device or a socket where only a file will do.
    NotAFile,
    /// It is a packet capture, or at least compressed as one may be.
    Capture,
    /// It is larger than [`MAX_FILE_BYTES`].
    TooLarge,
    /// All sequence files together are larger than [`MAX_ONE_TIME_BYTES`].
    TooLargeTogether,
    /// It is not there.
    Missing,
    /// This user may not read it.
    Denied,
    /// Anything else, as the system puts it.
    Other(String),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound {
            return Self::Missing;
        }
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::Denied;
        }
        Self::Other(Cause(&error).to_string())
    }
}

impl Unreadable {
    fn wording(&self, name: &str, help: &str) -> Wording {
        Wording {
            message: format!("cannot read `{name}`: {}", self.cause()),
            label: String::from("named here"),
            help: Some(String::from(help)),
            note: None,
        }
    }

    fn finding(&self, file: &OneTimeFile) -> Finding {
        let name = shown(Path::new(OsStr::from_bytes(file.name.as_bytes())));
        let wording = self.wording(&name, self.help_for_one_time());
        Finding { severity: Severity::Error, span: Some(file.span), wording }
    }

    fn cause(&self) -> &str {
        match self {
            Self::Directory => "it is a directory",
            Self::NotAFile => "it is not a regular file",
            Self::Capture => "it is a packet capture, not a configuration",
            Self::TooLarge => "it is larger than 1 MiB",
            Self::TooLargeTogether => {
                "the sequence files of all doors are together larger than 4 MiB"
            }
            Self::Missing => "there is no such file",
            Self::Denied => "permission denied",
            Self::Other(cause) => cause,
        }
    }

    fn help_for_configuration(&self) -> &'static str {
        match self {
            Self::Directory => "give the path of the file in it",
            Self::Capture => "name captures without an option, and the configuration behind `-c`",
            Self::NotAFile | Self::TooLarge | Self::TooLargeTogether => {
                "a configuration is a text file, such as `/etc/knockd.conf`"
            }
            Self::Missing | Self::Other(_) => "check the path",
            Self::Denied => "run as a user who may read it",
        }
    }

    fn help_for_one_time(&self) -> &'static str {
        match self {
            Self::Directory | Self::NotAFile | Self::Capture => {
                "name a file with a sequence on each line, such as ` 7000,8000,9000`"
            }
            Self::TooLarge | Self::TooLargeTogether => "remove the lines that are used",
            Self::Missing => "create it, with a sequence on each line, such as ` 7000,8000,9000`",
            Self::Denied => "run as a user who may read it",
            Self::Other(_) => "check the path",
        }
    }
}

/// Reads the configuration, whatever kind of file it is but a directory.
fn read_configuration(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(Unreadable::Directory);
    }
    let (text, is_whole) = read(&file)?;
    if capture::begins_like_one(&text) {
        return Err(Unreadable::Capture);
    }
    if is_whole { Ok(text) } else { Err(Unreadable::TooLarge) }
}

/// Reads a sequence file. A pipe is not even opened: that would wait for who writes to it.
fn read_one_time(path: &Path) -> Result<Vec<u8>, Unreadable> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(Unreadable::Directory);
    }
    if !metadata.is_file() {
        return Err(Unreadable::NotAFile);
    }
    let (text, is_whole) = read(&File::open(path)?)?;
    if is_whole { Ok(text) } else { Err(Unreadable::TooLarge) }
}

/// Reads a file as far as it may be read. Returns whether that is all of it.
fn read(file: &File) -> Result<(Vec<u8>, bool), Unreadable> {
    let mut text = Vec::new();
    let limit = MAX_FILE_BYTES.saturating_add(1);
    let bytes = file.take(limit).read_to_end(&mut text)?;
    Ok((text, u64::try_from(bytes).is_ok_and(|bytes| bytes < limit)))
}

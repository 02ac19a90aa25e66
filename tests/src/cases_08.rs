//! The small cases of `testdata/knockd-0.8`: what the real knockd 0.8 does, and what we do.
//!
//! A file holds many cases:
//!
//! ```text
//! # Lines before the first case are for readers.
//!
//! == a-vlan
//! What the case shows, in a sentence or two.
//! -- knockd.conf --
//! [d]
//! Sequence = 1,2
//! -- knocks.txt --
//! 0 192.0.2.10 > 10.0.0.1:1 tcp vlan=5
//! 1 192.0.2.10 > 10.0.0.1:2 tcp
//! -- knockd 0.8 --
//! -- knock --
//! 192.0.2.10: d: Stage 1
//! 192.0.2.10: d: Stage 2
//! 192.0.2.10: d: OPEN SESAME
//! ```
//!
//! The input: `knockd.conf`; `knocks.txt` ([`capture_builder::knocks`](crate::capture_builder::knocks)); optionally
//! `sequences.txt`, the file of one-time sequences; `args` for `knock-replay`, without
//! which [`LOCAL`] are the local addresses; `hosts`, the names that the resolver knows, as
//! `ADDRESS NAME`; `read again after N packets`, the configuration of a reload.
//!
//! The outcome: `knockd 0.8` is the real program; `knockd-0.8` and `knock` are our rule sets,
//! `both` is both of them. A rule set without a part does what the real program does, with exit
//! status 0. A part is the transcript. Lines that begin with `! ` mean something else: `! status 1` and
//! `! signal 6` are how the program ended (status 0 by default), `! usage` means that it printed its
//! usage, `! then chance` that it goes on unpredictably after these lines, and anything else is a text on
//! standard error. `sequences.txt after WHO`,
//! with the same names, is the file of one-time sequences with the marks of what is used up.
//!
//! The oracle does not sleep, so it prints a stop command right after its start command. So does the part
//! `knockd 0.8`; see [`stops_after_starts`]. The parts of our rule sets have the order in which things
//! happen.
//!
//! Blank lines at the end of a part do not count. In a part whose name ends in `(escaped)`, `\r`,
//! `\t`, `\0`, `\\` and `\xHH` are bytes, `\{x*400}` is 400 of them, and a `\` at the end of a line
//! removes the line feed.

mod case_runner;
mod escape;
mod judge;
mod order;
mod play;

use std::fmt;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

pub use self::case_runner::{Found, compare, replay};
pub use self::escape::{escaped, needs_escapes, unescaped};
pub use self::judge::{judge, judge_on_configured_interface};
pub use self::order::stops_after_starts;
pub use self::play::{differences_at_a_reload, play};

/// The local addresses of a case without `args`.
pub const LOCAL: [&str; 2] = ["10.0.0.1", "2001:db8::1"];

/// The width of the texts about cases, in characters.
const WIDTH: usize = 96;

/// A small case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// The name, unique in all files: letters, digits and `-`.
    pub name: String,
    /// What it shows.
    pub about: String,
    /// The file that has it.
    pub file: PathBuf,
    /// The parts in their order: the name, without `(escaped)`, and the content.
    pub parts: Vec<(String, Vec<u8>)>,
}

/// The program or rule set of an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The real program.
    Real,
    /// The rule set `knockd-0.8`.
    Knockd08,
    /// The rule set `knock`.
    Knock,
}

impl Who {
    /// Returns the name of the part with the outcome; for rule sets also that of `--rules`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "knockd 0.8",
            Self::Knockd08 => "knockd-0.8",
            Self::Knock => "knock",
        }
    }
}

/// The outcome of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How the program ended, if not with status 0: `status N` or `signal N`.
    pub end: Option<String>,
    /// Whether it printed its usage on standard output instead of a transcript.
    pub usage: bool,
    /// Whether the transcript is only the beginning: the program uses invalid memory, and what it does then
    /// is random.
    pub then_chance: bool,
    /// Texts on standard error.
    pub errors: Vec<String>,
    /// The transcript.
    pub transcript: Vec<u8>,
}

/// The configuration is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reload<'a> {
    /// How many packets come before it.
    pub packets_before: usize,
    /// The content of the file at that time.
    pub conf: &'a [u8],
}

/// Returns the cases of `testdata/knockd-0.8`, in the order of their files.
///
/// # Panics
/// If a file is invalid; the message says where and why.
#[must_use]
pub fn all() -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for file in files() {
        let text = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for case in parse(&file, &text).unwrap_or_else(|e| panic!("{}: {e}", file.display())) {
            let earlier = cases.iter().find(|earlier| earlier.name == case.name);
            assert!(earlier.is_none(), "{}: a second {}", file.display(), case.name);
            cases.push(case);
        }
    }
    cases
}

/// Returns the files of `testdata/knockd-0.8` that hold cases, sorted by name.
///
/// # Panics
/// If the folder cannot be read.
#[must_use]
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/knockd-0.8");
    let folder = folder.canonicalize().expect("testdata/knockd-0.8 is there");
    let entries = fs::read_dir(&folder).expect("testdata/knockd-0.8 can be read");
    let paths = entries.map(|entry| entry.expect("an entry of the folder").path());
    let mut files: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    files.sort();
    files
}

/// Reads the text of a file; `file` becomes the file of its cases.
///
/// # Errors
/// A text that names the line and what is wrong.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Case>, String> {
    let mut cases: Vec<Case> = Vec::new();
    let mut part: Option<Part> = None;
    for (at, line) in text.lines().enumerate() {
        let fault = |what: String| format!("line {}: {what}", at + 1);
        if let Some(name) = line.strip_prefix("== ") {
            finish(&mut cases, part.take()).map_err(fault)?;
            cases.push(Case { name: name.into(), file: file.into(), ..Case::default() });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        if let Some(name) = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --")) {
            finish(&mut cases, part.take()).map_err(fault)?;
            part = Some(Part::new(name));
        } else if let Some(part) = &mut part {
            part.lines.push(line.into());
        } else if !line.is_empty() {
            let blank = if case.about.is_empty() { "" } else { " " };
            case.about = format!("{}{blank}{line}", case.about);
        }
    }
    finish(&mut cases, part).map_err(|what| format!("at the end: {what}"))?;
    for case in &cases {
        case.check().map_err(|what| format!("{}: {what}", case.name))?;
    }
    Ok(cases)
}

struct Part {
    name: String,
    is_escaped: bool,
    lines: Vec<String>,
}

impl Part {
    fn new(header: &str) -> Self {
        let (name, is_escaped) = match header.strip_suffix(" (escaped)") {
            Some(name) => (name, true),
            None => (header, false),
        };
        Self { name: name.into(), is_escaped, lines: vec![] }
    }
}

fn finish(cases: &mut [Case], part: Option<Part>) -> Result<(), String> {
    let (Some(case), Some(mut part)) = (cases.last_mut(), part) else { return Ok(()) };
    while part.lines.last().is_some_and(String::is_empty) {
        part.lines.pop();
    }
    let text: String = part.lines.iter().flat_map(|line| [line, "\n"]).collect();
    let bytes = if part.is_escaped { unescaped(&text)? } else { text.into_bytes() };
    if case.part(&part.name).is_some() {
        return Err(format!("a second part \"{}\"", part.name));
    }
    case.parts.push((part.name, bytes));
    Ok(())
}

impl Case {
    /// Returns the content of a part.
    #[must_use]
    pub fn part(&self, name: &str) -> Option<&[u8]> {
        self.parts.iter().find(|(other, _)| other == name).map(|(_, bytes)| &bytes[..])
    }

    /// Returns the configuration.
    #[must_use]
    pub fn conf(&self) -> &[u8] {
        self.part("knockd.conf").unwrap_or_default()
    }

    /// Returns the packets, as [`capture_builder::knocks`](crate::capture_builder::knocks) reads them.
    ///
    /// # Panics
    /// If they are not UTF-8.
    #[must_use]
    pub fn knocks(&self) -> &str {
        let knocks = self.part("knocks.txt").unwrap_or_default();
        std::str::from_utf8(knocks).expect("knocks.txt is UTF-8")
    }

    /// Returns the arguments for `knock-replay` besides capture, configuration and rules.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        match self.part("args") {
            Some(args) => {
                String::from_utf8_lossy(args).split_whitespace().map(str::to_owned).collect()
            }
            None => LOCAL.iter().flat_map(|local| ["--local".into(), (*local).into()]).collect(),
        }
    }

    /// Returns the addresses of hosts that have a name.
    ///
    /// # Panics
    /// If a line is not `ADDRESS NAME`.
    #[must_use]
    pub fn hosts(&self) -> Vec<(IpAddr, String)> {
        let text = String::from_utf8_lossy(self.part("hosts").unwrap_or_default()).into_owned();
        let host = |line: &str| {
            let (address, name) = line.split_once(' ').expect("a host is ADDRESS NAME");
            (address.parse().expect("a host has an address"), name.to_owned())
        };
        text.lines().map(host).collect()
    }

    /// Returns the reload, if there is one.
    #[must_use]
    pub fn reload(&self) -> Option<Reload<'_>> {
        self.parts.iter().find_map(|(name, conf)| {
            let count = name.strip_prefix("read again after ")?.strip_suffix(" packets")?;
            Some(Reload { packets_before: count.parse().ok()?, conf })
        })
    }

    /// Returns the final content of the file of one-time sequences; `None` if there is none.
    #[must_use]
    pub fn sequences_in_the_end(&self, who: Who) -> Option<&[u8]> {
        let after = |who: Who| self.part(&format!("sequences.txt after {}", who.name()));
        after(who).or_else(|| after(Who::Real)).or_else(|| self.part("sequences.txt"))
    }

    /// Returns the outcome in the case; `None` for a rule set that does the same as the real program.
    #[must_use]
    pub fn outcome(&self, who: Who) -> Option<Outcome> {
        let both = || if who == Who::Real { None } else { self.part("both") };
        self.part(who.name()).or_else(both).map(Outcome::parse)
    }

    fn check(&self) -> Result<(), String> {
        if self.about.is_empty() {
            return Err("it does not say what it shows".into());
        }
        for needed in ["knockd.conf", "knocks.txt", Who::Real.name()] {
            if self.part(needed).is_none() {
                return Err(format!("there is no part \"{needed}\""));
            }
        }
        let known = [
            "knockd.conf",
            "knocks.txt",
            "sequences.txt",
            "args",
            "hosts",
            "sequences.txt after knockd 0.8",
            "sequences.txt after knockd-0.8",
            "sequences.txt after knock",
            Who::Real.name(),
            Who::Knockd08.name(),
            Who::Knock.name(),
            "both",
        ];
        for (name, _) in &self.parts {
            let is_reload = name.starts_with("read again after ") && self.reload().is_some();
            if !known.contains(&&name[..]) && !is_reload {
                return Err(format!("there is no such part as \"{name}\""));
            }
        }
        Ok(())
    }
}

/// Returns the text of the case, as in its file.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "== {}", self.name)?;
        let mut width = 0;
        for word in self.about.split(' ') {
            let gap = match width {
                0 => "",
                width if width + 1 + word.len() > WIDTH => "\n",
                _ => " ",
            };
            width = if gap == " " { width + 1 + word.len() } else { word.len() };
            write!(f, "{gap}{word}")?;
        }
        writeln!(f)?;
        for (name, bytes) in &self.parts {
            if needs_escapes(bytes) {
                write!(f, "-- {name} (escaped) --\n{}", escaped(bytes))?;
            } else {
                write!(f, "-- {name} --\n{}", String::from_utf8_lossy(bytes))?;
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// Reads the text of a part.
    #[must_use]
    pub fn parse(text: &[u8]) -> Self {
        let mut outcome = Self::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let Some(other) = line.strip_prefix(b"! ") else {
                outcome.transcript.extend_from_slice(line);
                continue;
            };
            let other = String::from_utf8_lossy(other).trim_end_matches('\n').to_owned();
            if other == "usage" {
                outcome.usage = true;
            } else if other == "then chance" {
                outcome.then_chance = true;
            } else if other.starts_with("status ") || other.starts_with("signal ") {
                outcome.end = Some(other);
            } else {
                outcome.errors.push(other);
            }
        }
        outcome
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(end) = &self.end {
            writeln!(f, "! {end}")?;
        }
        if self.usage {
            writeln!(f, "! usage")?;
        }
        if self.then_chance {
            writeln!(f, "! then chance")?;
        }
        for error in &self.errors {
            writeln!(f, "! {error}")?;
        }
        f.write_str(&String::from_utf8_lossy(&self.transcript))
    }
}

#[cfg(test)]
mod tests;

//! The lines of the configuration that decide.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use knock_config::Setup;
use knock_config::path_of;
use knock_config::text::{printable, shown};
use knock_config::{DoorConfig, FileName, Given, Parts, Span};
use knock_engine::{DoorId, Phase, Prefix, Skip, SourceRefusal};
use serde::Serialize;

/// A line of a file, fit to be printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct ConfigLine {
    /// The name of the file.
    pub file: String,
    /// The number of the line, from 1.
    pub line: u32,
    /// The text of the line without blanks around it; a long one is cut off.
    pub text: String,
    /// What holds because the line does not say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// `knockd.conf:12: seq_timeout = 5`.
impl fmt::Display for ConfigLine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, text, default } = self;
        write!(out, "{file}:{line}: {text}")?;
        default.as_ref().map_or(Ok(()), |default| write!(out, " ({default})"))
    }
}

impl ConfigLine {
    /// Returns `knockd.conf:12`, for where the line was shown before: without the folder.
    #[must_use]
    pub fn short(&self) -> String {
        let file = self.file.rsplit('/').next().unwrap_or_default();
        format!("{file}:{}", self.line)
    }
}

/// Where the configuration says what.
#[derive(Clone, Debug, Default)]
pub struct Places {
    name: String,
    text: Vec<u8>,
    /// By [`DoorId::index`].
    doors: Vec<DoorConfig>,
    one_time: BTreeMap<FileName, Vec<u8>>,
    parts: Parts,
}

impl Places {
    /// The most characters of a line that are shown.
    const CHARS: usize = 120;

    /// Takes what was read as the configuration `name`.
    #[must_use]
    pub fn new(name: &Path, setup: &Setup) -> Self {
        let doors = setup.config.as_ref().map(|config| config.doors.clone());
        Self {
            name: shown(name),
            text: setup.files.configuration.clone(),
            doors: doors.unwrap_or_default(),
            one_time: setup.files.one_time.clone(),
            parts: setup.files.parts.clone(),
        }
    }

    /// Returns the text of the configuration, with the files that it includes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// Returns the paths of the files that the configuration names and that were read.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let named = self.doors.iter().filter_map(|door| door.knocks_file());
        named.map(path_of).chain(self.parts.files())
    }

    /// Returns the line of `Sequence` or `Sequence_File`, or that of `One_Time_Sequences` and the one in its file.
    #[must_use]
    pub fn sequence(&self, door: DoorId, line: Option<u32>) -> Vec<ConfigLine> {
        let Some(door) = self.doors.get(door.index()) else { return Vec::new() };
        let mut lines: Vec<ConfigLine> =
            door.knocks.iter().map(|given| self.line(given.at)).collect();
        if let (Some(file), Some(number)) = (door.one_time_file(), line) {
            let text = self.one_time.get(file).map(Vec::as_slice).unwrap_or_default();
            let at = usize::try_from(number).unwrap_or(usize::MAX).saturating_sub(1);
            let content = text.split(|byte| *byte == b'\n').nth(at).unwrap_or_default();
            lines.push(ConfigLine {
                file: printable(file.as_bytes()),
                line: number,
                text: cut(content),
                default: None,
            });
        }
        lines
    }

    /// Returns the line of `Seq_Timeout`.
    #[must_use]
    pub fn seq_timeout(&self, door: DoorId, default: String) -> Vec<ConfigLine> {
        self.one(door, |door| at(door.seq_timeout.as_ref()), default)
    }

    /// Returns the line of `Cmd_Timeout`.
    #[must_use]
    pub fn cmd_timeout(&self, door: DoorId, default: String) -> Vec<ConfigLine> {
        self.one(door, |door| at(door.cmd_timeout.as_ref()), default)
    }

    /// Returns the line of `Open`.
    #[must_use]
    pub fn open(&self, door: DoorId) -> Vec<ConfigLine> {
        self.one(door, |door| at(door.open.as_ref()), "no open".to_owned())
    }

    /// Returns the line of `Open_For`, and that of `Open_Max` if there is one.
    #[must_use]
    pub fn open_for(&self, door: DoorId, default: String) -> Vec<ConfigLine> {
        let mut lines = self.one(door, |door| at(door.open_for.as_ref()), default);
        let max = self.doors.get(door.index()).and_then(|door| at(door.open_max.as_ref()));
        lines.extend(max.map(|max| self.line(max)));
        lines
    }

    /// Returns the line of the command that runs in a phase, for a client of that family.
    #[must_use]
    pub fn command(&self, door: DoorId, phase: Phase, is_ipv6: bool) -> Vec<ConfigLine> {
        let which = |door: &DoorConfig| {
            let (any, ipv6) = match phase {
                Phase::Start => (&door.start, &door.start_6),
                Phase::Stop => (&door.stop, &door.stop_6),
            };
            let (any, ipv6) = (at(any.as_ref()), at(ipv6.as_ref()));
            if is_ipv6 { ipv6.or(any) } else { any }
        };
        let name = match phase {
            Phase::Start => "start_command",
            Phase::Stop => "stop_command",
        };
        self.one(door, which, format!("no {name}"))
    }

    /// Returns the line of `Target`.
    #[must_use]
    pub fn target(&self, door: DoorId, default: String) -> Vec<ConfigLine> {
        self.one(door, |door| at(door.target.as_ref()), default)
    }

    /// Returns the line of `Deny` that has a prefix, or the lines of `Allow` that do not have a client.
    #[must_use]
    pub fn sources(&self, door: DoorId, refusal: SourceRefusal) -> Vec<ConfigLine> {
        let Some(door) = self.doors.get(door.index()) else { return Vec::new() };
        let lines: Vec<Span> = match refusal {
            SourceRefusal::Denied(prefix) => {
                let denies = |given: &&Given<Vec<Prefix>>| given.value.contains(&prefix);
                door.deny.iter().find(denies).map(|given| given.at).into_iter().collect()
            }
            SourceRefusal::NotAllowed => door.allow.iter().map(|given| given.at).collect(),
        };
        lines.into_iter().map(|span| self.line(span)).collect()
    }

    /// Returns the line of the limit of openings that was reached.
    #[must_use]
    pub fn opening_limit(&self, door: DoorId, why: Skip) -> Vec<ConfigLine> {
        let Some(door) = self.doors.get(door.index()) else { return Vec::new() };
        let given = match why {
            Skip::ClientLimit => door.client_openings_per_minute.as_ref(),
            Skip::DoorLimit => door.openings_per_minute.as_ref(),
            Skip::Merged | Skip::AlreadyOpen | Skip::Cooldown | Skip::AtMax | Skip::PeriodUsed => {
                None
            }
        };
        at(given).map(|span| self.line(span)).into_iter().collect()
    }

    /// Returns the lines of `TCPFlags`.
    #[must_use]
    pub fn flags(&self, door: DoorId) -> Vec<ConfigLine> {
        let Some(door) = self.doors.get(door.index()) else { return Vec::new() };
        door.flags.iter().map(|given| self.line(given.at)).collect()
    }

    /// Returns the number of the line with the name of a door.
    #[must_use]
    pub fn header(&self, door: DoorId) -> Option<u32> {
        self.doors.get(door.index()).map(|door| door.name_at.line)
    }

    /// Returns the name of the configuration, as its lines have it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the lines of the configuration, each fit to be printed, with its blanks and its whole
    /// length.
    pub fn text(&self) -> impl Iterator<Item = String> {
        let text = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        text.split(|byte| *byte == b'\n').map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            line.split(|byte| *byte == b'\t').map(printable).collect::<Vec<_>>().join("\t")
        })
    }

    /// Returns a line of a section, or its header with what holds because there is none.
    fn one(
        &self,
        door: DoorId,
        which: impl FnOnce(&DoorConfig) -> Option<Span>,
        default: String,
    ) -> Vec<ConfigLine> {
        let Some(door) = self.doors.get(door.index()) else { return Vec::new() };
        vec![match which(door) {
            Some(span) => self.line(span),
            None => ConfigLine { default: Some(default), ..self.line(door.name_at) },
        }]
    }

    fn line(&self, span: Span) -> ConfigLine {
        let content = self.text.get(span.line_start..span.line_end).unwrap_or_default();
        let (included, line) = self.parts.place(span.line);
        let file = included.map_or_else(|| self.name.clone(), shown);
        ConfigLine { file, line, text: cut(content), default: None }
    }
}

/// Returns the place of a directive, if it is given.
fn at<T>(given: Option<&Given<T>>) -> Option<Span> {
    given.map(|given| given.at)
}

fn cut(line: &[u8]) -> String {
    let text = printable(line.trim_ascii());
    match text.char_indices().nth(Places::CHARS) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_fit_to_be_printed() {
        assert_eq!(cut(b" \tsequence = 1,2\r"), "sequence = 1,2");
        assert_eq!(cut(b"a\x1b[31m\xff"), "a\\u{1b}[31m\u{fffd}");
        let long = cut(&[b'x'; 500]);
        assert_eq!(long.len(), 123);
        assert!(long.ends_with("x..."));
    }
}

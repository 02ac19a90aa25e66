//! From lines to a configuration.

use std::collections::BTreeMap;

use super::allow;
use super::entry::Entry;
use super::printed;
use super::section::{DoorSection, Entries, Gaps};
use crate::config::{Config, DoorConfig, Given, Knocks, Options};
use crate::diagnostics::{Diagnostics, LineFault, ValueFault};
use crate::directives::{Directive, Section as Home};
use crate::lex::{Line, Piece, Text};
use crate::text::Excerpt;
use crate::typography::{Lookalike, lookalikes};
use crate::warnings::{Levels, Warning};
use knock_engine::Doors;

/// What a text says.
pub(crate) struct ReadText {
    /// What could be read: everything, if there are no errors.
    pub(crate) config: Config,
    /// What each door may have beside its values, because lines of it are in error.
    pub(crate) gaps: Vec<Gaps>,
    /// What was found, not in the order of place.
    pub(crate) diagnostics: Diagnostics,
}

/// Reads a text with these levels for warnings.
pub(crate) fn read(text: &[u8], levels: Levels) -> ReadText {
    let mut reader = Reader { diagnostics: Diagnostics::new(levels), ..Reader::default() };
    let text = Text::new(text);
    for line in text.lines() {
        if line.number == 1 && text.has_byte_order_mark {
            let start = line.trimmed().empty_at_start();
            reader.diagnostics.warn(Warning::ByteOrderMark, start);
        }
        reader.read(line);
    }
    reader.finish()
}

/// Reads what can be read of `[options]`, whatever errors the text has.
pub(crate) fn read_options(text: &[u8]) -> Options {
    let mut reader = Reader::default();
    Text::new(text).lines().for_each(|line| reader.read(line));
    reader.options
}

/// Returns the content of a line; `None` for a blank line, a comment, or a line that cannot be read.
pub(crate) fn content<'a>(line: Line<'a>, diagnostics: &mut Diagnostics) -> Option<Piece<'a>> {
    if let Some(beyond) = line.overlong() {
        diagnostics.line(LineFault::TooLong { length: line.text.len() }, beyond);
        return None;
    }
    let content = line.trimmed();
    if content.is_empty() {
        return None;
    }
    if content.bytes().starts_with(b"#") {
        allow::read(content, diagnostics);
        return None;
    }
    diagnostics.begin_line(line.number);
    if let Some((_, from_nul)) = content.split_before(0) {
        diagnostics.line(LineFault::NulByte, from_nul.first_byte());
        return None;
    }
    Some(content)
}

/// What has been read so far.
#[derive(Default)]
struct Reader<'a> {
    diagnostics: Diagnostics,
    section: Section<'a>,
    options: Options,
    /// Whether a line of `[options]` may have been meant as any directive.
    has_unread_options: bool,
    /// The last line of each directive in all sections `[options]`.
    entries: Entries<'a>,
    doors: Vec<DoorConfig>,
    gaps: Vec<Gaps>,
    /// Whether the last line that is no comment ends in a backslash.
    is_wrapped: bool,
    /// How many sections are doors, with those that cannot be used.
    door_count: usize,
    /// The line of the first door of each name.
    names: BTreeMap<&'a [u8], u32>,
    /// The line of the first `One_Time_Sequences` with each value.
    one_time_files: BTreeMap<&'a [u8], u32>,
}

/// The section that a line belongs to.
#[derive(Default)]
enum Section<'a> {
    #[default]
    None,
    /// A line outside a section was reported: the one missing header is one error.
    NoneAndTold,
    Options,
    Door(Box<DoorSection<'a>>),
}

impl<'a> Reader<'a> {
    fn read(&mut self, line: Line<'a>) {
        let errors = self.diagnostics.errors();
        let Some(content) = content(line, &mut self.diagnostics) else {
            if self.diagnostics.errors() > errors {
                self.forgive_absence();
            }
            return;
        };
        let Some(content) = self.behind_strays(content) else { return };
        match content.strip_prefix(b'[') {
            Some(behind_bracket) => self.read_header(content, behind_bracket),
            None => self.read_directive(content),
        }
        self.is_wrapped = content.bytes().ends_with(b"\\");
    }

    /// Reports characters before a line that are no blanks, or cannot be seen. Returns the line without them, so
    /// that it is read as it was meant.
    fn behind_strays(&mut self, content: Piece<'a>) -> Option<Piece<'a>> {
        let mut rest = content;
        let is_stray = |one: &Lookalike| one.start == 0 && matches!(one.instead, None | Some(" "));
        while let Some(one) = lookalikes(rest.bytes()).next().filter(is_stray) {
            if rest.bytes().len() == content.bytes().len() {
                let fault = LineFault::StrayCharacter { character: one.character };
                self.diagnostics.line(fault, rest.part(0, one.length));
                self.forgive_absence();
            }
            rest = rest.beyond(one.length).trim();
        }
        (!rest.is_empty() && !rest.bytes().starts_with(b"#")).then_some(rest)
    }

    fn read_header(&mut self, header: Piece<'a>, behind_bracket: Piece<'a>) {
        self.end_section();
        let Some(name) = behind_bracket.strip_suffix(b']') else {
            return self.read_broken_header(behind_bracket);
        };
        if name.is_empty() {
            self.diagnostics.line(LineFault::EmptySectionName, header);
        }
        self.begin_section(name);
    }

    /// Reports a header that does not end in `]`, and begins the section that it seems to name, so that
    /// the lines below it are read as part of that section.
    fn read_broken_header(&mut self, behind_bracket: Piece<'a>) {
        let nothing = behind_bracket.empty_at_end();
        let (name, behind) = behind_bracket.split_once(b']').unwrap_or((behind_bracket, nothing));
        let behind = behind.trim();
        let comment = behind.bytes().starts_with(b"#") || behind.bytes().starts_with(b";");
        self.diagnostics.line(LineFault::UnclosedSection { comment }, behind);
        self.begin_section(name);
        if !comment {
            self.forgive_absence();
        }
    }

    fn begin_section(&mut self, name: Piece<'a>) {
        if name.bytes() == b"options" {
            self.section = Section::Options;
        } else {
            self.begin_door(name);
        }
    }

    fn begin_door(&mut self, name: Piece<'a>) {
        self.door_count = self.door_count.saturating_add(1);
        if self.door_count == Doors::MAX.saturating_add(1) {
            self.diagnostics.line(LineFault::TooManyDoors, name);
        }
        printed::check_name(name, &mut self.diagnostics);
        let bytes = name.bytes();
        if bytes.trim_ascii().eq_ignore_ascii_case(b"options") {
            self.diagnostics.warn(Warning::AlmostOptions { name: Excerpt::new(bytes) }, name);
        }
        let beyond = name.beyond(DoorSection::NAME_BYTES_IN_08);
        if !beyond.is_empty() {
            self.diagnostics.warn(Warning::LongDoorName { length: bytes.len() }, beyond);
        }
        if let Some(first_line) = self.names.get(bytes).copied().filter(|_| !bytes.is_empty()) {
            let name_text = Excerpt::new(bytes);
            self.diagnostics.warn(Warning::DuplicateDoorName { name: name_text, first_line }, name);
        } else {
            self.names.insert(bytes, name.line().number);
        }
        self.section = Section::Door(Box::new(DoorSection::new(name)));
    }

    fn read_directive(&mut self, content: Piece<'a>) {
        // What could be included is here in its place; of the rest it is reported why not.
        if included(content).is_some() {
            return self.forgive_absence();
        }
        if matches!(self.section, Section::None | Section::NoneAndTold) {
            if matches!(self.section, Section::None) {
                let is_uci = [&b"config"[..], b"package"].contains(&content.first_word().0.bytes())
                    && !content.bytes().contains(&b'=');
                let fault = if is_uci { LineFault::Uci } else { LineFault::OutsideSection };
                self.diagnostics.line(fault, content);
            }
            self.section = Section::NoneAndTold;
            return;
        }
        let Some((name, value)) = content.split_once(b'=') else {
            return self.read_bare(content);
        };
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() {
            return self.misread(LineFault::MissingName, content);
        }
        let Some((known_name, directive)) = Directive::from_name(name.bytes()) else {
            if self.is_wrapped {
                return self.misread(LineFault::WrappedLine, content);
            }
            if let Some(directive) = before_colon(name) {
                return self.misread(LineFault::ColonForEquals { directive }, name);
            }
            let nearest = self.diagnostics.nearest(name.bytes(), Directive::names());
            let fault = LineFault::UnknownDirective { name: Excerpt::new(name.bytes()), nearest };
            return self.misread(fault, name);
        };
        self.read_entry(Entry { directive, name: known_name, at: name, value });
    }

    fn read_entry(&mut self, entry: Entry<'a>) {
        let Entry { directive, at, value, .. } = entry;
        match (directive.section(), &mut self.section) {
            (Home::Anywhere, _) => {
                self.diagnostics.line(LineFault::SyslogWithValue, at.to_line_end());
            }
            (Home::Options, Section::Options) => {
                let mut no_door = DoorConfig::new(at);
                entry.read(&mut self.options, &mut no_door, &mut self.diagnostics);
                self.entries.add(entry, &mut self.diagnostics);
            }
            (Home::Door, Section::Door(door)) => {
                if directive == Directive::OneTimeSequences && !value.is_empty() {
                    warn_if_shared(&mut self.one_time_files, value, &mut self.diagnostics);
                }
                door.refuse_second_kind(entry, &mut self.diagnostics);
                entry.read(&mut self.options, &mut door.config, &mut self.diagnostics);
                door.entries.add(entry, &mut self.diagnostics);
            }
            (Home::Door, Section::Options) => {
                self.diagnostics.line(LineFault::DoorDirectiveInOptions { directive }, at);
            }
            (Home::Options, Section::Door(_)) => {
                self.diagnostics.line(LineFault::OptionInDoor { directive }, at);
            }
            // No directive is read outside a section.
            (Home::Options | Home::Door, Section::None | Section::NoneAndTold) => {}
        }
    }

    /// Reads a line without `=`.
    fn read_bare(&mut self, content: Piece<'a>) {
        let (word, rest) = content.first_word();
        match Directive::from_name(word.bytes()) {
            Some((_, Directive::UseSyslog)) => {
                if rest.is_empty() {
                    self.options.use_syslog = true;
                } else if rest.bytes().starts_with(b"#") {
                    let directive = Directive::UseSyslog;
                    self.diagnostics.value(ValueFault::CommentAfterValue { directive }, rest);
                } else {
                    self.diagnostics.line(LineFault::SyslogWithValue, content);
                }
            }
            Some((_, directive)) => {
                self.misread(LineFault::MissingEquals { directive }, word);
            }
            None if self.is_wrapped => self.misread(LineFault::WrappedLine, content),
            None => {
                if let Some(directive) = before_colon(content) {
                    return self.misread(LineFault::ColonForEquals { directive }, content);
                }
                if lookalikes(word.bytes()).next().is_some() {
                    let nearest = self.diagnostics.nearest(word.bytes(), Directive::names());
                    let name = Excerpt::new(word.bytes());
                    return self.misread(LineFault::UnknownDirective { name, nearest }, word);
                }
                let bytes = content.bytes();
                let comment = bytes.starts_with(b";") || bytes.starts_with(b"//");
                self.misread(LineFault::NotADirective { comment }, content);
            }
        }
    }

    /// Reports a line that could be any directive.
    fn misread(&mut self, fault: LineFault, at: Piece<'a>) {
        self.diagnostics.line(fault, at);
        self.forgive_absence();
    }

    /// Reports the first door whose ports nothing opens.
    fn check_firewall(&mut self) {
        if self.has_unread_options || self.entries.get(Directive::Firewall).is_some() {
            return;
        }
        if let Some(open) = self.doors.iter().find_map(|door| door.open.as_ref()) {
            self.diagnostics.line_at(LineFault::OpenWithoutFirewall, open.at);
        }
    }

    /// Reports the first door that hears signed packets of a server without a name.
    fn check_server_name(&mut self) {
        if self.has_unread_options || self.entries.get(Directive::ServerName).is_some() {
            return;
        }
        if let Some(signed) = self.doors.iter().find_map(|door| door.signed.as_ref()) {
            self.diagnostics.line_at(LineFault::SignedWithoutName, signed.at);
        }
    }

    /// The door, or the options, may lack a directive only because its line cannot be read; that line is reported.
    fn forgive_absence(&mut self) {
        match &mut self.section {
            Section::Door(door) => door.is_fully_read = false,
            Section::Options => self.has_unread_options = true,
            Section::None | Section::NoneAndTold => {}
        }
    }

    fn end_section(&mut self) {
        let Section::Door(door) = std::mem::take(&mut self.section) else { return };
        let (door, gaps) = door.finish(&mut self.diagnostics);
        self.doors.push(door);
        self.gaps.push(gaps);
    }

    fn finish(mut self) -> ReadText {
        self.end_section();
        if self.door_count == 0 && self.diagnostics.errors() == 0 {
            self.diagnostics.warn_of_text(Warning::NoDoors);
        }
        self.check_firewall();
        self.check_server_name();
        self.check_count_of_derived();
        let config = Config {
            options: self.options,
            doors: self.doors,
            included: Vec::new(),
            keys: Vec::new(),
        };
        ReadText { config, gaps: self.gaps, diagnostics: self.diagnostics }
    }

    /// Reports the first door with derived sequences that is beyond the limit.
    fn check_count_of_derived(&mut self) {
        let is_derived = |given: &&Given<Knocks>| matches!(given.value, Knocks::Derived { .. });
        let derived = self.doors.iter().filter_map(|door| door.knocks.as_ref().filter(is_derived));
        if let Some(beyond) = derived.skip(Doors::DERIVED_MAX).map(|given| given.at).next() {
            self.diagnostics.line_at(LineFault::TooManyDerived, beyond);
        }
    }
}

/// Returns what a line includes: the value of `Include`.
pub(crate) fn included(content: Piece<'_>) -> Option<Piece<'_>> {
    let (name, value) = content.split_once(b'=')?;
    let (_, directive) = Directive::from_name(name.trim().bytes())?;
    (directive == Directive::Include).then(|| value.trim())
}

/// Returns the directive that is followed by a colon.
fn before_colon(content: Piece<'_>) -> Option<Directive> {
    let (name, _) = content.split_once(b':')?;
    Directive::from_name(name.trim().bytes()).map(|(_, directive)| directive)
}

fn warn_if_shared<'a>(
    files: &mut BTreeMap<&'a [u8], u32>,
    name: Piece<'a>,
    diagnostics: &mut Diagnostics,
) {
    match files.get(name.bytes()).copied() {
        Some(first_line) => diagnostics.warn(Warning::SharedOneTimeFile { first_line }, name),
        None => drop(files.insert(name.bytes(), name.line().number)),
    }
}

//! Sections while they are read.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::Entry;
use crate::config::{DoorConfig, Given};
use crate::diagnostics::{Diagnostics, LineFault};
use crate::directives::{Again, Directive};
use crate::lex::Piece;
use crate::text::Excerpt;
use crate::warnings::Warning;
use knock_engine::Command;

/// The last line of each directive in a section, even one with an error.
#[derive(Default)]
pub(super) struct Entries<'a>(BTreeMap<Directive, Entry<'a>>);

impl<'a> Entries<'a> {
    /// Adds a line; the one before it, if there is one, has no effect unless they add up.
    pub(super) fn add(&mut self, entry: Entry<'a>, diagnostics: &mut Diagnostics) {
        if let Some(last) = self.0.insert(entry.directive, entry)
            && entry.directive.again() == Again::Overrides
        {
            let warning = Warning::OverriddenDirective {
                name: last.name,
                by_name: entry.name,
                by_line: entry.at.line().number,
            };
            diagnostics.warn(warning, last.at);
        }
    }

    pub(super) fn get(&self, directive: Directive) -> Option<Entry<'a>> {
        self.0.get(&directive).copied()
    }
}

/// What the section of a door may have beside the values that could be read.
#[derive(Clone, Debug)]
pub(crate) struct Gaps {
    /// The directives with a line, whatever its value.
    given: BTreeSet<Directive>,
    /// Whether there is a line that may have been meant as any directive.
    pub(crate) has_unread_lines: bool,
}

impl Gaps {
    /// Returns whether the section certainly has no line with this directive.
    pub(crate) fn lacks(&self, directive: Directive) -> bool {
        !self.has_unread_lines && !self.given.contains(&directive)
    }
}

/// The directives that say where the sequences of a door come from: it has one of them.
const KINDS: [Directive; 4] = [
    Directive::Sequence,
    Directive::SequenceFile,
    Directive::OneTimeSequences,
    Directive::SequenceKey,
];

/// A door.
pub(super) struct DoorSection<'a> {
    name: Piece<'a>,
    pub(super) config: DoorConfig,
    pub(super) entries: Entries<'a>,
    /// Whether every line could be read: only then is a missing directive reported.
    pub(super) is_fully_read: bool,
}

impl<'a> DoorSection<'a> {
    /// The longest name that knockd 0.8 keeps whole, in bytes.
    pub(super) const NAME_BYTES_IN_08: usize = 127;

    pub(super) fn new(name: Piece<'a>) -> Self {
        let config = DoorConfig::new(name);
        Self { name, config, entries: Entries::default(), is_fully_read: true }
    }

    /// Reports a line that gives the door a second kind of sequences.
    pub(super) fn refuse_second_kind(&self, entry: Entry<'_>, diagnostics: &mut Diagnostics) {
        if !KINDS.contains(&entry.directive) {
            return;
        }
        let mut others = KINDS.into_iter().filter(|kind| *kind != entry.directive);
        if let Some(other) = others.find_map(|kind| self.entries.get(kind)) {
            // In the order of the table, whichever line comes first.
            let (one, two) = if entry.directive < other.directive {
                (entry.directive, other.directive)
            } else {
                (other.directive, entry.directive)
            };
            let other_line = other.at.line().number;
            diagnostics.line(LineFault::TwoSequences { one, two, other_line }, entry.at);
        }
    }

    /// Ends the section.
    pub(super) fn finish(self, diagnostics: &mut Diagnostics) -> (DoorConfig, Gaps) {
        if self.is_fully_read {
            self.check_commands(diagnostics);
            self.check_open(diagnostics);
            self.check_derived(diagnostics);
            self.check_signed(diagnostics);
            let opens = |directive: &Directive| self.entries.get(*directive).is_some();
            if !KINDS.iter().chain([&Directive::Signed]).any(opens) {
                let door = Excerpt::new(self.name.bytes());
                diagnostics.line(LineFault::NoSequence { door }, self.name);
            }
        }
        let given = self.entries.0.keys().copied().collect();
        (self.config, Gaps { given, has_unread_lines: !self.is_fully_read })
    }

    /// Reports what derived sequences are like where there are none.
    fn check_derived(&self, diagnostics: &mut Diagnostics) {
        if self.entries.get(Directive::SequenceKey).is_some() {
            return;
        }
        let with_it =
            [Directive::SequenceKnocks, Directive::SequencePorts, Directive::SequencePeriod];
        for directive in with_it {
            if let Some(entry) = self.entries.get(directive) {
                diagnostics.line(LineFault::NothingDerived { directive }, entry.at);
            }
        }
    }

    /// Reports for whom signed packets open where there are none.
    fn check_signed(&self, diagnostics: &mut Diagnostics) {
        if self.entries.get(Directive::Signed).is_none()
            && let Some(entry) = self.entries.get(Directive::Admit)
        {
            diagnostics.line(LineFault::NothingSigned, entry.at);
        }
    }

    /// Reports times of `Open` without it, or that contradict one another.
    fn check_open(&self, diagnostics: &mut Diagnostics) {
        if self.entries.get(Directive::Open).is_none() {
            for directive in [Directive::OpenFor, Directive::OpenMax] {
                if let Some(entry) = self.entries.get(directive) {
                    diagnostics.line(LineFault::NothingToOpen { directive }, entry.at);
                }
            }
        }
        let lasts = self.config.open_for();
        // If `Open_For` cannot be read, its value is unknown.
        let is_known =
            self.config.open_for.is_some() || self.entries.get(Directive::OpenFor).is_none();
        if let Some(max) = self.config.open_max.as_ref().filter(|max| is_known && max.value < lasts)
        {
            diagnostics.line_at(LineFault::OpenMaxTooShort { max: max.value, lasts }, max.at);
        }
    }

    /// Warns about commands that do not run as it seems; an empty command runs nothing.
    fn check_commands(&self, diagnostics: &mut Diagnostics) {
        let DoorConfig { start, start_6, stop, stop_6, .. } = &self.config;
        let starts = runs(start.as_ref());
        let starts_for_6 = if start_6.is_some() { runs(start_6.as_ref()) } else { starts };
        if let Some(given) = stop {
            let directive = Directive::StopCommand;
            if !runs(stop.as_ref()) {
                let warning = Warning::EmptyStopCommand { directive };
                diagnostics.warn_at(warning, Some(given.at));
            } else if !starts && (!starts_for_6 || stop_6.is_some()) {
                let warning = Warning::StopWithoutStart { directive };
                diagnostics.warn_at(warning, Some(given.at));
            }
        }
        if let Some(given) = stop_6 {
            let directive = Directive::StopCommand6;
            if runs(stop_6.as_ref()) {
                if !starts_for_6 {
                    let warning = Warning::StopWithoutStart { directive };
                    diagnostics.warn_at(warning, Some(given.at));
                }
            } else if !runs(stop.as_ref()) {
                // Next to a stop command, an empty one is the documented way to run nothing.
                let warning = Warning::EmptyStopCommand { directive };
                diagnostics.warn_at(warning, Some(given.at));
            }
        }
        if let Some(given) = start_6
            && starts_for_6
            && runs(stop.as_ref())
            && stop_6.is_none()
        {
            diagnostics.warn_at(Warning::StopForBothFamilies, Some(given.at));
        }
        let opens = self.entries.get(Directive::Open).is_some();
        if !opens && [start, start_6, stop, stop_6].into_iter().all(Option::is_none) {
            let door = Excerpt::new(self.name.bytes());
            diagnostics.warn(Warning::NoCommand { door }, self.name);
        }
    }
}

fn runs(command: Option<&Given<Command>>) -> bool {
    command.is_some_and(|given| !given.value.as_bytes().is_empty())
}

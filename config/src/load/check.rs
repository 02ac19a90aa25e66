//! The check of a configuration and the files it names.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::files::Waits;
use super::host::Host;
use crate::config::{Config, DoorConfig, Knocks};
use crate::diagnostics::{Diagnostics, Source};
use crate::lint::{self, Checked, Circumstances, KeyInFile};
use crate::read::Parsed;
use crate::text::{Excerpt, shown};
use crate::warnings::Warning;
use knock_engine::{OneTimeSequences, Sequence};

/// What a check takes into account.
pub(crate) struct Check<'a> {
    /// The levels of warnings, and what else the command line says.
    pub(crate) circumstances: Circumstances,
    /// The machine that the configuration is for; `None` if it is not known.
    pub(crate) host: Option<&'a dyn Host>,
    /// How long to wait for a configuration that is a pipe.
    pub(crate) waits: Waits,
}

impl Check<'_> {
    /// Reads the text of a configuration.
    pub(super) fn configuration(&self, path: &Path, text: &[u8]) -> Parsed {
        let Checked { mut parsed, programs } = lint::check(text, &self.circumstances);
        let Some(host) = self.host else { return parsed };
        let mut faults = BTreeMap::new();
        for program in &programs {
            let fault = *faults
                .entry(&program.path)
                .or_insert_with(|| host.program_fault(Path::new(OsStr::from_bytes(&program.path))));
            if let Some(fault) = fault {
                let program_text = Excerpt::new(&program.path);
                let warning = Warning::CommandNotFound { program: program_text, fault };
                parsed.diagnostics.warn_at(warning, Some(program.span));
            }
        }
        if parsed.config.as_ref().is_some_and(has_sequences) {
            advise_of_mode(host, path, &mut parsed.diagnostics);
        }
        parsed.diagnostics.sort();
        parsed
    }

    /// Returns what is found about an included file as a whole.
    pub(super) fn included(&self, path: &Path) -> Option<Source> {
        let mut diagnostics = Diagnostics::new(self.circumstances.levels.clone());
        advise_of_mode(self.host?, path, &mut diagnostics);
        let is_sound = diagnostics.kept().is_empty();
        (!is_sound).then(|| Source::new(shown(path), Vec::new(), &diagnostics))
    }

    /// Reads the text of a file of one-time sequences.
    pub(super) fn one_time(
        &self,
        path: &Path,
        text: &[u8],
    ) -> (Option<OneTimeSequences>, Diagnostics) {
        let (sequences, mut diagnostics) = lint::check_one_time(text, &self.circumstances);
        let has_secrets = sequences.as_ref().is_some_and(|sequences| sequences.next().is_some());
        if let Some(host) = self.host.filter(|_| has_secrets) {
            advise_of_mode(host, path, &mut diagnostics);
        }
        (sequences, diagnostics)
    }

    /// Returns what is found about the keys of users. `diagnostics` are those of the text of the configuration.
    pub(super) fn keys(
        &self,
        config: &Config,
        text: &[u8],
        keys: &[KeyInFile],
        diagnostics: Diagnostics,
    ) -> Diagnostics {
        let mut found = diagnostics.into_empty();
        let now = self.host.and_then(Host::now);
        lint::check_keys(config, text, keys, now, &mut found);
        found
    }

    /// Reads the text of a file with the sequence of a door.
    pub(super) fn sequence(&self, text: &[u8]) -> (Option<Sequence>, Diagnostics) {
        lint::check_sequence_file(text, &self.circumstances)
    }
}

/// Returns whether the text of a configuration has the sequence of a door. Other sequences have their own files.
pub(super) fn has_sequences(config: &Config) -> bool {
    let is_here = |door: &DoorConfig| {
        door.knocks.as_ref().is_some_and(|given| matches!(given.value, Knocks::Fixed(_)))
    };
    config.doors.iter().any(is_here)
}

/// Warns about a file that every user can read.
fn advise_of_mode(host: &dyn Host, path: &Path, diagnostics: &mut Diagnostics) {
    const READ_BY_OTHERS: u32 = 0o004;
    if let Some(mode) = host.mode(path).filter(|mode| mode & READ_BY_OTHERS != 0) {
        diagnostics.warn_at(Warning::WorldReadable { mode }, None);
    }
}

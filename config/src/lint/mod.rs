//! Warnings about a configuration without errors: what opens more easily, or does less, than it seems to.
//!
//! The parser itself warns about lines that have no effect or not the effect they seem to have; those
//! warnings are printed at every start. The warnings here are printed only by a check: a daemon that
//! replaces knockd 0.8 should not print advice about a configuration that has worked for years. They
//! depend only on the text. Callers that can look at the machine get the [`Program`]s of all commands.

mod circumstances;
mod commands;
mod doors;
mod firewall;
mod options;
mod related;
mod scan;
mod services;
mod shell;
mod signed;
mod typography;

pub use circumstances::{Circumstances, Program};
pub(crate) use signed::{KeyInFile, check_keys};

use crate::diagnostics::Diagnostics;
use crate::read::{Parsed, ReadText, one_time, read, sequence_file};
use commands::DoorScripts;
use knock_engine::{OneTimeSequences, Sequence};

/// The result of [`check`].
#[derive(Clone, Debug)]
pub struct Checked {
    /// The same as without a check, with more warnings.
    pub parsed: Parsed,
    /// The programs that commands name by their whole paths, in the order of the text.
    pub programs: Vec<Program>,
}

/// Reads the text of a `knockd.conf` as [`crate::parse`] does, and adds advice.
///
/// An error hides no advice about what could be read. Only what depends on all doors together, or on
/// what a door lacks, needs a text, or a door, without errors.
#[must_use]
pub fn check(text: &[u8], circumstances: &Circumstances) -> Checked {
    let read = read(text, circumstances.levels.clone());
    let ReadText { config, gaps, mut diagnostics } = read;
    options::check(&config.options, text, &mut diagnostics);
    typography::check_options(&config.options, text, &mut diagnostics);
    let doors = config.doors.iter().zip(&gaps);
    let mut doors: Vec<DoorScripts<'_>> =
        doors.map(|(door, gaps)| DoorScripts::new(door, text, gaps)).collect();
    let is_whole = diagnostics.errors() == 0;
    if is_whole {
        commands::check_closing(&mut doors, &mut diagnostics);
    }
    for door in &doors {
        doors::check(door, text, circumstances, &mut diagnostics);
        commands::check(door, circumstances, &mut diagnostics);
        typography::check(door, text, &mut diagnostics);
    }
    if is_whole {
        options::check_firewall(&config, &mut diagnostics);
        scan::check(&config.doors, text, &mut diagnostics);
    }
    related::check(&config.doors, text, &mut diagnostics);
    let programs = doors.iter().flat_map(commands::programs).collect();
    diagnostics.sort();
    let config = is_whole.then_some(config);
    Checked { parsed: Parsed { config, diagnostics }, programs }
}

/// Reads the text of a file of one-time sequences as [`crate::parse_one_time`] does, and gives advice
/// about each by itself.
#[must_use]
pub fn check_one_time(
    text: &[u8],
    circumstances: &Circumstances,
) -> (Option<OneTimeSequences>, Diagnostics) {
    let levels = circumstances.levels.clone();
    one_time::parse_with(text, levels, doors::check_in_file)
}

/// Reads the text of a file with the sequence of a door, and gives advice about it.
#[must_use]
pub fn check_sequence_file(
    text: &[u8],
    circumstances: &Circumstances,
) -> (Option<Sequence>, Diagnostics) {
    let levels = circumstances.levels.clone();
    sequence_file::parse_with(text, levels, doors::check_in_file)
}

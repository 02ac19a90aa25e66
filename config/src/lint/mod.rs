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

pub use circumstances::{Circumstances, Program};

use crate::config::DoorConfig;
use crate::diagnostics::Diagnostics;
use crate::read::{Parsed, one_time, read};
use knock_engine::OneTimeSequences;

/// The result of [`check`].
#[derive(Clone, Debug)]
pub struct Checked {
    /// The same as without a check, with more warnings.
    pub parsed: Parsed,
    /// The programs that commands name by their whole paths, in the order of the text. None if there is
    /// an error.
    pub programs: Vec<Program>,
}

/// Reads the text of a `knockd.conf` as [`crate::parse`] does, and adds advice if there are no
/// errors.
#[must_use]
pub fn check(text: &[u8], circumstances: &Circumstances) -> Checked {
    let (config, mut diagnostics) = read(text, circumstances.levels.clone());
    let mut programs = Vec::new();
    if let Some(config) = &config {
        options::check(&config.options, text, &mut diagnostics);
        check_doors(&config.doors, text, circumstances, &mut diagnostics);
        programs = config.doors.iter().flat_map(|door| commands::programs(door, text)).collect();
    }
    diagnostics.sort();
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
    one_time::parse_with(text, levels, doors::check_knocks)
}

fn check_doors(
    doors: &[DoorConfig],
    text: &[u8],
    circumstances: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    for door in doors {
        doors::check(door, text, circumstances, diagnostics);
        commands::check(door, text, circumstances, diagnostics);
    }
    scan::check(doors, text, diagnostics);
    related::check(doors, text, diagnostics);
}

//! Warning about a configuration that is sound: what opens more easily, or does less, than it seems to.
//!
//! The parser warns by itself of what has no effect or another one than it looks; that is told at every
//! start. What is found here is told only by a check, because a daemon that comes in the place of
//! knockd 0.8 should not greet a configuration that has served for years with advice. Everything here is
//! about the text; what depends on the machine is looked for by those who can see it, who get the
//! [`Program`]s of all commands.

mod commands;
mod doors;
mod firewall;
mod options;
mod related;
mod scan;
mod services;
mod shell;

use crate::config::Config;
use crate::diagnostics::Diagnostics;
use crate::lex::Span;
use crate::read::{Door as Placed, Parsed, one_time, read};
use crate::warnings::Levels;
use knock_engine::OneTimeSequences;

/// What a check is told besides the text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circumstances {
    /// What becomes of each warning.
    pub levels: Levels,
    /// Whether packets of IPv6 are ignored.
    pub ipv4_only: bool,
}

/// What [`check`] made of a text.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The same as without a check, but for more warnings.
    pub parsed: Parsed,
    /// The programs that commands name by their whole paths, in the order of the text. None if there is
    /// an error.
    pub programs: Vec<Program>,
}

/// A program that a command names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its path, which begins with `/`.
    pub path: Vec<u8>,
    /// Where the command names it.
    pub span: Span,
}

/// Reads the text of a `knockd.conf` as [`crate::parse`] does, and gives advice if there is no
/// error in it.
#[must_use]
pub fn check(text: &[u8], circumstances: &Circumstances) -> Checked {
    let (config, placed, mut diagnostics) = read(text, circumstances.levels.clone());
    let mut programs = Vec::new();
    if let Some(config) = &config {
        options::check(&placed.options, &mut diagnostics);
        check_doors(config, &placed.doors, circumstances, &mut diagnostics);
        programs = placed.doors.iter().flat_map(commands::programs).collect();
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
    config: &Config,
    placed: &[Placed<'_>],
    circumstances: &Circumstances,
    diagnostics: &mut Diagnostics,
) {
    let doors: Vec<Both<'_>> = config
        .doors
        .iter()
        .zip(placed)
        .map(|(door, placed)| Both { door: &door.door, placed })
        .collect();
    for both in &doors {
        doors::check(both, circumstances, diagnostics);
        commands::check(both, circumstances, diagnostics);
    }
    scan::check(&doors, diagnostics);
    related::check(&doors, diagnostics);
}

/// A door, and where the text says so.
struct Both<'a> {
    door: &'a knock_engine::Door,
    placed: &'a Placed<'a>,
}

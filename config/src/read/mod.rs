//! Parses the text of a `knockd.conf` into a [`Config`], or reports all its errors.

mod allow;
mod derived;
mod entry;
pub(crate) mod one_time;
mod option_value;
mod ports;
mod printed;
mod reader;
mod section;
pub(crate) mod sequence_file;
mod signed;
mod sources;
mod value;

pub use ports::parse as open_ports;
pub(crate) use reader::{ReadText, included, read};
pub(crate) use section::Gaps;

use crate::config::{Config, Options};
use crate::diagnostics::Diagnostics;
use crate::warnings::Levels;

/// Reads the text of a `knockd.conf`.
///
/// Any bytes will do. What knockd 0.8 accepts and means is accepted and means the same; what it
/// accepts and misreads is an error (`docs/differences.md`, 28 to 36 and 71). Names of doors and files and
/// commands are kept byte for byte, and comments may hold anything.
#[must_use]
pub fn parse(text: &[u8]) -> Parsed {
    let ReadText { config, gaps: _, mut diagnostics } = read(text, Levels::default());
    diagnostics.sort();
    let config = (diagnostics.errors() == 0).then_some(config);
    Parsed { config, diagnostics }
}

/// Reads what can be read of the section `[options]` of a `knockd.conf`, whatever errors the text has: for
/// what must be done even with a configuration that cannot be used.
#[must_use]
pub fn parse_options(text: &[u8]) -> Options {
    reader::read_options(text)
}

/// The result of [`parse`].
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The configuration; `None` if and only if there is an error.
    pub config: Option<Config>,
    /// All errors and warnings.
    pub diagnostics: Diagnostics,
}

#[cfg(test)]
mod tests;

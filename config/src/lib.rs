//! Reads a `knockd.conf` and the files it names, and reports errors and likely mistakes.
//!
//! Modules use only those above them in this list, and a file of a folder may use its `mod.rs`.

pub mod text;

pub mod file_faults;
pub mod used;
mod wording;

pub mod lex;
mod names;
mod pattern;
mod suggest;
mod typography;

mod config;
mod directives;
pub mod warnings;

pub mod diagnostics;

pub mod keys;

mod read;

pub mod lint;

mod load;

pub mod command_line;
mod json;
pub mod options;
mod verdict;

pub use config::*;
pub use diagnostics::{Diagnostic, Diagnostics, Fault, LineFault, OptionFault, ValueFault};
pub use directives::{Directive, Section};
pub use lex::Span;
pub use load::{
    Files, Host, KeyFault, KeyFileError, MAX_FILE_BYTES, MAX_ONE_TIME_BYTES, Parts, Refusal, Setup,
    ThisHost, Unreadable, Waits, doors, help_for_distrust, marks, path_of, read_configuration,
    read_key_file, read_one_time, read_sequence_key,
};
pub use names::{FileName, InterfaceName, TableName, UserName};
pub use pattern::matches;
pub use read::one_time::parse as parse_one_time;
pub use read::{Parsed, open_ports, parse, parse_options};
pub use suggest::nearest;
pub use text::Excerpt;
pub use typography::unlike;
pub use verdict::Verdict;
pub use wording::{Severity, Wording};

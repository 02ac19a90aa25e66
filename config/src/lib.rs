//! Reads a `knockd.conf` and the files it names, and says what is wrong with them.

mod check;
pub mod faults;
mod files;
mod host;
mod json;
pub mod lint;
pub mod one_time;
pub mod options;
mod parse;
pub mod report;
mod setup;
pub mod text;

pub use check::Verdict;
pub use files::{Files, MAX_FILE_BYTES, Refusal, Unreadable, read_configuration, read_one_time};
pub use host::{Host, ThisHost};
pub use parse::lex;
pub use parse::one_time::parse as parse_one_time;
pub use parse::{
    Config, Diagnostic, Diagnostics, Directive, DoorConfig, DoorPlaces, Excerpt, Fault, FileName,
    InterfaceName, LineFault, Lint, LogTime, OneTimeFile, OptionFault, Options, Parsed, Severity,
    Span, UserName, ValueFault, Wording, nearest, parse,
};
pub use setup::{MAX_ONE_TIME_BYTES, Setup, doors};

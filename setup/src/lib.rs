//! Reads a `knockd.conf` and the files it names, and says what is wrong with them.

mod check;
mod files;
mod host;
mod json;
pub mod options;
pub mod report;
mod setup;
pub mod text;

pub use check::Verdict;
pub use files::{Files, MAX_FILE_BYTES, Refusal};
pub use host::{Host, ThisHost};
pub use setup::{MAX_ONE_TIME_BYTES, Setup, doors};

//! Configurations and the files they name, read from disk.

mod check;
mod files;
mod host;
mod include;
pub mod marks;
mod parts;
mod secrets;
mod setup;

pub(crate) use check::Check;
pub use files::{
    Files, MAX_FILE_BYTES, Refusal, Unreadable, Waits, help_for_distrust, path_of,
    read_configuration, read_one_time,
};
pub use host::{Host, ThisHost};
pub use parts::Parts;
pub use setup::{MAX_ONE_TIME_BYTES, Setup, doors};

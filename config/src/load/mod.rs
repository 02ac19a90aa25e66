//! Configurations and the files they name, read from disk.

mod check;
mod files;
mod host;
mod include;
mod key;
mod key_text;
pub mod marks;
mod parts;
mod secrets;
mod setup;
mod user_keys;

pub(crate) use check::Check;
pub use files::{
    Files, MAX_FILE_BYTES, Refusal, Unreadable, Waits, help_for_distrust, path_of,
    read_configuration, read_one_time,
};
pub use host::{Host, ThisHost};
pub use key::{KeyFileError, read_key_file, read_sequence_key};
pub use key_text::KeyFault;
pub use parts::Parts;
pub use setup::{MAX_ONE_TIME_BYTES, Setup, doors};

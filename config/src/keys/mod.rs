//! Files with keys of users: what a server and a client have in common.

mod day;
mod entry;
mod key_base64;
mod key_file;
mod mask;
mod parse;
mod user;

pub use day::Day;
pub use key_base64::{decode_key, encode_key};
pub use key_file::KeyFile;
pub use parse::{ParsedKey, parse_key_file, server_name};
pub use user::{file_name, is_key_file, is_user, user_of};

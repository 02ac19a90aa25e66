//! Profiles: what is known of hosts, so that a name is enough to knock.

mod faults;
mod keyword;
mod lookup;
mod parse;
mod pattern;
mod place;
mod settings;
mod value;
mod words;

pub use lookup::Profiles;
pub use parse::{MAX_PATTERNS, MAX_PROFILES, Parsed, parse};
pub use place::{Base, default_path};
pub use settings::{Knocks, Settings};

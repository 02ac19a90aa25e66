//! Profiles: settings of hosts, so that a name is enough to knock.

mod door;
mod keyword;
mod lookup;
mod one_time;
mod parse;
mod pattern;
mod place;
mod resolve;
mod secret;
mod settings;
mod trouble;
mod value;
mod words;

use std::path::Path;

use knock_config::text::shown;
use knock_config::{Unreadable, Waits, read_configuration};
use knock_guard::Modes;

pub use lookup::Profiles;
pub use one_time::OneTime;
pub use parse::{MAX_PATTERNS, MAX_PROFILES, Parsed, parse};
pub use place::{Base, default_path};
pub(crate) use resolve::door;
pub use resolve::{Moment, Resolved, Use, Warnings, resolve};
pub use secret::warnings;
pub use settings::{Knocks, Settings};
pub use trouble::Trouble;

/// Reads a file of profiles. Warnings about likely mistakes are in the [`Parsed`].
///
/// # Errors
/// [`Trouble`] if it cannot be read or has an error.
pub fn load(path: &Path) -> Result<Parsed, Trouble> {
    let text = read_configuration(path, Modes::Any, Waits::Forever, |_| None).map_err(|cause| {
        let help = if matches!(cause, Unreadable::Denied) {
            "run as a user who may read it"
        } else {
            "profiles are in a text file, such as ~/.config/knock/config"
        };
        Trouble::unreadable(path, &cause, help)
    })?;
    let parsed = parse(shown(path), &text, &Base::of(path));
    match parsed {
        Parsed { profiles: None, source } => Err(Trouble::Text(Box::new(source))),
        parsed => Ok(parsed),
    }
}

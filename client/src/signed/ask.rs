//! What a signed packet is made of: from the command line, a profile and the file with the key.

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;

use knock_config::keys::KeyFile;
use knock_config::text::shown;
use knock_config::{KeyFileError, Unreadable, Wording, read_key_file};
use knock_engine::{DoorName, Port, SignedAction, Timestamp};
use knock_guard::Modes;
use knock_signed::DEFAULT_PORT;

use super::plan::Admission;
use crate::profile::Trouble;

/// What a signed packet is made of.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    pub(crate) key_file: KeyFile,
    /// The name of the server, as it knows itself.
    pub(crate) server: String,
    pub(crate) port: Port,
    pub(crate) door: DoorName,
    pub(crate) says: Says,
}

/// What a packet asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Says {
    pub(crate) admit: Admission,
    pub(crate) action: SignedAction,
}

/// With fewer days left than this, the client warns.
const ENOUGH_DAYS: i64 = 14;

const DAY_NANOS: i64 = 86_400_000_000_000;

/// Reads the file with the key.
///
/// # Errors
/// [`Trouble`].
pub(crate) fn key_file(path: &Path) -> Result<KeyFile, Trouble> {
    read_key_file(path, Modes::Any).map_err(|error| match error {
        KeyFileError::Unreadable(cause) => {
            Trouble::Alone(cause.wording(&shown(path), &help(&cause, path)))
        }
        KeyFileError::Text(source) => Trouble::Text(source),
    })
}

/// Returns what to do about a file that cannot be used. A key that a client makes for itself is known to no server.
fn help(cause: &Unreadable, path: &Path) -> Cow<'static, str> {
    match cause {
        Unreadable::Missing
        | Unreadable::Directory
        | Unreadable::NotAFile
        | Unreadable::Late
        | Unreadable::TooLarge
        | Unreadable::LargeSecret(_)
        | Unreadable::NotAKey(_) => Cow::Borrowed(
            "name the file with your key; `knock --import -` stores the one that `knock enroll` has printed on \
             the server",
        ),
        Unreadable::Refused(_)
        | Unreadable::NoSequence
        | Unreadable::Exposed { .. }
        | Unreadable::TooLargeTogether
        | Unreadable::NotAmongFiles
        | Unreadable::Denied
        | Unreadable::Distrusted(_)
        | Unreadable::Other(_) => Cow::Owned(cause.help_for_key(path).into_owned()),
    }
}

impl Signing {
    /// Puts together what is known. Without a door, it is the only one of the key.
    ///
    /// # Errors
    /// [`Trouble`] if there is no door.
    pub(crate) fn new(
        key_file: KeyFile,
        path: &Path,
        host: &str,
        door: Option<DoorName>,
        says: Says,
    ) -> Result<Self, Trouble> {
        let door = match (door, key_file.doors.as_slice()) {
            (Some(door), _) => door,
            (None, [only]) => only.clone(),
            (None, doors) => return Err(no_door(path, doors)),
        };
        let server = key_file.server.clone().unwrap_or_else(|| host.to_owned());
        let port = key_file.port.unwrap_or(Port(DEFAULT_PORT));
        Ok(Self { key_file, server, port, door, says })
    }

    /// Returns what is probably wrong.
    pub(crate) fn warnings(&self, path: &Path, now: Timestamp) -> Vec<Wording> {
        let mut warnings = Vec::new();
        let KeyFile { doors, until, .. } = &self.key_file;
        if !doors.is_empty() && !doors.contains(&self.door) {
            let message = format!("the key in {} is not for door `{}`", shown(path), self.door);
            let help = "if the server has given it more doors, add them to `doors`";
            warnings.push(Wording::new(message, "").help(help));
        }
        if let Some(until) = until {
            let left = until.end().as_nanos().saturating_sub(now.as_nanos());
            let key = shown(path);
            let message = match left {
                ..=0 => Some(format!("the key in {key} was valid until {until}")),
                _ if left <= ENOUGH_DAYS.saturating_mul(DAY_NANOS) => {
                    Some(format!("the key in {key} is valid until {until}"))
                }
                _ => None,
            };
            let help = "get a new one from the server: `knock enroll` makes it there";
            warnings.extend(message.map(|message| Wording::new(message, "").help(help)));
        }
        warnings
    }
}

fn no_door(path: &Path, doors: &[DoorName]) -> Trouble {
    let names: Vec<String> = doors.iter().map(|door| format!("`{door}`")).collect();
    let message = format!("no door is given for the key in {}", shown(path));
    let help = "name it with `--door`, or with `Door` in the profile";
    let help = match names.as_slice() {
        [] => help.to_owned(),
        names => format!("{help}; the key is for {}", names.join(", ")),
    };
    Trouble::Alone(Wording::new(message, "").help(help))
}

impl FromStr for Admission {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::OwnAddress);
        }
        let address = text.parse().map_err(|_| "not `auto` or an address, such as 192.0.2.7")?;
        Ok(Self::Address(address))
    }
}

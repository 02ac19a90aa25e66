//! Stores a key on the client.

use std::fmt::Write as _;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use knock_config::file_faults::WriteFault;
use knock_config::keys::KeyFile;
use knock_config::text::{Cause, shown};
use knock_engine::DoorName;
use knock_guard::Modes;
use zeroize::Zeroizing;

use super::{store, trouble, uri};
use crate::exit::Exit;
use crate::profile::{Trouble, default_path};
use crate::report::{Imported, Reporter};

/// The longest address that is read.
const URI_BYTES_MAX: u64 = 16_384;

/// Stores the key of an address under a name, and prints a profile for it.
pub(crate) fn import(text: &str, name: Option<&str>, reporter: &mut Reporter<'_>) -> Exit {
    if text != "-" {
        reporter.note(
            "the key is now in the history of the shell; `knock --import -` reads it from standard input",
        );
    }
    match stored(text, name) {
        Ok(imported) => {
            reporter.imported(&imported);
            Exit::Done
        }
        Err(trouble) => reporter.trouble(&trouble),
    }
}

fn stored(text: &str, name: Option<&str>) -> Result<Imported, Trouble> {
    let text = if text == "-" { from_input()? } else { Zeroizing::new(text.to_owned()) };
    let key_file = uri::read(line_of(&text)).map_err(|fault| {
        let message = format!("this is no address of a key: {}", fault.message());
        trouble(message, "give the whole line that `knock enroll` printed, in quotes".to_owned())
    })?;
    let server = key_file.server.as_deref().unwrap_or_default();
    let name = name.unwrap_or(server);
    if !is_name(name) {
        let message =
            format!("`{}` cannot be the name of a file and of a host", name.escape_debug());
        let help = "give another one after the address: `knock --import - home`";
        return Err(trouble(message, help.to_owned()));
    }
    let profiles = default_path().ok_or_else(|| {
        trouble("this user has no home".to_owned(), "set `HOME` or `XDG_CONFIG_HOME`".to_owned())
    })?;
    let file = profiles.with_file_name(format!("{name}.key"));
    let is_new = write(&file, &key_file)?;
    let profile = profile(name, &key_file);
    Ok(Imported { file: shown(&file), is_new, profiles: shown(&profiles), profile })
}

fn from_input() -> Result<Zeroizing<String>, Trouble> {
    let mut text = Zeroizing::new(String::with_capacity(4_096));
    let read = io::stdin().take(URI_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| {
        let message = format!("cannot read standard input: {}", Cause(&error));
        trouble(message, "paste the line that `knock enroll` printed, and then Ctrl-D".to_owned())
    })?;
    Ok(text)
}

/// Returns the first line that may be an address, so that all that `knock enroll` prints can be given; the whole text if there
/// is none.
fn line_of(text: &str) -> &str {
    text.lines().map(str::trim).find(|line| line.starts_with(uri::SCHEME)).unwrap_or(text)
}

/// Returns whether a name can be that of a file and of a profile.
fn is_name(name: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte);
    !name.is_empty() && !name.starts_with(['.', '-']) && name.bytes().all(is_part)
}

/// Writes the file. Returns whether it is new: the same key may be there already.
fn write(file: &Path, key_file: &KeyFile) -> Result<bool, Trouble> {
    let Err(error) = store(file, key_file) else { return Ok(true) };
    if error.kind() != io::ErrorKind::AlreadyExists {
        let message = format!("cannot write {}: {}", shown(file), WriteFault(&error).cause());
        return Err(trouble(message, "check the folder".to_owned()));
    }
    let there = knock_config::read_key_file(file, Modes::Any);
    if there.is_ok_and(|there| there == *key_file) {
        return Ok(false);
    }
    let old = PathBuf::from(format!("{}.old", file.display()));
    let message = format!("{} exists, and stays as it is", shown(file));
    let help = format!(
        "give the key another name, as in `knock --import - home`, or first move the old one away: `mv {} {}`",
        knock_guard::quoted(file),
        knock_guard::quoted(&old)
    );
    Err(trouble(message, help))
}

/// Returns the lines for the file of profiles.
fn profile(name: &str, key_file: &KeyFile) -> String {
    let mut profile = format!("Host {name}\n");
    // Writing to a string cannot fail.
    if let Some(server) = key_file.server.as_deref().filter(|server| *server != name) {
        let _ = writeln!(profile, "    HostName {}", word(&server.replace('%', "%%")));
    }
    let _ = writeln!(profile, "    Key {}", word(&format!("{name}.key")));
    if let Some(door) = key_file.doors.first().map(DoorName::to_string) {
        let _ = writeln!(profile, "    Door {}", word(&door));
    }
    profile
}

/// Returns a value as one word of a profile.
fn word(text: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-._:%/".contains(letter);
    if text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

//! Files with keys.

use std::path::Path;

use knock_guard::{Modes, erase_stack};
use knock_signed::SequenceKey;

use super::files::{Secret, Unreadable};
use super::key_text::parse;
use super::secrets::read;
use crate::diagnostics::{self, Source, Style};
use crate::keys::{KeyFile, ParsedKey, parse_key_file};
use crate::text::shown;
use crate::wording::Severity;

/// Reads a file with a key, which only its owner may read, and returns what sequences are derived from.
///
/// # Errors
/// [`Unreadable`].
pub fn read_sequence_key(path: &Path, modes: Modes) -> Result<SequenceKey, Unreadable> {
    let text = read(path, modes, Secret::Key)?;
    let part = parse(&text).map(|key| key.for_sequences());
    erase_stack();
    part.map_err(Unreadable::NotAKey)
}

/// Why a file with the key of a user is not used.
#[derive(Clone, Debug)]
pub enum KeyFileError {
    /// It cannot be read, or others can read or write it.
    Unreadable(Unreadable),
    /// Its text has errors. The text here has no key.
    Text(Box<Source>),
}

impl KeyFileError {
    /// Returns the full message about the file of this path, in the layout of rustc.
    #[must_use]
    pub fn report(&self, path: &Path, style: Style) -> String {
        match self {
            Self::Unreadable(cause) => {
                let wording = cause.wording(&shown(path), &cause.help_for_key(path));
                diagnostics::render_alone(Severity::Error, &wording, style)
            }
            Self::Text(source) => diagnostics::render(std::slice::from_ref(source), style),
        }
    }
}

/// Reads a file with the key of a user, which only its owner may read.
///
/// # Errors
/// [`KeyFileError`].
pub fn read_key_file(path: &Path, modes: Modes) -> Result<KeyFile, KeyFileError> {
    let text = read(path, modes, Secret::Key).map_err(KeyFileError::Unreadable)?;
    let ParsedKey { key_file, source } = parse_key_file(shown(path), &text);
    key_file.ok_or_else(|| KeyFileError::Text(Box::new(source)))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn file(folder: &TempDir, text: &str, mode: u32) -> PathBuf {
        let path = folder.path().join("alice.key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    fn report(path: &Path, modes: Modes) -> String {
        let error = read_key_file(path, modes).unwrap_err();
        let report = error.report(path, Style::Plain);
        let folder = path.parent().unwrap().to_str().unwrap();
        assert!(!report.contains("AAEC"), "{report}");
        report.replace(folder, "DIR")
    }

    #[test]
    fn a_file_that_only_its_owner_can_read_is_read_also_through_a_link() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder, &format!("key = {KEY}\ndoors = SSH\n"), 0o600);
        let read = read_key_file(&path, Modes::Any).unwrap();
        assert_eq!(read.doors.len(), 1);
        let link = folder.path().join("link.key");
        symlink(&path, &link).unwrap();
        assert_eq!(read_key_file(&link, Modes::Any).unwrap(), read);
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_a_way_out() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder, &format!("key = {KEY}\n"), 0o640);
        let expected = "\
error: cannot read `DIR/alice.key`: it has a key, and other users may read it (mode 0640)
 = help: run `chmod 600 DIR/alice.key`, and make a new key if another user may have read this one
";
        assert_eq!(report(&path, Modes::Any), expected);
    }

    #[test]
    fn what_is_no_file_with_a_key_is_to_be_moved_away_before_one_is_made() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("alice.key");
        symlink("/dev/null", &path).unwrap();
        let device = report(&path, Modes::Any);
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let help = " = help: move it away (`mv DIR/alice.key DIR/alice.key.old`), and make one: `(umask 077 && ";
        for report in [device, report(&path, Modes::Any)] {
            assert!(report.contains(help), "{report}");
        }
    }

    #[test]
    fn a_file_in_a_folder_of_everyone_is_refused_with_strict_modes() {
        let folder = TempDir::new().unwrap();
        let path = file(&folder, &format!("key = {KEY}\n"), 0o600);
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(read_key_file(&path, Modes::Any).is_ok());
        let report = report(&path, Modes::Strict);
        assert!(report.contains("can be written by every user"), "{report}");
    }

    #[test]
    fn a_mistake_is_shown_where_it_is_and_the_key_never() {
        let folder = TempDir::new().unwrap();
        let text = format!("keys = {KEY}\nuntil = 31.1.2027\n{KEY}\n");
        let expected = "\
error: unknown entry `keys`
 --> DIR/alice.key:1:1
  |
1 | keys = ********************************************
  | ^^^^ not a known entry
  |
  = help: did you mean `key`?
";
        let report = report(&file(&folder, &text, 0o600), Modes::Any);
        assert!(report.starts_with(expected), "{report}");
        for part in [
            "3 | ********************************************\n",
            "2 | until = 31.1.2027\n  |         ^^^^^^^^^ expected a day up to 2262-04-10\n",
        ] {
            assert!(report.contains(part), "{part}: {report}");
        }
    }
}

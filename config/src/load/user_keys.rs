//! The folder with the keys of users.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use knock_engine::{Signing, User, UserKey};
use knock_guard::{Modes, erase_stack};
use knock_signed::KeyId;

use super::files::Unreadable;
use super::key::{KeyFileError, read_key_file};
use crate::diagnostics::Source;
use crate::keys::{Day, KeyFile, is_key_file, user_of};
use crate::lint::KeyInFile;
use crate::text::shown;
use crate::wording::Wording;

/// What is wrong with the keys of users.
pub(super) struct UserKeysError {
    /// About the folder, and files that cannot be used at all.
    pub(super) findings: Vec<Wording>,
    /// Texts of files with errors. They have no key.
    pub(super) sources: Vec<Source>,
}

/// Reads all keys in a folder, in the order of the names of their files. Files whose names do not end with
/// `.key` are passed over.
pub(super) fn read_user_keys(folder: &Path, modes: Modes) -> Result<Vec<KeyInFile>, UserKeysError> {
    let names = names_in(folder)
        .map_err(|wording| UserKeysError { findings: vec![wording], sources: Vec::new() })?;
    let mut found = UserKeysError { findings: Vec::new(), sources: Vec::new() };
    let mut keys = Vec::new();
    let mut names_of: BTreeMap<KeyId, OsString> = BTreeMap::new();
    for name in names {
        let path = folder.join(&name);
        let Some(user) = user_of(name.as_bytes()) else {
            found.findings.push(of_nobody(&path));
            continue;
        };
        match read_key_file(&path, modes) {
            Ok(KeyFile { key, doors, until, server: _, port: _ }) => {
                let key = key.for_packets();
                if let Some(other) = names_of.insert(key.id(), name) {
                    found.findings.push(same_key(&path, &folder.join(other)));
                }
                let until = until.map(Day::end);
                let key = UserKey { user: User::new(user.as_bytes()), key, doors, until };
                keys.push(KeyInFile { file: shown(&path), key });
            }
            Err(KeyFileError::Unreadable(cause)) => {
                found.findings.push(cause.wording(&shown(&path), &cause.help_for_key(&path)));
            }
            Err(KeyFileError::Text(source)) => found.sources.push(*source),
        }
    }
    erase_stack();
    if found.findings.is_empty() && found.sources.is_empty() { Ok(keys) } else { Err(found) }
}

/// Returns the names of files with keys.
fn names_in(folder: &Path) -> Result<Vec<OsString>, Wording> {
    let list = || -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(folder)?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            if !is_key_file(name.as_bytes()) {
                continue;
            }
            names.push(name);
            if names.len() > Signing::KEYS_MAX {
                break;
            }
        }
        names.sort();
        Ok(names)
    };
    let names = list().map_err(|error| unreadable(folder, &error.into()))?;
    if names.len() > Signing::KEYS_MAX {
        return Err(too_many(folder));
    }
    Ok(names)
}

fn unreadable(folder: &Path, cause: &Unreadable) -> Wording {
    let help = if matches!(cause, Unreadable::Missing) {
        "make a key, and the folder with it: `knock enroll --user alice --server NAME`, or name the folder in \
         `key_dir`"
    } else {
        "name the folder with the keys of users in `key_dir`, and run as a user who may read it"
    };
    Wording {
        label: "its doors need the keys in it".to_owned(),
        ..cause.wording(&shown(folder), help)
    }
}

fn of_nobody(path: &Path) -> Wording {
    Wording::new(
        format!(
            "`{}` has the key of nobody: its name does not begin with that of a user",
            shown(path)
        ),
        "the keys in this folder are read",
    )
    .help("rename it to USER.key or USER.LABEL.key, or to something that does not end with `.key`")
}

fn same_key(path: &Path, other: &Path) -> Wording {
    Wording::new(
        format!("`{}` has the same key as `{}`", shown(path), shown(other)),
        "the keys in this folder are read",
    )
    .help("give each user a key of its own: `knock enroll`")
}

fn too_many(folder: &Path) -> Wording {
    Wording::new(
        format!("there are more than {} keys in `{}`", Signing::KEYS_MAX, shown(folder)),
        "the keys in this folder are read",
    )
    .help("remove those of users who no longer knock")
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use knock_engine::Timestamp;
    use tempfile::TempDir;

    use super::*;

    const ONE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const TWO: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    fn folder(files: &[(&str, &str, u32)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, text, mode) in files {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
        }
        folder
    }

    fn key(key: &str) -> String {
        format!("key = {key}\n")
    }

    /// Returns the messages of what is wrong, without the name of the folder, and how many files have errors in their text.
    fn wrong(folder: &TempDir) -> (Vec<String>, usize) {
        let UserKeysError { findings, sources } =
            read_user_keys(folder.path(), Modes::Any).err().expect("an error");
        let name = format!("{}/", folder.path().display());
        for wording in &findings {
            assert!(!format!("{wording:?}").contains("AAEC"), "{wording:?}");
        }
        let messages = findings.iter().map(|wording| wording.message.replace(&name, ""));
        (messages.collect(), sources.len())
    }

    #[test]
    fn keys_are_in_the_order_of_their_files_and_other_files_are_passed_over() {
        let until = format!("{}until = 2027-01-31\ndoors = SSH,web\n", key(ONE));
        let folder = folder(&[
            ("bob.key", &key(TWO), 0o600),
            ("alice.2027.key", &until, 0o400),
            ("README", "not a key", 0o644),
            ("alice.key~", &key(ONE), 0o644),
        ]);
        let files = read_user_keys(folder.path(), Modes::Any).ok().expect("two keys");
        assert!(files[0].file.ends_with("/alice.2027.key"), "{}", files[0].file);
        let keys: Vec<UserKey> = files.into_iter().map(|one| one.key).collect();
        let users: Vec<&[u8]> = keys.iter().map(|one| one.user.as_bytes()).collect();
        assert_eq!(users, [&b"alice"[..], b"bob"]);
        assert_eq!(keys[0].doors.len(), 2);
        // The end of the day.
        assert_eq!(keys[0].until, Some(Timestamp::from_nanos(1_801_440_000_000_000_000)));
        assert_eq!((keys[1].doors.len(), keys[1].until), (0, None));
    }

    #[test]
    fn an_empty_folder_has_no_keys() {
        let keys = read_user_keys(folder(&[]).path(), Modes::Any).map(|keys| keys.len());
        assert_eq!(keys.ok(), Some(0));
    }

    #[test]
    fn every_file_with_an_error_is_found() {
        let folder = folder(&[
            ("alice.key", &key(ONE), 0o640),
            ("bob.key", "key = short\n", 0o600),
            ("carol.key", &key(TWO), 0o600),
            ("dave.key", &key(TWO), 0o600),
            (".key", &key(ONE), 0o600),
            ("we ird.key", &key(ONE), 0o600),
        ]);
        let (messages, texts) = wrong(&folder);
        assert_eq!(
            messages,
            [
                "`.key` has the key of nobody: its name does not begin with that of a user",
                "cannot read `alice.key`: it has a key, and other users may read it (mode 0640)",
                "`dave.key` has the same key as `carol.key`",
                "`we ird.key` has the key of nobody: its name does not begin with that of a user",
            ]
        );
        assert_eq!(texts, 1);
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_an_error_with_a_way_out() {
        let folder = TempDir::new().unwrap();
        let error = read_user_keys(&folder.path().join("none"), Modes::Any).err().unwrap();
        assert!(error.findings[0].message.ends_with("/none`: there is no such file"));
        assert!(error.findings[0].help.as_ref().unwrap().contains("knock enroll"));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = read_user_keys(&file, Modes::Any).err().unwrap();
        assert!(error.findings[0].help.as_ref().unwrap().contains("key_dir"));
    }

    #[test]
    fn there_may_be_only_so_many_keys() {
        let folder = TempDir::new().unwrap();
        for number in 0..=Signing::KEYS_MAX {
            fs::write(folder.path().join(format!("u{number}.key")), "").unwrap();
        }
        let (messages, texts) = wrong(&folder);
        assert!(messages[0].starts_with("there are more than 4096 keys in "), "{messages:?}");
        assert_eq!((messages.len(), texts), (1, 0));
    }
}

//! The folder with the keys of users.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use knock_engine::{Signing, User, UserKey};
use knock_guard::Modes;
use knock_signed::KeyId;

use super::files::Unreadable;
use super::key::{KeyFileError, read_key_file};
use crate::diagnostics::Source;
use crate::keys::{Day, KeyFile, user_of};
use crate::text::shown;
use crate::wording::Wording;

/// What is wrong with the keys of users.
pub(super) struct UserKeysError {
    /// About the folder, and files that cannot be used at all.
    pub(super) findings: Vec<Wording>,
    /// Texts of files with errors. They have no key.
    pub(super) sources: Vec<Source>,
}

/// Reads all keys in a folder, in the order of the names of their files. Files with other names than those of keys are
/// passed over.
pub(super) fn read_user_keys(folder: &Path, modes: Modes) -> Result<Vec<UserKey>, UserKeysError> {
    let names = names_in(folder)
        .map_err(|wording| UserKeysError { findings: vec![wording], sources: Vec::new() })?;
    let mut found = UserKeysError { findings: Vec::new(), sources: Vec::new() };
    let mut keys: Vec<UserKey> = Vec::new();
    let mut names_of: BTreeMap<KeyId, OsString> = BTreeMap::new();
    for name in names {
        let Some(user) = user_of(name.as_bytes()) else { continue };
        let path = folder.join(&name);
        match read_key_file(&path, modes) {
            Ok(KeyFile { key, doors, until, server: _, port: _ }) => {
                let key = key.for_packets();
                if let Some(other) = names_of.insert(key.id(), name) {
                    found.findings.push(same_key(&path, &folder.join(other)));
                }
                let until = until.map(Day::end);
                keys.push(UserKey { user: User::new(user.as_bytes()), key, doors, until });
            }
            Err(KeyFileError::Unreadable(cause)) => {
                found.findings.push(cause.wording(&shown(&path), &cause.help_for_key(&path)));
            }
            Err(KeyFileError::Text(source)) => found.sources.push(*source),
        }
    }
    if found.findings.is_empty() && found.sources.is_empty() { Ok(keys) } else { Err(found) }
}

/// Returns the names of files with keys.
fn names_in(folder: &Path) -> Result<Vec<OsString>, Wording> {
    let list = || -> io::Result<Vec<OsString>> {
        let entries = fs::read_dir(folder)?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            if user_of(name.as_bytes()).is_none() {
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

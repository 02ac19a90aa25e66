//! The wording of warnings about keys.

use super::details::KeyGap;
use crate::text::Excerpt;
use crate::wording::Wording;

/// What is at the place of a warning about a file with a key.
const FOLDER: &str = "the keys in this folder are read";

pub(super) fn expired(file: &str, user: &Excerpt) -> Wording {
    Wording::new(format!("the key of `{user}` in `{file}` is no longer valid"), FOLDER)
        .help(format!(
            "remove the file; if `{user}` has no other key, make one: `knock enroll --user {user} --server NAME`"
        ))
        .note("its last day, `until`, is over by the clock of this machine")
}

pub(super) fn without_key(user: Option<&Excerpt>, door: &Excerpt) -> Wording {
    let (message, name) = match user {
        Some(user) => (format!("`{user}` has no key for door `{door}`"), user.as_str()),
        None => (format!("no user has a key for door `{door}`"), "NAME"),
    };
    Wording::new(message, "no packet can be signed for this")
        .help(format!("make a key: `knock enroll --user {name} --server NAME --door DOOR`"))
        .note("a key counts for the doors that its file names, or for all if it names none")
}

impl KeyGap {
    pub(super) fn wording(&self, file: &str) -> Wording {
        match self {
            Self::NoSuchDoor { door } => {
                Wording::new(format!("`{file}` is for door `{door}`, which does not exist"), FOLDER)
                    .help("correct the line `doors` in that file")
            }
            Self::OtherUsers { door, user } => Wording::new(
                format!("`{file}` is for door `{door}`, which does not open for `{user}`"),
                FOLDER,
            )
            .help(format!(
                "add `{user}` to `Signed` of the door, or remove the door from `doors` in that file"
            )),
            Self::NoDoor { user } => Wording::new(
                format!("`{file}` opens nothing: no door has `{user}` in `Signed`"),
                FOLDER,
            )
            .help(format!("add `{user}` to `Signed` of a door, or remove the file")),
        }
    }
}

//! Advice about doors that signed packets open, and about the keys for them.

use crate::config::{Config, DoorConfig, Knocks};
use crate::diagnostics::Diagnostics;
use crate::lex::{Piece, Span};
use crate::text::Excerpt;
use crate::warnings::{KeyGap, Warning};
use knock_engine::{DoorName, Timestamp, User, UserKey, Users};

/// A key, and the name of its file, fit to be printed.
pub(crate) struct KeyInFile {
    pub(crate) file: String,
    pub(crate) key: UserKey,
}

/// Warns about a sequence which opens the same door as signed packets do.
pub(super) fn check(door: &DoorConfig, diagnostics: &mut Diagnostics) {
    let Some(knocks) = door.knocks.as_ref().filter(|_| door.signed.is_some()) else { return };
    let is_always_the_same = match &knocks.value {
        Knocks::Fixed(_) | Knocks::File { .. } => true,
        Knocks::OneTime { .. } | Knocks::Derived { .. } => false,
    };
    if is_always_the_same {
        diagnostics.warn_at(Warning::SignedBesideSequence, Some(knocks.at));
    }
}

/// Gives advice about the keys of all users. `now` is the time on the machine that they are for, if that is known.
pub(crate) fn check_keys(
    config: &Config,
    text: &[u8],
    keys: &[KeyInFile],
    now: Option<Timestamp>,
    diagnostics: &mut Diagnostics,
) {
    for door in &config.doors {
        check_users(door, text, keys, diagnostics);
    }
    let signed = config.doors.iter().find_map(|door| door.signed.as_ref());
    let folder = config.options.key_dir.as_ref().map(|given| given.at);
    let at = folder.or(signed.map(|given| given.at));
    for KeyInFile { file, key } in keys {
        check_doors(config, file, key, at, diagnostics);
        if let (Some(until), Some(now)) = (key.until, now)
            && until <= now
        {
            let (file, user) = (file.clone(), Excerpt::new(key.user.as_bytes()));
            diagnostics.warn_at(Warning::ExpiredKey { file, user }, at);
        }
    }
}

/// Warns about users who may open a door, and have no key for it.
fn check_users(door: &DoorConfig, text: &[u8], keys: &[KeyInFile], diagnostics: &mut Diagnostics) {
    let Some(signed) = &door.signed else { return };
    let is_for_door = |key: &UserKey| key.doors.is_empty() || key.doors.contains(&door.name);
    let has_key =
        |user: &User| keys.iter().any(|one| one.key.user == *user && is_for_door(&one.key));
    let value = signed.value_in(text);
    let door = || Excerpt::new(door.name.as_bytes());
    match &signed.value {
        Users::Any if keys.iter().any(|one| is_for_door(&one.key)) => {}
        Users::Any => {
            let warning = Warning::UserWithoutKey { user: None, door: door() };
            diagnostics.warn(warning, value);
        }
        Users::Named(users) => {
            for user in users.iter().filter(|user| !has_key(user)) {
                let at =
                    value.split(b',').map(Piece::trim).find(|one| one.bytes() == user.as_bytes());
                let name = Some(Excerpt::new(user.as_bytes()));
                let warning = Warning::UserWithoutKey { user: name, door: door() };
                diagnostics.warn(warning, at.unwrap_or(value));
            }
        }
    }
}

/// Warns about a key that opens nothing, or not all that its file says.
fn check_doors(
    config: &Config,
    file: &str,
    key: &UserKey,
    at: Option<Span>,
    diagnostics: &mut Diagnostics,
) {
    let user = || Excerpt::new(key.user.as_bytes());
    let mut warn = |gap| {
        let file = file.to_owned();
        diagnostics.warn_at(Warning::KeyWithoutDoor { file, gap }, at);
    };
    if key.doors.is_empty() && !config.doors.iter().any(|door| lets_in(door, &key.user)) {
        return warn(KeyGap::NoDoor { user: user() });
    }
    for name in &key.doors {
        let door = Excerpt::new(name.as_bytes());
        if of_name(config, name).any(|door| lets_in(door, &key.user)) {
            continue;
        }
        let is_there = of_name(config, name).next().is_some();
        warn(if is_there {
            KeyGap::OtherUsers { door, user: user() }
        } else {
            KeyGap::NoSuchDoor { door }
        });
    }
}

fn of_name<'c>(config: &'c Config, name: &DoorName) -> impl Iterator<Item = &'c DoorConfig> {
    config.doors.iter().filter(move |door| door.name == *name)
}

/// Returns whether a door opens for signed packets of a user.
fn lets_in(door: &DoorConfig, user: &User) -> bool {
    door.signed.as_ref().is_some_and(|signed| match &signed.value {
        Users::Any => true,
        Users::Named(users) => users.contains(user),
    })
}

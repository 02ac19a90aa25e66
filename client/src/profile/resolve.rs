//! Finds the knocks at the place that a profile or the command line names.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use knock_config::Wording;
use knock_engine::{DoorName, FlagRule, Timestamp};

use super::door::{self, Derived, Kind, Wanted};
use super::one_time::OneTime;
use super::secret;
use super::settings::Knocks;
use super::trouble::Trouble;
use knock_capture::hit::Hit;

/// What the knocks are needed for.
pub enum Use<'a> {
    /// To show them: files are read only.
    Look,
    /// To send them: a one-time sequence is taken. The function is called before waiting for that.
    Knock(&'a mut dyn FnMut(&Path)),
}

/// What a derived sequence is needed for: a time of day.
#[derive(Clone, Copy, Debug)]
pub struct Moment(pub Timestamp);

impl Moment {
    /// Returns the present one.
    #[must_use]
    pub fn now() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::after_epoch(since_epoch)
    }

    /// Returns the one so long after 1970 began.
    #[must_use]
    pub fn after_epoch(time: Duration) -> Self {
        let nanos = i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        Self(Timestamp::from_nanos_clamped(nanos))
    }
}

/// Knocks, and what came with them.
#[derive(Debug)]
pub struct Resolved {
    /// The knocks.
    pub hits: Vec<Hit>,
    /// The address that the door listens at.
    pub target: Option<IpAddr>,
    /// The one-time sequence that the knocks are.
    pub one_time: Option<OneTime>,
}

/// Finds the knocks. Adds to `warnings` those about the files they are in, each file once.
///
/// # Errors
/// [`Trouble`] if there are none.
pub fn resolve(
    knocks: &Knocks,
    config: Option<&Path>,
    at: Moment,
    to: Use<'_>,
    warnings: &mut Warnings,
) -> Result<Resolved, Trouble> {
    match knocks {
        Knocks::Here(hits) => Ok(Resolved { hits: hits.clone(), target: None, one_time: None }),
        Knocks::OneTime(path) => one_time(path, FlagRule::default(), to, warnings),
        Knocks::Door(name) => door(Some(name), config, at, to, warnings),
    }
}

/// Finds the knocks of a door; without a name, the error lists the doors.
pub(crate) fn door(
    name: Option<&DoorName>,
    config: Option<&Path>,
    Moment(at): Moment,
    to: Use<'_>,
    warnings: &mut Warnings,
) -> Result<Resolved, Trouble> {
    let Some(config) = config else {
        let message = "a door is given, but not the configuration that it is in";
        let help = "name a knockd.conf with `--config`, or with `Config` in the profile";
        return Err(Trouble::new(message, help));
    };
    let Wanted { target, flags, sequence } = door::wanted(config, name)?;
    // Only here it has the sequence.
    if !matches!(sequence, Kind::Fixed(_)) {
        warnings.look_at_writers(config);
    }
    let resolved = match sequence {
        Kind::Fixed(sequence) => {
            warnings.look_at(config);
            Resolved { hits: door::hits(&sequence, flags), target: None, one_time: None }
        }
        Kind::File(path, sequence) => {
            warnings.look_at(&path);
            Resolved { hits: door::hits(&sequence, flags), target: None, one_time: None }
        }
        Kind::OneTime(path) => one_time(&path, flags, to, warnings)?,
        Kind::Derived(derived) => {
            let Derived { key_file, door, how } = *derived;
            warnings.look_at(&key_file);
            let sequence = how.sequence_at(door.as_bytes(), at);
            let hits = sequence.map(|sequence| door::hits(&sequence, flags)).unwrap_or_default();
            Resolved { hits, target: None, one_time: None }
        }
    };
    Ok(Resolved { target, ..resolved })
}

fn one_time(
    path: &Path,
    flags: FlagRule,
    to: Use<'_>,
    warnings: &mut Warnings,
) -> Result<Resolved, Trouble> {
    let one_time = match to {
        Use::Look => OneTime::look(path)?,
        Use::Knock(wait) => OneTime::take(path, OneTime::PATIENCE, || wait(path))?,
    };
    warnings.look_at(path);
    let hits = door::hits(one_time.sequence(), flags);
    Ok(Resolved { hits, target: None, one_time: Some(one_time) })
}

/// Warnings about files with secrets.
#[derive(Debug, Default)]
pub struct Warnings {
    /// The files that were looked at.
    pub seen: BTreeSet<PathBuf>,
    /// Those of them that held no secret.
    without_secret: BTreeSet<PathBuf>,
    /// The warnings, in order.
    pub list: Vec<Wording>,
}

impl Warnings {
    /// Looks at a file with a secret that was just read.
    pub fn look_at(&mut self, path: &Path) {
        self.look(path, true);
    }

    /// Looks at who can change a file that was just read and only says where the secret is.
    pub fn look_at_writers(&mut self, path: &Path) {
        self.look(path, false);
    }

    fn look(&mut self, path: &Path, holds_secret: bool) {
        let is_new = self.seen.insert(path.to_owned());
        let had_none = holds_secret && self.without_secret.remove(path);
        if is_new && !holds_secret {
            self.without_secret.insert(path.to_owned());
        }
        if is_new || had_none {
            // If it is gone by now, others cannot read it any more.
            self.list.extend(secret::warnings(path, holds_secret).unwrap_or_default());
        }
    }
}

//! Taking the files of leases at the start: what daemons before have left open, and a file for this one.
//!
//! Only a whole file, of this user, that nobody else can write is used as it is. Any other is set aside
//! under another name. The records of a damaged file are used if their checksum is right: whoever could
//! forge them could have written the whole file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use knock_config::file_faults::WriteFault;
use knock_config::text::{Cause, shown};
use nix::fcntl::Flock;
use nix::unistd::geteuid;

use super::file::{LeaseFile, MODE, make_folder_of};
use super::log::Log;
use crate::lease_record::{HEADER, Records, StoredLease, parse};
use crate::locked_file::{self, LockError};
use crate::places::{NamedBy, Places};

/// How much of a file is read, in bytes.
const BYTES_MAX: u64 = 256 << 20;

/// How long to wait for files that are locked, all together, and how often to look.
const HELD_MAX: Duration = Duration::from_secs(1);
const HELD_PAUSE: Duration = Duration::from_millis(10);

/// How many files with the same defect are kept.
const ASIDE_MAX: u32 = 9;

/// The files that were taken.
pub(super) struct Taken {
    /// The file of this daemon; or why there is none.
    pub(super) log: Result<Log<LeaseFile>, String>,
    /// The doors that were left open.
    pub(super) left: BTreeMap<u64, StoredLease>,
    /// Lines for the administrator.
    pub(super) warnings: Vec<String>,
    /// Files that cannot be written, locked so that no other daemon closes the doors in them, too.
    pub(super) unwritable: Vec<(PathBuf, Flock<File>)>,
}

/// Takes a file, and all leases at these places that no running daemon has, but for those that are closed.
/// `open` is added to them.
pub(super) fn take(
    places: &Places,
    open: &BTreeMap<u64, StoredLease>,
    closed: &BTreeSet<u64>,
) -> Taken {
    let now = Instant::now();
    // Once there is something open, this daemon has its file, and waits for no other.
    let is_start = open.is_empty() && closed.is_empty();
    let held_until = if is_start { now.checked_add(HELD_MAX).unwrap_or(now) } else { now };
    let (found, whole, left) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut search = Search {
        places,
        held_until,
        found,
        whole,
        left,
        forbidden: BTreeSet::new(),
        warnings: vec![],
    };
    for path in places.files().flatten() {
        search.read(path);
    }
    search.left.retain(|number, _| !closed.contains(number));
    let mut whole = search.left.clone();
    whole.extend(open.iter().map(|(number, lease)| (*number, lease.clone())));
    let log = search.begin(&whole);
    let Search { found, left, warnings, .. } = search;
    let mut unwritable = Vec::new();
    for (path, found) in found {
        let Found::Locked(file) = found else { continue };
        if log.is_ok() {
            // Its leases are in this daemon's file now.
            let _ = fs::remove_file(path);
        } else {
            unwritable.push((path, file));
        }
    }
    Taken { log, left, warnings, unwritable }
}

/// Takes a file, if there is one. One that is locked may be that of a daemon which was killed a moment ago
/// and is about to be gone: a thread that waits for the disk ends last.
fn take_soon(path: &Path, until: Instant) -> Result<Option<Flock<File>>, LockError> {
    loop {
        match locked_file::take_existing(path) {
            Err(LockError::Held(_)) if Instant::now() < until => thread::sleep(HELD_PAUSE),
            taken => return taken,
        }
    }
}

/// What was found at a place.
enum Found {
    Locked(Flock<File>),
    /// Another daemon uses it.
    InUse,
    /// It cannot be used, for this reason.
    Unusable(String),
}

struct Search<'a> {
    places: &'a Places,
    /// Until then, files that are locked are waited for.
    held_until: Instant,
    found: BTreeMap<PathBuf, Found>,
    /// How many lines each whole file has, and its leases.
    whole: BTreeMap<PathBuf, (usize, BTreeMap<u64, StoredLease>)>,
    left: BTreeMap<u64, StoredLease>,
    /// Folders with files that this user may not read, as reported.
    forbidden: BTreeSet<PathBuf>,
    warnings: Vec<String>,
}

impl Search<'_> {
    /// Reads a file, if there is one.
    fn read(&mut self, path: PathBuf) {
        let file = match take_soon(&path, self.held_until) {
            Ok(Some(file)) => file,
            Ok(None) => return,
            Err(LockError::Held(_)) => return drop(self.found.insert(path, Found::InUse)),
            Err(why) => {
                let is_forbidden = matches!(&why, LockError::Io(error)
                    if error.kind() == io::ErrorKind::PermissionDenied);
                let folder = path.parent().unwrap_or(&path).to_owned();
                // An ordinary user can read no file in a folder of root's: one line is enough.
                if !is_forbidden || self.forbidden.insert(folder) {
                    let text = format!("cannot read the open doors in {}: {why}", shown(&path));
                    self.warn(text);
                }
                return drop(self.found.insert(path, Found::Unusable(why.to_string())));
            }
        };
        if !is_trusted(&file) || self.places.distrust(&path).is_some() {
            self.reject(path, file);
            return;
        }
        let text = match contents(&file) {
            Ok(text) => text,
            Err(error) => {
                let path_shown = shown(&path);
                let why = Cause(&error).to_string();
                self.warn(format!(
                    "cannot read the open doors in {path_shown}: {why}; doors may be open: check \
                     the disk"
                ));
                return drop(self.found.insert(path, Found::Unusable(why)));
            }
        };
        let Records { open, damaged, is_ours } = parse(&text);
        if !is_ours && self.places.named_by == NamedBy::LeaseFile {
            self.warn(format!(
                "{} has no open doors but something else, and stays as it is; check the directive \
                 'LeaseFile'",
                shown(&path)
            ));
            let why = "it has something else than open doors".to_owned();
            return drop(self.found.insert(path, Found::Unusable(why)));
        }
        let is_too_large = u64::try_from(text.len()).unwrap_or(u64::MAX) >= BYTES_MAX;
        if damaged > 0 || is_too_large {
            self.keep_copy(&path, damaged, is_too_large, open.len());
        } else if text.starts_with(HEADER) {
            let lines = text.split(|byte| *byte == b'\n').count();
            self.whole.insert(path.clone(), (lines, open.clone()));
        }
        self.left.extend(open);
        self.found.insert(path, Found::Locked(file));
    }

    /// Sets a file aside whose commands another user may have written.
    fn reject(&mut self, path: PathBuf, file: Flock<File>) {
        let aside = aside(&path, "untrusted");
        let shown_path = shown(&path);
        let why = "because another user may have written them";
        match fs::rename(&path, &aside) {
            Ok(()) => self.warn(format!(
                "will not run the stop commands in {shown_path}, {why}: it is now {}; check it, close its \
                 doors by hand, then remove it",
                shown(&aside)
            )),
            Err(error) => {
                self.warn(format!(
                    "will not run the stop commands in {shown_path}, {why}; it cannot be renamed ({}): \
                     check and remove it",
                    Cause(&error)
                ));
                let why = "another user may have written it".to_owned();
                self.found.insert(path, Found::Unusable(why));
            }
        }
        drop(file);
    }

    /// Keeps a damaged file under another name, because a new one takes its place.
    fn keep_copy(&mut self, path: &Path, damaged: usize, is_too_large: bool, readable: usize) {
        let aside = aside(path, "damaged");
        let what = if is_too_large {
            "is too large for a list of open doors".to_owned()
        } else {
            format!("is damaged: {damaged} of its lines cannot be read")
        };
        let kept = fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop));
        let shown_path = shown(path);
        let (doors, rest) = (
            if readable == 1 { "1 door".to_owned() } else { format!("{readable} doors") },
            "look in it for doors that are still open, and close them by hand",
        );
        self.warn(match kept {
            Ok(()) => format!(
                "{shown_path} {what}; set aside as {}; the {doors} that can be read will be closed; {rest}",
                shown(&aside)
            ),
            Err(error) => format!(
                "{shown_path} {what}, and cannot be set aside ({}); the {doors} that can be read will be \
                 closed; others may be open",
                Cause(&error)
            ),
        });
    }

    /// Begins this daemon's file.
    fn begin(&mut self, open: &BTreeMap<u64, StoredLease>) -> Result<Log<LeaseFile>, String> {
        let mut whys = Vec::new();
        for slots in self.places.files() {
            match self.begin_in(&slots, open) {
                Ok(log) => {
                    self.warn_of_second_choice(&slots, &whys);
                    return Ok(log);
                }
                Err(why) => whys.push(why),
            }
        }
        Err(whys.join("; "))
    }

    /// Begins it in the first of these files that no other daemon uses.
    fn begin_in(
        &mut self,
        slots: &[PathBuf],
        open: &BTreeMap<u64, StoredLease>,
    ) -> Result<Log<LeaseFile>, String> {
        let mut unusable = None;
        for path in slots {
            let failed =
                |why: &dyn std::fmt::Display| format!("cannot write {}: {why}", shown(path));
            let is_new = !self.found.contains_key(path);
            let file = match self.found.remove(path) {
                Some(Found::Locked(file)) => file,
                Some(Found::InUse) => {
                    self.found.insert(path.clone(), Found::InUse);
                    continue;
                }
                Some(Found::Unusable(why)) => {
                    unusable.get_or_insert_with(|| format!("cannot use {}: {why}", shown(path)));
                    self.found.insert(path.clone(), Found::Unusable(why));
                    continue;
                }
                None => {
                    make_folder_of(path).map_err(|error| failed(&WriteFault(&error).cause()))?;
                    if let Some(why) = self.places.distrust(path) {
                        return Err(failed(&why));
                    }
                    match locked_file::take(path, MODE) {
                        Ok(file) => file,
                        Err(LockError::Held(_)) => continue,
                        Err(why) => return Err(failed(&why)),
                    }
                }
            };
            let lines = self.lines_if_same(path, open);
            let file = LeaseFile::new(path.clone(), file);
            let log = match lines {
                Some(lines) if file.can_be_written() => Log::go_on(file, open.clone(), lines),
                Some(_) | None => Log::begin(file, open.clone()),
            };
            return log.map_err(|(file, error)| {
                if is_new {
                    // An empty file says nothing.
                    let _ = fs::remove_file(path);
                } else {
                    self.found.insert(path.clone(), Found::Locked(file.into_lock()));
                }
                failed(&WriteFault(&error).cause())
            });
        }
        // Where one file has another reason, it is not only that all are in use.
        Err(unusable.unwrap_or_else(|| {
            let first = slots.first().map_or(Path::new(""), |path| path);
            format!("too many daemons use {}", shown(first))
        }))
    }

    /// Returns how many lines a file has if it is whole and has just these leases. It need not be written
    /// then, for which a full disk may have no room.
    fn lines_if_same(&self, path: &Path, open: &BTreeMap<u64, StoredLease>) -> Option<usize> {
        let (lines, leases) = self.whole.get(path)?;
        (leases == open).then_some(*lines)
    }

    fn warn_of_second_choice(&mut self, slots: &[PathBuf], whys: &[String]) {
        let Some(first) = slots.first().filter(|_| !whys.is_empty()) else { return };
        let folder = shown(first.parent().unwrap_or(first));
        self.warn(format!(
            "{}; open doors are remembered in {folder} instead, which a restart of the machine empties: \
             name a folder with the directive 'StateDir'",
            whys.join("; ")
        ));
    }

    fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }
}

/// Returns whether only this user can have written a file.
fn is_trusted(file: &File) -> bool {
    file.metadata()
        .is_ok_and(|metadata| metadata.uid() == geteuid().as_raw() && metadata.mode() & 0o022 == 0)
}

fn contents(file: &File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Returns the name for a file that is set aside.
fn aside(path: &Path, what: &str) -> PathBuf {
    let name = |number: u32| {
        let mut name = path.to_owned().into_os_string();
        name.push(format!(".{what}"));
        if number > 1 {
            name.push(format!(".{number}"));
        }
        PathBuf::from(name)
    };
    let free = (1..=ASIDE_MAX).map(name).find(|name| fs::symlink_metadata(name).is_err());
    free.unwrap_or_else(|| {
        let last = name(ASIDE_MAX);
        // There are eight older ones of the kind. If it cannot be removed, the caller's error says so.
        let _ = fs::remove_file(&last);
        last
    })
}

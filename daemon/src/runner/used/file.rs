//! The file of used sequences.
//!
//! Only when the first sequence is used, a file is taken that no other daemon has. Before that, all that there are are
//! read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use knock_config::file_faults::WriteFault;
use knock_config::text::{Cause, shown};
use knock_config::used::{BYTES_MAX, HEADER, Use, line, parse};
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::unistd::geteuid;

use crate::locked_file::{self, LockError, is_at};
use crate::places::Places;
use crate::runner::lease_store::{make_folder_of, sync_folder_of};

/// The permissions of the file.
const MODE: u32 = 0o600;

/// How many superfluous lines the file may have before it is rewritten.
const SPARE_LINES: usize = 1_000;

/// The file of this daemon, if it has one already.
#[derive(Debug)]
pub(super) struct UsedFile {
    places: Places,
    own: Option<OwnFile>,
}

/// A file that this process has locked, and that is as it was last written.
#[derive(Debug)]
struct OwnFile {
    path: PathBuf,
    file: Flock<File>,
    lines: usize,
}

impl UsedFile {
    /// Reads all files at these places. Returns what was used, and warnings.
    pub(super) fn read(places: Places) -> (Self, Vec<Use>, Vec<String>) {
        let (mut uses, mut warnings) = (Vec::new(), Vec::new());
        for path in places.files().flatten() {
            match read(&places, &path) {
                Ok(None) => {}
                Ok(Some((found, damaged))) => {
                    uses.extend(found);
                    if let Some(number) = damaged.first() {
                        warnings.push(format!(
                            "line {number} of {} cannot be read, as after a power cut: a derived sequence may \
                             count again, and signed packets from before this start do not count",
                            shown(&path)
                        ));
                    }
                }
                Err(why) => warnings.push(format!(
                    "cannot read which derived sequences and signed packets were used in {}: {why}; such \
                     sequences may count again, and packets from before this start do not count",
                    shown(&path)
                )),
            }
        }
        (Self { places, own: None }, uses, warnings)
    }

    /// Is at other places from now on.
    pub(super) fn move_to(&mut self, places: Places) {
        *self = Self { places, own: None };
    }

    /// Has a use on disk when it returns. `all` are the uses with it.
    ///
    /// # Errors
    /// Why it is not on disk.
    pub(super) fn add(&mut self, one: Use, all: &[Use]) -> Result<(), String> {
        // After an error nothing is known about the file, so that another one is begun.
        let own = self.own.take();
        let most = all.len().saturating_mul(4).saturating_add(SPARE_LINES);
        let own = match own.filter(|own| own.lines < most && is_at(&own.file, &own.path)) {
            Some(own) => own.append(one)?,
            None => self.begin(all)?,
        };
        self.own = Some(own);
        Ok(())
    }

    /// Begins a file of this daemon in the first folder that it can write.
    fn begin(&self, all: &[Use]) -> Result<OwnFile, String> {
        let mut whys = Vec::new();
        for slots in self.places.files() {
            match begin_in(&self.places, &slots, all) {
                Ok(own) => return Ok(own),
                Err(why) => whys.push(why),
            }
        }
        Err(whys.join("; "))
    }
}

impl OwnFile {
    fn append(mut self, one: Use) -> Result<Self, String> {
        let done = self.file.write_all(line(one).as_bytes()).and_then(|()| self.file.sync_data());
        done.map_err(|error| cannot_write(&self.path, &WriteFault(&error).cause()))?;
        self.lines = self.lines.saturating_add(1);
        Ok(self)
    }
}

fn cannot_write(path: &Path, why: &dyn std::fmt::Display) -> String {
    format!("cannot write {}: {why}", shown(path))
}

/// The uses in a file, and the numbers of its damaged lines.
type Found = (Vec<Use>, Vec<usize>);

/// Reads a file; `None` if there is no such file.
fn read(places: &Places, path: &Path) -> Result<Option<Found>, String> {
    let mut options = OpenOptions::new();
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = match options.read(true).custom_flags(flags.bits()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
        Err(error) => return Err(Cause(&error).to_string()),
    };
    let metadata = file.metadata().map_err(|error| Cause(&error).to_string())?;
    let is_trusted = metadata.is_file()
        && metadata.uid() == geteuid().as_raw()
        && metadata.mode() & 0o022 == 0
        && places.distrust(path).is_none();
    if !is_trusted {
        return Err("another user may have written it; remove it".to_owned());
    }
    let mut text = Vec::new();
    let done = file.take(BYTES_MAX).read_to_end(&mut text);
    done.map_err(|error| Cause(&error).to_string())?;
    Ok(Some(parse(&text)))
}

/// Begins a file in the first of these places that no other daemon uses.
fn begin_in(places: &Places, slots: &[PathBuf], all: &[Use]) -> Result<OwnFile, String> {
    for path in slots {
        make_folder_of(path).map_err(|error| cannot_write(path, &WriteFault(&error).cause()))?;
        if let Some(why) = places.distrust(path) {
            return Err(cannot_write(path, &why));
        }
        match locked_file::take(path, MODE) {
            Ok(_lock) => {
                return write(path, all)
                    .map_err(|error| cannot_write(path, &WriteFault(&error).cause()));
            }
            Err(LockError::Held(_)) => {}
            Err(why) => return Err(cannot_write(path, &why)),
        }
    }
    let first = slots.first().map_or(Path::new(""), |path| path);
    Err(format!("too many daemons use {}", shown(first)))
}

/// Puts a new file in the place of one that this process has locked.
fn write(path: &Path, all: &[Use]) -> io::Result<OwnFile> {
    let mut new = path.to_owned().into_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&new)?;
    let mut file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, error)| io::Error::from(error))?;
    let mut text = HEADER.to_owned();
    text.extend(all.iter().map(|&one| line(one)));
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder_of(path)?;
    Ok(OwnFile { path: path.to_owned(), file, lines: all.len() })
}

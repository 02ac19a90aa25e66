//! The file that remembers open doors, in case this process is killed.
//!
//! Before a door opens, a line `open 7 192.0.2.7 openSSH COMMAND` is added, with the command that closes
//! it; after that command has ended, a line `closed 7`. So an incomplete line belongs to a door that has
//! not opened. Whoever can write the file can make knockd run commands.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, Write};
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use knock_config::text::{Cause, shown};
use knock_engine::address;
use nix::fcntl::{Flock, FlockArg};
use nix::unistd::geteuid;

use crate::locked_file::{self, LockError};

/// The permissions of the file.
const MODE: u32 = 0o600;

/// The size of the largest file that is read, in bytes.
const BYTES_MAX: u64 = 256 << 20;

/// How many superfluous lines the file may have before it is rewritten.
const SPARE_LINES: usize = 1_000;

/// A door that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenDoor {
    pub(super) name: Vec<u8>,
    pub(super) client: IpAddr,
    /// The command line that closes it.
    pub(super) stop: Vec<u8>,
}

/// The file, locked while the daemon runs.
pub(super) struct LeaseFile {
    path: PathBuf,
    file: Flock<File>,
    open: BTreeMap<u64, OpenDoor>,
    /// How many lines the file has.
    lines: usize,
    /// Whether the last write failed, so that the file must be rewritten.
    failed: bool,
}

/// Why the file cannot be used.
#[derive(Debug)]
pub(super) enum LeaseFileError {
    /// It cannot be opened, read or locked.
    Lock(PathBuf, LockError),
    /// Another user may have written it.
    NotTrusted(PathBuf),
    /// It is too large to be a list of open doors.
    TooLarge(PathBuf),
}

impl fmt::Display for LeaseFileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock(path, LockError::Held(_)) => write!(
                out,
                "another knockd remembers its open doors in {}: give each knockd its own file with the \
                 directive 'LeaseFile'",
                shown(path)
            ),
            Self::Lock(path, why @ (LockError::NotAFile | LockError::Io(_))) => {
                write!(out, "cannot remember open doors in {}: {why}", shown(path))
            }
            Self::NotTrusted(path) => write!(
                out,
                "will not run the stop commands in {}, because another user may have written them: \
                 check the file, then remove it, or make it yours with mode 0600",
                shown(path)
            ),
            Self::TooLarge(path) => write!(
                out,
                "{} is larger than 256 MiB, too large for a list of open doors: check the directive \
                 'LeaseFile' and the file",
                shown(path)
            ),
        }
    }
}

impl LeaseFile {
    /// Locks and reads the file. Also returns how many of its lines are invalid. The doors in it are
    /// numbered from 0 in the order in which they opened.
    pub(super) fn take(path: &Path) -> Result<(Self, usize), LeaseFileError> {
        let failed = |why: LockError| LeaseFileError::Lock(path.to_owned(), why);
        let file = locked_file::take(path, MODE).map_err(failed)?;
        let metadata = file.metadata().map_err(|error| failed(error.into()))?;
        if metadata.uid() != geteuid().as_raw() || metadata.mode() & 0o022 != 0 {
            return Err(LeaseFileError::NotTrusted(path.to_owned()));
        }
        if metadata.len() > BYTES_MAX {
            return Err(LeaseFileError::TooLarge(path.to_owned()));
        }
        let (open, invalid) = read(&file).map_err(|error| failed(error.into()))?;
        let open = (0..).zip(open.into_values()).collect();
        let mut this = Self { path: path.to_owned(), file, open, lines: 0, failed: false };
        this.rewrite().map_err(|error| failed(error.into()))?;
        Ok((this, invalid))
    }

    /// Returns the doors that are open.
    pub(super) fn open_doors(&self) -> impl Iterator<Item = (u64, &OpenDoor)> {
        self.open.iter().map(|(&number, door)| (number, door))
    }

    /// Adds a door that is about to open. If that fails, the next write includes it.
    ///
    /// # Errors
    /// The write error, unless the write before has failed, too.
    pub(super) fn begin(&mut self, number: u64, door: OpenDoor) -> Result<(), NotWritten> {
        let line = line(number, &door);
        self.open.insert(number, door);
        self.add(&line)
    }

    /// Removes a door that was closed.
    ///
    /// # Errors
    /// As [`LeaseFile::begin`].
    pub(super) fn end(&mut self, number: u64) -> Result<(), NotWritten> {
        if self.open.remove(&number).is_none() {
            return Ok(());
        }
        self.add(format!("closed {number}\n").as_bytes())
    }

    fn add(&mut self, line: &[u8]) -> Result<(), NotWritten> {
        let is_long = self.lines >= self.open.len().saturating_mul(2).saturating_add(SPARE_LINES);
        let had_failed = self.failed;
        let written = if self.open.is_empty() && !had_failed {
            self.file.set_len(0).and_then(|()| self.file.rewind()).map(|()| self.lines = 0)
        } else if is_long || had_failed {
            self.rewrite()
        } else {
            self.lines = self.lines.saturating_add(1);
            self.file.write_all(line)
        };
        self.failed = written.is_err();
        match written {
            Err(error) if !had_failed => Err(NotWritten(self.path.clone(), error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Replaces the file by a new one with the open doors.
    fn rewrite(&mut self) -> io::Result<()> {
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let name = PathBuf::from(name);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&name)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|(_, error)| io::Error::from(error))?;
        let mut out = BufWriter::new(&*file);
        for (&number, door) in &self.open {
            out.write_all(&line(number, door))?;
        }
        out.flush()?;
        drop(out);
        fs::rename(&name, &self.path)?;
        (self.file, self.lines) = (file, self.open.len());
        Ok(())
    }
}

impl Drop for LeaseFile {
    fn drop(&mut self) {
        // If this fails, an empty file stays, which does no harm.
        if self.open.is_empty() && locked_file::is_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A write error.
#[derive(Debug)]
pub(super) struct NotWritten(PathBuf, io::Error);

impl fmt::Display for NotWritten {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, error) = self;
        write!(
            out,
            "cannot write {}: {}; if knockd is killed now, doors stay open",
            shown(path),
            Cause(error)
        )
    }
}

/// Reads the open doors, and how many lines are invalid.
fn read(file: &File) -> io::Result<(BTreeMap<u64, OpenDoor>, usize)> {
    let mut open = BTreeMap::new();
    let mut invalid = 0_usize;
    let mut input = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        input.read_until(b'\n', &mut line)?;
        let Some(whole) = line.strip_suffix(b"\n") else { return Ok((open, invalid)) };
        let understood = match entry(whole) {
            Some(Entry::Open(number, door)) => open.insert(number, door).is_none(),
            Some(Entry::Closed(number)) => open.remove(&number).is_some(),
            None => false,
        };
        invalid = invalid.saturating_add(usize::from(!understood));
    }
}

/// A line of the file.
enum Entry {
    Open(u64, OpenDoor),
    Closed(u64),
}

fn entry(line: &[u8]) -> Option<Entry> {
    let mut fields = line.splitn(5, |&byte| byte == b' ');
    let kind = fields.next()?;
    let number = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
    let door = match (kind, fields.next()) {
        (b"closed", None) => return Some(Entry::Closed(number)),
        (b"open", Some(client)) => OpenDoor {
            client: std::str::from_utf8(client).ok()?.parse().ok()?,
            name: unescaped(fields.next()?)?,
            stop: fields.next()?.to_vec(),
        },
        _ => return None,
    };
    Some(Entry::Open(number, door))
}

fn line(number: u64, door: &OpenDoor) -> Vec<u8> {
    let OpenDoor { name, client, stop } = door;
    let mut line = format!("open {number} ").into_bytes();
    address::write(*client, &mut line);
    line.push(b' ');
    for &byte in name {
        if byte.is_ascii_graphic() && byte != b'%' {
            line.push(byte);
        } else {
            line.extend(format!("%{byte:02x}").into_bytes());
        }
    }
    line.push(b' ');
    line.extend(stop);
    line.push(b'\n');
    line
}

fn unescaped(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    while let Some((&first, rest)) = text.split_first() {
        if first == b'%' {
            let (digits, rest) = rest.split_at_checked(2)?;
            name.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            text = rest;
        } else {
            name.push(first);
            text = rest;
        }
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use proptest::prelude::*;
    use tempfile::TempDir;

    use super::*;

    fn door(name: &str) -> OpenDoor {
        let client = "2001:db8::1".parse().unwrap();
        OpenDoor { name: name.as_bytes().to_vec(), client, stop: b"close it %s\t#".to_vec() }
    }

    fn place() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("leases");
        (folder, path)
    }

    fn left_open(path: &Path) -> Vec<OpenDoor> {
        let (file, invalid) = LeaseFile::take(path).unwrap();
        assert_eq!(invalid, 0);
        file.open_doors().map(|(_, door)| door.clone()).collect()
    }

    #[test]
    fn doors_that_were_not_closed_are_open_for_the_next_daemon() {
        let (_folder, path) = place();
        let (mut file, _) = LeaseFile::take(&path).unwrap();
        for (number, name) in [(0, "a"), (1, "b c%"), (7, "d")] {
            file.begin(number, door(name)).unwrap();
        }
        file.end(0).unwrap();
        file.end(0).unwrap();
        file.end(9).unwrap();
        drop(file);
        let text = fs::read_to_string(&path).unwrap();
        let expected = "open 0 2001:db8::1 a close it %s\t#\nopen 1 2001:db8::1 b%20c%25 close it \
                        %s\t#\nopen 7 2001:db8::1 d close it %s\t#\nclosed 0\n";
        assert_eq!(text, expected);
        assert_eq!(left_open(&path), [door("b c%"), door("d")]);
        let (mut file, _) = LeaseFile::take(&path).unwrap();
        assert_eq!(file.open_doors().map(|(number, _)| number).collect::<Vec<_>>(), [0, 1]);
        file.end(0).unwrap();
        file.end(1).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn an_incomplete_line_belongs_to_a_door_that_did_not_open() {
        let (_folder, path) = place();
        fs::write(&path, "open 3 192.0.2.1 a close\nopen 4 192.0.2.2 b clo").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let left = left_open(&path);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].stop, b"close");
    }

    #[test]
    fn doors_that_were_closed_do_not_make_the_file_grow() {
        let (_folder, path) = place();
        let (mut file, _) = LeaseFile::take(&path).unwrap();
        file.begin(0, door("stays")).unwrap();
        let mut longest = 0;
        for number in 1..5_000 {
            file.begin(number, door("goes")).unwrap();
            file.end(number).unwrap();
            longest = longest.max(fs::metadata(&path).unwrap().len());
        }
        assert!((10_000..100_000).contains(&longest), "{longest}");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        drop(file);
        assert_eq!(left_open(&path), [door("stays")]);
    }

    #[test]
    fn after_a_write_error_the_next_write_includes_everything() {
        let (folder, path) = place();
        let (mut file, _) = LeaseFile::take(&path).unwrap();
        // Neither can anything be written to it, nor can another file replace it.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        file.file = Flock::lock(full, FlockArg::LockShared).map_err(|(_, error)| error).unwrap();
        fs::create_dir(folder.path().join("leases.new")).unwrap();
        let error = file.begin(0, door("a")).unwrap_err().to_string();
        assert!(error.contains("if knockd is killed now, doors stay open"), "{error}");
        // Only the first error is returned.
        file.begin(1, door("b")).unwrap();
        fs::remove_dir(folder.path().join("leases.new")).unwrap();
        file.end(0).unwrap();
        drop(file);
        assert_eq!(left_open(&path), [door("b")]);
    }

    #[test]
    fn a_file_that_another_user_may_have_written_is_refused() {
        let (folder, path) = place();
        fs::write(&path, "open 3 192.0.2.1 a rm -rf /\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(matches!(LeaseFile::take(&path), Err(LeaseFileError::NotTrusted(_))));
        symlink(&path, folder.path().join("link")).unwrap();
        let link = LeaseFile::take(&folder.path().join("link"));
        assert!(matches!(link, Err(LeaseFileError::Lock(_, LockError::NotAFile))));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let (_file, _) = LeaseFile::take(&path).unwrap();
        let again = LeaseFile::take(&path);
        assert!(matches!(again, Err(LeaseFileError::Lock(_, LockError::Held(_)))));
    }

    proptest! {
        #[test]
        fn every_door_is_parsed_as_it_was_written(
            name in prop::collection::vec(any::<u8>(), 1..20),
            stop in prop::collection::vec(any::<u8>().prop_filter("no newline", |b| *b != b'\n'), 0..50),
            client: IpAddr,
            number: u64,
        ) {
            let door = OpenDoor { name, client, stop };
            let line = line(number, &door);
            let Some(Entry::Open(read, same)) = entry(line.strip_suffix(b"\n").unwrap()) else {
                panic!("{line:?}");
            };
            prop_assert_eq!((read, same), (number, door));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let (_folder, path) = place();
            fs::write(&path, &text).unwrap();
            let _ = read(&File::open(&path).unwrap()).unwrap();
        }
    }
}

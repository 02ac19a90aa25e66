//! The next sequence of a file of one-time sequences.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use knock_config::diagnostics::Source;
use knock_config::file_faults::WriteFault;
use knock_config::marks::{self, NotMarked};
use knock_config::read_one_time;
use knock_config::text::{Cause, shown};
use knock_engine::{OneTimeLine, Sequence};
use knock_guard::Modes;

use super::trouble::Trouble;

/// The next sequence of a file.
#[derive(Debug)]
pub struct OneTime {
    path: PathBuf,
    text: Vec<u8>,
    line: OneTimeLine,
    left: usize,
    /// The file, locked, so that no other client takes the same sequence.
    lock: Option<File>,
}

impl OneTime {
    /// How long another client may have the file.
    pub const PATIENCE: Duration = Duration::from_mins(1);

    /// Finds the next sequence, to show it only: it is not locked.
    ///
    /// # Errors
    /// [`Trouble`] if the file cannot be read or has an error, or no sequence is left.
    pub fn look(path: &Path) -> Result<Self, Trouble> {
        let text = read(path)?;
        let (sequences, diagnostics) = knock_config::parse_one_time(&text);
        let Some(sequences) = sequences else {
            let source = Source::new(shown(path), text, &diagnostics);
            return Err(Trouble::Text(Box::new(source)));
        };
        let Some(line) = sequences.next().cloned() else {
            let message = format!("no sequence is left in {}", shown(path));
            let help = "all of its lines are used: add new sequences, to the server's file, too";
            return Err(Trouble::new(message, help));
        };
        let left = sequences.unused().skip(1).count();
        Ok(Self { path: path.to_owned(), text, line, left, lock: None })
    }

    /// Takes the next sequence for as long as this value lives. Another client that wants one of
    /// the same file waits that long; `wait` is called before this client waits for another.
    ///
    /// # Errors
    /// [`Trouble`] if the file cannot be read or has an error, no sequence is left, the sequence
    /// could not be marked afterwards, or another client has the file for longer than `patience`.
    pub fn take(path: &Path, patience: Duration, mut wait: impl FnMut()) -> Result<Self, Trouble> {
        // Reading first reports unreadable files as such, and never opens a pipe.
        read(path)?;
        let begin = Instant::now();
        let mut waits = false;
        loop {
            let file =
                marks::open(path, Modes::Any).map_err(|error| not_writable(path, &error.into()))?;
            match lock(file, path)? {
                Lock::Ours(file) => return Ok(Self { lock: Some(file), ..Self::look(path)? }),
                Lock::Others if !waits => {
                    waits = true;
                    wait();
                }
                Lock::Others | Lock::OfAnotherFile => {}
            }
            if begin.elapsed() >= patience {
                let message = format!("another client has taken a sequence of {}", shown(path));
                let help = "wait until it has finished, or stop it";
                return Err(Trouble::new(message, help));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns the sequence.
    #[must_use]
    pub fn sequence(&self) -> &Sequence {
        &self.line.sequence
    }

    /// Returns the file and the line of the sequence.
    #[must_use]
    pub fn place(&self) -> (&Path, u32) {
        (&self.path, self.line.number)
    }

    /// Returns how many sequences are left after this one.
    #[must_use]
    pub fn left(&self) -> usize {
        self.left
    }

    /// Marks the sequence as used, in the same way as the daemon.
    ///
    /// # Errors
    /// [`NotMarked`], also if the sequence was only looked at.
    pub fn mark(&self) -> Result<(), NotMarked> {
        if self.lock.is_none() {
            return Err(NotMarked::NoSuchLine);
        }
        // A daemon with the same file may have marked it already.
        let OneTimeLine { number, offset, .. } = self.line;
        marks::mark(&self.path, Modes::Any, &self.text, number, offset)?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    read_one_time(path, Modes::Any)
        .map_err(|cause| Trouble::unreadable(path, &cause, &cause.help_for_one_time()))
}

fn not_writable(path: &Path, error: &io::Error) -> Trouble {
    let message =
        format!("cannot mark sequences as used in {}: {}", shown(path), WriteFault(error).cause());
    Trouble::new(
        message,
        "make it writable; no knock was sent, because the sequence would be used again",
    )
}

/// Who has locked a file.
#[derive(Debug)]
enum Lock {
    /// This client, with this.
    Ours(File),
    /// Another client.
    Others,
    /// This client, but another file has the name now: an editor has replaced this one, and later
    /// clients lock the new one.
    OfAnotherFile,
}

/// Locks a file that was opened by this path.
fn lock(file: File, path: &Path) -> Result<Lock, Trouble> {
    match file.try_lock() {
        Ok(()) if is_at(&file, path).map_err(|error| not_writable(path, &error))? => {
            Ok(Lock::Ours(file))
        }
        Ok(()) => Ok(Lock::OfAnotherFile),
        Err(TryLockError::WouldBlock) => Ok(Lock::Others),
        Err(TryLockError::Error(error)) => {
            let message = format!("cannot lock {}: {}", shown(path), Cause(&error));
            let help = "two clients could take the same sequence; put the file on a file system that has locks";
            Err(Trouble::new(message, help))
        }
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use knock_config::diagnostics::Style;
    use tempfile::TempDir;

    use super::*;

    fn file(text: &str) -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("sequences");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    fn take(path: &Path) -> Result<OneTime, String> {
        OneTime::take(path, Duration::ZERO, || {}).map_err(|trouble| trouble.report(Style::Plain))
    }

    fn ports(one_time: &OneTime) -> Vec<u16> {
        one_time.sequence().knocks().iter().map(|knock| knock.port.0).collect()
    }

    #[test]
    fn sequences_are_taken_in_order_and_marked_as_the_daemon_marks_them() {
        let (_folder, path) = file("# mine\n 1,2\n3,4\n");
        let first = take(&path).unwrap();
        assert_eq!((ports(&first), first.left(), first.place().1), (vec![1, 2], 1, 2));
        first.mark().unwrap();
        drop(first);
        let second = take(&path).unwrap();
        assert_eq!((ports(&second), second.left()), (vec![3, 4], 0));
        second.mark().unwrap();
        drop(second);
        assert_eq!(fs::read(&path).unwrap(), b"# mine\n#1,2\n#,4\n");
        assert!(take(&path).unwrap_err().starts_with("error: no sequence is left in "));
    }

    #[test]
    fn a_sequence_that_is_not_marked_is_the_next_one_again() {
        let (_folder, path) = file("1\n2\n");
        for _ in 0..2 {
            assert_eq!(ports(&take(&path).unwrap()), [1]);
        }
    }

    #[test]
    fn a_sequence_that_was_only_looked_at_cannot_be_marked() {
        let (_folder, path) = file("1\n");
        let one_time = OneTime::look(&path).unwrap();
        assert!(matches!(one_time.mark(), Err(NotMarked::NoSuchLine)));
        assert_eq!(fs::read(&path).unwrap(), b"1\n");
    }

    #[test]
    fn a_second_client_waits_for_the_first_and_takes_the_next_sequence() {
        let (_folder, path) = file("1\n2\n");
        let first = take(&path).unwrap();
        assert!(take(&path).unwrap_err().starts_with("error: another client has taken"));
        let (waits, is_waiting) = mpsc::channel();
        let second = thread::spawn({
            let path = path.clone();
            move || OneTime::take(&path, OneTime::PATIENCE, || waits.send(()).unwrap())
        });
        is_waiting.recv().unwrap();
        first.mark().unwrap();
        drop(first);
        assert_eq!(ports(&second.join().unwrap().unwrap()), [2]);
    }

    #[test]
    fn a_waiting_client_uses_the_file_that_has_the_name_by_then() {
        let (folder, path) = file("1\n2\n");
        let first = take(&path).unwrap();
        let (waits, is_waiting) = mpsc::channel();
        let second = thread::spawn({
            let path = path.clone();
            move || OneTime::take(&path, OneTime::PATIENCE, || waits.send(()).unwrap())
        });
        is_waiting.recv().unwrap();
        fs::write(folder.path().join("new"), "7\n").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert_eq!(ports(&second.join().unwrap().unwrap()), [7]);
        assert!(matches!(first.mark(), Err(NotMarked::Gone(_))));
        assert_eq!(fs::read(&path).unwrap(), b"7\n");
    }

    #[test]
    fn a_file_replaced_between_opening_and_locking_is_not_used() {
        let (folder, path) = file("1\n");
        let opened = || marks::open(&path, Modes::Any).unwrap();
        let before = opened();
        fs::write(folder.path().join("new"), "7\n").unwrap();
        fs::rename(folder.path().join("new"), &path).unwrap();
        assert!(matches!(lock(before, &path), Ok(Lock::OfAnotherFile)));
        let ours = lock(opened(), &path).unwrap();
        assert!(matches!(ours, Lock::Ours(_)));
        assert!(matches!(lock(opened(), &path), Ok(Lock::Others)));
    }

    #[test]
    fn what_is_not_a_file_of_sequences_is_reported() {
        let (folder, path) = file(" 1\nabc\n");
        assert!(take(&path).unwrap_err().contains("sequences:2:1\n"));
        assert!(take(folder.path()).unwrap_err().contains("it is a directory"));
        let missing = take(&folder.path().join("missing")).unwrap_err();
        assert!(missing.contains("there is no such file"), "{missing}");
    }
}

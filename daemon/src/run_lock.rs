//! The lock that one daemon has for as long as it runs.
//!
//! It is on a file next to the pid file that no other user can open. On the pid file itself, which everyone
//! may read, any user could take the lock, and no daemon would start.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::Flock;
use nix::unistd::geteuid;

use crate::locked_file::{self, LockError, is_at};

/// The permissions of the file.
const MODE: u32 = 0o600;

/// What is added to the path of the pid file.
const SUFFIX: &str = ".lock";

/// What is in the file, after the process ID, when the daemon ends.
const ENDING: &str = "ending";

/// How long to wait for a daemon that is ending.
const ENDING_MAX: Duration = Duration::from_mins(2);

/// How long a daemon that was sent a signal may take to notice, before it counts as one that goes on.
const NOTICE_MAX: Duration = Duration::from_secs(1);

/// How long to wait before the lock is tried again.
const PAUSE: Duration = Duration::from_millis(20);

/// The lock.
pub(crate) struct RunLock {
    path: PathBuf,
    file: Flock<File>,
}

/// Why there is no lock.
#[derive(Debug)]
pub(crate) enum NoLock {
    /// A daemon is running, and goes on. With its process ID, if it is known.
    Running(Option<i32>),
    /// A daemon is ending, but it takes long.
    Ending(Option<i32>),
    /// The file cannot be used.
    Unusable(PathBuf, LockError),
}

/// Another user's file: that user could lock it, too.
#[derive(Debug)]
struct OtherOwner;

impl fmt::Display for OtherOwner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("it belongs to another user")
    }
}

impl std::error::Error for OtherOwner {}

/// How long to wait for another daemon.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// How long a daemon that ends may take.
    ending: Duration,
    /// How long it may take until a daemon is seen to end.
    notice: Duration,
}

impl Patience {
    /// The patience of a start.
    pub(crate) const START: Self = Self { ending: ENDING_MAX, notice: NOTICE_MAX };

    /// None at all.
    pub(crate) const NONE: Self = Self { ending: Duration::ZERO, notice: Duration::ZERO };
}

/// The daemon that has the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Holder {
    /// `None` if it has not written it yet.
    id: Option<i32>,
    is_ending: bool,
}

impl RunLock {
    /// Takes the lock next to this pid file. If a daemon that is ending has it, this calls `waits` with its
    /// process ID and waits for the end.
    ///
    /// # Errors
    /// [`NoLock`].
    pub(crate) fn take(
        pid_file: &Path,
        patience: Patience,
        waits: impl Fn(Option<i32>),
    ) -> Result<Self, NoLock> {
        let mut path = pid_file.as_os_str().to_owned();
        path.push(SUFFIX);
        let path = PathBuf::from(path);
        let unusable = |error| NoLock::Unusable(path.clone(), error);
        let begin = Instant::now();
        let mut last_ending = None;
        loop {
            check_owner(&path).map_err(|error| unusable(error.into()))?;
            let holder = match locked_file::take(&path, MODE) {
                Ok(file) => {
                    let lock = Self { path: path.clone(), file };
                    lock.begin().map_err(|error| unusable(error.into()))?;
                    return Ok(lock);
                }
                Err(LockError::Held(text)) => Holder::of(&text),
                Err(error) => return Err(unusable(error)),
            };
            if holder.is_ending {
                if begin.elapsed() >= patience.ending {
                    return Err(NoLock::Ending(holder.id));
                }
                if last_ending.is_none() {
                    waits(holder.id);
                }
                last_ending = Some(Instant::now());
            } else if last_ending.unwrap_or(begin).elapsed() >= patience.notice {
                return Err(NoLock::Running(holder.id));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Says in the file whose lock it is.
    fn begin(&self) -> io::Result<()> {
        // It may have been created by hand.
        self.file.set_permissions(fs::Permissions::from_mode(MODE))?;
        self.write(&format!("{}\n", std::process::id()))
    }

    /// Says in the file that this daemon is ending, so that one that starts waits.
    pub(crate) fn say_ending(&self) -> io::Result<()> {
        self.write(&format!("{} {ENDING}\n", std::process::id()))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(u64::try_from(text.len()).unwrap_or(u64::MAX))
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        // Another file at this path is not this daemon's.
        if is_at(&self.file, &self.path) {
            // Without the lock it means nothing, even if it stays.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Checks that no other user has created the file, as could happen in a folder such as `/tmp`.
fn check_owner(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.uid() != geteuid().as_raw() => Err(io::Error::other(OtherOwner)),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl Holder {
    /// Reads what the daemon has written into the file.
    fn of(text: &str) -> Self {
        let mut words = text.split_whitespace();
        let id = words.next().and_then(|word| word.parse().ok());
        let is_ending = words.next() == Some(ENDING) || id.is_some_and(was_told_to_end);
        Self { id, is_ending }
    }
}

/// Returns whether a process was sent a signal to end that it has not noticed yet.
fn was_told_to_end(id: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let pending = status.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        let is_pending = ["SigPnd", "ShdPnd"].contains(&key);
        is_pending.then(|| u64::from_str_radix(value.trim(), 16).unwrap_or(0))
    });
    let pending = pending.fold(0, |all, some| all | some);
    let ends = |number: i32| {
        let place = number.unsigned_abs().saturating_sub(1);
        pending & 1_u64.checked_shl(place).unwrap_or(0) != 0
    };
    [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT].into_iter().any(ends)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use tempfile::TempDir;

    use super::*;

    /// A patience for tests, which need not wait for a real daemon.
    const SHORT: Patience =
        Patience { ending: Duration::from_millis(100), notice: Duration::from_millis(100) };

    fn nothing(_: Option<i32>) {}

    fn place() -> (TempDir, PathBuf, PathBuf) {
        let folder = TempDir::new().unwrap();
        let (pid_file, lock) = (folder.path().join("pid"), folder.path().join("pid.lock"));
        (folder, pid_file, lock)
    }

    #[test]
    fn only_the_owner_can_open_the_file_of_the_lock() {
        let (_folder, pid_file, path) = place();
        fs::write(&path, "of an earlier daemon").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let lock = RunLock::take(&pid_file, SHORT, nothing).ok().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", std::process::id()));
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn a_daemon_that_runs_is_not_waited_for() {
        let (_folder, pid_file, _) = place();
        let _lock = RunLock::take(&pid_file, SHORT, nothing).ok().unwrap();
        for patience in [SHORT, Patience::NONE] {
            let error = RunLock::take(&pid_file, patience, |_| panic!("it waits")).err().unwrap();
            let id = i32::try_from(std::process::id()).unwrap();
            assert!(matches!(error, NoLock::Running(Some(holder)) if holder == id), "{error:?}");
        }
    }

    #[test]
    fn a_daemon_that_ends_is_waited_for_but_not_forever() {
        let (_folder, pid_file, _) = place();
        let lock = RunLock::take(&pid_file, SHORT, nothing).ok().unwrap();
        lock.say_ending().unwrap();
        let error = RunLock::take(&pid_file, SHORT, nothing).err().unwrap();
        assert!(matches!(error, NoLock::Ending(Some(_))), "{error:?}");
        let (waits, waited) = mpsc::channel();
        let pid_file = &pid_file;
        thread::scope(|scope| {
            let (long, waits) = (Patience { ending: Duration::from_mins(1), ..SHORT }, &waits);
            let next = scope.spawn(move || {
                RunLock::take(pid_file, long, |_| waits.send(()).unwrap()).ok().unwrap()
            });
            waited.recv().unwrap();
            drop(lock);
            drop(next.join().unwrap());
        });
    }

    #[test]
    fn what_is_no_file_of_this_user_is_not_locked() {
        let (folder, pid_file, path) = place();
        symlink(folder.path().join("other"), &path).unwrap();
        let error = RunLock::take(&pid_file, SHORT, nothing).err().unwrap();
        assert!(matches!(error, NoLock::Unusable(_, LockError::NotAFile)), "{error:?}");
        assert!(!folder.path().join("other").exists());
        if geteuid().is_root() {
            fs::remove_file(&path).unwrap();
            fs::write(&path, "").unwrap();
            std::os::unix::fs::chown(&path, Some(1000), None).unwrap();
            let error = RunLock::take(&pid_file, SHORT, nothing).err().unwrap();
            let NoLock::Unusable(_, cause) = error else { panic!("{error:?}") };
            assert_eq!(cause.to_string(), "it belongs to another user");
        }
    }

    #[test]
    fn of_many_daemons_only_one_at_a_time_has_the_lock() {
        let (_folder, pid_file, path) = place();
        let holders = AtomicUsize::new(0);
        let come_and_go = || {
            let mut taken = 0;
            while taken < 500 {
                if let Ok(lock) = RunLock::take(&pid_file, Patience::NONE, nothing) {
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                    assert!(path.exists());
                    holders.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                    taken += 1;
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(come_and_go);
            }
        });
        assert!(!path.exists());
    }
}

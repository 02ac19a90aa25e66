//! The machine that a configuration is for.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use crate::warnings::ProgramFault;
use knock_engine::Timestamp;
use knock_guard::Modes;

/// What a check asks of a machine.
pub trait Host {
    /// Returns why no user can run a program; `None` if some can, or if that is unknown.
    fn program_fault(&self, path: &Path) -> Option<ProgramFault>;

    /// Returns the permissions of a file as `chmod` takes them; `None` if they are unknown or it is not
    /// a regular file, which holds no secrets.
    fn mode(&self, path: &Path) -> Option<u32>;

    /// Returns what time it is there; `None` if that is unknown.
    fn now(&self) -> Option<Timestamp>;

    /// Returns whose files the daemon believes there.
    fn modes(&self) -> Modes;
}

/// The machine that this program runs on.
#[derive(Clone, Copy, Debug)]
pub struct ThisHost {
    /// Whose files the daemon believes.
    pub modes: Modes,
}

impl Host for ThisHost {
    fn program_fault(&self, path: &Path) -> Option<ProgramFault> {
        match fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() => Some(ProgramFault::NotAFile),
            Ok(metadata) => (mode(&metadata) & 0o111 == 0).then_some(ProgramFault::NotExecutable),
            Err(error) if is_missing(&error) => Some(ProgramFault::Missing),
            Err(_) => None,
        }
    }

    fn mode(&self, path: &Path) -> Option<u32> {
        fs::metadata(path).ok().filter(Metadata::is_file).map(|metadata| mode(&metadata))
    }

    fn now(&self) -> Option<Timestamp> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok().map(Timestamp::from_nanos)
    }

    fn modes(&self) -> Modes {
        self.modes
    }
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: ThisHost = ThisHost { modes: Modes::Any };

    fn fault(path: &str) -> Option<ProgramFault> {
        HOST.program_fault(Path::new(path))
    }

    #[test]
    fn a_program_is_a_file_that_somebody_may_execute() {
        assert_eq!(fault("/bin/sh"), None);
        assert_eq!(fault("/etc/passwd"), Some(ProgramFault::NotExecutable));
        assert_eq!(fault("/etc"), Some(ProgramFault::NotAFile));
        assert_eq!(fault("/nosuch/sh"), Some(ProgramFault::Missing));
        assert_eq!(fault("/etc/passwd/sh"), Some(ProgramFault::Missing));
    }

    #[test]
    fn only_regular_files_have_permissions_that_matter() {
        assert_eq!(HOST.mode(Path::new("/etc/passwd")), Some(0o644));
        assert_eq!(HOST.mode(Path::new("/dev/null")), None);
        assert_eq!(HOST.mode(Path::new("/nosuch")), None);
    }
}

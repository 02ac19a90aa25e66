//! Where leases are kept.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use knock_guard::{Distrust, Modes, OpenError};
use nix::unistd::geteuid;

/// The name of the file in the state folder.
const NAME: &str = "leases";

/// How many daemons can keep their leases at the same place: each has a file of its own.
const SLOTS: u32 = 16;

/// The files that may have leases, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    files: Vec<PathBuf>,
    /// What the administrator can change.
    pub(crate) named_by: NamedBy,
    /// Whose folders are believed.
    modes: Modes,
}

/// What names the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// The directive `LeaseFile`: the file may be one of another program.
    LeaseFile,
    /// The directive `StateDir`, or `$STATE_DIRECTORY`.
    StateDir,
    /// Nothing: the folder may not be there.
    Default,
}

impl Places {
    /// Returns where the directives say, or else the service manager, or else the defaults.
    pub(crate) fn new(state_dir: Option<&Path>, lease_file: Option<&Path>) -> Self {
        Self::with(state_dir, lease_file, env::var_os("STATE_DIRECTORY"), geteuid().as_raw())
    }

    fn with(
        state_dir: Option<&Path>,
        lease_file: Option<&Path>,
        from_manager: Option<OsString>,
        user: u32,
    ) -> Self {
        let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if let Some(file) = lease_file {
            return Self {
                files: vec![whole(file)],
                named_by: NamedBy::LeaseFile,
                modes: Modes::Any,
            };
        }
        // A service may have several folders, separated by colons.
        let from_manager = from_manager.map(OsString::into_vec).unwrap_or_default();
        let first = from_manager.split(|&byte| byte == b':').next().unwrap_or_default();
        let first = Some(Path::new(std::ffi::OsStr::from_bytes(first)));
        let folder = state_dir.or(first.filter(|folder| folder.is_absolute()));
        if let Some(folder) = folder {
            let files = vec![whole(folder).join(NAME)];
            return Self { files, named_by: NamedBy::StateDir, modes: Modes::Any };
        }
        // In a container, the first may be missing or read-only; only root can create the second.
        let mut folders = vec!["/var/lib/knockd".into(), "/run/knockd".into()];
        if user != 0 {
            folders.push(PathBuf::from(format!("/tmp/knockd-{user}")));
        }
        let files = folders.into_iter().map(|folder: PathBuf| folder.join(NAME)).collect();
        Self { files, named_by: NamedBy::Default, modes: Modes::Any }
    }

    /// Returns the places of files with another name in the same folders.
    pub(crate) fn with_name(self, name: &str) -> Self {
        let files = self.files.iter().map(|file| file.with_file_name(name)).collect();
        Self { files, ..self }
    }

    /// Returns the same places, with the folders that are believed.
    pub(crate) fn with_modes(self, modes: Modes) -> Self {
        Self { modes, ..self }
    }

    /// Returns the files, each with those of further daemons after it.
    pub(crate) fn files(&self) -> impl Iterator<Item = Vec<PathBuf>> {
        self.files.iter().map(|file| (1..=SLOTS).map(|slot| slot_of(file, slot)).collect())
    }

    /// Checks the places that the administrator has named. At the default places, there are others to go on
    /// with.
    ///
    /// # Errors
    /// The first file that others could exchange.
    pub(crate) fn check(&self) -> Result<(), (&Path, Distrust)> {
        let mut named = self.files.iter().filter(|_| self.named_by != NamedBy::Default);
        named.try_for_each(|file| self.distrust(file).map_or(Ok(()), |why| Err((&**file, why))))
    }

    /// Returns why the folder of a file cannot be trusted, if so: at the default places, another user may
    /// have created it.
    pub(crate) fn distrust(&self, file: &Path) -> Option<Distrust> {
        let is_default = self.named_by == NamedBy::Default;
        let modes = if is_default { Modes::Strict } else { self.modes };
        match knock_guard::check_folder_of(file, modes) {
            Err(OpenError::Distrusted(why)) => Some(why),
            // Who reads or writes the file reports what the system says.
            Ok(()) | Err(OpenError::Io(_)) => None,
        }
    }
}

fn slot_of(file: &Path, slot: u32) -> PathBuf {
    if slot == 1 {
        return file.to_owned();
    }
    let mut name = file.to_owned().into_os_string();
    name.push(format!(".{slot}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_comes_before_the_folder_and_the_folder_before_that_of_the_service_manager() {
        let first = |dir: Option<&str>, file: Option<&str>, manager: Option<&str>, user| {
            Places::with(dir.map(Path::new), file.map(Path::new), manager.map(Into::into), user)
                .files
        };
        assert_eq!(first(Some("/d"), Some("/f"), Some("/m"), 0), [Path::new("/f")]);
        assert_eq!(first(Some("/d"), None, Some("/m"), 0), [Path::new("/d/leases")]);
        assert_eq!(first(None, None, Some("/m:/n"), 0), [Path::new("/m/leases")]);
        let default = [Path::new("/var/lib/knockd/leases"), Path::new("/run/knockd/leases")];
        assert_eq!(first(None, None, None, 0), default);
        assert_eq!(first(None, None, Some(""), 0), default);
        let of_user = first(None, None, None, 1000);
        assert_eq!(of_user.last().unwrap(), Path::new("/tmp/knockd-1000/leases"));
    }

    #[test]
    fn further_daemons_have_files_of_their_own() {
        let files: Vec<_> =
            Places::with(None, Some(Path::new("/f")), None, 0).files().next().unwrap();
        assert_eq!(files[..3], [Path::new("/f"), Path::new("/f.2"), Path::new("/f.3")]);
        assert_eq!(files.len(), 16);
    }
}

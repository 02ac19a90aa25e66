//! Where the file of profiles is, and what the paths in it mean.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Returns where the profiles of this user are: `knock/config` in `$XDG_CONFIG_HOME`, or in
/// `~/.config` if that is not set; `None` if the user has no home.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    // The XDG Base Directory Specification says to ignore a relative path.
    let folder = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    Some(folder.or_else(|| Some(home()?.join(".config")))?.join("knock").join("config"))
}

fn home() -> Option<PathBuf> {
    env::home_dir().filter(|home| home.is_absolute())
}

/// What paths in a file of profiles are relative to.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// The folder of the file.
    pub folder: PathBuf,
    /// The home of the user.
    pub home: Option<PathBuf>,
}

/// Why a path means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathFault {
    Empty,
    NoHome,
    OtherHome,
}

impl Base {
    /// Returns the base for the file of profiles at `path`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        Self { folder: path.parent().unwrap_or(Path::new("")).to_owned(), home: home() }
    }

    /// Returns the path that a word means: `~/` and `$HOME/` begin at home, and all other relative
    /// paths in the folder of the file.
    pub(super) fn path(&self, word: &[u8]) -> Result<PathBuf, PathFault> {
        if word.is_empty() {
            return Err(PathFault::Empty);
        }
        let home = || self.home.as_deref().ok_or(PathFault::NoHome);
        for start in [&b"~"[..], b"$HOME", b"${HOME}"] {
            match word.strip_prefix(start) {
                Some([b'/', in_home @ ..]) => {
                    // Otherwise `~//etc` would start at the root again.
                    let slashes = in_home.iter().take_while(|byte| **byte == b'/').count();
                    let in_home = in_home.get(slashes..).unwrap_or_default();
                    return Ok(home()?.join(OsStr::from_bytes(in_home)));
                }
                Some([]) => return Ok(home()?.to_owned()),
                Some([_, ..]) if start == b"~" => return Err(PathFault::OtherHome),
                Some([_, ..]) | None => {}
            }
        }
        Ok(self.folder.join(OsStr::from_bytes(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_home_or_in_the_folder_of_the_file() {
        let base = Base { folder: "/etc/knock".into(), home: Some("/home/ada".into()) };
        for (word, path) in [
            ("~/a", "/home/ada/a"),
            ("$HOME/a", "/home/ada/a"),
            ("${HOME}/a", "/home/ada/a"),
            ("~//a", "/home/ada/a"),
            ("~", "/home/ada"),
            ("a/b", "/etc/knock/a/b"),
            ("/a", "/a"),
            ("$HOMER/a", "/etc/knock/$HOMER/a"),
            ("a~/b", "/etc/knock/a~/b"),
        ] {
            assert_eq!(base.path(word.as_bytes()), Ok(PathBuf::from(path)), "{word}");
        }
        assert_eq!(base.path(b"~ada/a"), Err(PathFault::OtherHome));
        assert_eq!(base.path(b""), Err(PathFault::Empty));
        let homeless = Base { home: None, ..base };
        assert_eq!(homeless.path(b"~/a"), Err(PathFault::NoHome));
        assert_eq!(homeless.path(b"/a"), Ok(PathBuf::from("/a")));
    }

    #[test]
    fn the_folder_is_that_of_the_file() {
        assert_eq!(Base::of(Path::new("/a/b/config")).folder, Path::new("/a/b"));
        assert_eq!(Base::of(Path::new("config")).folder, Path::new(""));
    }
}

//! Who may read and change a file that holds the secret of a door.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use knock_config::Wording;
use knock_config::text::shown;
use nix::unistd::geteuid;

/// What matters of a file here.
#[derive(Clone, Copy, Debug)]
struct Facts {
    mode: u32,
    user: u32,
    group: u32,
}

/// Returns the warnings about a file that holds a secret, or only says where one is.
///
/// # Errors
/// What the system says, if the file cannot be looked at.
pub fn warnings(path: &Path, holds_secret: bool) -> io::Result<Vec<Wording>> {
    let metadata = fs::metadata(path)?;
    let facts = Facts { mode: metadata.mode(), user: metadata.uid(), group: metadata.gid() };
    Ok(judge(&shown(path), facts, geteuid().as_raw(), holds_secret))
}

fn judge(path: &str, facts: Facts, me: u32, holds_secret: bool) -> Vec<Wording> {
    let Facts { mode, user, group } = facts;
    // Members of root's group are as good as root.
    let others = if group == 0 { 0o007 } else { 0o077 };
    let (is_read, is_changed) = (mode & others & 0o044 != 0, mode & others & 0o022 != 0);
    let mut warnings = Vec::new();
    if user != me && user != 0 {
        let message = format!("`{path}` belongs to another user (uid {user})");
        let effect = "its owner knows the knocks, and decides where they go";
        warnings.push(Wording::new(message, "").help("use a file of your own").note(effect));
    }
    let help = format!("run `chmod 600 {}`", quoted(path));
    if is_changed {
        let message = format!("`{path}` can be changed by other users");
        let effect = "they decide what is knocked at, and where";
        warnings.push(Wording::new(message, "").help(help).note(effect));
    } else if is_read && holds_secret {
        let message = format!("`{path}` can be read by other users, and it holds the secret");
        warnings.push(Wording::new(message, "").help(help));
    }
    warnings
}

/// Returns a path, quoted as one word for a shell.
fn quoted(path: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+@%,:".contains(&byte);
    if path.bytes().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: u32 = 1000;

    fn found(mode: u32, user: u32, group: u32) -> Vec<String> {
        let warnings = judge("a", Facts { mode: 0o100_000 | mode, user, group }, ME, true);
        warnings.into_iter().map(|warning| warning.message).collect()
    }

    #[test]
    fn a_file_that_only_its_user_or_root_can_read_is_as_it_should_be() {
        assert_eq!(found(0o600, ME, ME), [""; 0]);
        assert_eq!(found(0o400, ME, ME), [""; 0]);
        assert_eq!(found(0o700, 0, 0), [""; 0]);
        assert_eq!(found(0o640, 0, 0), [""; 0]);
        assert_eq!(found(0o660, ME, 0), [""; 0]);
    }

    #[test]
    fn a_file_that_others_can_read_gives_a_warning() {
        let read = ["`a` can be read by other users, and it holds the secret"];
        assert_eq!(found(0o640, ME, 7), read);
        assert_eq!(found(0o604, ME, 7), read);
        assert_eq!(found(0o644, 0, 0), read);
    }

    #[test]
    fn a_file_without_a_secret_may_be_read_and_not_changed() {
        let found = |mode| judge("a", Facts { mode, user: ME, group: 7 }, ME, false).len();
        assert_eq!([0o644, 0o646].map(found), [0, 1]);
    }

    #[test]
    fn a_file_that_others_can_change_gives_another_warning() {
        let changed = ["`a` can be changed by other users"];
        assert_eq!(found(0o620, ME, 7), changed);
        assert_eq!(found(0o602, ME, 0), changed);
        assert_eq!(found(0o666, ME, 7), changed);
        assert_eq!(found(0o600, 7, 7), ["`a` belongs to another user (uid 7)"]);
        assert_eq!(found(0o666, 7, 7).len(), 2);
    }

    #[test]
    fn the_help_can_be_pasted_into_a_shell() {
        for (path, word) in [("/a/b-c.d", "/a/b-c.d"), ("a b", "'a b'"), ("a'b", r"'a'\''b'")] {
            let facts = Facts { mode: 0o644, user: ME, group: 7 };
            let help = judge(path, facts, ME, true).remove(0).help.unwrap();
            assert_eq!(help, format!("run `chmod 600 {word}`"));
        }
    }
}

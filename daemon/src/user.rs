//! The user that processes without privileges become.

use std::fs;

use knock_config::{Directive, UserName};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

/// The IDs of a user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

/// Which user is used if no directive names one and that of the directive's default is missing. Other
/// programs use it, too.
pub(crate) const FALLBACK: &str = "nobody";

impl User {
    /// Looks up the user of the directive, or its default, or what takes the place of that. `Err` is the
    /// name of a user that does not exist.
    pub(crate) fn find(name: Option<&UserName>) -> Result<Self, String> {
        match name {
            Some(name) => Self::named(&name.to_string()),
            None => Self::default_user().map_or_else(|| Self::named(FALLBACK), Ok),
        }
    }

    /// Returns the user of the directive's default, if this machine has it.
    pub(crate) fn default_user() -> Option<Self> {
        in_file(PASSWD, Directive::User.default_value()?)
    }

    /// The C library would load code to ask other sources than the file, so they come second: root should
    /// run as little code as possible.
    fn named(name: &str) -> Result<Self, String> {
        if let Some(found) = in_file(PASSWD, name) {
            return Ok(found);
        }
        match nix::unistd::User::from_name(name) {
            Ok(Some(found)) => Ok(Self { user: found.uid.as_raw(), group: found.gid.as_raw() }),
            Ok(None) | Err(_) => Err(name.to_owned()),
        }
    }

    /// Returns the user as arguments for a process.
    pub(crate) fn arguments(self) -> [String; 2] {
        [self.user.to_string(), self.group.to_string()]
    }

    /// Parses what [`User::arguments`] returned; `None` for anything else.
    pub(crate) fn from_arguments(arguments: &[String]) -> Option<Self> {
        let [user, group] = arguments else { return None };
        Some(Self { user: user.parse().ok()?, group: group.parse().ok()? })
    }

    /// Becomes the user, with its group and no others. There is no way back.
    pub(crate) fn switch_to(self) -> nix::Result<()> {
        let (user, group) = (Uid::from_raw(self.user), Gid::from_raw(self.group));
        setgroups(&[group])?;
        setresgid(group, group, group)?;
        setresuid(user, user, user)
    }
}

/// Returns the group with a name, if the file of groups has it.
pub(crate) fn group(name: &str) -> Option<u32> {
    let [group, ..] = numbers(&fs::read(GROUPS).ok()?, name)?;
    group
}

/// The users and the groups of this machine (`man 5 passwd`, `man 5 group`).
const PASSWD: &str = "/etc/passwd";
const GROUPS: &str = "/etc/group";

fn in_file(path: &str, name: &str) -> Option<User> {
    let [user, group] = numbers(&fs::read(path).ok()?, name)?;
    Some(User { user: user?, group: group? })
}

/// Finds a name in the text of one of these files, and returns the numbers after it and the password.
fn numbers(text: &[u8], name: &str) -> Option<[Option<u32>; 2]> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let is_this = fields.next()? == name.as_bytes();
        let _password = fields.next()?;
        let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse().ok();
        let numbers = [number(), number()];
        is_this.then_some(numbers)
    })
}

/// Returns whether this process runs as root.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_parsed_to_the_same_user() {
        let user = User { user: 65_534, group: 7 };
        assert_eq!(User::from_arguments(&user.arguments()), Some(user));
        assert_eq!(User::from_arguments(&[]), None);
        assert_eq!(User::from_arguments(&["x".to_owned(), "7".to_owned()]), None);
    }

    #[test]
    fn users_are_found_in_the_file_by_their_whole_names() {
        let text = b"root:x:0:0:root:/root:/bin/bash\n+::::::\n\nknock:x:1:2::/:\nknockd:x:101:109:a\xff:/:\nx:y";
        assert_eq!(numbers(text, "knockd"), Some([Some(101), Some(109)]));
        assert_eq!(numbers(text, "root"), Some([Some(0), Some(0)]));
        assert_eq!(numbers(text, "+"), Some([None, None]));
        for missing in ["knoc", "knockd:x", "y", ""] {
            assert_eq!(numbers(text, missing), None, "{missing}");
        }
        assert_eq!(numbers(b"adm:x:4:syslog,me\nknockd:x:9:\n", "adm"), Some([Some(4), None]));
    }

    #[test]
    fn there_is_a_default_user() {
        assert!(User::find(None).is_ok_and(|user| user.user != 0));
    }
}

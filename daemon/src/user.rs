//! The user that processes without privileges become.

use knock_config::{Directive, UserName};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

/// The IDs of a user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl User {
    /// Looks up the user of the directive, or its default. `Err` is the name of a user that does not
    /// exist.
    pub(crate) fn find(name: Option<&UserName>) -> Result<Self, String> {
        let default = Directive::User.default_value().unwrap_or_default();
        let name = name.map_or(default.to_owned(), ToString::to_string);
        match nix::unistd::User::from_name(&name) {
            Ok(Some(found)) => Ok(Self { user: found.uid.as_raw(), group: found.gid.as_raw() }),
            Ok(None) | Err(_) => Err(name),
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
    fn there_is_a_default_user() {
        assert!(User::find(None).is_ok_and(|user| user.user != 0));
    }
}

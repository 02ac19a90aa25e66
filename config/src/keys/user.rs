//! Whose key a file has: its name says it.

use crate::names::UserName;

/// What the names of files with keys end with.
const END: &[u8] = b".key";

/// Returns the user whose key a file has: what is before the first dot of its name, which ends with `.key`. So
/// `alice.key` and `alice.2027.key` are both of alice, and a file of another kind is nobody's.
#[must_use]
pub fn user_of(file_name: &[u8]) -> Option<UserName> {
    let name = file_name.strip_suffix(END)?;
    UserName::new(name.split(|byte| *byte == b'.').next()?)
}

/// Returns whether a file is meant to have a key, by its name.
#[must_use]
pub fn is_key_file(file_name: &[u8]) -> bool {
    file_name.ends_with(END)
}

/// Returns whether files with keys can be of a user with this name.
#[must_use]
pub fn is_user(name: &[u8]) -> bool {
    UserName::new(name).is_some_and(|user| file_name(&user, None).is_some())
}

/// Returns the name of a file with a key of a user, with a label if there are several; `None` if it would be
/// another's.
#[must_use]
pub fn file_name(user: &UserName, label: Option<&str>) -> Option<String> {
    let name = match label {
        Some(label) => format!("{user}.{label}.key"),
        None => format!("{user}.key"),
    };
    let is_one = !name.contains('/') && user_of(name.as_bytes()).as_ref() == Some(user);
    is_one.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_is_before_the_first_dot() {
        let user = |name: &str| user_of(name.as_bytes()).map(|user| user.to_string());
        for name in ["alice.key", "alice.2027.key", "alice.a.b.key"] {
            assert_eq!(user(name).as_deref(), Some("alice"), "{name}");
        }
        for name in ["alice", "alice.key~", ".key", ".alice.key", "a b.key", "alice.key.old", ""] {
            assert_eq!(user(name), None, "{name}");
        }
    }

    #[test]
    fn the_name_of_a_file_says_whose_it_is() {
        let name = |user: &str, label| file_name(&UserName::new(user.as_bytes())?, label);
        assert_eq!(name("alice", None).as_deref(), Some("alice.key"));
        assert_eq!(name("alice", Some("2027")).as_deref(), Some("alice.2027.key"));
        assert_eq!(name("a.b", None), None);
        assert_eq!(name("alice", Some("a/b")), None);
    }
}

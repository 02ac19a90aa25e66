//! Names in a configuration: bytes that are never empty.

use std::fmt;

use crate::lex::is_blank;

/// The name of a file as the configuration gives it, as bytes; never empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Box<[u8]>);

impl FileName {
    /// Takes the bytes of a name; `None` if there are none.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self(bytes.into()))
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName(\"{}\")", self.0.escape_ascii())
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The name of a table of nftables: a letter, then letters, digits and `_`, `-`, `.`, `/` or `\\`, at most
/// [`TableName::MAX_BYTES`] in all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(Box<str>);

impl TableName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Takes a name; `None` if no table can have it.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || "_-./\\".contains(letter);
        let is_one = name.len() <= Self::MAX_BYTES
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(is_part);
        is_one.then(|| Self(name.into()))
    }

    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a network interface, or `any`, as bytes: 1 to [`InterfaceName::MAX_BYTES`] of them,
/// none of them a blank or a `/`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(Box<[u8]>);

impl InterfaceName {
    /// The longest name that the kernel gives an interface, in bytes: `IFNAMSIZ` without the NUL.
    pub const MAX_BYTES: usize = 15;

    /// Takes the bytes of a name; `None` if no interface can have it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let is_one = bytes.len() <= Self::MAX_BYTES && Self::is_but_for_its_length(bytes);
        is_one.then(|| Self(bytes.into()))
    }

    /// Returns whether an interface could have the name if it were not too long.
    pub(crate) fn is_but_for_its_length(bytes: &[u8]) -> bool {
        !bytes.is_empty()
            && !bytes.iter().any(|byte| is_blank(*byte) || matches!(byte, b'/' | b'\n' | 0))
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InterfaceName(\"{}\")", self.0.escape_ascii())
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The name of a user, as bytes: 1 to [`UserName::MAX_BYTES`] of them, as useradd(8) of Debian allows
/// them.
///
/// So it is not a number, does not begin with `-`, `+` or `~`, and has no `:`, `,`, `/`, blank or
/// control character in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Box<[u8]>);

impl UserName {
    /// The longest name that useradd(8) allows, in bytes.
    pub const MAX_BYTES: usize = 32;

    /// Takes the bytes of a name; `None` if no user can have it.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let is_one = bytes.len() <= Self::MAX_BYTES && Self::is_but_for_its_length(bytes);
        is_one.then(|| Self(bytes.into()))
    }

    /// Returns whether a user could have the name if it were not too long.
    pub(crate) fn is_but_for_its_length(bytes: &[u8]) -> bool {
        let is_refused =
            |byte: &u8| byte.is_ascii_control() || matches!(byte, b' ' | b':' | b',' | b'/');
        // No bytes at all are a number, too.
        !bytes.iter().all(u8::is_ascii_digit)
            && !matches!(bytes, [b'-' | b'+' | b'~', ..])
            && !bytes.iter().any(is_refused)
    }

    /// Returns the bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserName(\"{}\")", self.0.escape_ascii())
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_name_of_an_interface_is_one_that_the_kernel_allows() {
        for name in [&b"e"[..], b"any", b"eth0:1", b"eth0.5", b"e\xff#", b"fifteen-bytes-x"] {
            assert_eq!(InterfaceName::new(name).unwrap().as_bytes(), name);
        }
        for name in [&b""[..], b"a/b", b"/", b"a b", b"a\t", b"\x0ba", b"a\n", b"a\0"] {
            assert_eq!(InterfaceName::new(name), None, "{}", name.escape_ascii());
        }
        assert_eq!(InterfaceName::new(b"sixteen-bytes-xx"), None);
    }

    #[test]
    fn a_name_of_a_user_is_one_that_useradd_allows() {
        for name in [&b"k"[..], b"_knockd", b"a-+~", b"1a", b"DOMAIN\\a", b"m\xfcller.x$", b"#"] {
            assert_eq!(UserName::new(name).unwrap().as_bytes(), name);
        }
        assert!(UserName::new(&[b'x'; 32]).is_some());
        assert_eq!(UserName::new(&[b'x'; 33]), None);
        for name in [&b""[..], b"0", b"1000", b"-a", b"+a", b"~a", b"a b", b"a\t", b"a\x7f"] {
            assert_eq!(UserName::new(name), None, "{}", name.escape_ascii());
        }
        for name in ["a:b", "a,b", "a/b", "a\n", "a\0"] {
            assert_eq!(UserName::new(name.as_bytes()), None, "{}", name.escape_default());
        }
    }

    #[test]
    fn names_can_be_shown_whatever_their_bytes() {
        let file = FileName::new(b"/a\xff").unwrap();
        assert_eq!(format!("{file} {file:?}"), r#"/a� FileName("/a\xff")"#);
        let interface = InterfaceName::new(b"e\xfe").unwrap();
        assert_eq!(format!("{interface} {interface:?}"), r#"e� InterfaceName("e\xfe")"#);
        let user = UserName::new(b"u\xfd").unwrap();
        assert_eq!(format!("{user} {user:?}"), r#"u� UserName("u\xfd")"#);
    }
}

//! The text of a file with a key.

use base64::engine::general_purpose::STANDARD;
use knock_signed::Key;

use crate::keys::decode_key;

/// Why a text is not a file with a key. It never says what the text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFault {
    /// A line is something else.
    Line {
        /// Its number, from 1.
        number: usize,
    },
    /// The key is not 32 bytes in base64.
    NotAKey {
        /// The number of the line, from 1.
        number: usize,
    },
    /// There is no key.
    Missing,
    /// There are several.
    Second {
        /// The number of the line, from 1.
        number: usize,
    },
}

/// Reads the text of a file with a key: a line `key = BASE64`, blank lines, and comments that begin with `#`.
pub(super) fn parse(text: &[u8]) -> Result<Key, KeyFault> {
    let mut key = None;
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let place = line.iter().position(|byte| *byte == b'=');
        let (name, value) = place.and_then(|at| line.split_at_checked(at)).unwrap_or((line, &[]));
        let Some(value) = value.strip_prefix(b"=") else { return Err(KeyFault::Line { number }) };
        if !name.trim_ascii().eq_ignore_ascii_case(b"key") {
            return Err(KeyFault::Line { number });
        }
        if key.is_some() {
            return Err(KeyFault::Second { number });
        }
        key = Some(decode_key(value.trim_ascii(), &STANDARD).ok_or(KeyFault::NotAKey { number })?);
    }
    key.ok_or(KeyFault::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn key() -> Key {
        Key::take(&mut std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    #[test]
    fn a_key_is_read_among_comments() {
        for text in [format!("key = {TEXT}"), format!("# mine\n\n\tKEY={TEXT}\r\n#key = x\n")] {
            assert_eq!(parse(text.as_bytes()), Ok(key()), "{text}");
        }
    }

    #[test]
    fn what_is_no_key_has_its_line() {
        let faults = [
            (String::new(), KeyFault::Missing),
            ("# key = x\n".to_owned(), KeyFault::Missing),
            (format!("\n{TEXT}"), KeyFault::Line { number: 2 }),
            ("key".to_owned(), KeyFault::Line { number: 1 }),
            (format!("keys = {TEXT}"), KeyFault::Line { number: 1 }),
            (format!("key = {}", &TEXT[..43]), KeyFault::NotAKey { number: 1 }),
            (format!("key = {}", &TEXT[4..]), KeyFault::NotAKey { number: 1 }),
            (format!("key = {TEXT}{TEXT}"), KeyFault::NotAKey { number: 1 }),
            ("key =".to_owned(), KeyFault::NotAKey { number: 1 }),
            (format!("key = {TEXT}\nkey = {TEXT}"), KeyFault::Second { number: 2 }),
        ];
        for (text, fault) in faults {
            assert_eq!(parse(text.as_bytes()), Err(fault), "{text}");
        }
    }
}

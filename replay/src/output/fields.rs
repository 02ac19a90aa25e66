//! Objects that are written field by field.
//!
//! `serde_json` makes of each quote, key and comma a write of its own, and looks at every byte of every key. Of objects
//! that come by the million, that is most of the time.

use std::io;
use std::net::IpAddr;

use knock_engine::{Timestamp, address};
use serde::Serialize;

use super::json::Place;
use super::time::{SecondsText, between};

/// The fields of an object, which are added to a line that has its beginning and at least one field.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    line: &'a mut Vec<u8>,
}

/// A key with the comma before it, and after it the colon and a quote. It is written as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) &'static str);

/// Makes a [`Key`] of a name in which nothing has to be escaped.
macro_rules! key {
    ($name:literal) => {
        $crate::output::fields::Key(concat!(",\"", $name, "\":\""))
    };
}
pub(crate) use key;

impl Key {
    /// Returns it for what is no text.
    fn unquoted(self) -> &'static str {
        self.0.strip_suffix('"').unwrap_or(self.0)
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a mut Vec<u8>) -> Self {
        Self { line }
    }

    /// Adds bytes as text. What is not UTF-8 is replaced.
    ///
    /// # Errors
    /// None that is known.
    #[inline]
    pub(crate) fn text(&mut self, key: Key, text: impl AsRef<[u8]>) -> io::Result<()> {
        let text = text.as_ref();
        if is_plain(text) {
            self.plain(key, text);
            return Ok(());
        }
        self.value(key, &String::from_utf8_lossy(text))
    }

    /// Adds a text, if there is one.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(crate) fn text_if(&mut self, key: Key, text: Option<impl AsRef<[u8]>>) -> io::Result<()> {
        text.map_or(Ok(()), |text| self.text(key, text))
    }

    /// Adds a text as it is: ASCII in which nothing has to be escaped, such as a word of ours.
    #[inline]
    pub(crate) fn plain(&mut self, key: Key, text: impl AsRef<[u8]>) {
        self.line.extend_from_slice(key.0.as_bytes());
        self.line.extend_from_slice(text.as_ref());
        self.line.push(b'"');
    }

    /// Adds an address as text.
    #[inline]
    pub(crate) fn address(&mut self, key: Key, address: IpAddr) {
        self.line.extend_from_slice(key.0.as_bytes());
        address::write(address, self.line);
        self.line.push(b'"');
    }

    /// Adds the seconds from one moment to another, as [`between`] returns them.
    ///
    /// # Errors
    /// As [`Fields::text`].
    #[inline]
    pub(crate) fn between(&mut self, key: Key, from: Timestamp, to: Timestamp) -> io::Result<()> {
        match SecondsText::between(from, to) {
            Some(text) => {
                self.line.extend_from_slice(key.unquoted().as_bytes());
                self.line.extend_from_slice(text.as_bytes());
                Ok(())
            }
            None => self.value(key, &between(from, to)),
        }
    }

    /// Adds a number, or anything else.
    ///
    /// # Errors
    /// As [`Fields::text`].
    #[inline]
    pub(crate) fn value(&mut self, key: Key, value: &impl Serialize) -> io::Result<()> {
        self.line.extend_from_slice(key.unquoted().as_bytes());
        Ok(serde_json::to_writer(&mut *self.line, value)?)
    }

    /// Adds a value, if there is one.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(crate) fn value_if(&mut self, key: Key, value: Option<&impl Serialize>) -> io::Result<()> {
        value.map_or(Ok(()), |value| self.value(key, value))
    }

    /// Adds a packet.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(crate) fn packet(
        &mut self,
        key: Key,
        Place { capture, number }: Place<'_>,
    ) -> io::Result<()> {
        self.line.extend_from_slice(key.unquoted().as_bytes());
        self.text(Key(r#"{"capture":""#), capture)?;
        self.value(key!("number"), &number)?;
        self.line.push(b'}');
        Ok(())
    }
}

/// Returns whether bytes are ASCII in which nothing has to be escaped.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    match bytes.last_chunk() {
        // The last block overlaps the one before, unless there is no rest.
        Some(last) => !has_special(*last) && !bytes.as_chunks().0.iter().copied().any(has_special),
        None => !bytes.iter().any(|byte| !matches!(byte, b' '..=0x7f) || b"\"\\".contains(byte)),
    }
}

/// Returns whether some of eight bytes are not ASCII or have to be escaped. Looks at all of them at once, as one number:
/// byte by byte, this takes most of the time of all objects.
#[inline]
fn has_special(bytes: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHEST_BITS: u64 = ONES << 7;
    let bytes = u64::from_le_bytes(bytes);
    // Leaves a byte below the limit with its highest bit. It may do so for the byte after one, too, and not for
    // those that had this bit before, which are special anyway.
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES.wrapping_mul(limit.into()));
    let is = |byte: u8| below(bytes ^ ONES.wrapping_mul(byte.into()), 1);
    (bytes | below(bytes, b' ') | is(b'"') | is(b'\\')) & HIGHEST_BITS != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        /// With few characters beside those that need escaping, so that many texts have none of these.
        #[test]
        fn fields_are_as_serde_json_writes_them(
            text in "[a-d\"\\\\\n\u{0}\u{1f}\u{7f}ä\u{2028}]{0,6}",
            number in any::<u64>(),
            seconds in any::<f64>().prop_filter("JSON has no others", |seconds| seconds.is_finite()),
            address in any::<IpAddr>(),
        ) {
            let mut line = br#"{"version":1"#.to_vec();
            let mut fields = Fields::new(&mut line);
            fields.text(key!("text"), &text).unwrap();
            fields.text_if(key!("none"), None::<&str>).unwrap();
            fields.plain(key!("plain"), "a word");
            fields.value(key!("seconds"), &seconds).unwrap();
            fields.value_if(key!("none"), None::<&u8>).unwrap();
            fields.packet(key!("packet"), Place { capture: &text, number }).unwrap();
            fields.address(key!("client"), address);
            fields.text_if(key!("last"), Some(&text)).unwrap();
            line.push(b'}');
            let expected = [
                format!(r#"{{"version":1,"text":{}"#, json!(text)),
                r#""plain":"a word""#.to_owned(),
                format!(r#""seconds":{}"#, json!(seconds)),
                format!(r#""packet":{{"capture":{},"number":{number}}}"#, json!(text)),
                format!(r#""client":{}"#, json!(address::text(address))),
                format!(r#""last":{}}}"#, json!(text)),
            ];
            prop_assert_eq!(String::from_utf8(line).unwrap(), expected.join(","));
        }

        #[test]
        fn bytes_are_as_lossy_text(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut line = Vec::new();
            Fields::new(&mut line).text(key!("text"), &bytes).unwrap();
            let expected = format!(r#","text":{}"#, json!(String::from_utf8_lossy(&bytes)));
            prop_assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }

    #[test]
    fn a_byte_that_is_escaped_is_found_wherever_it_is() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=255_u8 {
                    let mut bytes = vec![b'a'; length];
                    bytes[at] = byte;
                    let is_escaped = byte < b' ' || byte == b'"' || byte == b'\\';
                    assert_eq!(is_plain(&bytes), byte.is_ascii() && !is_escaped, "{bytes:?}");
                }
            }
        }
    }
}

//! Objects that are written field by field.
//!
//! `serde_json` makes of each quote, key and comma a write of its own, and looks at every byte of every key. Of objects
//! that come by the million, that is most of the time.

use std::io;
use std::net::IpAddr;

use knock_engine::address;
use serde::Serialize;

use super::json::Place;

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
    let is_special = |byte: &u8| *byte < b' ' || *byte == b'"' || *byte == b'\\' || *byte > b'~';
    // To the end of a block in any case: so the compiler has all of its bytes looked at together.
    let has_special =
        |block: &[u8; 16]| block.iter().fold(false, |has_some, byte| has_some | is_special(byte));
    match bytes.last_chunk() {
        // The last block overlaps the one before.
        Some(last) => !has_special(last) && !bytes.as_chunks().0.iter().any(has_special),
        None => !bytes.iter().any(is_special),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;
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

        /// A text of many bytes in which at most two are of another kind.
        #[test]
        fn bytes_are_as_lossy_text(
            length in 0..70_usize,
            others in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..3),
        ) {
            let mut bytes = vec![b'a'; length];
            for (at, other) in others {
                if length > 0 {
                    bytes[at.index(length)] = other;
                }
            }
            let mut line = Vec::new();
            Fields::new(&mut line).text(key!("text"), &bytes).unwrap();
            let expected = format!(r#","text":{}"#, json!(String::from_utf8_lossy(&bytes)));
            prop_assert_eq!(String::from_utf8(line).unwrap(), expected);
        }
    }
}

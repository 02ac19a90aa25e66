//! Objects that are written field by field.
//!
//! `serde_json` makes of each quote, key and comma a write of its own, and looks at every byte of every key. Of objects
//! that come by the million, that is most of the time.

use std::borrow::Cow;
use std::io;

use serde::Serialize;

use super::json::Place;

/// The fields of an object, which are added to a line that has its beginning and at least one field.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    line: &'a mut Vec<u8>,
}

/// A key with the comma before it and the colon after it. It is written as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(pub(crate) &'static str);

/// Makes a [`Key`] of a name in which nothing has to be escaped.
macro_rules! key {
    ($name:literal) => {
        $crate::output::fields::Key(concat!(",\"", $name, "\":"))
    };
}
pub(crate) use key;

impl<'a> Fields<'a> {
    pub(super) fn new(line: &'a mut Vec<u8>) -> Self {
        Self { line }
    }

    /// Adds a text.
    ///
    /// # Errors
    /// None that is known.
    pub(crate) fn text(&mut self, key: Key, text: &str) -> io::Result<()> {
        self.line.extend_from_slice(key.0.as_bytes());
        self.quote(text)
    }

    /// Adds a text, if there is one.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(crate) fn text_if(&mut self, key: Key, text: Option<&str>) -> io::Result<()> {
        text.map_or(Ok(()), |text| self.text(key, text))
    }

    /// Adds a number, or anything else.
    ///
    /// # Errors
    /// As [`Fields::text`].
    pub(crate) fn value(&mut self, key: Key, value: &impl Serialize) -> io::Result<()> {
        self.line.extend_from_slice(key.0.as_bytes());
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
        self.line.extend_from_slice(key.0.as_bytes());
        self.line.extend_from_slice(br#"{"capture":"#);
        self.quote(capture)?;
        self.value(key!("number"), &number)?;
        self.line.push(b'}');
        Ok(())
    }

    fn quote(&mut self, text: &str) -> io::Result<()> {
        if has_special(text) {
            return Ok(serde_json::to_writer(&mut *self.line, text)?);
        }
        self.line.push(b'"');
        self.line.extend_from_slice(text.as_bytes());
        self.line.push(b'"');
        Ok(())
    }
}

/// Returns whether something in a text has to be escaped.
fn has_special(text: &str) -> bool {
    let is_special = |byte| byte < b' ' || byte == b'"' || byte == b'\\';
    // To the end in any case: so the compiler has many bytes looked at together.
    text.bytes().fold(false, |has_some, byte| has_some | is_special(byte))
}

/// Returns bytes as text. Most are, and then this is faster than [`String::from_utf8_lossy`] alone.
pub(crate) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
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
        ) {
            let mut line = br#"{"version":1"#.to_vec();
            let mut fields = Fields::new(&mut line);
            fields.text(key!("text"), &text).unwrap();
            fields.text_if(key!("none"), None).unwrap();
            fields.value(key!("seconds"), &seconds).unwrap();
            fields.value_if(key!("none"), None::<&u8>).unwrap();
            fields.packet(key!("packet"), Place { capture: &text, number }).unwrap();
            fields.text_if(key!("last"), Some(&text)).unwrap();
            line.push(b'}');
            let expected = [
                format!(r#"{{"version":1,"text":{}"#, json!(text)),
                format!(r#""seconds":{}"#, json!(seconds)),
                format!(r#""packet":{{"capture":{},"number":{number}}}"#, json!(text)),
                format!(r#""last":{}}}"#, json!(text)),
            ];
            prop_assert_eq!(String::from_utf8(line).unwrap(), expected.join(","));
        }

        #[test]
        fn bytes_are_as_lossy_text(bytes in proptest::collection::vec(any::<u8>(), 0..8)) {
            prop_assert_eq!(lossy(&bytes), String::from_utf8_lossy(&bytes));
        }
    }
}

//! What all objects have in common that programs read.

use std::io::{self, Write};

use serde::Serialize;

use super::fields::Fields;
use crate::session::names::{CaptureNames, PacketId};

/// A packet: the name of its capture, and its number there.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Place<'a> {
    pub(super) capture: &'a str,
    pub(super) number: u64,
}

impl<'a> Place<'a> {
    pub(crate) fn new(id: PacketId, captures: &'a CaptureNames) -> Self {
        Self { capture: captures.of(id), number: id.number }
    }
}

/// Writes objects, one a line.
pub(crate) struct Json<'a> {
    out: &'a mut (dyn Write + Send),
    /// Whether each object is waited for.
    live: bool,
    /// What every line begins with: the version of the format.
    head: String,
    /// The line that is written.
    line: Vec<u8>,
}

impl<'a> Json<'a> {
    pub(crate) fn new(version: u8, live: bool, out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, live, head: format!(r#"{{"version":{version}"#), line: Vec::new() }
    }

    /// Writes an object, which has at least one field. The version comes before it.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write(&mut self, object: &impl Serialize) -> io::Result<()> {
        let Self { out, live, head, line } = self;
        line.clear();
        line.extend_from_slice(head.as_bytes());
        // `#[serde(flatten)]` would do the same, at three times the cost.
        serde_json::to_writer(&mut *line, object)?;
        if let Some(brace) = line.get_mut(head.len()) {
            *brace = b',';
        }
        Self::end(line, out, *live)
    }

    /// Writes an object with the fields that `add` adds. The version comes before them.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write_fields(
        &mut self,
        add: impl FnOnce(&mut Fields<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { out, live, head, line } = self;
        line.clear();
        line.extend_from_slice(head.as_bytes());
        add(&mut Fields::new(line))?;
        line.push(b'}');
        Self::end(line, out, *live)
    }

    fn end(line: &mut Vec<u8>, out: &mut (dyn Write + Send), flush: bool) -> io::Result<()> {
        line.push(b'\n');
        out.write_all(line)?;
        if flush { out.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_a_line_with_the_version_first() {
        #[derive(Serialize)]
        #[serde(tag = "type", rename_all = "kebab-case")]
        enum Object<'a> {
            One { text: &'a str },
            Two,
        }
        let mut out = Vec::new();
        let mut json = Json::new(1, false, &mut out);
        json.write(&Object::One { text: "a {long} \"line\"\n" }).unwrap();
        json.write(&Object::Two).unwrap();
        let expected = concat!(
            r#"{"version":1,"type":"one","text":"a {long} \"line\"\n"}"#,
            "\n",
            r#"{"version":1,"type":"two"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

//! What all objects have in common that programs read.

use std::io::{self, Write};

use serde::Serialize;

use crate::session::names::{CaptureNames, PacketId};

/// A packet: the name of its capture, and its number there.
#[derive(Serialize)]
pub(crate) struct Place<'a> {
    capture: &'a str,
    number: u64,
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
        line.push(b'\n');
        out.write_all(line)?;
        if *live { out.flush() } else { Ok(()) }
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

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
    /// The line that is written, after others that are not handed over yet.
    lines: Vec<u8>,
}

impl<'a> Json<'a> {
    /// How many bytes of lines are handed over at once.
    const PIECE: usize = 64 * 1024;

    pub(crate) fn new(version: u8, live: bool, out: &'a mut (dyn Write + Send)) -> Self {
        Self { out, live, head: format!(r#"{{"version":{version}"#), lines: Vec::new() }
    }

    /// Writes an object, which has at least one field. The version comes before it.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write(&mut self, object: &impl Serialize) -> io::Result<()> {
        let Self { head, lines, .. } = self;
        lines.extend_from_slice(head.as_bytes());
        let brace = lines.len();
        // `#[serde(flatten)]` would do the same, at three times the cost.
        serde_json::to_writer(&mut *lines, object)?;
        if let Some(brace) = lines.get_mut(brace) {
            *brace = b',';
        }
        lines.push(b'\n');
        self.flush()
    }

    /// Adds an object with the fields that `add` adds. The version comes before them. It is written with others, at
    /// the latest by [`Json::flush`].
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write_fields(
        &mut self,
        add: impl FnOnce(&mut Fields<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let Self { head, lines, .. } = self;
        lines.extend_from_slice(head.as_bytes());
        add(&mut Fields::new(lines))?;
        lines.extend_from_slice(b"}\n");
        if self.live || self.lines.len() >= Self::PIECE { self.flush() } else { Ok(()) }
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        let Self { out, live, lines, .. } = self;
        out.write_all(lines)?;
        lines.clear();
        if *live { out.flush() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::key;
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
        json.write_fields(|fields| fields.text(key!("type"), "three")).unwrap();
        json.write(&Object::Two).unwrap();
        let expected = concat!(
            r#"{"version":1,"type":"one","text":"a {long} \"line\"\n"}"#,
            "\n",
            r#"{"version":1,"type":"two"}"#,
            "\n",
            r#"{"version":1,"type":"three"}"#,
            "\n",
            r#"{"version":1,"type":"two"}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn objects_of_fields_are_written_in_pieces_unless_they_are_live() {
        for (live, writes) in [(false, 2), (true, 3000)] {
            let mut out = Counted::default();
            let mut json = Json::new(1, live, &mut out);
            for _ in 0..3000 {
                json.write_fields(|fields| fields.text(key!("type"), "a")).unwrap();
            }
            json.flush().unwrap();
            assert_eq!(out.writes, writes);
            assert_eq!(out.bytes, b"{\"version\":1,\"type\":\"a\"}\n".repeat(3000));
        }
    }

    #[derive(Default)]
    struct Counted {
        writes: usize,
        bytes: Vec<u8>,
    }

    impl Write for Counted {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.writes = self.writes.saturating_add(1);
            self.bytes.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

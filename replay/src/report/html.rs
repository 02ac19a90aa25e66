//! Data and the parts of the page, put together.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use sha2::{Digest as _, Sha256};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");

/// The script, in the order in which its parts need one another.
const SCRIPT: &str = concat!(
    include_str!("page/model.js"),
    include_str!("page/time.js"),
    include_str!("page/view.js"),
    include_str!("page/rows.js"),
    include_str!("page/lane.js"),
    include_str!("page/timeline.js"),
    include_str!("page/details.js"),
    include_str!("page/summary.js"),
    include_str!("page/config.js"),
    include_str!("page/main.js"),
);

/// Writes the page. Nothing in the data can become a part of it: the data is JSON without any
/// character that HTML knows, the script puts it into the page as text only, and the page allows no
/// other script, no other style and no connection.
pub(super) fn write(data: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    for part in parts() {
        match part {
            Part::Text(text) => out.write_all(text.as_bytes())?,
            Part::Policy => {
                let policy = format!(
                    "default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; \
                     form-action 'none'",
                    hash(SCRIPT),
                    hash(STYLE)
                );
                out.write_all(policy.as_bytes())?;
            }
            Part::Style => out.write_all(STYLE.as_bytes())?,
            Part::Script => out.write_all(SCRIPT.as_bytes())?,
            Part::Data => data.serialize(&mut Serializer::with_formatter(&mut *out, Harmless))?,
        }
    }
    Ok(())
}

enum Part {
    Text(&'static str),
    Policy,
    Style,
    Script,
    Data,
}

/// Returns the parts of the page in order. A place to be filled stands on it as `{{name}}`.
fn parts() -> impl Iterator<Item = Part> {
    PAGE.split("{{").flat_map(|piece| {
        let (name, text) = piece.split_once("}}").unwrap_or(("", piece));
        let filled = match name {
            "policy" => Some(Part::Policy),
            "style" => Some(Part::Style),
            "script" => Some(Part::Script),
            "data" => Some(Part::Data),
            _ => None,
        };
        filled.into_iter().chain([Part::Text(text)])
    })
}

/// Returns the hash by which a policy allows a script or a style.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Writes JSON with everything escaped that means something in HTML, or ends a line in old scripts. All
/// of that stands in strings: JSON itself has none of it.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_harmful) {
            let (plain, harmful) = rest.split_at(at);
            out.write_all(plain.as_bytes())?;
            let mut characters = harmful.chars();
            if let Some(harmful) = characters.next() {
                write!(out, "\\u{:04x}", u32::from(harmful))?;
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

const fn is_harmful(character: char) -> bool {
    matches!(character, '<' | '>' | '&' | '\u{2028}' | '\u{2029}')
}

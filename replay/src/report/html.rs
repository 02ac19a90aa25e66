//! Data and the parts of the page, put together.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use sha2::{Digest as _, Sha256};

use super::markup::Markup;
use super::summary::Summary;

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
    include_str!("page/moves.js"),
    include_str!("page/tip.js"),
    include_str!("page/details.js"),
    include_str!("page/openings.js"),
    include_str!("page/config.js"),
    include_str!("page/main.js"),
);

/// Writes the page. Nothing in the data can become a part of it: the data is JSON without any
/// character that HTML knows, the script puts it into the page as text only, as [`Markup`] does with the
/// summary, and the page allows no other script, no other style and no connection.
///
/// [`Markup`]: super::markup::Markup
pub(super) fn write(
    data: &impl Serialize,
    summary: &Summary,
    out: &mut dyn Write,
) -> io::Result<()> {
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
            Part::Markup(which) => out.write_all(which(summary).as_str().as_bytes())?,
            Part::Data => {
                // In memory first: it consists of very many short pieces.
                let mut json = Vec::new();
                data.serialize(&mut Serializer::with_formatter(&mut json, Harmless))?;
                out.write_all(&json)?;
            }
        }
    }
    Ok(())
}

enum Part {
    Text(&'static str),
    Policy,
    Style,
    Script,
    Markup(fn(&Summary) -> &Markup),
    Data,
}

/// Returns the parts of the page in order. A place to be filled is written as `{{name}}`.
fn parts() -> impl Iterator<Item = Part> {
    PAGE.split("{{").flat_map(|piece| {
        let (name, text) = piece.split_once("}}").unwrap_or(("", piece));
        let filled = match name {
            "policy" => Some(Part::Policy),
            "style" => Some(Part::Style),
            "script" => Some(Part::Script),
            "title" => Some(Part::Markup(|summary| &summary.title)),
            "head" => Some(Part::Markup(|summary| &summary.head)),
            "summary" => Some(Part::Markup(|summary| &summary.body)),
            "cut" => Some(Part::Markup(|summary| &summary.cut)),
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
/// of that is in strings: JSON itself has none of it.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn page(data: &str) -> String {
        let mut page = Vec::new();
        let [title, head, body, cut] = [(); 4].map(|()| Markup::default());
        write(&[data], &Summary { title, head, body, cut }, &mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn what_means_something_in_html_is_escaped_and_read_as_it_was() {
        let hostile = "</script><!-- & \u{2028}\u{2029} {{script}} \\ \" \u{0} end";
        let page = page(hostile);
        let (_, rest) = page.split_once("id=\"data\">").unwrap();
        let (block, _) = rest.split_once("</script>").unwrap();
        assert!(!block.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{block}");
        assert_eq!(serde_json::from_str::<[String; 1]>(block).unwrap(), [hostile]);
    }

    #[test]
    fn every_place_of_the_page_is_filled() {
        let page = page("");
        assert!(!page.contains("{{"), "a place is not filled, or its name is unknown");
        let policy = format!("script-src '{}'; style-src '{}'", hash(SCRIPT), hash(STYLE));
        assert!(page.contains(&policy));
        assert_eq!(hash("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }

    /// Hashes are of exactly the text between the tags, and a page that names an address may load
    /// from it.
    #[test]
    fn the_parts_of_the_page_end_where_they_should_and_name_no_address() {
        for (text, end) in [(SCRIPT, "</script"), (STYLE, "</style")] {
            assert!(!text.to_lowercase().contains(end) && !text.contains('\r'));
        }
        let namespace = "http://www.w3.org/2000/svg";
        for text in [PAGE, STYLE, &SCRIPT.replace(namespace, "")] {
            assert!(!text.contains("http:") && !text.contains("https:"));
        }
        for unsafe_way in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("]
        {
            assert!(!SCRIPT.contains(unsafe_way), "{unsafe_way}");
        }
    }
}

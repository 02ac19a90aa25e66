//! Characters that look like others, or like none, as word processors and web pages make them.

use std::fmt::Write as _;

/// A character that is not what it looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lookalike {
    /// Its first byte, counted from the start of the text.
    pub(crate) start: usize,
    /// How many bytes it has.
    pub(crate) length: usize,
    /// The character.
    pub(crate) character: char,
    /// Its name, such as `no-break space`.
    pub(crate) name: &'static str,
    /// What to write instead; `None` if it is to be removed.
    pub(crate) instead: Option<&'static str>,
}

impl Lookalike {
    /// Returns what to do about it.
    pub(crate) fn help(&self) -> String {
        help(self.instead)
    }

    /// Returns what it is: `U+00A0 no-break space`.
    pub(crate) fn title(&self) -> String {
        title(self.character, self.name)
    }
}

/// Returns what to do about a character instead of which to write this.
pub(crate) fn help(instead: Option<&str>) -> String {
    match instead {
        Some(" ") => String::from("write a blank instead"),
        Some(instead) => format!("write `{instead}` instead"),
        None => String::from("remove it"),
    }
}

/// Returns what a character is: `U+00A0 no-break space`.
pub(crate) fn title(character: char, name: &str) -> String {
    format!("U+{:04X} {name}", u32::from(character))
}

/// Returns what a character is that commands the terminal or cannot be seen: `U+200B zero-width space`.
pub(crate) fn unseen(character: char) -> String {
    let name = match meaning(character, "") {
        Some((name, _)) => name,
        None if character.is_control() => "control character",
        None => "character that cannot be seen",
    };
    title(character, name)
}

/// Returns what the first character of a text is that is not what it looks like, and what to do about it.
#[must_use]
pub fn unlike(text: &[u8]) -> Option<(String, String)> {
    lookalikes(text).next().map(|one| (one.title(), one.help()))
}

/// Returns what to write instead of a character that is not what it looks like, if anything.
pub(crate) fn instead_of(character: char) -> Option<&'static str> {
    meaning(character, "").and_then(|(_, instead)| instead)
}

/// Returns the characters of a text that are not what they look like. Bytes that are not UTF-8 are none.
pub(crate) fn lookalikes(text: &[u8]) -> impl Iterator<Item = Lookalike> {
    let mut start = 0_usize;
    text.utf8_chunks().flat_map(move |chunk| {
        let from = start;
        let length = chunk.valid().len().saturating_add(chunk.invalid().len());
        start = start.saturating_add(length);
        chunk.valid().char_indices().filter_map(move |(at, character)| {
            let behind = chunk.valid().get(at..).unwrap_or_default();
            let (name, instead) = meaning(character, behind)?;
            let (start, length) = (from.saturating_add(at), character.len_utf8());
            Some(Lookalike { start, length, character, name, instead })
        })
    })
}

/// Returns a text in which characters that cannot be seen are named.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match meaning(character, "") {
            Some((_, None | Some(" "))) => {
                // Writing to a string never fails.
                let _ = write!(shown, "<U+{:04X}>", u32::from(character));
            }
            Some((_, Some(_))) | None => shown.push(character),
        }
    }
    shown
}

/// Returns the name of a character that is not what it looks like, and what to write instead. `behind` is
/// the text that begins with it.
fn meaning(character: char, behind: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match character {
        '\u{a0}' => ("no-break space", Some(" ")),
        '\u{2000}'..='\u{200a}' => ("wide or narrow space", Some(" ")),
        '\u{202f}' => ("narrow no-break space", Some(" ")),
        '\u{205f}' => ("mathematical space", Some(" ")),
        '\u{3000}' => ("ideographic space", Some(" ")),
        '\u{ad}' => ("soft hyphen", None),
        '\u{200b}' => ("zero-width space", None),
        '\u{200c}' => ("zero-width non-joiner", None),
        '\u{200d}' => ("zero-width joiner", None),
        '\u{2060}' => ("word joiner", None),
        '\u{feff}' => ("zero-width no-break space", None),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            ("mark for the direction of writing", None)
        }
        '\u{2010}' => ("hyphen", Some("-")),
        '\u{2011}' => ("non-breaking hyphen", Some("-")),
        '\u{2012}' => ("figure dash", Some("-")),
        '\u{2013}' => ("en dash", Some(dashes(behind))),
        '\u{2014}' => ("em dash", Some("--")),
        '\u{2015}' => ("horizontal bar", Some("--")),
        '\u{2026}' => ("horizontal ellipsis", Some("...")),
        '\u{2032}' => ("prime", Some("'")),
        '\u{2033}' => ("double prime", Some("\"")),
        '\u{2212}' => ("minus sign", Some("-")),
        '\u{2018}' => ("left single quotation mark", Some("'")),
        '\u{2019}' => ("right single quotation mark", Some("'")),
        '\u{201a}' => ("low single quotation mark", Some("'")),
        '\u{201c}' => ("left double quotation mark", Some("\"")),
        '\u{201d}' => ("right double quotation mark", Some("\"")),
        '\u{201e}' => ("low double quotation mark", Some("\"")),
        '\u{ff05}' => ("fullwidth percent sign", Some("%")),
        '\u{ff0c}' => ("fullwidth comma", Some(",")),
        '\u{ff1a}' => ("fullwidth colon", Some(":")),
        '\u{ff1b}' => ("fullwidth semicolon", Some(";")),
        '\u{ff1d}' => ("fullwidth equals sign", Some("=")),
        _ => return None,
    })
}

/// An en dash is what becomes of `--` before a long option, and of `-` before a short one.
fn dashes(behind: &str) -> &'static str {
    let mut word = behind.chars().skip(1).take_while(char::is_ascii_alphanumeric);
    // Before a digit, it is one of a range.
    let begins_with_letter = word.next().is_some_and(|first| first.is_ascii_alphabetic());
    if begins_with_letter && word.next().is_some() { "--" } else { "-" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> Vec<(usize, String, String)> {
        lookalikes(text).map(|one| (one.start, one.title(), one.help())).collect()
    }

    #[test]
    fn characters_are_named_with_what_to_write() {
        let told = |title: &str, help: &str| (1, title.to_owned(), help.to_owned());
        for (text, title, help) in [
            ("a\u{a0}", "U+00A0 no-break space", "write a blank instead"),
            ("a\u{200b}b", "U+200B zero-width space", "remove it"),
            ("a\u{2013}dport", "U+2013 en dash", "write `--` instead"),
            ("a\u{2013}A x", "U+2013 en dash", "write `-` instead"),
            ("a\u{201c}", "U+201C left double quotation mark", "write `\"` instead"),
            ("a\u{2018}", "U+2018 left single quotation mark", "write `'` instead"),
            ("a\u{2033}", "U+2033 double prime", "write `\"` instead"),
            ("a\u{2014}dport", "U+2014 em dash", "write `--` instead"),
            ("a\u{feff}b", "U+FEFF zero-width no-break space", "remove it"),
        ] {
            assert_eq!(found(text.as_bytes()), [told(title, help)], "{text}");
        }
        assert_eq!(found("a-b--c'\"é漢\u{301}\t€".as_bytes()), []);
    }

    #[test]
    fn places_are_bytes_also_after_what_is_not_utf8() {
        let starts: Vec<usize> =
            lookalikes(b"\xff\xe2\x80\xc2\xa0x\xe2\x80\x93").map(|one| one.start).collect();
        assert_eq!(starts, [3, 6]);
    }

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(visible("a\u{a0}b\u{200b}\u{2013}"), "a<U+00A0>b<U+200B>\u{2013}");
    }
}

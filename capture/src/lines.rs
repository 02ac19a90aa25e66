//! Reads lines that people write, in scenarios and in files of assertions, and reports their errors.

use std::borrow::Cow;
use std::time::Duration;

use crate::duration::{self, Unit};
use knock_config::lex::{Line, Piece};
use knock_config::{Excerpt, Wording, unlike};

/// An error, and where it is.
pub type Fault<'a> = Box<(Piece<'a>, Wording)>;

/// Returns an error at a place. If a word there has a character that is not what it looks like, this says so.
#[must_use]
pub fn fault(at: Piece<'_>, wording: Wording) -> Fault<'_> {
    let is_word = !at.bytes().iter().any(u8::is_ascii_whitespace);
    match unlike(at.bytes()).filter(|_| is_word) {
        Some((title, help)) => {
            let label = format!("{title} in this");
            Box::new((at, Wording { label, ..wording }.help(help)))
        }
        None => Box::new((at, wording)),
    }
}

/// The words of a line, up to a comment.
pub struct Words<'a> {
    line: Piece<'a>,
    rest: Piece<'a>,
}

/// A word, or text in quotes.
pub struct Quotable<'a> {
    /// Its place, with its quotes.
    pub at: Piece<'a>,
    /// Its bytes, without quotes and with escapes resolved.
    pub bytes: Cow<'a, [u8]>,
    /// Whether it was in quotes.
    pub is_quoted: bool,
}

impl<'a> Words<'a> {
    /// Starts at the first word of a line.
    #[must_use]
    pub fn new(line: Line<'a>) -> Self {
        Self { line: line.trimmed(), rest: line.trimmed() }
    }

    /// Returns the words that were taken, as one piece.
    #[must_use]
    pub fn taken(&self) -> Piece<'a> {
        let length = self.line.bytes().len().saturating_sub(self.rest.bytes().len());
        self.line.split_at(length).0.trim()
    }

    /// Returns the next word; `None` at the end of the line or at a comment.
    #[expect(clippy::should_implement_trait, reason = "words are also taken in other ways")]
    pub fn next(&mut self) -> Option<Piece<'a>> {
        let (word, rest) = self.rest.first_word();
        if word.is_empty() || word.bytes().starts_with(b"#") {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// Returns the next word if it is one of these.
    pub fn next_if(&mut self, is_wanted: impl FnOnce(&[u8]) -> bool) -> Option<Piece<'a>> {
        let before = self.rest;
        let word = self.next()?;
        if is_wanted(word.bytes()) {
            return Some(word);
        }
        self.rest = before;
        None
    }

    /// Returns the next word, which must follow this one.
    ///
    /// # Errors
    /// An error if it is missing or malformed.
    pub fn expect(&mut self, before: Piece<'a>, what: &str) -> Result<Piece<'a>, Fault<'a>> {
        self.next().ok_or_else(|| {
            let wording = Wording::new("the line ends too early", format!("expected {what}"));
            fault(before.empty_at_end(), wording)
        })
    }

    /// Returns the next word or the text in the next quotes, which must follow.
    ///
    /// Between `"` and `"`, `\"` and `\\` mean `"` and `\`; between `'` and `'` every character means
    /// itself.
    ///
    /// # Errors
    /// An error if it is missing or malformed.
    pub fn quotable(&mut self, before: Piece<'a>, what: &str) -> Result<Quotable<'a>, Fault<'a>> {
        let [quote @ (b'"' | b'\''), ..] = *self.rest.bytes() else {
            let at = self.expect(before, what)?;
            return Ok(Quotable { at, bytes: at.bytes().into(), is_quoted: false });
        };
        let Some((bytes, length)) = unquoted(self.rest.bytes(), quote) else {
            let quote = char::from(quote);
            let wording =
                Wording::new("these quotes do not end", format!("expected another `{quote}`"))
                    .help("between `\"` and `\"`, write `\"` as `\\\"`");
            return Err(fault(self.rest, wording));
        };
        let (at, rest) = self.rest.split_at(length);
        let (glued, _) = rest.first_word();
        if !glued.is_empty() {
            let wording = Wording::new("text follows quotes without a blank", "expected a blank")
                .help("between `\"` and `\"`, write `\"` as `\\\"`");
            return Err(fault(glued, wording));
        }
        self.rest = rest.trim();
        Ok(Quotable { at, bytes: bytes.into(), is_quoted: true })
    }

    /// Checks that the line ends here.
    ///
    /// # Errors
    /// An error at the first word that is left.
    pub fn nothing_more(mut self) -> Result<(), Fault<'a>> {
        match self.next() {
            None => Ok(()),
            Some(word) => {
                let wording = Wording::new("extra text at the end of the line", "remove this");
                Err(fault(word.to_line_end(), wording))
            }
        }
    }

    /// Reads a length of time, which must come after `before`.
    ///
    /// # Errors
    /// An error if it is missing or malformed.
    pub fn length(&mut self, before: Piece<'a>) -> Result<Duration, Fault<'a>> {
        let word = self.expect(before, "a time, such as `0.2s`")?;
        length(word).map_err(|wording| fault(word, wording))
    }

    /// Reads `N every T`.
    ///
    /// # Errors
    /// An error if it is missing or malformed.
    pub fn times(&mut self, before: Piece<'a>) -> Result<(u32, Duration), Fault<'a>> {
        let word = self.expect(before, "a number of times, such as `3 every 10s`")?;
        let rounds = count(word, 1).map_err(|wording| fault(word, wording))?;
        let every = self.expect(word, "`every` and a time, such as `every 10s`")?;
        if every.bytes() != b"every" {
            return Err(unknown(every, &["every"]));
        }
        Ok((rounds, self.length(every)?))
    }
}

/// Returns the text in the quotes with which the bytes begin, and its length with them; `None` if they
/// do not end.
fn unquoted(bytes: &[u8], quote: u8) -> Option<(Vec<u8>, usize)> {
    let mut inside = Vec::new();
    let mut rest = bytes.iter().copied().enumerate().skip(1).peekable();
    while let Some((at, byte)) = rest.next() {
        if byte == quote {
            return Some((inside, at.saturating_add(1)));
        }
        let escaped = |(_, next): &(usize, u8)| byte == b'\\' && matches!(next, b'"' | b'\\');
        let escaped = if quote == b'"' { rest.next_if(escaped) } else { None };
        inside.push(escaped.map_or(byte, |(_, next)| next));
    }
    None
}

/// Returns the wording with a suggestion, if there is one.
#[must_use]
pub fn helped(wording: Wording, near: Option<&str>) -> Wording {
    match near {
        Some(near) => wording.help(format!("did you mean `{near}`?")),
        None => wording,
    }
}

/// Returns an error for an unknown word.
#[must_use]
pub fn unknown<'a>(word: Piece<'a>, known: &[&'static str]) -> Fault<'a> {
    let shown = Excerpt::new(word.bytes());
    let list = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    let wording = Wording::new(format!("unknown word `{shown}`"), format!("expected {list}"));
    let near = knock_config::nearest(word.bytes(), known.iter().copied());
    fault(word, helped(wording, near))
}

/// Reads a length of time; a plain number is in seconds.
///
/// # Errors
/// A wording if it is not one.
pub fn length(word: Piece<'_>) -> Result<Duration, Wording> {
    let text = String::from_utf8_lossy(word.bytes());
    duration::parse(&text, Unit::Seconds).map_err(|error| {
        let shown = Excerpt::new(word.bytes());
        Wording::new(format!("`{shown}` is {error}"), "expected a time")
            .help("write seconds, such as `0.25`, or a unit: `250ms`, `2m`, `1h`")
    })
}

/// Reads how often something happens: from `least` to a million times.
///
/// # Errors
/// A wording if it is not such a number.
pub fn count(word: Piece<'_>, least: u32) -> Result<u32, Wording> {
    const MOST: u32 = 1_000_000;
    let text = String::from_utf8_lossy(word.bytes());
    let number = text.parse().ok().filter(|number| (least..=MOST).contains(number));
    number.ok_or_else(|| {
        let shown = Excerpt::new(word.bytes());
        let message = format!("`{shown}` is not a number from {least} to {MOST}");
        Wording::new(message, "expected a number of times")
    })
}

#[cfg(test)]
mod tests {
    use knock_config::lex::Text;

    use super::*;

    fn read(text: &str) -> Result<(String, bool), String> {
        let line = Text::new(text.as_bytes()).lines().next().unwrap();
        let mut words = Words::new(line);
        let first = words.next().unwrap();
        match words.quotable(first, "something") {
            Ok(Quotable { at: _, bytes, is_quoted }) => {
                Ok((String::from_utf8_lossy(&bytes).into_owned(), is_quoted))
            }
            Err(fault) => Err(fault.1.message),
        }
    }

    #[test]
    fn quotes_hold_blanks_and_escapes() {
        let quoted = |text: &str| Ok((text.to_owned(), true));
        assert_eq!(read("x plain # c"), Ok(("plain".to_owned(), false)));
        assert_eq!(read(r#"x "a b" c"#), quoted("a b"));
        assert_eq!(read("x \"a # b\""), quoted("a # b"));
        assert_eq!(read(r#"x "a \"b\" \\ \n""#), quoted(r#"a "b" \ \n"#));
        assert_eq!(read(r#"x 'a "b" \\'"#), quoted(r#"a "b" \\"#));
        assert_eq!(read(r#"x """#), quoted(""));
    }

    #[test]
    fn quotes_that_do_not_end_or_go_on_are_errors() {
        for text in [r#"x "a b"#, r#"x "a\""#, "x 'a", r#"x ""#] {
            assert_eq!(read(text), Err("these quotes do not end".to_owned()), "{text}");
        }
        for text in [r#"x "a"b"#, "x 'a'# c"] {
            assert_eq!(read(text), Err("text follows quotes without a blank".to_owned()), "{text}");
        }
        assert_eq!(read("x # c"), Err("the line ends too early".to_owned()));
    }

    #[test]
    fn the_words_that_were_taken_are_one_piece() {
        let line = Text::new(b"  a  \"b c\" d # e").lines().next().unwrap();
        let mut words = Words::new(line);
        let first = words.next().unwrap();
        words.quotable(first, "").unwrap();
        assert_eq!(words.taken().bytes(), b"a  \"b c\"");
        words.next().unwrap();
        assert!(words.next().is_none());
        assert_eq!(words.taken().bytes(), b"a  \"b c\" d");
    }
}

//! Splits lines into keywords and words, as ssh splits the lines of its configuration.

use knock_config::lex::{Piece, is_blank};

/// A word of a line.
#[derive(Clone, Debug)]
pub(super) struct Word<'a> {
    /// Its place, with its quotes.
    pub(super) at: Piece<'a>,
    /// What it means: without quotes and escapes.
    pub(super) text: Vec<u8>,
}

/// A quote that does not end on its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unbalanced<'a> {
    /// The quote and what follows it.
    pub(super) at: Piece<'a>,
}

/// Splits a trimmed line that is not empty into its keyword and the rest. Between them are blanks and
/// at most one `=`.
pub(super) fn keyword(line: Piece<'_>) -> (Piece<'_>, Piece<'_>) {
    let ends = |byte: &u8| is_blank(*byte) || *byte == b'=';
    let length = line.bytes().iter().position(ends).unwrap_or(line.bytes().len());
    let (keyword, rest) = line.split_at(length);
    let rest = rest.trim();
    (keyword, rest.strip_prefix(b'=').unwrap_or(rest).trim())
}

/// Splits what follows a keyword into words.
///
/// Blanks separate words unless they are quoted, by `"` or `'`, or escaped by `\`; a word that begins
/// with `#` begins a comment.
///
/// # Errors
/// [`Unbalanced`] if a quote does not end.
pub(super) fn words(mut rest: Piece<'_>) -> Result<Vec<Word<'_>>, Unbalanced<'_>> {
    let mut words = Vec::new();
    loop {
        rest = rest.trim();
        if rest.is_empty() || rest.bytes().starts_with(b"#") {
            return Ok(words);
        }
        let (word, tail) = word(rest)?;
        words.push(word);
        rest = tail;
    }
}

fn word(rest: Piece<'_>) -> Result<(Word<'_>, Piece<'_>), Unbalanced<'_>> {
    let mut text = Vec::new();
    let mut quote: Option<(usize, u8)> = None;
    let mut bytes = rest.bytes().iter().copied().enumerate().peekable();
    let mut end = rest.bytes().len();
    while let Some((at, byte)) = bytes.next() {
        let next = bytes.peek().map(|(_, next)| *next);
        match (byte, quote) {
            (b'\\', _) if is_escaped(next, quote.is_some()) => {
                text.extend(next);
                bytes.next();
            }
            (b'"' | b'\'', None) => quote = Some((at, byte)),
            (_, Some((_, open))) if byte == open => quote = None,
            (_, None) if is_blank(byte) => {
                end = at;
                break;
            }
            (_, _) => text.push(byte),
        }
    }
    if let Some((at, _)) = quote {
        return Err(Unbalanced { at: rest.split_at(at).1 });
    }
    let (at, tail) = rest.split_at(end);
    Ok((Word { at, text }, tail))
}

fn is_escaped(next: Option<u8>, is_quoted: bool) -> bool {
    match next {
        Some(b'\'' | b'"' | b'\\') => true,
        Some(b' ') => !is_quoted,
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use knock_config::lex::Text;

    use super::*;

    fn split(line: &str) -> (String, Result<Vec<String>, String>) {
        let line = Text::new(line.as_bytes()).lines().next().unwrap().trimmed();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (keyword, rest) = keyword(line);
        let words = words(rest)
            .map(|words| words.iter().map(|word| text(&word.text)).collect())
            .map_err(|unbalanced| text(unbalanced.at.bytes()));
        (text(keyword.bytes()), words)
    }

    #[test]
    fn a_keyword_is_parted_from_its_words_by_blanks_or_one_equals_sign() {
        for line in ["Host a b", "Host=a b", "Host = a b", "Host\t=a  b ", "  Host a b # c"] {
            assert_eq!(split(line), ("Host".into(), Ok(vec!["a".into(), "b".into()])), "{line}");
        }
        assert_eq!(split("Host == a").1, Ok(vec!["=".into(), "a".into()]));
        assert_eq!(split("Host"), ("Host".into(), Ok(vec![])));
        assert_eq!(split("=a"), (String::new(), Ok(vec!["a".into()])));
    }

    #[test]
    fn quotes_and_escapes_keep_a_word_together() {
        for (words, expected) in [
            (r#""a b" c"#, &["a b", "c"][..]),
            (r#"a" b"'c d'"#, &["a bc d"]),
            (r"a\ b", &["a b"]),
            (r#""a\ b""#, &[r"a\ b"]),
            (r#""a\"b" \\ \x"#, &[r#"a"b"#, r"\", r"\x"]),
            (r#""" a"#, &["", "a"]),
            ("a#b #c d", &["a#b"]),
            ("\"#a\" # \"b", &["#a"]),
            (r"a\", &[r"a\"]),
        ] {
            assert_eq!(split(&format!("Host {words}")).1.unwrap(), expected, "{words}");
        }
    }

    #[test]
    fn a_quote_that_does_not_end_is_reported_with_its_place() {
        assert_eq!(split("Host a \"b c").1, Err("\"b c".into()));
        assert_eq!(split("Host a 'b\"").1, Err("'b\"".into()));
        assert_eq!(split(r#"Host a"b\""#).1, Err(r#""b\""#.into()));
    }
}

//! What can be shown of a file with a key.

use zeroize::Zeroizing;

use super::entry::Entry;
use crate::lex::{Piece, Text};

/// The longest name that is taken for a misspelt one. A key in base64 is longer.
const NAME_BYTES_MAX: usize = 16;

/// Returns whether the name of an entry can be shown: a key where an entry should be can look like one.
pub(super) fn is_shown(name: &[u8]) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

/// Returns the text with a `*` for each byte that may be of a key: every value but those of the other entries,
/// and every line that is no entry. Places stay what they are.
pub(super) fn mask(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut masked = Zeroizing::new(text.to_vec());
    for line in Text::new(text).lines() {
        let secret = secret(line.trimmed());
        let span = secret.span();
        let from = span.line_start.saturating_add(span.start);
        let to = span.line_start.saturating_add(span.end);
        masked.get_mut(from..to).unwrap_or_default().fill(b'*');
    }
    masked
}

/// Returns the part of a line that may be of a key.
fn secret(line: Piece<'_>) -> Piece<'_> {
    let Some((name, value)) = line.split_once(b'=') else { return line };
    match Entry::from_name(name.trim().bytes()) {
        Some(Entry::Doors | Entry::Until | Entry::Server | Entry::Port) => line.empty_at_end(),
        Some(Entry::Key) => value.trim(),
        None if is_shown(name.trim().bytes()) => value.trim(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_be_a_key_is_masked() {
        let text =
            b"# c\nKey = abc= \r\nkeys = abc\n doors = SSH\nAbCdEfGhIjKlMnOpQr=\nabc\n\nport=1\n";
        let expected =
            b"***\nKey = **** \r\nkeys = ***\n doors = SSH\n*******************\n***\n\nport=1\n";
        assert_eq!(mask(text).escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn a_text_with_a_byte_order_mark_keeps_its_places() {
        assert_eq!(*mask(b"\xef\xbb\xbfkey = abc"), b"\xef\xbb\xbfkey = ***");
    }
}

//! The text of a file with the sequence of a door.

use knock_engine::Sequence;

use super::{reader, value};
use crate::diagnostics::{Diagnostics, LineFault};
use crate::lex::{Piece, Text};
use crate::warnings::{Levels, Warning};

/// Reads a text with one sequence, in the format of the directive `Sequence`, on a line of its own. Lines that
/// are blank or begin with `#` are skipped. There is no sequence, and no error, if there is no other line.
#[must_use]
pub(crate) fn parse(text: &[u8]) -> (Option<Sequence>, Diagnostics) {
    parse_with(text, Levels::default(), |_, _, _| {})
}

/// Does the same as [`parse`] with these levels for warnings, and calls `look` with the sequence and its place.
pub(crate) fn parse_with(
    text: &[u8],
    levels: Levels,
    look: impl FnOnce(&Sequence, Piece<'_>, &mut Diagnostics),
) -> (Option<Sequence>, Diagnostics) {
    let text = Text::new(text);
    let mut diagnostics = Diagnostics::new(levels);
    let mut first: Option<Piece<'_>> = None;
    for line in text.lines() {
        if line.number == 1 && text.has_byte_order_mark {
            diagnostics.warn(Warning::ByteOrderMark, line.trimmed().empty_at_start());
        }
        let Some(content) = reader::content(line, &mut diagnostics) else { continue };
        match first {
            None => first = Some(content),
            Some(first) => {
                let first_line = first.line().number;
                diagnostics.line(LineFault::SecondSequence { first_line }, content);
            }
        }
    }
    let sequence = first.and_then(|content| {
        let sequence = value::sequence(content, &mut diagnostics)?;
        look(&sequence, content, &mut diagnostics);
        Some(sequence)
    });
    diagnostics.sort();
    (sequence.filter(|_| diagnostics.errors() == 0), diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &[u8]) -> Option<Vec<u16>> {
        let sequence = parse(text).0?;
        Some(sequence.knocks().iter().map(|knock| knock.port.0).collect())
    }

    fn places(text: &[u8]) -> Vec<(u32, u32)> {
        let (sequence, diagnostics) = parse(text);
        assert_eq!(sequence, None);
        let spans = diagnostics.kept().iter().map(|one| one.span.unwrap());
        spans.map(|span| (span.line, span.column)).collect()
    }

    #[test]
    fn the_one_line_with_text_is_the_sequence() {
        for text in [
            "7000,8000:udp",
            "7000,8000:udp\n",
            "# of the office\r\n\r\n\t7000 , 8000:udp\r\n# the end",
            "\u{feff}7000,8000:udp",
        ] {
            assert_eq!(ports(text.as_bytes()), Some(vec![7000, 8000]), "{text}");
        }
    }

    #[test]
    fn a_text_without_a_sequence_has_no_error() {
        for text in ["", "\n", "# 7000,8000\n"] {
            assert_eq!(places(text.as_bytes()), [], "{text}");
        }
    }

    #[test]
    fn whatever_else_is_there_is_an_error_with_its_place() {
        assert_eq!(places(b"7000,8000\n9000,9001\n# x\n9\n"), [(2, 1), (4, 1)]);
        assert_eq!(places(b" 7000,x,70000\n"), [(1, 7), (1, 9)]);
        assert_eq!(places(b"sequence = 7000,8000\n"), [(1, 1)]);
        assert_eq!(places(b"7000 # x\n"), [(1, 6)]);
        assert_eq!(places(b"7000\x00\n"), [(1, 5)]);
    }
}

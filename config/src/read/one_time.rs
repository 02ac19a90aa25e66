//! The text of a file of one-time sequences.

use knock_engine::{OneTimeLine, OneTimeSequences, Sequence};

use super::{reader, value};
use crate::diagnostics::Diagnostics;
use crate::lex::{Piece, Text};
use crate::warnings::{Levels, Warning};

/// Reads a sequence file: a sequence a line, in the format of the directive `Sequence`.
///
/// Lines that are blank or whose first character, but for blanks, is `#` are skipped. A line
/// that is no sequence is an error and there are no sequences then: knockd 0.8 skips or
/// misreads it, and client and server no longer agree which sequence is next. That no line is
/// left is a warning.
#[must_use]
pub fn parse(text: &[u8]) -> (Option<OneTimeSequences>, Diagnostics) {
    parse_with(text, Levels::default(), |_, _, _| {})
}

/// Returns the sequence on a line; `None` if it is blank, marked, or has an error.
pub(crate) fn sequence_on(line: &[u8]) -> Option<Sequence> {
    let (sequences, _) = parse(line);
    sequences?.next().map(|line| line.sequence.clone())
}

/// Does the same as [`parse`] with these levels for warnings, and calls `look` with each sequence and
/// its place.
pub(crate) fn parse_with(
    text: &[u8],
    levels: Levels,
    mut look: impl FnMut(&Sequence, Piece<'_>, &mut Diagnostics),
) -> (Option<OneTimeSequences>, Diagnostics) {
    let text = Text::new(text);
    let mut diagnostics = Diagnostics::new(levels);
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.number == 1 && text.has_byte_order_mark {
            diagnostics.warn(Warning::ByteOrderMark, line.trimmed().empty_at_start());
        }
        let Some(content) = reader::content(line, &mut diagnostics) else { continue };
        let Some(sequence) = value::sequence(content, &mut diagnostics) else { continue };
        look(&sequence, content, &mut diagnostics);
        let offset = u64::try_from(line.offset).unwrap_or(u64::MAX);
        lines.push(OneTimeLine { number: line.number, offset, sequence });
    }
    diagnostics.sort();
    if diagnostics.errors() > 0 {
        return (None, diagnostics);
    }
    if lines.is_empty() {
        diagnostics.warn_of_text(Warning::NoSequenceLeft);
    }
    (Some(OneTimeSequences::new(lines)), diagnostics)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostics::{Fault, LineFault};
    use crate::wording::Severity;

    fn ports(line: &OneTimeLine) -> Vec<u16> {
        line.sequence.knocks().iter().map(|knock| knock.port.0).collect()
    }

    fn usable(text: &[u8]) -> Vec<(u32, u64, Vec<u16>)> {
        let sequences = parse(text).0.unwrap();
        sequences.unused().map(|line| (line.number, line.offset, ports(line))).collect()
    }

    #[test]
    fn every_line_that_is_not_blank_or_marked_is_a_sequence() {
        let text = b"# used: 1,2\n\n 7000,8000:udp\r\n\t# 1\n9,10\n   \r\n#7,8\n  11";
        assert_eq!(
            usable(text),
            [(3, 13, [7000, 8000].into()), (5, 34, [9, 10].into()), (8, 49, [11].into())]
        );
    }

    #[test]
    fn a_line_is_marked_at_its_first_byte_and_then_skipped() {
        let mut text = b"\xef\xbb\xbf 1,2\n3,4\n".to_vec();
        let (_, offset, _) = usable(&text)[0];
        assert_eq!(offset, 3);
        text[3] = b'#';
        assert_eq!(usable(&text), [(2, 8, [3, 4].into())]);
    }

    #[test]
    fn a_byte_order_mark_is_warned_of_once_and_nothing_else_is() {
        let warnings = |text: &[u8]| {
            let (_, diagnostics) = parse(text);
            diagnostics.kept().iter().map(|one| one.fault.clone()).collect::<Vec<_>>()
        };
        assert_eq!(warnings(b"1,2\n3,4\n"), []);
        assert_eq!(warnings(b"\xef\xbb\xbf1,2\n3,4\n"), [Fault::Warning(Warning::ByteOrderMark)]);
    }

    #[test]
    fn a_line_that_is_no_sequence_is_an_error_beside_all_others() {
        let (sequences, diagnostics) = parse(b" 1,2\n abc\n 3,70000\n4 # x\n");
        assert_eq!(sequences, None);
        let lines: Vec<_> = diagnostics.kept().iter().map(|one| one.span.unwrap().line).collect();
        assert_eq!(lines, [2, 3, 4]);
    }

    #[test]
    fn a_nul_byte_or_a_long_line_is_an_error() {
        let (sequences, diagnostics) = parse(b"1\x002");
        assert_eq!(sequences, None);
        assert_eq!(diagnostics.kept()[0].fault, Fault::Line(LineFault::NulByte));
        let long = [b'1'; 4096];
        let (_, diagnostics) = parse(&long);
        let fault = Fault::Line(LineFault::TooLong { length: 4096 });
        assert_eq!(diagnostics.kept()[0].fault, fault);
    }

    #[test]
    fn a_file_without_a_usable_line_is_a_warning() {
        let (sequences, diagnostics) = parse(b"#1,2\n");
        assert_eq!(sequences.unwrap().next(), None);
        assert_eq!(diagnostics.kept()[0].fault, Fault::Warning(Warning::NoSequenceLeft));
        assert_eq!(diagnostics.kept()[0].severity(), Severity::Warning);
    }
}

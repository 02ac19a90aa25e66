//! One-time sequences: each line of a file opens the door once.

use alloc::vec::Vec;

use crate::config::lex::{Piece, Text};
use crate::config::{Diagnostics, Lint, check, value};
use crate::door::Sequence;
use crate::lint::Levels;

/// A usable line of a sequence file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeLine {
    /// The number of the line in the file, from 1.
    pub number: u32,
    /// Where the line starts in the file, in bytes: where the `#` goes that marks it as used. The
    /// blank that perhaps stands there is what the `#` is written over. A byte order mark is in
    /// front of the first line, not part of it: it stays, and the marked line is a comment for the
    /// next reader all the same.
    pub offset: u64,
    /// The knocks on it.
    pub sequence: Sequence,
}

/// The lines of a sequence file that are not used yet, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OneTimeSequences {
    /// Last line first, so that using one is a pop.
    rest: Vec<OneTimeLine>,
}

impl OneTimeSequences {
    /// Reads a sequence file: a sequence a line, in the format of the directive `Sequence`.
    ///
    /// Lines that are blank or whose first character, but for blanks, is `#` are skipped. A line
    /// that is no sequence is an error and there are no sequences then: knockd 0.8 skips or
    /// misreads it, and client and server no longer agree which sequence is next. That no line is
    /// left is a warning.
    #[must_use]
    pub fn parse(text: &[u8]) -> (Option<Self>, Diagnostics) {
        Self::parse_with(text, Levels::default(), |_, _, _| {})
    }

    /// Does the same as [`Self::parse`] with these levels for warnings, and shows `look` each sequence
    /// and where it stands.
    pub(crate) fn parse_with(
        text: &[u8],
        levels: Levels,
        mut look: impl FnMut(&Sequence, Piece<'_>, &mut Diagnostics),
    ) -> (Option<Self>, Diagnostics) {
        let text = Text::new(text);
        let mut diagnostics = Diagnostics::new(levels);
        let mut lines = Vec::new();
        for line in text.lines() {
            if line.number == 1 && text.has_byte_order_mark {
                diagnostics.lint(Lint::ByteOrderMark, line.trimmed().empty_at_start());
            }
            let Some(content) = check::content(line, &mut diagnostics) else { continue };
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
            diagnostics.lint_text(Lint::NoSequenceLeft);
        }
        (Some(Self::new(lines)), diagnostics)
    }

    /// Takes the usable lines in the order of the file.
    #[must_use]
    pub fn new(mut lines: Vec<OneTimeLine>) -> Self {
        lines.reverse();
        Self { rest: lines }
    }

    /// Returns the line that opens the door now; `None` if all are used.
    #[must_use]
    pub fn next(&self) -> Option<&OneTimeLine> {
        self.rest.last()
    }

    /// Returns the lines that are not used yet, in order.
    pub fn unused(&self) -> impl Iterator<Item = &OneTimeLine> {
        self.rest.iter().rev()
    }

    /// Takes the line that opened the door off the list.
    pub(crate) fn use_up(&mut self) -> Option<OneTimeLine> {
        self.rest.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Fault, LineFault, Severity};

    fn ports(line: &OneTimeLine) -> Vec<u16> {
        line.sequence.knocks().iter().map(|knock| knock.port.0).collect()
    }

    fn usable(text: &[u8]) -> Vec<(u32, u64, Vec<u16>)> {
        let mut sequences = OneTimeSequences::parse(text).0.unwrap();
        core::iter::from_fn(|| sequences.use_up())
            .map(|line| (line.number, line.offset, ports(&line)))
            .collect()
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
            let (_, diagnostics) = OneTimeSequences::parse(text);
            diagnostics.kept().iter().map(|one| one.fault.clone()).collect::<Vec<_>>()
        };
        assert_eq!(warnings(b"1,2\n3,4\n"), []);
        assert_eq!(warnings(b"\xef\xbb\xbf1,2\n3,4\n"), [Fault::Lint(Lint::ByteOrderMark)]);
    }

    #[test]
    fn a_line_that_is_no_sequence_is_an_error_beside_all_others() {
        let (sequences, diagnostics) = OneTimeSequences::parse(b" 1,2\n abc\n 3,70000\n4 # x\n");
        assert_eq!(sequences, None);
        let lines: Vec<_> = diagnostics.kept().iter().map(|one| one.span.unwrap().line).collect();
        assert_eq!(lines, [2, 3, 4]);
    }

    #[test]
    fn a_nul_byte_or_a_long_line_is_an_error() {
        let (sequences, diagnostics) = OneTimeSequences::parse(b"1\x002");
        assert_eq!(sequences, None);
        assert_eq!(diagnostics.kept()[0].fault, Fault::Line(LineFault::NulByte));
        let long = [b'1'; 4096];
        let (_, diagnostics) = OneTimeSequences::parse(&long);
        let fault = Fault::Line(LineFault::TooLong { length: 4096 });
        assert_eq!(diagnostics.kept()[0].fault, fault);
    }

    #[test]
    fn a_file_without_a_usable_line_is_a_warning() {
        let (sequences, diagnostics) = OneTimeSequences::parse(b"#1,2\n");
        assert_eq!(sequences.unwrap().next(), None);
        assert_eq!(diagnostics.kept()[0].fault, Fault::Lint(Lint::NoSequenceLeft));
        assert_eq!(diagnostics.kept()[0].severity(), Severity::Warning);
    }
}

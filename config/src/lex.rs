//! Lines and pieces of lines that know their place in the text: the basis of the parsers of this
//! project.

use std::borrow::Cow;

/// A place in a text. It is meaningful only with the text it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The number of the line, from 1.
    pub line: u32,
    /// The first character of the span, from 1, counted in characters: a tab is one, and so is
    /// each run of bytes that is not UTF-8. A byte order mark is not counted.
    pub column: u32,
    /// The first byte of the span, counted from the start of the line.
    pub start: usize,
    /// The byte after the last one of the span; equal to `start` where something is missing.
    pub end: usize,
    /// Where the line starts in the text, in bytes.
    pub line_start: usize,
    /// Where the line ends in the text, without its `\n`, in bytes.
    pub line_end: usize,
}

impl Span {
    /// Returns the line in three parts: before, within and after the span. Bytes that are not UTF-8
    /// become U+FFFD.
    #[must_use]
    pub fn quote<'a>(&self, text: &'a [u8]) -> [Cow<'a, str>; 3] {
        let line = text.get(self.line_start..self.line_end).unwrap_or_default();
        let (before, rest) = line.split_at_checked(self.start).unwrap_or((line, &[]));
        let marked = self.end.saturating_sub(self.start);
        let (marked, after) = rest.split_at_checked(marked).unwrap_or((rest, &[]));
        [before, marked, after].map(String::from_utf8_lossy)
    }
}

/// A line of a text without its `\n`.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The number of the line, from 1.
    pub number: u32,
    /// Where the line starts in the text, in bytes.
    pub offset: usize,
    /// The bytes of the line.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// The longest line, in bytes without its `\n`: knockd 0.8 reads a longer one in pieces
    /// (case `f-long-line-splits`).
    pub const MAX_BYTES: usize = 4095;

    /// Returns the line without the blanks around it.
    #[must_use]
    pub fn trimmed(self) -> Piece<'a> {
        Piece { line: self, start: 0, bytes: self.text }.trim()
    }

    /// Returns the rest after the first [`Line::MAX_BYTES`] bytes, if there is any.
    #[must_use]
    pub fn overlong(self) -> Option<Piece<'a>> {
        let beyond = Piece { line: self, start: 0, bytes: self.text }.beyond(Self::MAX_BYTES);
        (!beyond.is_empty()).then_some(beyond)
    }
}

/// Part of a line.
#[derive(Clone, Copy, Debug)]
pub struct Piece<'a> {
    line: Line<'a>,
    start: usize,
    bytes: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Returns the piece of a text at a span.
    pub(crate) fn of(text: &'a [u8], span: &Span) -> Self {
        let line = text.get(span.line_start..span.line_end).unwrap_or_default();
        Self {
            line: Line { number: span.line, offset: span.line_start, text: line },
            start: span.start,
            bytes: line.get(span.start..span.end).unwrap_or_default(),
        }
    }

    /// Returns the bytes of the piece.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Returns its first byte and the one after its last, counted from the start of the line.
    pub(crate) fn place(self) -> (usize, usize) {
        (self.start, self.start.saturating_add(self.bytes.len()))
    }

    /// Returns the line that the piece is part of.
    #[must_use]
    pub fn line(self) -> Line<'a> {
        self.line
    }

    /// Returns whether there is no byte in the piece.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the piece without the blanks around it.
    #[must_use]
    pub fn trim(self) -> Self {
        let lead = self.bytes.iter().take_while(|byte| is_blank(**byte)).count();
        let (_, rest) = self.split_at(lead);
        let tail = rest.bytes.iter().rev().take_while(|byte| is_blank(**byte)).count();
        rest.split_at(rest.bytes.len().saturating_sub(tail)).0
    }

    /// Splits at the first such byte, which is in neither part.
    #[must_use]
    pub fn split_once(self, separator: u8) -> Option<(Self, Self)> {
        let (before, from_separator) = self.split_before(separator)?;
        Some((before, from_separator.split_at(1).1))
    }

    /// Splits at the first such byte, which begins the second part.
    #[must_use]
    pub fn split_before(self, separator: u8) -> Option<(Self, Self)> {
        let at = self.bytes.iter().position(|byte| *byte == separator)?;
        Some(self.split_at(at))
    }

    /// Returns the parts between such bytes: one more than there are such bytes.
    pub fn split(self, separator: u8) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let all = rest?;
            let (part, behind) = match all.split_once(separator) {
                Some((part, behind)) => (part, Some(behind)),
                None => (all, None),
            };
            rest = behind;
            Some(part)
        })
    }

    /// Returns the piece without this first byte, if it begins with it.
    #[must_use]
    pub fn strip_prefix(self, prefix: u8) -> Option<Self> {
        (self.bytes.first() == Some(&prefix)).then(|| self.split_at(1).1)
    }

    /// Returns the piece without this last byte, if it ends with it.
    #[must_use]
    pub fn strip_suffix(self, suffix: u8) -> Option<Self> {
        let last = self.bytes.len().checked_sub(1)?;
        (self.bytes.last() == Some(&suffix)).then(|| self.split_at(last).0)
    }

    /// Returns the piece and everything after it, without the blanks at the end of the line.
    #[must_use]
    pub fn to_line_end(self) -> Self {
        let bytes = self.line.text.get(self.start..).unwrap_or_default();
        Self { bytes, ..self }.trim()
    }

    /// Returns the part of the line from this piece to the end of a later one.
    pub(crate) fn to(self, last: Self) -> Self {
        let end = last.start.saturating_add(last.bytes.len());
        Self { bytes: self.line.text.get(self.start..end).unwrap_or_default(), ..self }
    }

    /// Returns the empty piece at the start of this one.
    #[must_use]
    pub fn empty_at_start(self) -> Self {
        self.split_at(0).0
    }

    /// Returns the empty piece right after this one.
    #[must_use]
    pub fn empty_at_end(self) -> Self {
        self.split_at(self.bytes.len()).1
    }

    /// Returns the rest after the first bytes of the piece.
    #[must_use]
    pub fn beyond(self, bytes: usize) -> Self {
        self.split_at(bytes).1
    }

    /// Returns the first byte of the piece.
    #[must_use]
    pub fn first_byte(self) -> Self {
        self.split_at(1).0
    }

    /// Returns this many bytes of the piece from this byte on, or as many of them as there are.
    pub(crate) fn part(self, from: usize, length: usize) -> Self {
        self.split_at(from).1.split_at(length).0
    }

    /// Splits a trimmed piece after its first word; the rest is trimmed too.
    #[must_use]
    pub fn first_word(self) -> (Self, Self) {
        let length = self.bytes.iter().take_while(|byte| !is_blank(**byte)).count();
        let (word, rest) = self.split_at(length);
        (word, rest.trim())
    }

    /// Returns the place of the piece.
    #[must_use]
    pub fn span(self) -> Span {
        let before = self.line.text.get(..self.start).unwrap_or_default();
        let column = String::from_utf8_lossy(before).chars().count().saturating_add(1);
        let (start, end) = self.place();
        Span {
            line: self.line.number,
            column: u32::try_from(column).unwrap_or(u32::MAX),
            start,
            end,
            line_start: self.line.offset,
            line_end: self.line.offset.saturating_add(self.line.text.len()),
        }
    }

    /// Splits after `at` bytes, or after all if there are fewer.
    #[must_use]
    pub fn split_at(self, at: usize) -> (Self, Self) {
        let (before, behind) = self.bytes.split_at_checked(at).unwrap_or((self.bytes, &[]));
        let start = self.start.saturating_add(before.len());
        (Self { bytes: before, ..self }, Self { start, bytes: behind, ..self })
    }
}

/// A text cut into lines.
pub struct Text<'a> {
    /// Whether the text began with a UTF-8 byte order mark, which is not part of the first line.
    pub has_byte_order_mark: bool,
    bytes: &'a [u8],
}

impl<'a> Text<'a> {
    const BYTE_ORDER_MARK: &'static [u8] = b"\xef\xbb\xbf";

    /// Takes a text.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        match bytes.strip_prefix(Self::BYTE_ORDER_MARK) {
            Some(bytes) => Self { has_byte_order_mark: true, bytes },
            None => Self { has_byte_order_mark: false, bytes },
        }
    }

    /// Returns the lines; a text that ends in `\n` has an empty one at its end.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let mut number = 0_u32;
        let mut offset = if self.has_byte_order_mark { Self::BYTE_ORDER_MARK.len() } else { 0 };
        self.bytes.split(|byte| *byte == b'\n').map(move |text| {
            number = number.saturating_add(1);
            let line = Line { number, offset, text };
            offset = offset.saturating_add(text.len()).saturating_add(1);
            line
        })
    }
}

/// Returns whether knockd 0.8 trims the byte: blank, tab, CR, VT, FF.
#[must_use]
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c')
}

#[cfg(test)]
mod tests {

    use super::*;

    fn first_line(text: &[u8]) -> Piece<'_> {
        Text::new(text).lines().next().unwrap().trimmed()
    }

    #[test]
    fn pieces_know_their_place() {
        let text = "x\n\t\u{e9}\u{6f22} = a , b \r\n".as_bytes();
        let line = Text::new(text).lines().nth(1).unwrap();
        let (_, value) = line.trimmed().split_once(b'=').unwrap();
        let last = value.split(b',').last().unwrap().trim();
        let span = last.span();
        assert_eq!((span.line, span.column), (2, 11));
        assert_eq!(span.quote(text), ["\t\u{e9}\u{6f22} = a , ", "b", " \r"]);
        assert_eq!(&text[span.line_start + span.start..span.line_start + span.end], b"b");
        assert_eq!(Piece::of(text, &span).span(), span);
        assert_eq!(Piece::of(text, &span).bytes(), b"b");
    }

    #[test]
    fn every_run_of_bytes_that_is_no_utf8_is_one_column() {
        let text = b"\xff\xf0\x9f\x90=x";
        let span = first_line(text).split_once(b'=').unwrap().1.span();
        assert_eq!(span.column, 4);
        assert_eq!(span.quote(text), ["\u{fffd}\u{fffd}=", "x", ""]);
    }

    #[test]
    fn blank_tab_cr_vt_and_ff_are_trimmed_and_nothing_else() {
        let trimmed = |text| first_line(text).bytes();
        assert_eq!(trimmed(b" \t\r\x0b\x0cx y\x0c\x0b\r\t "), b"x y");
        assert_eq!(trimmed(b"\x85x\xa0"), b"\x85x\xa0");
        assert_eq!(trimmed(b" \t "), b"");
    }

    #[test]
    fn splitting_gives_one_part_more_than_separators() {
        let parts = |text| first_line(text).split(b',').map(Piece::bytes).collect::<Vec<_>>();
        assert_eq!(parts(b"a,,b,"), [&b"a"[..], b"", b"b", b""]);
        assert_eq!(parts(b""), [b""]);
    }

    #[test]
    fn a_byte_order_mark_counts_in_offsets_only() {
        let line = Text::new(b"\xef\xbb\xbfab\nc").lines().next().unwrap();
        assert_eq!((line.offset, line.text), (3, &b"ab"[..]));
        assert_eq!(line.trimmed().span().column, 1);
        assert_eq!(Text::new(b"\xef\xbb\xbfab\nc").lines().nth(1).unwrap().offset, 6);
    }
}

//! The prose of a manual page, read from Markdown.

#![expect(clippy::wildcard_enum_match_arm, reason = "unknown elements are refused")]

use std::fmt;
use std::fs;
use std::iter::Peekable;
use std::path::Path;

use clap_mangen::roff::{Inline, bold, roman};
use knock_config::{self as config, Directive};
use pulldown_cmark::{
    CodeBlockKind, Event, HeadingLevel, OffsetIter, Options, Parser, Tag, TagEnd,
};

/// The text of a manual page beyond its program's help.
///
/// In Markdown, a heading of the second level begins a section. A section has paragraphs, fenced blocks,
/// and tags with their meanings, each tag on a line of its own above a line that begins with `: `. Text
/// between backticks is bold. Anything else is refused. The first section is `DESCRIPTION`; which are the last
/// ones depends on the page. What comes before the first section is for those who edit the file.
#[derive(Clone, Debug)]
pub struct Prose {
    sections: Vec<Section>,
}

/// A section of a page.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// The text of its heading.
    pub heading: String,
    /// Its content.
    pub parts: Vec<Part>,
}

/// A part of a section.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Part {
    /// A paragraph.
    Text(Spans),
    /// A tag, and what it means.
    Tagged(Spans, Spans),
    /// Verbatim lines.
    Verbatim(String),
}

/// Text, some of it bold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Spans(Vec<(Style, String)>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Style {
    Roman,
    Bold,
}

/// What is wrong with a file of prose.
#[derive(Debug, Eq, PartialEq)]
pub struct Fault {
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.what)
    }
}

impl Prose {
    /// Reads a file whose last sections are these.
    ///
    /// # Panics
    /// If it cannot be read or contains an element that manual pages do not have.
    #[must_use]
    pub fn read(path: &Path, last: &[&str]) -> Self {
        let text = fs::read_to_string(path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = with_directives(&text);
        Self::parse(&text, last).unwrap_or_else(|fault| panic!("{}, {fault}", path.display()))
    }

    /// Reads a text whose last sections are these.
    ///
    /// # Errors
    /// If it has something in it that no manual page has.
    pub fn parse(text: &str, last: &[&str]) -> Result<Self, Fault> {
        let sections = Reader::new(text).sections()?;
        let headings: Vec<&str> = sections.iter().map(|section| section.heading.as_str()).collect();
        if headings.first() == Some(&"DESCRIPTION") && headings.ends_with(last) {
            return Ok(Self { sections });
        }
        let last = last.join(" and ");
        Err(Fault {
            line: text.lines().count(),
            what: format!(
                "the sections must begin with DESCRIPTION and end with {last}; there are {headings:?}"
            ),
        })
    }

    /// All sections, in order.
    #[must_use]
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Returns the headings of all sections, in order.
    pub(super) fn headings(&self) -> impl Iterator<Item = String> {
        self.sections.iter().map(|section| section.heading.clone())
    }

    /// Returns a section.
    ///
    /// # Panics
    /// If there is no such section.
    #[must_use]
    pub fn section(&self, heading: &str) -> &Section {
        let found = self.sections.iter().find(|section| section.heading == heading);
        found.unwrap_or_else(|| panic!("the prose has no section {heading}"))
    }
}

impl Section {
    /// The verbatim lines, a text for each block.
    #[must_use]
    pub fn verbatim(&self) -> Vec<&str> {
        let blocks = self.parts.iter().filter_map(|part| match part {
            Part::Verbatim(lines) => Some(lines.as_str()),
            Part::Text(_) | Part::Tagged(..) => None,
        });
        blocks.collect()
    }
}

impl Spans {
    fn push(&mut self, style: Style, text: &str) {
        match self.0.last_mut() {
            Some((last, before)) if *last == style => before.push_str(text),
            _ => self.0.push((style, text.to_owned())),
        }
    }

    /// The text without its styles.
    #[must_use]
    pub fn plain(&self) -> String {
        self.0.iter().map(|(_, text)| text.as_str()).collect()
    }

    pub(super) fn inlines(&self) -> Vec<Inline> {
        let inline = |(style, text): &(Style, String)| match style {
            Style::Roman => roman(text),
            Style::Bold => bold(text),
        };
        self.0.iter().map(inline).collect()
    }
}

/// Puts the directives of `[options]` and those of doors where a comment asks for them.
fn with_directives(text: &str) -> String {
    let of = |is_of_doors: bool| -> String {
        let all = Directive::ALL.iter();
        let all = all.filter(|one| (one.section() == config::Section::Door) == is_of_doors);
        all.flat_map(|one| [one.usage(), "\n: ", one.manual(), "\n\n"]).collect()
    };
    text.replace("<!-- directives of [options] -->\n", &of(false))
        .replace("<!-- directives of doors -->\n", &of(true))
}

/// Goes through the events of a text, which are properly nested.
struct Reader<'a> {
    text: &'a str,
    events: Peekable<OffsetIter<'a>>,
    /// Where the last event began.
    place: usize,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let events = Parser::new_ext(text, Options::ENABLE_DEFINITION_LIST).into_offset_iter();
        Self { text, events: events.peekable(), place: 0 }
    }

    fn next(&mut self) -> Option<Event<'a>> {
        let (event, range) = self.events.next()?;
        self.place = range.start;
        Some(event)
    }

    fn fault(&self, what: impl Into<String>) -> Fault {
        let line = self.text[..self.place].matches('\n').count() + 1;
        Fault { line, what: what.into() }
    }

    fn unknown(&self, event: &Event<'_>) -> Fault {
        self.fault(format!(
            "a manual page has only headings, paragraphs, tags with a meaning after `: `, fenced blocks and \
             words in backticks; this is {event:?}"
        ))
    }

    fn sections(&mut self) -> Result<Vec<Section>, Fault> {
        let mut sections = Vec::new();
        let mut parts = Vec::new();
        while let Some(event) = self.next() {
            match event {
                Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })
                    if sections.is_empty() && parts.is_empty() =>
                {
                    self.spans(TagEnd::Heading(HeadingLevel::H1))?;
                }
                Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => {
                    let heading = self.spans(TagEnd::Heading(HeadingLevel::H2))?.plain();
                    parts.clear();
                    sections.push(Section { heading, parts: Vec::new() });
                }
                Event::Start(Tag::DefinitionList) => self.tags(&mut parts)?,
                Event::Start(Tag::Paragraph) => {
                    parts.push(Part::Text(self.spans(TagEnd::Paragraph)?));
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_))) => {
                    parts.push(self.block()?);
                }
                other => return Err(self.unknown(&other)),
            }
            if let Some(section) = sections.last_mut() {
                section.parts.append(&mut parts);
            }
        }
        Ok(sections)
    }

    /// The rest of a list of tags and their meanings.
    fn tags(&mut self, parts: &mut Vec<Part>) -> Result<(), Fault> {
        let mut tag = None;
        while let Some(event) = self.next() {
            match event {
                Event::Start(Tag::DefinitionListTitle) => {
                    tag = Some(self.spans(TagEnd::DefinitionListTitle)?);
                }
                Event::Start(Tag::DefinitionListDefinition) => {
                    let Some(tag) = tag.take() else {
                        return Err(self.fault("a tag has one meaning, and this is a second one"));
                    };
                    if let Some((Event::Start(Tag::Paragraph), _)) = self.events.peek() {
                        let advice = "the meaning is a single paragraph right below its tag, without a blank line";
                        return Err(self.fault(advice));
                    }
                    parts.push(Part::Tagged(tag, self.spans(TagEnd::DefinitionListDefinition)?));
                }
                Event::End(TagEnd::DefinitionList) => break,
                other => return Err(self.unknown(&other)),
            }
        }
        Ok(())
    }

    /// The rest of a fenced block.
    fn block(&mut self) -> Result<Part, Fault> {
        let mut lines = String::new();
        while let Some(event) = self.next() {
            match event {
                Event::Text(text) => lines.push_str(&text),
                Event::End(TagEnd::CodeBlock) => break,
                other => return Err(self.unknown(&other)),
            }
        }
        Ok(Part::Verbatim(lines.trim_end_matches('\n').to_owned()))
    }

    /// Returns the text up to an end.
    fn spans(&mut self, end: TagEnd) -> Result<Spans, Fault> {
        let mut spans = Spans::default();
        while let Some(event) = self.next() {
            match event {
                Event::Text(text) if text.contains('`') => {
                    return Err(self.fault("a backtick without another one"));
                }
                Event::Text(text) => spans.push(Style::Roman, &text),
                Event::SoftBreak => spans.push(Style::Roman, " "),
                Event::Code(text) => spans.push(Style::Bold, &text),
                Event::End(tag) if tag == end => break,
                other => return Err(self.unknown(&other)),
            }
        }
        Ok(spans)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAST: &[&str] = &["EXIT STATUS", "SEE ALSO"];

    fn parse(description: &str) -> Result<Vec<Part>, String> {
        let text =
            format!("# x(1)\n\n## DESCRIPTION\n\n{description}\n\n## EXIT STATUS\n\n## SEE ALSO\n");
        let prose = Prose::parse(&text, LAST).map_err(|fault| fault.to_string())?;
        Ok(prose.section("DESCRIPTION").parts.clone())
    }

    fn roman_and_bold(pieces: &[&str]) -> Spans {
        let styles = [Style::Roman, Style::Bold].into_iter().cycle();
        Spans(styles.zip(pieces).map(|(style, piece)| (style, (*piece).to_owned())).collect())
    }

    #[test]
    fn paragraphs_are_joined_and_backticks_are_bold() {
        let parts = parse("A `b c`\nd, [e] f_g_h.\n\nIt\\'s \\\\.").unwrap();
        let first = roman_and_bold(&["A ", "b c", " d, [e] f_g_h."]);
        assert_eq!(parts, [Part::Text(first), Part::Text(roman_and_bold(&["It's \\."]))]);
    }

    #[test]
    fn tags_have_a_meaning_each() {
        let parts = parse("-a X\n: One\n  two.\n\n-b\n: Three.\n\nA paragraph.").unwrap();
        let [a, one, b, three, text] = ["-a X", "One two.", "-b", "Three.", "A paragraph."]
            .map(|piece| roman_and_bold(&[piece]));
        assert_eq!(parts, [Part::Tagged(a, one), Part::Tagged(b, three), Part::Text(text)]);
    }

    #[test]
    fn blocks_are_kept_as_they_are() {
        let parts = parse("```sh\na  `b`\n\n  # c\n```").unwrap();
        assert_eq!(parts, [Part::Verbatim("a  `b`\n\n  # c".to_owned())]);
    }

    #[test]
    fn what_is_before_the_first_section_is_for_those_who_edit_the_file() {
        let text =
            "# x(1)\n\nNot for the page.\n\n## DESCRIPTION\n\n## EXIT STATUS\n\n## SEE ALSO\n";
        let prose = Prose::parse(text, LAST).unwrap();
        assert!(prose.sections().iter().all(|section| section.parts.is_empty()), "{prose:?}");
    }

    #[test]
    fn what_no_manual_page_has_is_refused_with_its_line() {
        for (text, line, fault) in [
            ("One.\n\n- A list.", 7, "a manual page has only "),
            ("An *emphasis*.", 5, "a manual page has only "),
            ("A\n<b>tag</b>.", 6, "a manual page has only "),
            ("### Smaller", 5, "a manual page has only "),
            ("    indented", 5, "a manual page has only "),
            ("# Title", 5, "a manual page has only "),
            ("One,\nbut a `half.", 6, "a backtick without another one"),
            ("tag\n\n: Meaning.", 7, "the meaning is a single paragraph "),
            ("tag\n: Meaning.\n: Other.", 7, "a tag has one meaning, "),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(&format!("line {line}: {fault}")), "{text}: {message}");
        }
    }

    #[test]
    fn the_sections_that_every_page_has_are_asked_for() {
        let fault = Prose::parse("## DESCRIPTION\n\n## SEE ALSO\n", LAST);
        let fault = fault.unwrap_err().to_string();
        assert!(fault.ends_with("there are [\"DESCRIPTION\", \"SEE ALSO\"]"), "{fault}");
        assert!(Prose::parse("## DESCRIPTION\n\n## SEE ALSO\n", &["SEE ALSO"]).is_ok());
    }
}

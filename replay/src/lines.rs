//! Lines that people write, in scenarios and in files of assertions: their words, and what is said of
//! them.

use std::time::Duration;

use knock_engine::config::lex::{Line, Piece};
use knock_engine::config::{Excerpt, Wording};
use knock_packets::duration::{self, Unit};

/// A fault, and where it is.
pub(crate) type Fault<'a> = Box<(Piece<'a>, Wording)>;

pub(crate) fn fault(at: Piece<'_>, wording: Wording) -> Fault<'_> {
    Box::new((at, wording))
}

/// The words of a line, up to a comment.
pub(crate) struct Words<'a> {
    rest: Piece<'a>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(line: Line<'a>) -> Self {
        Self { rest: line.trimmed() }
    }

    pub(crate) fn next(&mut self) -> Option<Piece<'a>> {
        let (word, rest) = self.rest.first_word();
        if word.is_empty() || word.bytes().starts_with(b"#") {
            return None;
        }
        self.rest = rest;
        Some(word)
    }

    /// Returns the next word, which must be there, behind this one.
    pub(crate) fn expect(&mut self, behind: Piece<'a>, what: &str) -> Result<Piece<'a>, Fault<'a>> {
        self.next().ok_or_else(|| {
            let wording = Wording::new("the line ends too early", format!("expected {what}"));
            fault(behind.empty_at_end(), wording)
        })
    }

    pub(crate) fn nothing_more(mut self) -> Result<(), Fault<'a>> {
        match self.next() {
            None => Ok(()),
            Some(word) => {
                let wording = Wording::new("there is more than was expected", "remove this");
                Err(fault(word.to_line_end(), wording))
            }
        }
    }

    pub(crate) fn length(&mut self, behind: Piece<'a>) -> Result<Duration, Fault<'a>> {
        let word = self.expect(behind, "a time, such as `0.2s`")?;
        length(word).map_err(|wording| fault(word, wording))
    }

    /// Reads `N every T`.
    pub(crate) fn times(&mut self, behind: Piece<'a>) -> Result<(u32, Duration), Fault<'a>> {
        let word = self.expect(behind, "how often, such as `3 every 10s`")?;
        let rounds = count(word, 1).map_err(|wording| fault(word, wording))?;
        let every = self.expect(word, "`every` and a time, such as `every 10s`")?;
        if every.bytes() != b"every" {
            return Err(unknown(every, &["every"]));
        }
        Ok((rounds, self.length(every)?))
    }
}

pub(crate) fn helped(wording: Wording, near: Option<&str>) -> Wording {
    match near {
        Some(near) => wording.help(format!("perhaps `{near}` was meant")),
        None => wording,
    }
}

pub(crate) fn unknown<'a>(word: Piece<'a>, known: &[&'static str]) -> Fault<'a> {
    let shown = Excerpt::new(word.bytes());
    let list = known.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    let wording = Wording::new(format!("`{shown}` is not understood"), format!("expected {list}"));
    let near = knock_engine::config::nearest(word.bytes(), known.iter().copied());
    fault(word, helped(wording, near))
}

/// Reads a length of time; a plain number is in seconds.
pub(crate) fn length(word: Piece<'_>) -> Result<Duration, Wording> {
    let text = String::from_utf8_lossy(word.bytes());
    duration::parse(&text, Unit::Seconds).map_err(|error| {
        let shown = Excerpt::new(word.bytes());
        Wording::new(format!("`{shown}` is {error}"), "expected a time")
            .help("write seconds, such as `0.25` or `+5`, or a unit: `250ms`, `2m`, `1h`")
    })
}

/// Reads how often something happens: from `least` to a million times.
pub(crate) fn count(word: Piece<'_>, least: u32) -> Result<u32, Wording> {
    const MOST: u32 = 1_000_000;
    let text = String::from_utf8_lossy(word.bytes());
    let number = text.parse().ok().filter(|number| (least..=MOST).contains(number));
    number.ok_or_else(|| {
        let shown = Excerpt::new(word.bytes());
        let message = format!("`{shown}` is not a number from {least} to {MOST}");
        Wording::new(message, "expected how often")
    })
}

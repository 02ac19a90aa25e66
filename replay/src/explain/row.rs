//! One line of text: when, which packet, and what it was.

use std::fmt::Write as _;

use clap::builder::styling::{AnsiColor, Style};
use knock_engine::Timestamp;

use super::explanation::{Explanation, Verdict, Why};
use super::kept::Entry;
use super::places::ConfigLine;
use super::terms::knock_of;
use super::words::Words;
use crate::output::time::nanos;

/// A line with its columns.
pub(super) struct Row {
    pub(super) time: String,
    pub(super) packet: String,
    pub(super) knock: String,
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) below: Vec<String>,
}

pub(super) const HEADING: Style = Style::new().bold();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default();
const IGNORED: Style = AnsiColor::Yellow.on_default();
pub(super) const FAINT: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();

const fn style_of(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Stage { .. }
        | Verdict::Signed { .. }
        | Verdict::Opened
        | Verdict::Admitted { .. } => GOOD,
        Verdict::Closing
        | Verdict::AdmissionEnded(_)
        | Verdict::Command(_)
        | Verdict::CommandTimedOut
        | Verdict::OneTimeUsed { .. } => PLAIN,
        Verdict::Refused
        | Verdict::SequenceTimedOut { .. }
        | Verdict::Evicted { .. }
        | Verdict::SequenceChanged { .. }
        | Verdict::DoorChanged { .. }
        | Verdict::Disabled
        | Verdict::Void { .. }
        | Verdict::VoidedOften { .. }
        | Verdict::Ignored(Why::Late(_)) => BAD,
        Verdict::Skipped(_) | Verdict::Ignored(_) => IGNORED,
    }
}

/// Returns the line of an entry, and one for more of the same.
pub(super) fn rows(
    entry: &Entry,
    start: Timestamp,
    words: &Words<'_>,
    known: &mut Vec<ConfigLine>,
) -> Vec<Row> {
    let mut rows = vec![row(&entry.one, start, words, known)];
    if let (Some(last), 1..) = (entry.last, entry.more) {
        let until = words.captures.packet(last);
        let (time, packet, knock) = (String::new(), String::new(), String::new());
        let text = format!("and {} more like this, up to {until}", entry.more);
        rows.push(Row { time, packet, knock, text, style: IGNORED, below: Vec::new() });
    }
    rows
}

/// Returns the line of an explanation. Lines of the configuration that are `known` are not shown again.
pub(super) fn row(
    one: &Explanation,
    start: Timestamp,
    words: &Words<'_>,
    known: &mut Vec<ConfigLine>,
) -> Row {
    let mut text = words.sentence(one);
    let mut below = Vec::new();
    for line in words.lines(one) {
        if known.contains(&line) {
            let _ = write!(text, " [{}]", line.short());
        } else {
            below.push(line.to_string());
            known.push(line);
        }
    }
    Row {
        time: format!("{} s", millis(nanos(start, one.at))),
        packet: one.packet.map(|seen| words.captures.packet(seen.id)).unwrap_or_default(),
        knock: one.packet.map(knock_of).unwrap_or_default(),
        text,
        style: style_of(&one.verdict),
        below,
    }
}

/// Returns seconds with three digits, or more if fewer would hide something.
fn millis(nanos: u64) -> String {
    if nanos.is_multiple_of(1_000_000) {
        format!("{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
    } else {
        format!("{}.{:06}", nanos / 1_000_000_000, nanos / 1000 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_as_many_digits_as_matter() {
        assert_eq!([0, 5_400_000_000, 1000].map(millis), ["0.000", "5.400", "0.000001"]);
        assert_eq!(millis(36_000_000_000_000), "36000.000");
    }
}

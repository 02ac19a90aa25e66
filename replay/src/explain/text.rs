//! Explanations for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::io::{self, Write};

use clap::builder::styling::Style;
use knock_engine::address;
use knock_engine::{DoorId, Stage};

use super::ending::print_in_two;
use super::explainer::Explainer;
use super::explanation::{Attempt, Explanation};
use super::hints::Hints;
use super::kept::{Group, Groups, KeptLimits, OfClient};
use super::miss::Nearest;
use super::places::ConfigLine;
use super::remarks::remarks;
use super::row::{BAD, FAINT, GOOD, HEADING, Row, row, rows};
use super::run::Explanations;
use super::words::Words;
use crate::args::TimeFormat;
use crate::output::Output;
use crate::output::time::stamp;
use crate::output::words::{Painted, number, painted};

/// Explanations as text when all is known, client by client and door by door.
pub(super) struct Grouped<'a> {
    groups: Groups,
    text: Text<'a>,
}

impl<'a> Grouped<'a> {
    pub(super) fn new(kept: KeptLimits, colour: bool, out: &'a mut dyn Write) -> Self {
        Self { groups: Groups::new(kept), text: Text { out, colour } }
    }
}

impl Output<Explanations> for Grouped<'_> {
    fn one(&mut self, (one, _): (&Explanation, &Words<'_>)) -> io::Result<()> {
        self.groups.add(one);
        Ok(())
    }

    /// Has another thread find what comes last, if there is one to be had: a quarter of the groups, and what comes after
    /// them, which takes about as long as the other groups.
    fn end(&mut self, (explainer, words): (&Explainer, &Words<'_>)) -> io::Result<()> {
        let Self { groups, text: Text { out, colour } } = self;
        let colour = *colour;
        let count = groups.clients.len();
        let (groups, last) = groups.clients.split_at(count.saturating_sub(count / 4));
        print_in_two(
            *out,
            |out| Text { out, colour }.groups(groups, explainer, words),
            |out| {
                let mut text = Text { out, colour };
                text.groups(last, explainer, words)?;
                text.end(explainer, words)
            },
        )
    }
}

/// Explanations as text, each line as it happens: packets are live.
pub(super) struct Live<'a>(Text<'a>);

impl<'a> Live<'a> {
    pub(super) fn new(colour: bool, out: &'a mut dyn Write) -> Self {
        Self(Text { out, colour })
    }
}

impl Output<Explanations> for Live<'_> {
    fn one(&mut self, (one, words): (&Explanation, &Words<'_>)) -> io::Result<()> {
        self.0.one(one, words)
    }

    fn end(&mut self, (explainer, words): (&Explainer, &Words<'_>)) -> io::Result<()> {
        self.0.end(explainer, words)
    }
}

/// Writes text, in colours if they are wanted.
struct Text<'a> {
    out: &'a mut dyn Write,
    colour: bool,
}

impl Text<'_> {
    fn paint<T: Display>(&self, style: Style, text: T) -> Painted<T> {
        painted(self.colour, style, text)
    }

    /// Prints what was kept of some clients.
    fn groups(
        &mut self,
        clients: &[OfClient],
        explainer: &Explainer,
        words: &Words<'_>,
    ) -> io::Result<()> {
        for (client, groups) in clients {
            for (door, group) in groups {
                let door = *door;
                let title = format!("{} at door {}", address::text(*client), words.door(door));
                let title = self.paint(HEADING, title);
                if group.is_elsewhere() {
                    writeln!(self.out, "{title}\n  {}\n", group.elsewhere(words))?;
                    continue;
                }
                writeln!(self.out, "{title}")?;
                let line = group.entries.first().and_then(|entry| entry.one.sequence_line);
                let mut known = words.places.sequence(door, line);
                for line in &known {
                    writeln!(self.out, "  {}", self.paint(FAINT, line))?;
                }
                self.group(group, words, &mut known)?;
                writeln!(self.out)?;
            }
            let strays = explainer.strays_of(*client);
            if strays > 0 {
                let packets = number(strays, "packet", "packets");
                let client = address::text(*client);
                writeln!(self.out, "{client}: {packets} besides to ports of no door\n")?;
            }
        }
        Ok(())
    }

    /// Prints a group. Lines of the configuration that are `known` are not shown again.
    fn group(
        &mut self,
        group: &Group,
        words: &Words<'_>,
        known: &mut Vec<ConfigLine>,
    ) -> io::Result<()> {
        let mut entries = &group.entries[..];
        while let Some(first) = entries.first() {
            let attempt = first.one.attempt;
            let end = entries.iter().position(|entry| entry.one.attempt != attempt);
            let (these, rest) = entries.split_at(end.unwrap_or(entries.len()));
            let start = attempt.map_or(first.one.at, |attempt| attempt.began);
            let utc = stamp(TimeFormat::Utc, start, start);
            let title = match attempt {
                Some(Attempt { number, .. }) => format!("attempt {number}, from {utc}"),
                None => format!("outside of attempts, from {utc}"),
            };
            writeln!(self.out, "\n  {title}")?;
            let rows: Vec<Row> =
                these.iter().flat_map(|entry| rows(entry, start, words, known)).collect();
            self.rows(&rows)?;
            entries = rest;
        }
        if group.left_out > 0 {
            let count = group.left_out;
            writeln!(
                self.out,
                "\n  {count} more not shown here; name the client (--client CLIENT) or use \
                 --format json to see all"
            )?;
        }
        Ok(())
    }

    fn rows(&mut self, rows: &[Row]) -> io::Result<()> {
        let width = |of: fn(&Row) -> &String| rows.iter().map(|row| of(row).len()).max();
        let time = width(|row| &row.time).unwrap_or(0);
        let packet = width(|row| &row.packet).unwrap_or(0);
        let knock = width(|row| &row.knock).unwrap_or(0);
        for row in rows {
            let text = self.paint(row.style, &row.text);
            let head = format!(
                "    {:>time$}  {:<packet$}  {:<knock$}  ",
                row.time, row.packet, row.knock
            );
            writeln!(self.out, "{head}{text}")?;
            for line in &row.below {
                let line = self.paint(FAINT, line);
                writeln!(self.out, "{:1$}{line}", "", head.len())?;
            }
        }
        Ok(())
    }

    /// Prints one explanation at once, for live packets.
    fn one(&mut self, one: &Explanation, words: &Words<'_>) -> io::Result<()> {
        let start = one.attempt.map_or(one.at, |attempt| attempt.began);
        let row = row(one, start, words, &mut Vec::new());
        let client = address::text(one.client);
        let text = self.paint(row.style, &row.text);
        write!(self.out, "{client}: {}: {}", words.door(one.door), row.time)?;
        for column in [&row.packet, &row.knock].into_iter().filter(|column| !column.is_empty()) {
            write!(self.out, "  {column}")?;
        }
        writeln!(self.out, "  {text}")?;
        for line in &row.below {
            writeln!(self.out, "    {}", self.paint(FAINT, line))?;
        }
        self.out.flush()
    }

    /// Prints what was not explained, and how near the clients came to opening each door.
    fn end(&mut self, explainer: &Explainer, words: &Words<'_>) -> io::Result<()> {
        let lines = remarks(explainer.totals(), explainer.whom(), words);
        for line in &lines {
            writeln!(self.out, "{line}")?;
        }
        if !lines.is_empty() {
            writeln!(self.out)?;
        }
        let mut doors: BTreeMap<DoorId, Vec<Nearest>> = BTreeMap::new();
        let tried = |one: &Nearest| one.openings > 0 || !one.misses.is_empty();
        for nearest in explainer.nearest().filter(tried) {
            doors.entry(nearest.door).or_default().push(nearest);
        }
        let hints = explainer.hints();
        for (door, mut clients) in doors {
            // Whoever came nearest without getting in comes last.
            clients.sort_by_key(|one| (one.openings == 0, one.stage, one.times()));
            self.door(door, &clients, &hints, words)?;
        }
        self.out.flush()
    }

    fn door(
        &mut self,
        door: DoorId,
        clients: &[Nearest],
        hints: &Hints,
        words: &Words<'_>,
    ) -> io::Result<()> {
        const SHOWN: usize = 10;
        let name = self.paint(HEADING, format!("door {}", words.door(door)));
        let left_out = clients.len().saturating_sub(SHOWN);
        if left_out > 0 {
            writeln!(
                self.out,
                "{name}: {left_out} more clients, none of which came nearer than these:"
            )?;
        }
        let mut given = BTreeSet::new();
        for nearest in clients.iter().skip(left_out) {
            let missed = nearest.openings == 0 || nearest.stage > Stage::NONE;
            let style = if missed && !nearest.misses.is_empty() { BAD } else { GOOD };
            let text = self.paint(style, words.nearest(nearest));
            writeln!(self.out, "{name}: {text}")?;
            for line in words.nearest_lines(nearest) {
                writeln!(self.out, "    {}", self.paint(FAINT, line))?;
            }
            // What concerns several clients is said once.
            for hint in hints.at(nearest) {
                let hint = hint.text(nearest.client);
                if !given.contains(&hint) {
                    writeln!(self.out, "    hint: {hint}")?;
                    given.insert(hint);
                }
            }
        }
        Ok(())
    }
}

//! Changes for people.

use std::collections::HashMap;
use std::fmt::Display;
use std::io::{self, Write};
use std::net::IpAddr;

use clap::builder::styling::{AnsiColor, Style};

use knock_engine::address;

use super::cause::Because;
use super::change::{Change, Half, Halves, Kind};
use super::clients::ByClient;
use super::event::{Moment, Named, What};
use knock_config::text::printable;

use super::{Changes, Outcome};
use crate::args::TimeFormat;
use crate::explain::ConfigLine;
use crate::output::Output;
use crate::output::time::stamp;
use crate::output::words::number;
use crate::output::words::{Painted, painted};
use crate::session::reader::ReadingDone;

const HEADING: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Returns the changes of each client at each door, in the order of their first changes.
fn groups(changes: &[Change]) -> Vec<Vec<&Change>> {
    let mut places: HashMap<(IpAddr, Named), usize> = HashMap::new();
    let mut groups: Vec<Vec<&Change>> = Vec::new();
    for change in changes {
        let place = *places.entry((change.client, change.door)).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// Changes as text, client by client and door by door.
pub(super) struct Text<'a> {
    times: TimeFormat,
    colour: bool,
    out: &'a mut dyn Write,
}

impl<'a> Text<'a> {
    pub(super) fn new(times: Option<TimeFormat>, colour: bool, out: &'a mut dyn Write) -> Self {
        Self { times: times.unwrap_or(TimeFormat::Relative), colour, out }
    }
}

impl Output<Changes> for Text<'_> {
    fn one(&mut self, outcome: &Outcome) -> io::Result<()> {
        let Self { times, colour, ref mut out } = *self;
        let mut table = Table { outcome, times, colour, out: &mut **out };
        if !outcome.changes.is_empty() {
            writeln!(table.out, "old: {}\nnew: {}", outcome.old.name, outcome.new.name)?;
        }
        groups(&outcome.changes).iter().try_for_each(|group| table.group(group))
    }

    fn end(&mut self, (outcome, _): (&Outcome, &ReadingDone)) -> io::Result<()> {
        let lines = ByClient::of(outcome).lines();
        if !lines.is_empty() {
            writeln!(self.out)?;
        }
        lines.iter().try_for_each(|line| writeln!(self.out, "{line}"))
    }
}

struct Table<'a> {
    outcome: &'a Outcome,
    times: TimeFormat,
    colour: bool,
    out: &'a mut dyn Write,
}

/// A change in columns.
struct Row {
    sign: &'static str,
    style: Style,
    old: String,
    new: String,
    what: Vec<String>,
}

impl Table<'_> {
    fn group(&mut self, group: &[&Change]) -> io::Result<()> {
        let Some(first) = group.first() else { return Ok(()) };
        let title =
            format!("{} at door {}", address::text(first.client), self.outcome.door(first.door));
        writeln!(self.out, "\n{}", self.paint(HEADING, &title))?;
        let rows: Vec<Row> = group.iter().map(|change| self.row(change)).collect();
        let width = |column: fn(&Row) -> &String| {
            rows.iter().map(|row| column(row).chars().count()).max().unwrap_or_default().max(3)
        };
        let (old_width, new_width) = (width(|row| &row.old), width(|row| &row.new));
        let head = format!("     {:old_width$}  new", "old");
        writeln!(self.out, "{}", self.paint(FAINT, &head))?;
        let mut causes = group.iter().map(|change| self.outcome.because(change)).peekable();
        for row in rows {
            let Row { sign, style, old, new, what } = row;
            let mut columns = format!("  {sign}  {old:old_width$}  {new:new_width$}  ");
            for line in what {
                writeln!(self.out, "{}", self.paint(style, format_args!("{columns}{line}")))?;
                columns = " ".repeat(columns.chars().count());
            }
            let Some(because) = causes.next() else { break };
            if causes.peek() != Some(&because) {
                self.because(&because)?;
            }
        }
        Ok(())
    }

    fn row(&self, change: &Change) -> Row {
        let (sign, style) = match change.kind() {
            Kind::Gone => ("-", AnsiColor::Red.on_default()),
            Kind::New => ("+", AnsiColor::Green.on_default()),
            Kind::Moved | Kind::Changed => ("~", AnsiColor::Yellow.on_default()),
        };
        let moment = |half: Option<&Half>| half.map_or("-".to_owned(), |(_, at)| self.moment(*at));
        let mut what = vec![words(change.what())];
        if let (Kind::Changed, Halves::Both(_, (new, _))) = (change.kind(), &change.halves) {
            what.push(format!("now {}", words(new)));
        }
        Row { sign, style, old: moment(change.old()), new: moment(change.new_half()), what }
    }

    fn moment(&self, Moment { at, packet }: Moment) -> String {
        let at = stamp(self.times, at, self.outcome.start);
        match packet {
            Some(id) => format!("{at} {}", self.outcome.captures.packet(id)),
            None => at,
        }
    }

    fn because(&mut self, because: &Because) -> io::Result<()> {
        match because {
            Because::NoDoor { text } => writeln!(self.out, "  because {text}"),
            Because::Opening => {
                writeln!(self.out, "  because of {}", Because::OPENING)
            }
            Because::Unknown => writeln!(
                self.out,
                "  because of packets before that are not verdicts: more clients knock at doors than are \
                 followed"
            ),
            Because::Lines { lines } => {
                writeln!(self.out, "  because of these lines")?;
                lines.iter().flatten().try_for_each(|line| self.line("    ", line))
            }
            Because::Divergence { packet: _, subject, sides } => {
                writeln!(self.out, "  because of {subject}")?;
                for (name, (text, lines)) in ["old", "new"].into_iter().zip(sides) {
                    writeln!(self.out, "    {name}: {text}")?;
                    lines.iter().try_for_each(|line| self.line("         ", line))?;
                }
                Ok(())
            }
        }
    }

    fn line(&mut self, indent: &str, line: &ConfigLine) -> io::Result<()> {
        writeln!(self.out, "{indent}{}", self.paint(FAINT, line))
    }

    fn paint<T: Display>(&self, style: Style, text: T) -> Painted<T> {
        painted(self.colour, style, text)
    }
}

/// Returns what happens, as the transcript has it.
pub(super) fn words(what: &What) -> String {
    match what {
        What::Opened => "OPEN SESAME".to_owned(),
        What::Refused => {
            "not opened: busy, too many commands and open doors are pending".to_owned()
        }
        What::Admitted(ports, seconds) => format!("admit to {ports} for {seconds} s"),
        What::AdmissionEnded => "admission ended".to_owned(),
        What::SequenceTimedOut => "sequence timeout".to_owned(),
        What::CommandTimedOut => "command timeout".to_owned(),
        What::StartCommand(text) | What::StopCommand(text) => {
            format!("running command: {}", printable(text))
        }
    }
}

/// Returns the lines of the summary.
pub(super) fn summary(outcome: &Outcome, reading: &ReadingDone) -> Vec<String> {
    let [old, new] = [&outcome.old, &outcome.new].map(|side| &side.name);
    let read = number(reading.tally.packets(), "packet read", "packets read");
    let verdict = match (outcome.counts().admitted, outcome.is_same()) {
        (0, _) => "have nothing to do",
        (_, true) => "do the same",
        (_, false) => "do not do the same",
    };
    let mut lines = vec![format!("{read}: {old} and {new} {verdict}")];
    let [was, is] = [&outcome.old, &outcome.new].map(|side| side.explainer.counts().opened);
    lines.push(format!("openings: {was} with {old}, {is} with {new}"));
    let counts = counts(outcome);
    if !counts.is_empty() {
        lines.push(counts.join(", "));
    }
    if outcome.left_out > 0 {
        let more = number(outcome.left_out, "event", "events");
        lines.push(format!(
            "warning: {more} more are not compared, and may differ: take fewer packets"
        ));
    }
    lines.extend(reading.tally.warning_lines(outcome.counts()));
    lines
}

/// Returns how many changes there are of each kind, in words.
fn counts(outcome: &Outcome) -> Vec<String> {
    type Of = fn(&What) -> bool;
    let things: [(&str, &str, Of); 4] = [
        ("opening", "openings", |what| matches!(what, What::Opened | What::Refused)),
        ("admission", "admissions", |what| {
            matches!(what, What::Admitted(..) | What::AdmissionEnded)
        }),
        ("command", "commands", |what| {
            matches!(what, What::StartCommand(_) | What::StopCommand(_))
        }),
        ("timeout", "timeouts", |what| {
            matches!(what, What::SequenceTimedOut | What::CommandTimedOut)
        }),
    ];
    let kinds = [
        (Kind::Gone, "gone"),
        (Kind::New, "new"),
        (Kind::Moved, "at another time"),
        (Kind::Changed, "changed"),
    ];
    let mut counts = Vec::new();
    for (one, many, is_it) in things {
        for (kind, name) in kinds {
            let count = outcome.count(kind, |change| is_it(change.what()));
            if count > 0 {
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                counts.push(format!("{} {name}", number(count, one, many)));
            }
        }
    }
    counts
}

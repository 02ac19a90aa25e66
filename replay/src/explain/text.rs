//! Explanations for people.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;

use clap::builder::styling::{AnsiColor, Style};
use knock_engine::Reason;
use knock_engine::address;
use knock_engine::{DoorId, Stage, Timestamp};

use super::Whom;
use super::explainer::Explainer;
use super::explanation::{Attempt, Explanation, Verdict, Why};
use super::hints::Hints;
use super::miss::Nearest;
use super::observer::Totals;
use super::places::ConfigLine;
use super::run::Explanations;
use super::words::{Words, knock_of};
use crate::args::TimeFormat;
use crate::output::Output;
use crate::output::time::{nanos, stamp};
use crate::output::words::{number, painted};
use crate::session::names::PacketId;

/// How much is kept until it is printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct KeptLimits {
    /// Of one client at one door.
    pub(super) of_one: usize,
    /// Of all.
    pub(super) of_all: usize,
}

/// Explanations, client by client and door by door.
#[derive(Debug)]
struct Groups {
    kept: KeptLimits,
    /// In the order in which the clients came.
    clients: Vec<(IpAddr, BTreeMap<DoorId, Group>)>,
    places: HashMap<IpAddr, usize>,
    count: usize,
}

/// What happened to a client at a door.
#[derive(Debug, Default)]
struct Group {
    entries: Vec<Entry>,
    left_out: u64,
}

#[derive(Debug)]
struct Entry {
    one: Explanation,
    /// How many of the same came after it and are not kept.
    more: u64,
    /// The last of those.
    last: Option<PacketId>,
}

impl Groups {
    /// How many of the same are kept that come one after another.
    const SAME: usize = 3;

    fn new(kept: KeptLimits) -> Self {
        Self { kept, clients: Vec::new(), places: HashMap::new(), count: 0 }
    }

    /// Keeps an explanation, or counts it if too many are kept.
    fn add(&mut self, one: &Explanation) {
        let place = *self.places.entry(one.client).or_insert(self.clients.len());
        if place == self.clients.len() {
            self.clients.push((one.client, BTreeMap::new()));
        }
        let Some((_, groups)) = self.clients.get_mut(place) else { return };
        let group = groups.entry(one.door).or_default();
        if group.is_more_of_the_same(one) {
            group.count(one);
        } else if group.entries.len() >= self.kept.of_one || self.count >= self.kept.of_all {
            group.left_out = group.left_out.saturating_add(1);
        } else {
            group.entries.push(Entry { one: *one, more: 0, last: None });
            self.count = self.count.saturating_add(1);
        }
    }
}

impl Group {
    /// Returns whether there is nothing but packets that counted at other doors.
    fn is_elsewhere(&self) -> bool {
        self.entries.iter().all(|entry| entry.one.verdict.counted_elsewhere().is_some())
    }

    /// Returns how many packets counted at other doors.
    fn elsewhere(&self, words: &Words<'_>) -> String {
        let count = self
            .entries
            .iter()
            .fold(self.left_out, |sum, entry| sum.saturating_add(entry.more).saturating_add(1));
        let doors: BTreeSet<DoorId> =
            self.entries.iter().filter_map(|entry| entry.one.verdict.counted_elsewhere()).collect();
        let names: Vec<String> = doors.into_iter().map(|door| words.door(door)).collect();
        let doors = if names.len() == 1 { "door" } else { "doors" };
        format!(
            "nothing but {} that counted at {doors} {}",
            number(count, "packet", "packets"),
            names.join(", ")
        )
    }

    fn is_more_of_the_same(&self, one: &Explanation) -> bool {
        if !one.verdict.is_dull() || self.left_out > 0 {
            return false;
        }
        let same = |entry: &&Entry| {
            entry.one.verdict.name() == one.verdict.name() && entry.one.attempt == one.attempt
        };
        self.entries.iter().rev().take_while(same).count() >= Groups::SAME
    }

    fn count(&mut self, one: &Explanation) {
        if let Some(last) = self.entries.last_mut() {
            last.more = last.more.saturating_add(1);
            last.last = one.packet.map(|seen| seen.id);
        }
    }
}

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

    fn end(&mut self, (explainer, words): (&Explainer, &Words<'_>)) -> io::Result<()> {
        self.text.groups(&self.groups, explainer, words)?;
        self.text.end(explainer, words)
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

/// A line with its columns.
struct Row {
    time: String,
    packet: String,
    knock: String,
    text: String,
    style: Style,
    below: Vec<String>,
}

const HEADING: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const IGNORED: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const PLAIN: Style = Style::new();

const fn style_of(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Stage { .. } | Verdict::Opened | Verdict::Admitted { .. } => GOOD,
        Verdict::AdmissionEnded
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

impl Text<'_> {
    fn paint(&self, style: Style, text: &str) -> String {
        painted(self.colour, style, text)
    }

    /// Prints everything that was kept.
    fn groups(
        &mut self,
        grouped: &Groups,
        explainer: &Explainer,
        words: &Words<'_>,
    ) -> io::Result<()> {
        for (client, groups) in &grouped.clients {
            for (&door, group) in groups {
                let title = format!("{} at door {}", address::text(*client), words.door(door));
                let title = self.paint(HEADING, &title);
                if group.is_elsewhere() {
                    writeln!(self.out, "{title}\n  {}\n", group.elsewhere(words))?;
                    continue;
                }
                writeln!(self.out, "{title}")?;
                let line = group.entries.first().and_then(|entry| entry.one.sequence_line);
                let mut known = words.places.sequence(door, line);
                for line in &known {
                    writeln!(self.out, "  {}", self.paint(FAINT, &line.to_string()))?;
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
        let name = self.paint(HEADING, &format!("door {}", words.door(door)));
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
            let text = self.paint(style, &words.nearest(nearest));
            writeln!(self.out, "{name}: {text}")?;
            for line in words.nearest_lines(nearest) {
                writeln!(self.out, "    {}", self.paint(FAINT, &line.to_string()))?;
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

fn rows(
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

fn row(one: &Explanation, start: Timestamp, words: &Words<'_>, known: &mut Vec<ConfigLine>) -> Row {
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

/// Returns what is to be said of packets that are not explained.
pub(crate) fn remarks(totals: &Totals, whom: Whom, words: &Words<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if totals.explained == 0 && totals.left_out == 0 {
        let of = match whom {
            Whom::All => String::new(),
            Whom::Network(_) => format!(" of {whom}"),
        };
        lines.push(format!("no packet{of} concerned any door"));
    }
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            lines.push(format!("{} {what}", number(count, "packet", "packets")));
        }
    };
    say(totals.strays, "in all to ports of no door");
    say(totals.of_others, "of other clients");
    say(
        totals.left_out,
        "of further clients not explained; name one of them to see it (--client CLIENT)",
    );
    for (reason, &count) in Reason::ALL.iter().zip(&totals.unreadable) {
        say(count, &format!("{reason}"));
    }
    for &(id, why) in &totals.unreadable_first {
        lines.push(format!("  {}: {}", words.captures.packet(id), super::words::unreadable(why)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use knock_config as config;
    use knock_engine::{Door, Doors};

    use super::super::explanation::Seen;
    use super::*;

    /// Something that happened to the client of this number, with the packet of the same number.
    fn happened(client: u8, number: u64, verdict: Verdict) -> Explanation {
        let doors = Doors::new(vec![door()]).unwrap();
        let (door, _) = doors.in_order().next().unwrap();
        let id = PacketId { capture: 0, number };
        let seen = Seen { id, knock: None, flags: None, destination: None, vlan: None };
        Explanation {
            at: Timestamp::EPOCH,
            client: [10, 0, 0, client].into(),
            door,
            attempt: None,
            packet: Some(seen),
            of: 1,
            sequence_line: None,
            verdict,
        }
    }

    fn door() -> Door {
        let text = b"[d]\nsequence = 1\ncommand =\n";
        config::parse(text).config.unwrap().doors.remove(0).door()
    }

    fn counts(grouped: &Groups) -> Vec<(usize, u64, u64)> {
        let groups = grouped.clients.iter().flat_map(|(_, groups)| groups.values());
        let more = |group: &Group| group.entries.iter().map(|entry| entry.more).sum();
        groups.map(|group| (group.entries.len(), more(group), group.left_out)).collect()
    }

    #[test]
    fn no_more_is_kept_than_may_be_and_the_rest_is_counted() {
        let mut grouped = Groups::new(KeptLimits { of_one: 4, of_all: 6 });
        for client in 1..=3 {
            for number in 1..=6 {
                grouped.add(&happened(client, number, Verdict::Opened));
            }
        }
        assert_eq!(counts(&grouped), [(4, 0, 2), (2, 0, 4), (0, 0, 6)]);
        assert_eq!(grouped.count, 6);
    }

    #[test]
    fn of_many_of_the_same_three_are_kept_but_of_what_matters_all() {
        let mut grouped = Groups::new(KeptLimits { of_one: 100, of_all: 100 });
        let dull = Verdict::Ignored(Why::OtherDestination);
        for number in 1..=10 {
            grouped.add(&happened(1, number, dull));
        }
        assert_eq!(counts(&grouped), [(3, 7, 0)]);
        let last = grouped.clients[0].1.values().next().unwrap().entries.last().unwrap().last;
        assert_eq!(last, Some(PacketId { capture: 0, number: 10 }));
        for number in 11..=20 {
            grouped.add(&happened(1, number, Verdict::Opened));
        }
        grouped.add(&happened(1, 21, dull));
        assert_eq!(counts(&grouped), [(14, 7, 0)]);
    }

    #[test]
    fn times_have_as_many_digits_as_matter() {
        assert_eq!([0, 5_400_000_000, 1000].map(millis), ["0.000", "5.400", "0.000001"]);
        assert_eq!(millis(36_000_000_000_000), "36000.000");
    }
}

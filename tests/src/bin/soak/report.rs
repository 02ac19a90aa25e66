//! What happened, and whether it is as it must be.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::clients::{Ending, Visit, Visits};
use crate::daemon::Ended;
use crate::doors::Seen;
use crate::figures::{Look, Watcher};
use crate::growth::{self, PROCESSES};
use crate::logs::Logged;
use crate::outages::Outage;
use crate::visits::Door;
use crate::world::OPEN_SECONDS;

/// How much longer than it should be a door may be open, while the machine is busy and processes are killed.
const LATE_MAX: Duration = Duration::from_secs(20);

/// A run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) length: Duration,
    /// How many packets came from forged addresses.
    pub(crate) forged: u64,
    pub(crate) visits: Visits,
    pub(crate) new_addresses: (u32, u32),
    pub(crate) disturbances: BTreeMap<&'static str, u32>,
    pub(crate) looks: Watcher,
    pub(crate) doors: Seen,
    pub(crate) logged: Logged,
    pub(crate) ended: Ended,
    /// The processes that are left.
    pub(crate) left: Vec<String>,
    pub(crate) outages: Vec<Outage>,
}

/// A line of the report.
struct Row {
    what: String,
    value: String,
    /// `None` if anything is right.
    is_right: Option<bool>,
}

impl Report {
    /// Returns whether all is as it must be.
    pub(crate) fn is_passed(&self) -> bool {
        self.rows().iter().all(|row| row.is_right != Some(false))
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = vec![row("packets from forged addresses", self.forged, None)];
        self.knocks(&mut rows);
        self.openings(&mut rows);
        self.log(&mut rows);
        self.processes(&mut rows);
        rows
    }

    fn knocks(&self, rows: &mut Vec<Row>) {
        let count = |is_meant: &dyn Fn(&Visit) -> bool| {
            let made: Vec<&Visit> = self.visits.all.iter().filter(|one| is_meant(one)).collect();
            (made.len(), made.iter().filter(|visit| visit.opened()).count())
        };
        let is_first = |visit: &Visit| {
            !visit.is_disturbed && visit.tries_before == 0 && visit.result != Ending::Lost
        };
        let (made, opened) = count(&is_first);
        // Most of the time nothing is down; otherwise this would prove nothing.
        let enough = Duration::from_secs(3) * u32::try_from(made).unwrap() > self.length;
        let is_right = Some(opened == made && enough);
        let value = format!("{made} made, {opened} opened");
        rows.push(row("honest knocks while nothing was down", value, is_right));
        let (made_6, opened_6) = count(&|visit| visit.client.is_ipv6() && is_first(visit));
        let value = format!("{made_6} made, {opened_6} opened");
        rows.push(row("  of those, by IPv6", value, Some(opened_6 == made_6 && made_6 > 0)));
        let (lost, _) = count(&|visit| visit.result == Ending::Lost);
        let is_right = lost <= made / 100;
        rows.push(row("  beside those, lost on their way to the server", lost, Some(is_right)));
        let (made, opened) = count(&|visit| visit.is_disturbed && visit.tries_before == 0);
        let value = format!("{made} made, {opened} opened");
        rows.push(row("honest knocks while something was down", value, None));
        let (made, opened) = count(&|visit| {
            visit.tries_before > 0 && !visit.is_disturbed && visit.result != Ending::Lost
        });
        let value = format!("{made} made, {opened} opened");
        rows.push(row("  of those that did not open: again, later", value, Some(made == opened)));
        let (made, opened) = count(&|visit| visit.tries_before > 0 && visit.is_disturbed);
        let value = format!("{made} made, {opened} opened");
        rows.push(row("  again, and something was down again", value, None));
        let (made, opened) = self.new_addresses;
        let value = format!("{made} made, {opened} opened");
        rows.push(row("knocks at new addresses", value, Some(made == opened && made > 0)));
    }

    fn openings(&self, rows: &mut Vec<Row>) {
        let Seen { count, longest, left } = &self.doors;
        rows.push(row("openings seen in the firewall", count, None));
        let is_right = *longest <= Duration::from_secs(OPEN_SECONDS) + LATE_MAX;
        let value = format!("{:.0} s of {OPEN_SECONDS} s", longest.as_secs_f64());
        rows.push(row("longest that a door was open", value, Some(is_right)));
        rows.push(row("doors open at the end", listed(left), Some(left.is_empty())));
    }

    fn log(&self, rows: &mut Vec<Row>) {
        let Logged { lines, bytes, openings, starts } = &self.logged;
        rows.push(row("log", format!("{lines} lines, {} MB", bytes / 1_000_000), None));
        let mut expected: BTreeMap<(Door, IpAddr), usize> = BTreeMap::new();
        for visit in self.visits.all.iter().filter(|visit| visit.is_logged) {
            *expected.entry((visit.door, visit.client)).or_default() += 1;
        }
        for (what, found) in [("openings", openings), ("start commands", starts)] {
            let missing = expected.iter().map(|(one, expected)| {
                expected.saturating_sub(found.get(one).copied().unwrap_or_default())
            });
            let missing: usize = missing.sum();
            let value = format!("{} of {}", missing, expected.values().sum::<usize>());
            rows.push(row(&format!("{what} missing in the log"), value, Some(missing == 0)));
        }
        let lost = self.ended.lost_lines;
        rows.push(row("lines lost, by knockd's own count", lost, Some(lost == 0)));
    }

    fn processes(&self, rows: &mut Vec<Row>) {
        let Watcher { looks, lasting_zombies, .. } = &self.looks;
        rows.extend(compare(looks));
        rows.push(row("zombies", lasting_zombies, Some(*lasting_zombies == 0)));
        rows.push(row("processes left", listed(&self.left), Some(self.left.is_empty())));
        let is_right = self.ended.statuses.iter().all(|status| *status == Some(0));
        let value = format!("{} times status 0", self.ended.statuses.len());
        let value = if is_right { value } else { format!("{:?}", self.ended.statuses) };
        rows.push(row("knockd asked to end", value, Some(is_right)));
        let panics = self.ended.lines.iter().filter(|line| line.contains("panicked")).count();
        rows.push(row("panics", panics, Some(panics == 0)));
        for (name, count) in &self.disturbances {
            rows.push(row(name, format!("{count} times"), Some(*count > 0)));
        }
    }
}

/// Compares the processes of the first look with those of the last one.
fn compare(looks: &[Look]) -> Vec<Row> {
    let [first, .., last] = looks else {
        return vec![row("memory and descriptors", "not measured", Some(false))];
    };
    let times = format!("at {} and {} s", first.at.as_secs(), last.at.as_secs());
    let mut rows = Vec::new();
    for (place, name) in PROCESSES.iter().enumerate() {
        let [before, after] = [first, last].map(|look| &look.processes[place]);
        let is_same = looks.iter().all(|look| look.processes[place].id == before.id);
        let own: Vec<_> =
            looks.iter().map(|look| (look.at, look.processes[place].memory.own())).collect();
        let value = format!("{} and {} KiB {times}", before.memory.all(), after.memory.all());
        rows.push(row(&format!("memory of the {name}"), value, None));
        let value = format!("{} and {} KiB", before.memory.own(), after.memory.own());
        let is_right = is_same && growth::is_over(&own);
        rows.push(row("  without pages of files: does not go on growing", value, Some(is_right)));
        let value = format!("{} and {}", before.descriptors, after.descriptors);
        let is_right = is_same && after.descriptors <= before.descriptors;
        rows.push(row(&format!("descriptors of the {name}"), value, Some(is_right)));
    }
    rows
}

fn row(what: &str, value: impl fmt::Display, is_right: Option<bool>) -> Row {
    Row { what: what.to_owned(), value: value.to_string(), is_right }
}

fn listed(all: &[String]) -> String {
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print_messages(out)?;
        self.print_outages(out)?;
        growth::print(&self.looks.looks, out)?;
        for failure in &self.visits.failures {
            write!(out, "\n{}", failure.text)?;
        }
        writeln!(out, "\nafter {} s", self.length.as_secs())?;
        for Row { what, value, is_right } in self.rows() {
            let verdict = match is_right {
                Some(true) => "  ok",
                Some(false) => "  WRONG",
                None => "",
            };
            writeln!(out, "  {what:48}  {value}{verdict}")?;
        }
        write!(out, "{}", if self.is_passed() { "passed" } else { "FAILED" })
    }
}

impl Report {
    /// Prints how often each error and warning came, whatever its numbers are.
    fn print_messages(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for line in &self.ended.lines {
            let is_usual = [": OPEN SESAME", ": running command: ", ": command timeout"];
            if is_usual.iter().any(|usual| line.contains(usual)) {
                continue;
            }
            let digits = |one: char| if one.is_ascii_digit() { 'N' } else { one };
            let mut shape: String = line.chars().map(digits).collect();
            while shape.contains("NN") {
                shape = shape.replace("NN", "N");
            }
            *counts.entry(shape).or_default() += 1;
        }
        writeln!(out, "messages of knockd on standard error")?;
        counts.iter().try_for_each(|(shape, count)| writeln!(out, "  {count:6}  {shape}"))
    }

    fn print_outages(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut longest: BTreeMap<&str, Duration> = BTreeMap::new();
        for outage in &self.outages {
            let entry = longest.entry(outage.why).or_default();
            *entry = outage.length().max(*entry);
        }
        writeln!(out, "\nthe longest time without knocks being heard, after each kind of outage")?;
        longest
            .iter()
            .try_for_each(|(why, length)| writeln!(out, "  {:6.2} s  {why}", length.as_secs_f64()))
    }
}

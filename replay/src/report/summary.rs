//! The top of the page, which needs no script: who got in, and why others did not.

mod answers;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use knock_engine::{Counts, DoorId};

use super::data::{GROUPS, OPENINGS};
use super::figures::{counted, duration, moment, number};
use super::findings::Findings;
use super::groups::{Group, Kind};
use super::markup::Markup;
use crate::explain::remarks;
use crate::output::time::nanos;
use crate::session::summary::address_line;

/// How many things are named in a sentence.
const FEW: usize = 3;

/// The parts of the page that no script writes.
pub(super) struct Summary {
    pub(super) title: Markup,
    pub(super) head: Markup,
    pub(super) body: Markup,
    /// What the timeline does not show.
    pub(super) cut: Markup,
}

impl Summary {
    pub(super) fn new(found: &Findings<'_>, is_interrupted: bool) -> Self {
        let writer = Writer { found, keys: keys(found), places: group_places(found) };
        let mut title = Markup::default();
        let names = found.words.captures.all();
        let of = names.first().map_or(found.words.places.name(), String::as_str);
        title.text("knock-replay: ").text(of);
        let mut body = Markup::default();
        writer.headline(&mut body);
        writer.alerts(is_interrupted, &mut body);
        body.raw("<div class=\"answers\">\n");
        writer.got_in(&mut body);
        writer.did_not(&mut body);
        body.raw("</div>\n");
        writer.facts(&mut body);
        Self { title, head: writer.head(), body, cut: writer.cut() }
    }
}

/// Returns the name of each door in links: its own, or with its number if another has it, too.
fn keys(found: &Findings<'_>) -> Vec<String> {
    let mut names = HashSet::new();
    let key = |(place, (id, _)): (usize, (DoorId, _))| {
        let name = found.words.door(id);
        if names.insert(name.clone()) {
            name
        } else {
            format!("{name}#{}", place.saturating_add(1))
        }
    };
    found.words.doors.in_order().enumerate().map(key).collect()
}

/// Returns the places in the data of the groups that have rows.
fn group_places(found: &Findings<'_>) -> HashMap<Kind, usize> {
    let has_row = |group: &Group| group.members.iter().any(|&place| found.has_row(place));
    let all = found.groups.iter().take(GROUPS).enumerate();
    let with_rows = all.filter(|(_, (_, group))| has_row(group));
    with_rows.map(|(place, (kind, _))| (*kind, place)).collect()
}

struct Writer<'a> {
    found: &'a Findings<'a>,
    keys: Vec<String>,
    places: HashMap<Kind, usize>,
}

impl Writer<'_> {
    fn head(&self) -> Markup {
        let found = self.found;
        let mut names: Vec<String> = found.words.captures.all().to_vec();
        let more = names.len().saturating_sub(FEW);
        names.truncate(FEW);
        let mut captures =
            if names.is_empty() { "no capture".to_owned() } else { names.join(", ") };
        if more > 0 {
            let _ = write!(captures, " and {}", counted(more, "more", "more"));
        }
        let config = found.words.places.name();
        let mut html = Markup::default();
        html.raw("<p class=\"sub\" id=\"subtitle\">").text(&captures).text(", replayed against ");
        html.text(config).raw(" by the rules of knock</p>\n<p class=\"sub\" id=\"covers\">");
        if let Some((first, last)) = found.reading.tally.times() {
            let length = duration(nanos(first, last));
            html.text(&format!("{} to {} UTC, {length}; ", moment(first), moment(last)));
        }
        html.text(&address_line(found.explainer.listening(), found.reading.source)).raw("</p>");
        html
    }

    fn headline(&self, html: &mut Markup) {
        let found = self.found;
        let Counts { opened, .. } = found.explainer.counts();
        let list = found.openings.list();
        html.raw("<p class=\"headline\" id=\"headline\"><strong>");
        if opened == 0 {
            html.raw("No door opened.");
        } else {
            let doors = list.iter().map(|one| one.door).collect::<HashSet<_>>().len();
            let least = if found.openings.left_out > 0 { "at least " } else { "" };
            let clients = list.iter().map(|one| one.client).collect::<HashSet<_>>().len();
            html.text(&format!(
                "{} at {}, for {least}{}.",
                counted(opened, "opening", "openings"),
                counted(doors, "door", "doors"),
                counted(clients, "client", "clients")
            ));
        }
        html.raw("</strong>");
        let (_, near) = found.clients;
        if near > 0 {
            let least = if found.is_complete() { " " } else { " At least " };
            let near = counted(near, "client", "clients");
            html.text(&format!("{least}{near} came near at a door and did not get in."));
        }
        html.raw("</p>\n");
    }

    fn alerts(&self, is_interrupted: bool, html: &mut Markup) {
        let found = self.found;
        let mut list: Vec<(&str, String)> = Vec::new();
        if is_interrupted {
            let text = "stopped while packets came: what came later is not here";
            list.push(("interrupted", text.to_owned()));
        }
        list.extend(found.reading.errors.iter().map(|error| ("error", error.to_string())));
        let warnings = found.reading.tally.warnings(found.explainer.counts());
        list.extend(warnings.into_iter().map(|text| ("warning", text)));
        list.extend(self.clocks().map(|text| ("wrong clock?", text)));
        list.extend(self.left_out().map(|text| ("not everything is here", text)));
        html.raw("<div id=\"alerts\">\n");
        for (kind, text) in list {
            html.raw("<p class=\"alert\"><strong>").text(kind).raw(":</strong> ");
            html.text(&text).raw("</p>\n");
        }
        html.raw("</div>\n");
    }

    /// Says what is outside the time that the page shows.
    fn clocks(&self) -> impl Iterator<Item = String> + use<> {
        let stretch = self.found.stretch;
        let say = |at, word| {
            format!(
                "there are packets of {} UTC, long {word} all others; the timeline leaves them out \
                 unless you zoom out",
                moment(at)
            )
        };
        let before = stretch.before.map(|at| say(at, "before"));
        before.into_iter().chain(stretch.after.map(|at| say(at, "after")))
    }

    /// Says what is neither in the counts of clients nor in the lists.
    fn left_out(&self) -> impl Iterator<Item = String> + use<> {
        let found = self.found;
        let mut list = Vec::new();
        let packets = found.explainer.totals().left_out;
        if packets > 0 {
            list.push(format!(
                "{} of further clients at doors than {}; openings are all counted; 'knock-replay \
                 explain --client CLIENT' explains one client",
                counted(packets, "packet", "packets"),
                number(found.pairs())
            ));
        }
        let listed = found.openings.list().len();
        if listed > OPENINGS || found.openings.left_out > 0 {
            list.push(format!(
                "only the {} that got in last are named; the transcript names all",
                counted(listed.min(OPENINGS), "client", "clients")
            ));
        }
        list.into_iter()
    }

    fn facts(&self, html: &mut Markup) {
        let found = self.found;
        let (counts, listening) = (found.explainer.counts(), found.explainer.listening());
        let source = found.reading.source;
        let addresses = address_line(listening, source);
        let mut facts = found.reading.tally.lines(counts, listening, source);
        facts.retain(|line| *line != addresses && !line.starts_with("warning: "));
        let remarks = remarks(found.explainer.totals(), found.explainer.whom(), &found.words);
        facts.extend(remarks.iter().map(|line| line.trim().to_owned()));
        let captures = found.words.captures.all();
        if captures.len() > 1 {
            facts.push(format!("captures: {}", captures.join(", ")));
        }
        facts.push("rules: those of knock".to_owned());
        facts.push(concat!("written by knock-replay ", env!("CARGO_PKG_VERSION")).to_owned());
        let is_open = found.reading.tally.undecodable_packets() > 0;
        html.raw(if is_open { "<details id=\"read\" open>" } else { "<details id=\"read\">" });
        html.raw("<summary>What was read</summary>\n<ul id=\"facts\">\n");
        for fact in facts {
            html.raw("<li>").text(&fact).raw("</li>\n");
        }
        html.raw("</ul></details>\n");
    }

    /// Says which rows the timeline has.
    fn cut(&self) -> Markup {
        let (rows, all) = (self.found.rows.len(), self.found.pairs());
        let mut html = Markup::default();
        if rows < all {
            let text = format!(
                "{} of {} clients at doors have a row: the first of each group. Where that is so, bars \
                 count clients by their first packet, pale ones those without a row. All are counted.",
                number(rows),
                number(all)
            );
            html.raw("<p class=\"note\" id=\"cut\">").text(&text).raw("</p>");
        }
        html
    }

    fn name(&self, door: usize) -> String {
        let mut doors = self.found.words.doors.in_order();
        let found = doors.find(|(id, _)| id.index() == door);
        found.map_or_else(String::new, |(id, _)| self.found.words.door(id))
    }

    fn key(&self, door: usize) -> &str {
        self.keys.get(door).map_or("", String::as_str)
    }
}

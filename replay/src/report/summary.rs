//! The top of the page, which needs no script: who got in, and why others did not.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use knock_engine::address;
use knock_engine::{Counts, DoorId};

use super::data::{GROUPS, OPENINGS, opening_rows};
use super::figures::{counted, duration, moment, number};
use super::findings::Findings;
use super::groups::{self, Group, Kind, Outcome};
use super::markup::Markup;
use super::openings::Opening;
use crate::explain::{enough, lateness, remarks};
use crate::output::time::nanos;
use crate::session::summary::address_line;

/// How many clients who got in are named without the script; with it, all are.
const NAMED: usize = 100;
/// How many groups of those who did not are named.
const CAUSES: usize = 100;
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

    fn got_in(&self, html: &mut Markup) {
        let found = self.found;
        let all = found.openings.list().len();
        html.raw("<section class=\"answer\" aria-labelledby=\"in-title\">\n");
        html.raw("<h2 id=\"in-title\">Who got in</h2>\n");
        if all == 0 {
            html.raw("<p class=\"quiet\">Nobody.</p>\n</section>\n");
            return;
        }
        html.raw("<p class=\"tools\" id=\"openings-tools\"></p>\n");
        html.raw(
            "<div class=\"panel\" role=\"region\" tabindex=\"0\" aria-labelledby=\"in-title\">",
        );
        html.raw("<table id=\"openings\"><thead><tr><th>Client</th><th>Door</th>");
        html.raw("<th>Opened (UTC)</th><th>Until (UTC)</th></tr></thead><tbody>\n");
        let with_row: HashSet<(IpAddr, usize)> = found
            .rows
            .iter()
            .filter_map(|row| found.kept.pair(row.place))
            .map(|pair| (pair.client, pair.door.index()))
            .collect();
        for one in opening_rows(found).take(NAMED) {
            self.opening(one, &with_row, html);
        }
        html.raw("</tbody></table></div>\n<p class=\"quiet\" id=\"openings-rest\">");
        if let Some(rest @ 1..) = all.checked_sub(NAMED) {
            html.text(&format!("and {}", counted(rest, "more", "more")));
        }
        html.raw("</p>\n</section>\n");
    }

    fn opening(&self, one: &Opening, rows: &HashSet<(IpAddr, usize)>, html: &mut Markup) {
        let Opening { client, door, times, first, last, closed } = *one;
        let client_text = address::text(client);
        html.raw("<tr><td class=\"client\">");
        if rows.contains(&(client, door.index())) {
            html.raw("<a href=\"#client=").part_of_address(&client_text).raw("&amp;door=");
            html.part_of_address(self.key(door.index())).raw("\">");
            html.text(&client_text).raw("</a>");
        } else {
            html.text(&client_text);
        }
        html.raw("</td><td class=\"door\">").text(&self.name(door.index()));
        html.raw("</td><td class=\"when\">").text(&moment(first));
        if times > 1 {
            let often = format!("{}, last {}", counted(times, "time", "times"), moment(last));
            html.raw(" <span class=\"often\">").text(&often).raw("</span>");
        }
        let end = self.found.stretch.to;
        html.raw(match closed {
            None => "</td><td class=\"until stays\">stays open",
            Some(at) if at > end => "</td><td class=\"until later\">open at the end",
            Some(_) => "</td><td class=\"until\">closed",
        });
        let then = match closed {
            None => "no stop command".to_owned(),
            Some(at) if at > end => format!("until {}", moment(at)),
            Some(at) => moment(at),
        };
        html.raw(" <span class=\"often\">").text(&then).raw("</span></td></tr>\n");
    }

    fn did_not(&self, html: &mut Markup) {
        let found = self.found;
        let causes = groups::by_nearness(&found.groups);
        html.raw("<section class=\"answer\" aria-labelledby=\"near-title\">\n");
        html.raw("<h2 id=\"near-title\">Who did not, and why</h2>\n");
        if causes.is_empty() {
            html.raw("<p class=\"quiet\">Nobody.</p>\n");
        } else {
            html.raw("<div class=\"panel\" role=\"region\" tabindex=\"0\" ");
            html.raw("aria-labelledby=\"near-title\"><ul class=\"causes\" id=\"causes\">\n");
            for (kind, group) in causes.iter().take(CAUSES) {
                self.cause(kind, group, html);
            }
            html.raw("</ul></div>\n");
        }
        if let Some(rest) = causes.get(CAUSES..).filter(|rest| !rest.is_empty()) {
            let clients = rest.iter().map(|(_, group)| group.members.len()).sum::<usize>();
            let text = format!(
                "and {} with {}",
                counted(rest.len(), "more group", "more groups"),
                counted(clients, "client", "clients")
            );
            html.raw("<p class=\"quiet\">").text(&text).raw("</p>\n");
        }
        self.idle(html);
        html.raw("</section>\n");
    }

    fn cause(&self, kind: &Kind, group: &Group, html: &mut Markup) {
        let stage = kind.stage();
        html.raw("<li>");
        pips(stage.get(), kind.of, html);
        html.raw("<span>");
        let place = self.places.get(kind);
        if let Some(place) = place {
            html.raw("<a href=\"#cause=").part_of_address(&place.to_string()).raw("\">");
        }
        let members = group.members.iter().filter_map(|&place| self.found.kept.pair(place));
        if group.members.len() <= FEW {
            let names: Vec<_> = members.map(|one| address::text(one.client)).collect();
            html.raw("<span class=\"client\">").text(&names.join(", ")).raw("</span>");
        } else {
            html.raw("<strong>").text(&counted(group.members.len(), "client", "clients"));
            html.raw("</strong>");
        }
        html.raw(" at <span class=\"door\">").text(&self.name(kind.door)).raw("</span>");
        html.raw(if place.is_some() { "</a>: " } else { ": " }).text(&kind.title());
        if let Some(late) = group.late {
            let rest = format!(", by {}{}", lateness(late), enough(group.needed));
            html.text(&rest);
        }
        html.raw("</span></li>\n");
    }

    /// Names the doors at which no client knocked.
    fn idle(&self, html: &mut Markup) {
        let busy: HashSet<usize> = self
            .found
            .groups
            .keys()
            .filter(|kind| kind.outcome != Outcome::Elsewhere)
            .map(|kind| kind.door)
            .collect();
        let doors = self.found.words.doors.in_order().map(|(id, _)| id.index());
        let mut idle: Vec<String> =
            doors.filter(|door| !busy.contains(door)).map(|door| self.name(door)).collect();
        if idle.is_empty() {
            return;
        }
        let more = idle.len().saturating_sub(12);
        idle.truncate(12);
        let rest = if more > 0 {
            format!(" and {}", counted(more, "more", "more"))
        } else {
            String::new()
        };
        html.raw("<p class=\"quiet\" id=\"idle-doors\">No client knocked at ");
        html.text(&idle.join(", ")).text(&rest).raw(".</p>\n");
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

/// Draws how many of how many knocks were made.
fn pips(stage: u8, of: u8, html: &mut Markup) {
    let text = format!("{stage} of {of} knocks");
    html.raw("<span class=\"pips\" role=\"img\" aria-label=\"").text(&text);
    html.raw("\" title=\"").text(&text).raw("\">");
    for knock in 0..of {
        html.raw(if knock < stage { "<i class=\"made\"></i>" } else { "<i></i>" });
    }
    html.raw("</span>");
}

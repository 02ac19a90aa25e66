//! The two answers at the top of the page: who got in, and why others did not.

use std::collections::HashSet;
use std::net::IpAddr;

use knock_engine::address;

use super::{FEW, Writer};
use crate::explain::{enough, lateness};
use crate::report::data::opening_rows;
use crate::report::figures::{counted, moment};
use crate::report::groups::{self, Group, Kind, Outcome};
use crate::report::markup::Markup;
use crate::report::openings::Opening;

/// How many clients who got in are named without the script; with it, all are.
const NAMED: usize = 100;
/// How many groups of those who did not are named.
const CAUSES: usize = 100;

impl Writer<'_> {
    pub(super) fn got_in(&self, html: &mut Markup) {
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

    pub(super) fn did_not(&self, html: &mut Markup) {
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

//! The report of a failed assertion: what happened instead, and which packet decided.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use knock_compat::Rules;
use knock_config::Wording;
use knock_config::text::printable;
use knock_engine::address;
use knock_engine::{Counts, DoorId, OpenPorts, Phase};

use super::claim::{Claim, Count, Meant, Which};
use super::evidence::Evidence;
use super::facts::{Closing, Facts, Moment, Opening, Run};
use super::read::in_seconds;
use super::subjects::First;
use super::under_way::FOLLOWED;
use crate::explain::{Nearest, Observer, PacketId, Whom, Words};
use crate::output::time::nanos;

/// The facts after the last packet.
pub(super) struct Findings<'a> {
    pub(super) words: Words<'a>,
    pub(super) rules: Rules,
    pub(super) counts: Counts,
    pub(super) evidence: &'a Evidence,
    /// What explains knocks, by the rules of knock.
    pub(super) observer: Option<&'a Observer>,
    /// The packet that counted last, of each client at each door that is followed.
    pub(super) counted: &'a HashMap<(IpAddr, DoorId), PacketId>,
    /// Who came nearest, once it is asked for.
    pub(super) nearest: OnceCell<NearestOf>,
    /// The command line that explains, but for the option that says whom.
    pub(super) again: &'a str,
}

/// Who came nearest to opening a door and did not, by the numbers of the subjects.
pub(super) type NearestOf = HashMap<usize, Nearest>;

impl Findings<'_> {
    /// Returns the report of a claim, if it fails.
    pub(super) fn failure(&self, claim: &Claim, facts: &Facts) -> Option<Wording> {
        match claim {
            Claim::Opens { which, within: None } => {
                (facts.count == 0).then(|| self.missed(&did_not_open(which), which))
            }
            Claim::Opens { which, within: Some(within) } => {
                (facts.in_time == 0).then(|| self.not_within(which, *within, facts))
            }
            Claim::StaysShut { which } => (facts.count > 0)
                .then(|| self.opened(which, facts))
                .or_else(|| self.nobody_came(which)),
            Claim::OpensTimes { which, count } => (!count.holds(facts.count))
                .then(|| self.not_so_often(which, *count, facts))
                .or_else(|| self.nobody_came(which)),
            Claim::Closes { which, after } => {
                let holds = if after.is_some() { facts.in_time > 0 } else { facts.count > 0 };
                (!holds).then(|| self.not_closed(which, *after, facts))
            }
            Claim::Admits { whom, ports, lasts } => (facts.count == 0)
                .then(|| self.not_admitted((*whom, ports.as_ref(), *lasts), facts)),
            Claim::Runs { command: _, count } => {
                (!count.holds(facts.count)).then(|| self.not_run(*count, facts))
            }
            Claim::NothingAdmitted => (self.counts.admitted > 0).then(|| self.admitted()),
        }
    }

    /// Reports an assertion about a single client that sent nothing: it would pass for any absent client,
    /// and a mistyped address must not pass. An assertion about a network may be a precaution.
    fn nobody_came(&self, which: &Which) -> Option<Wording> {
        if !which.whom.is_one() || self.evidence.packets(which.whom).count > 0 {
            return None;
        }
        let message = format!("nothing was tested: no packet of {} came", which.whom);
        let help = "check the address, and the captures";
        Some(Wording::new(message, "true of any client that sends nothing").help(help))
    }

    /// Reports how near those clients came for which a door did not open.
    fn missed(&self, message: &str, which: &Which) -> Wording {
        let wording = |label: String| Wording::new(message, label);
        if let Some(nearest) = self.nearest(which) {
            let mut note = self.words.nearest(nearest);
            for line in self.words.nearest_lines(nearest) {
                note.extend(["\n", &line.to_string()]);
            }
            let help = format!(
                "see all of it with `{} --client {}`",
                self.again,
                address::text(nearest.client)
            );
            return wording(self.decided(nearest)).note(note).help(help);
        }
        if self.rules != Rules::Knock
            && let Some(furthest) = self.evidence.furthest(which)
        {
            let note = format!(
                "{} came to stage {} at door `{}` with {}",
                address::text(furthest.client),
                furthest.stage.get(),
                self.words.door(furthest.door),
                self.packet(furthest.packet),
            );
            let help = format!(
                "see with `{} --client {}` why knock would not open it, and with `knock-replay diff \
                 --rules` where the two differ",
                self.again,
                address::text(furthest.client)
            );
            let label = format!("{} was the last that counted", self.packet(furthest.packet));
            return wording(label).note(note).help(help);
        }
        self.nothing_counted(message, which)
    }

    /// Reports clients whose packets did not concern a door.
    fn nothing_counted(&self, message: &str, which: &Which) -> Wording {
        let of = match which.whom {
            Whom::All => String::new(),
            Whom::Network(_) => format!(" of {}", which.whom),
        };
        let came = self.evidence.packets(which.whom);
        let Some(First { id, knock, .. }) = came.first else {
            let label = format!("no packet{of} came");
            return Wording::new(message, label).help("check the address, and the captures");
        };
        let first = self.words.captures.packet(id);
        let is_left_out = self.observer.is_some_and(|observer| observer.totals().left_out > 0);
        let label = if is_left_out {
            format!("unknown why: more than {} clients came to doors", Observer::PAIRS)
        } else {
            format!("no packet{of} concerned {}", name(&which.doors))
        };
        let number = packets(came.count);
        let note = format!("{number}{of} came; the first was {first}: {knock}");
        let help = "check the ports, tcpflags, targets and local addresses";
        Wording::new(message, label).note(note).help(help)
    }

    /// Returns who came nearest to opening a door that is meant, and did not.
    fn nearest(&self, which: &Which) -> Option<&Nearest> {
        let number = self.evidence.subjects().number(which)?;
        self.nearest.get_or_init(|| self.nearest_of_all()).get(&number)
    }

    /// Returns who came nearest, for all that assertions are about at once.
    fn nearest_of_all(&self) -> NearestOf {
        let mut best = NearestOf::new();
        let has_missed = |one: &Nearest| one.openings == 0 || !one.misses.is_empty();
        let key = |one: &Nearest| (one.openings == 0, one.stage, one.times());
        let all = self.observer.into_iter().flat_map(Observer::nearest);
        for one in all.filter(has_missed) {
            for number in self.evidence.subjects().of(one.client, one.door) {
                // Of equals the first.
                if best.get(&number).is_none_or(|best| key(&one) > key(best)) {
                    best.insert(number, one.clone());
                }
            }
        }
        best
    }

    /// Returns which packet decided that a client did not get in.
    fn decided(&self, nearest: &Nearest) -> String {
        let packet = nearest.misses.first().and_then(|miss| miss.packet);
        if let Some(seen) = packet {
            return format!("{} decided", self.words.captures.packet(seen.id));
        }
        match self.counted.get(&(nearest.client, nearest.door)) {
            Some(&id) => format!("{} was the last that counted", self.words.captures.packet(id)),
            None => "assertion failed".to_owned(),
        }
    }

    fn not_within(&self, which: &Which, within: Duration, facts: &Facts) -> Wording {
        let message = format!("{} within {}", did_not_open(which), in_seconds(within));
        if facts.count == 0 {
            return self.missed(&message, which);
        }
        if facts.is_uncertain {
            let note = format!(
                "more than {FOLLOWED} attempts were in progress at once; it is unknown when one that \
                 opened the door began"
            );
            return Wording::new(message, "not known").note(note).help("name fewer clients");
        }
        let Some((took, opening)) = facts.fastest else {
            return Wording::new(message, "assertion failed");
        };
        let took = in_seconds(Duration::from_nanos(took));
        let began = self.packet(opening.began.and_then(|began| began.packet));
        let last = self.packet(opening.packet);
        let note =
            format!("for {} it took {took}, from {began} to {last}", address::text(opening.client));
        Wording::new(message, format!("took {took}")).note(note)
    }

    /// Reports a door that opened and should not have.
    fn opened(&self, which: &Which, facts: &Facts) -> Wording {
        let Some(first) = facts.openings.first() else {
            return Wording::new("a door opened", "assertion failed");
        };
        let door = self.words.door(first.door);
        let message = format!("door `{door}` opened for {}", address::text(first.client));
        let label = format!("{} opened it", self.packet(first.packet));
        let mut note = self.began(first);
        let more = self.more_openings(which, facts);
        if !more.is_empty() {
            note.extend(["\n", &more]);
        }
        Wording::new(message, label).note(note)
    }

    /// Returns how the attempt began that opened a door.
    fn began(&self, opening: &Opening) -> String {
        match opening.began {
            Some(Moment { at, packet }) => {
                let before = in_seconds(Duration::from_nanos(nanos(at, opening.at)));
                format!("the attempt began {before} before, with {}", self.packet(packet))
            }
            None => format!(
                "it is unknown when the attempt began: more than {FOLLOWED} were in progress"
            ),
        }
    }

    fn more_openings(&self, which: &Which, facts: &Facts) -> String {
        let named: Vec<String> = facts
            .openings
            .iter()
            .skip(1)
            .map(|one| {
                let at = match which.doors {
                    Meant::Any => format!(" at door `{}`", self.words.door(one.door)),
                    Meant::Named(..) => String::new(),
                };
                format!("{} for {}{at}", self.packet(one.packet), address::text(one.client))
            })
            .collect();
        if named.is_empty() {
            return String::new();
        }
        let hidden = facts.count.saturating_sub(u64::try_from(facts.openings.len()).unwrap_or(0));
        let hidden = if hidden > 0 { format!(" and {hidden} more") } else { String::new() };
        format!("so did {}{hidden}", named.join(", "))
    }

    fn not_so_often(&self, which: &Which, count: Count, facts: &Facts) -> Wording {
        let name = match &which.doors {
            Meant::Any => "doors".to_owned(),
            Meant::Named(name, _) => format!("door `{name}`"),
        };
        let (whom, times) = (for_whom(which.whom), times(facts.count));
        let message = format!("{name} opened {times}{whom}, not {}", so_often(count));
        if facts.count == 0 {
            return self.missed(&message, which);
        }
        let opened: Vec<String> =
            facts.openings.iter().map(|one| self.packet(one.packet)).collect();
        let label = format!("opened by {}", listed(&opened, facts.count));
        let wording = Wording::new(message, label);
        match self.nearest(which).filter(|_| count.is_too_few(facts.count)) {
            Some(nearest) => {
                let help = format!(
                    "see all of it with `{} --client {}`",
                    self.again,
                    address::text(nearest.client)
                );
                wording.note(self.words.nearest(nearest)).help(help)
            }
            None => wording,
        }
    }

    fn not_closed(&self, which: &Which, after: Option<Duration>, facts: &Facts) -> Wording {
        let after = after.map_or(String::new(), |after| format!(" after {}", in_seconds(after)));
        let whom = for_whom(which.whom);
        let message = match which.doors {
            Meant::Any => format!("no door closed{whom}{after}"),
            Meant::Named(ref name, _) => format!("door `{name}` did not close{whom}{after}"),
        };
        if facts.is_uncertain {
            let note = format!(
                "more than {FOLLOWED} doors were open at once; it is unknown when one that closed \
                 had opened"
            );
            return Wording::new(message, "not known").note(note).help("replay fewer packets");
        }
        if let Some(first) = facts.closings.first() {
            let closed: Vec<String> = facts.closings.iter().map(|one| self.closed(one)).collect();
            let label = match first.opened {
                Some(opened) => format!("after {}", span(opened.at, first.at)),
                None => "assertion failed".to_owned(),
            };
            return Wording::new(message, label).note(listed(&closed, facts.count));
        }
        let Some(opening) = facts.openings.first() else {
            let help = "see why with a line `must open`";
            return Wording::new(message, "it did not open").help(help);
        };
        let Opening { client, door, packet, .. } = *opening;
        let (name, packet) = (self.words.door(door), self.packet(packet));
        let client_text = address::text(client);
        let that = self.words.doors.door(door);
        let closes = that.commands.of(Phase::Stop, client).is_some() || that.admission.is_some();
        let label = if closes { "assertion failed" } else { "there is no stop command" };
        Wording::new(message, label)
            .note(format!("{packet} opened door `{name}` for {client_text}"))
    }

    fn not_admitted(
        &self,
        (whom, ports, lasts): (Whom, Option<&OpenPorts>, Option<Duration>),
        facts: &Facts,
    ) -> Wording {
        let to = ports.map_or_else(String::new, |ports| format!(" to {ports}"));
        let lasts = lasts.map_or_else(String::new, |lasts| format!(" for {}", in_seconds(lasts)));
        let message = format!("{whom} is not admitted{to}{lasts}");
        let Some(first) = facts.admitted.first() else {
            let help = "see why with a line `must open`";
            return Wording::new(message, "no door admits it").help(help);
        };
        let admitted = facts.admitted.iter().map(|one| {
            format!(
                "{} makes door `{}` admit {} to {} for {} s",
                self.packet(one.packet),
                self.words.door(one.door),
                address::text(one.client),
                self.words.ports(one.door),
                one.lasts.get()
            )
        });
        let note: Vec<String> = admitted.collect();
        let label =
            format!("admitted to {} for {} s", self.words.ports(first.door), first.lasts.get());
        Wording::new(message, label).note(note.join("\n"))
    }

    fn closed(&self, closing: &Closing) -> String {
        let door = self.words.door(closing.door);
        match closing.opened {
            Some(opened) => format!(
                "door `{door}` closed for {} {} after {} had opened it",
                address::text(closing.client),
                span(opened.at, closing.at),
                self.packet(opened.packet)
            ),
            None => format!("door `{door}` closed for {}", address::text(closing.client)),
        }
    }

    fn not_run(&self, count: Count, facts: &Facts) -> Wording {
        let message = match count {
            Count::Exactly(0) => "this command runs".to_owned(),
            Count::AtLeast(1) => "this command does not run".to_owned(),
            Count::Exactly(_) | Count::AtLeast(_) | Count::AtMost(_) => {
                format!("this command runs {}, not {}", times(facts.count), so_often(count))
            }
        };
        if let Some((first, more)) = facts.runs.split_first() {
            let named: Vec<String> = more
                .iter()
                .map(|run| self.packet(run.opened.and_then(|opened| opened.packet)))
                .collect();
            let more = listed(&named, facts.count.saturating_sub(1));
            let more = match first.phase {
                _ if named.is_empty() => String::new(),
                Phase::Start => format!("; so does {more}"),
                Phase::Stop => format!("; and after {more}"),
            };
            return Wording::new(message, format!("{}{more}", self.ran(first)));
        }
        let Some((_, text, run)) = &facts.alike else {
            return Wording::new(message, "no command runs at all");
        };
        let label = if self.evidence.runs == 1 { "another does" } else { "others do" };
        let note = format!("the most similar one is\n{}\n{}", printable(text), self.ran(run));
        Wording::new(message, label).note(note)
    }

    /// Returns what made a command run.
    fn ran(&self, run: &Run) -> String {
        match (run.phase, run.opened) {
            (Phase::Start, opened) => {
                format!("{} makes it run", self.packet(opened.and_then(|one| one.packet)))
            }
            (Phase::Stop, Some(opened)) => format!(
                "it runs {} after {} has opened the door",
                span(opened.at, run.at),
                self.packet(opened.packet)
            ),
            (Phase::Stop, None) => "a door that closes makes it run".to_owned(),
        }
    }

    fn admitted(&self) -> Wording {
        let label = self.evidence.admitted.map_or("assertion failed".to_owned(), |id| {
            format!("{} was the first", self.words.captures.packet(id))
        });
        let number = self.counts.admitted;
        let were = if number == 1 { "packet was" } else { "packets were" };
        let help = format!("see which doors admitted it with `{}`", self.again);
        Wording::new(format!("{number} {were} admitted"), label).help(help)
    }

    fn packet(&self, packet: Option<PacketId>) -> String {
        packet.map_or("an unknown packet".to_owned(), |id| self.words.captures.packet(id))
    }
}

fn did_not_open(which: &Which) -> String {
    let whom = for_whom(which.whom);
    match &which.doors {
        Meant::Any => format!("no door opened{whom}"),
        Meant::Named(name, _) => format!("door `{name}` did not open{whom}"),
    }
}

fn name(doors: &Meant) -> String {
    match doors {
        Meant::Any => "any door".to_owned(),
        Meant::Named(name, _) => format!("door `{name}`"),
    }
}

fn for_whom(whom: Whom) -> String {
    match whom {
        Whom::All => String::new(),
        Whom::Network(_) => format!(" for {whom}"),
    }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// `3 times`, `at least once`, `at most 0 times`.
fn so_often(count: Count) -> String {
    match count {
        Count::Exactly(wanted) => times(wanted),
        Count::AtLeast(least) => format!("at least {}", times(least)),
        Count::AtMost(most) => format!("at most {}", times(most)),
    }
}

fn packets(count: u64) -> String {
    format!("{count} {}", if count == 1 { "packet" } else { "packets" })
}

/// Returns some of so many, and how many more there were.
fn listed(some: &[String], count: u64) -> String {
    let more = count.saturating_sub(u64::try_from(some.len()).unwrap_or(u64::MAX));
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("{}{more}", some.join(", "))
}

fn span(from: knock_engine::Timestamp, to: knock_engine::Timestamp) -> String {
    in_seconds(Duration::from_nanos(nanos(from, to)))
}

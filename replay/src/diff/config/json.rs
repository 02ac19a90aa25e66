//! Changes for programs: one object a line, as `docs/knock-against.schema.json` says.

use std::io;

use serde::Serialize;

use knock_engine::address;

use super::cause::Because;
use super::change::{Change, Half, Kind};
use super::clients::{ByClient, Openings};
use super::event::{Moment, What};
use super::side::Side;
use super::text::words;
use super::{Changes, Outcome};
use crate::explain::ConfigLine;
use crate::output::Output;
use crate::output::json::{Json, Place};
use crate::output::time::{between, utc};
use crate::session::reader::ReadingDone;

/// The version of the format. A program that knows one may meet further fields and names in it, never
/// another meaning of those it knows.
pub(super) const VERSION: u8 = 1;

#[derive(Serialize)]
struct Typed<T> {
    r#type: &'static str,
    #[serde(flatten)]
    object: T,
}

#[derive(Serialize)]
struct Difference<'a> {
    change: &'static str,
    event: &'static str,
    client: String,
    door: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Happened<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Happened<'a>>,
    because: Reason<'a>,
}

/// What happens under one of the two.
#[derive(Serialize)]
struct Happened<'a> {
    time: String,
    after_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

#[derive(Serialize)]
struct Reason<'a> {
    kind: &'static str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<Said>,
}

/// What one of the two makes of it.
#[derive(Serialize)]
struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    lines: Vec<ConfigLine>,
}

#[derive(Serialize)]
struct Summary<'a> {
    packets: u64,
    differences: usize,
    left_out: u64,
    old: Configuration<'a>,
    new: Configuration<'a>,
    /// The clients that get in less often.
    losing: Vec<ClientOpenings>,
    /// Those that get in more often.
    gaining: Vec<ClientOpenings>,
    warnings: Vec<String>,
}

/// How often a client gets in.
#[derive(Serialize)]
struct ClientOpenings {
    client: String,
    old: u64,
    new: u64,
}

#[derive(Serialize)]
struct Configuration<'a> {
    file: &'a str,
    admitted: u64,
    attempts: u64,
    opened: u64,
    timed_out: u64,
}

impl Output<Changes> for Json<'_> {
    fn one(&mut self, outcome: &Outcome) -> io::Result<()> {
        let mut changes = outcome.changes.iter();
        changes.try_for_each(|change| {
            self.write(&Typed { r#type: "difference", object: difference(change, outcome) })
        })
    }

    fn end(&mut self, (outcome, reading): (&Outcome, &ReadingDone)) -> io::Result<()> {
        let ByClient { losing, gaining } = ByClient::of(outcome);
        let openings = |all: &[Openings]| all.iter().map(openings).collect();
        let object = Summary {
            packets: reading.tally.packets(),
            differences: outcome.changes.len(),
            left_out: outcome.left_out,
            old: configuration(&outcome.old),
            new: configuration(&outcome.new),
            losing: openings(&losing),
            gaining: openings(&gaining),
            warnings: reading.tally.warnings(outcome.counts()),
        };
        self.write(&Typed { r#type: "summary", object })
    }
}

fn openings(one: &Openings) -> ClientOpenings {
    let Openings { client, old, new } = *one;
    ClientOpenings { client: address::text(client), old, new }
}

fn configuration(side: &Side) -> Configuration<'_> {
    let counts = side.explainer.counts();
    Configuration {
        file: &side.name,
        admitted: counts.admitted,
        attempts: counts.attempts,
        opened: counts.opened,
        timed_out: counts.timed_out,
    }
}

fn difference<'a>(change: &Change, outcome: &'a Outcome) -> Difference<'a> {
    let happened = |half: &Half| happened(half, outcome);
    Difference {
        change: match change.kind() {
            Kind::Gone => "gone",
            Kind::New => "new",
            Kind::Moved => "moved",
            Kind::Changed => "changed",
        },
        event: match change.what() {
            What::Opened => "opened",
            What::Refused => "refused",
            What::StartCommand(_) => "start-command",
            What::Admitted(..) => "admitted",
            What::AdmissionEnded => "admission-ended",
            What::SequenceTimedOut => "sequence-timeout",
            What::CommandTimedOut => "command-timeout",
            What::StopCommand(_) => "stop-command",
        },
        client: address::text(change.client),
        door: String::from_utf8_lossy(outcome.names.name(change.door)).into_owned(),
        text: words(change.what()),
        old: change.old().map(happened),
        new: change.new_half().map(happened),
        because: reason(outcome.because(change), outcome),
    }
}

fn happened<'a>((what, moment): &Half, outcome: &'a Outcome) -> Happened<'a> {
    let Moment { at, packet } = *moment;
    Happened {
        time: utc(at),
        after_seconds: between(outcome.start, at),
        packet: packet.map(|id| Place::new(id, &outcome.captures)),
        command: what.command().map(|(_, text)| String::from_utf8_lossy(text).into_owned()),
    }
}

fn reason(because: Because, outcome: &Outcome) -> Reason<'_> {
    let plain = |kind, text: &str| Reason {
        kind,
        text: text.to_owned(),
        packet: None,
        old: None,
        new: None,
    };
    match because {
        Because::NoDoor { text } => plain("no-door", &text),
        Because::Opening => plain("opening", Because::OPENING),
        Because::Unknown => plain("unknown", "more clients knock at doors than are followed"),
        Because::Lines { lines: [old, new] } => Reason {
            old: Some(Said { text: None, lines: old }),
            new: Some(Said { text: None, lines: new }),
            ..plain("lines", "these lines")
        },
        Because::Divergence { packet, subject, sides: [old, new] } => {
            let said = |(text, lines)| Some(Said { text: Some(text), lines });
            Reason {
                packet: packet.map(|id| Place::new(id, &outcome.captures)),
                old: said(old),
                new: said(new),
                ..plain(if packet.is_some() { "packet" } else { "time" }, &subject)
            }
        }
    }
}

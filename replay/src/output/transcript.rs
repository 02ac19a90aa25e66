//! The transcript, and how it is printed for programs: one object a line, as
//! `docs/knock-transcript.schema.json` says.

use std::borrow::Cow;
use std::io;

use knock_compat::{Effect, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Stage, address};
use serde::Serialize;

use super::json::{Json, Place};
use super::time::{between, utc};
use super::{Output, Results};
use crate::session::drive::{Played, PlayingDone};
use crate::session::names::CaptureNames;
use crate::session::reader::ReadingDone;
use crate::session::summary::Totals;
use crate::shard::{Order, ShardFacts};

/// The version of the format. A program that knows one may meet further fields and events in it, never
/// another meaning of those it knows.
pub(crate) const VERSION: u8 = 1;

/// The type of the summary.
pub(crate) const SUMMARY: &str = "summary";

/// What happened. Its type says where the text of it goes otherwise: `line` to standard output,
/// `message` and `note` to standard error.
#[derive(Serialize)]
struct Happened<'a> {
    r#type: &'static str,
    time: String,
    after_seconds: f64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    door: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packet: Option<Place<'a>>,
    /// With whose key a signed packet was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
    /// Of a shard, the place in the whole. The last field: `merge` cuts it off.
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<Order>,
}

#[derive(Serialize)]
struct Summary {
    r#type: &'static str,
    #[serde(flatten)]
    totals: Totals,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<ShardFacts>,
}

/// The transcript, and in the end what was played and read.
pub(crate) enum Transcript {}

impl Results for Transcript {
    type One<'a> = Played<'a>;
    type End<'a> = (&'a PlayingDone, &'a ReadingDone);
}

/// The transcript as objects.
pub(crate) struct Objects<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) captures: &'a CaptureNames,
    /// Whether notes are wanted.
    pub(crate) notes: bool,
}

impl Objects<'_> {
    /// Writes what happens; for a shard, with its place in the whole.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write(&mut self, played: Played<'_>, order: Option<Order>) -> io::Result<()> {
        let Played { timed: TimedEffect { at, effect }, packet, start, doors } = played;
        let mut text = Vec::new();
        let r#type = match transcript::write(&effect, doors, &mut text) {
            Channel::Transcript => "line",
            Channel::Message => "message",
            Channel::Note if self.notes => "note",
            Channel::Note => return Ok(()),
        };
        self.json.write(&Happened {
            r#type,
            time: utc(at),
            after_seconds: between(start, at),
            event: effect.kind().name(),
            client: effect.client().map(address::text),
            door: effect.door().map(|door| doors.door(door).name.to_string()),
            stage: effect.stage().map(Stage::get),
            command: command(&effect, doors),
            packet: packet.map(|id| Place::new(id, self.captures)),
            user: effect.user(doors).map(|user| String::from_utf8_lossy(user.as_bytes())),
            text: String::from_utf8_lossy(&text),
            order,
        })
    }

    /// Writes the summary; for a shard, with what is known about it.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn write_summary(
        &mut self,
        (playing, reading): (&PlayingDone, &ReadingDone),
        shard: Option<ShardFacts>,
    ) -> io::Result<()> {
        let totals = reading.tally.totals(playing.counts, &playing.listening, reading.source);
        self.json.write(&Summary { r#type: SUMMARY, totals, shard })
    }
}

/// Writes the summary of several shards.
///
/// # Errors
/// Why it could not be written.
pub(crate) fn write_totals(json: &mut Json<'_>, totals: Totals) -> io::Result<()> {
    json.write(&Summary { r#type: SUMMARY, totals, shard: None })
}

impl Output<Transcript> for Objects<'_> {
    fn one(&mut self, played: Played<'_>) -> io::Result<()> {
        self.write(played, None)
    }

    fn end(&mut self, end: (&PlayingDone, &ReadingDone)) -> io::Result<()> {
        self.write_summary(end, None)
    }
}

/// Returns the command that would run.
fn command(effect: &Effect, doors: &Doors) -> Option<String> {
    let Effect::RunCommand { client, door, phase, .. } = *effect else { return None };
    let mut text = Vec::new();
    doors.door(door).commands.of(phase, client)?.expand(client, &mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
}

//! The transcript, and how it is printed for programs: one object a line, as
//! `docs/knock-transcript.schema.json` says.

use std::io;

use knock_compat::{Effect, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Stage, Timestamp, User};
use serde::Serialize;

use super::Results;
use super::fields::key;
use super::json::{Json, Place};
use super::time::UtcText;
use crate::session::drive::{Played, PlayingDone};
use crate::session::names::{CaptureNames, PacketId};
use crate::session::outgoing::{Batch, ToPrint};
use crate::session::reader::ReadingDone;
use crate::session::summary::Totals;
use crate::shard::{Order, ShardFacts};

/// The version of the format. A program that knows one may meet further fields and events in it, never
/// another meaning of those it knows.
pub(crate) const VERSION: u8 = 1;

/// The type of the summary.
pub(crate) const SUMMARY: &str = "summary";

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

/// What happened, on its way to the objects.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) timed: TimedEffect,
    /// The packet that made it happen.
    pub(crate) packet: Option<PacketId>,
    /// Of a shard, the place in the whole.
    pub(crate) order: Option<Order>,
}

impl Entry {
    /// Takes what happened, where all clients are replayed.
    pub(crate) const fn of(played: &Played<'_>) -> Self {
        Self { timed: played.timed, packet: played.packet, order: None }
    }
}

/// The transcript as objects.
pub(crate) struct Objects<'a> {
    json: Json<'a>,
    captures: &'a CaptureNames,
    /// Whether notes are wanted.
    notes: bool,
    texts: Texts,
}

/// The texts of an object. They are kept: under a flood, fetching memory for each takes longer than writing it.
#[derive(Default)]
struct Texts {
    time: UtcText,
    command: Vec<u8>,
    line: Vec<u8>,
}

impl<'a> Objects<'a> {
    pub(crate) fn new(json: Json<'a>, captures: &'a CaptureNames, notes: bool) -> Self {
        Self { json, captures, notes, texts: Texts::default() }
    }

    /// Writes what comes until nothing more will.
    ///
    /// # Errors
    /// Why it could not be written.
    pub(crate) fn run(&mut self, doors: &Doors, to_print: ToPrint<Entry>) -> io::Result<()> {
        to_print.each(|Batch { effects, start, flush: _ }| {
            // Live objects are waited for each.
            effects.iter().try_for_each(|entry| self.write(entry, *start, doors))
        })?;
        self.json.flush()
    }

    /// Writes what happened. Its type says where the text of it goes otherwise: `line` to standard output, `message` and
    /// `note` to standard error.
    fn write(&mut self, entry: &Entry, start: Timestamp, doors: &Doors) -> io::Result<()> {
        let Entry { timed: TimedEffect { at, ref effect }, packet, order } = *entry;
        let Texts { time, command, line } = &mut self.texts;
        line.clear();
        let r#type = match transcript::write(effect, doors, line) {
            Channel::Transcript => "line",
            Channel::Message => "message",
            Channel::Note if self.notes => "note",
            Channel::Note => return Ok(()),
        };
        self.json.write_fields(|fields| {
            fields.plain(key!("type"), r#type);
            fields.plain(key!("time"), time.of(at));
            fields.between(key!("after_seconds"), start, at)?;
            fields.plain(key!("event"), effect.kind().name());
            if let Some(client) = effect.client() {
                fields.address(key!("client"), client);
            }
            if let Some(door) = effect.door() {
                fields.text(key!("door"), doors.door(door).name.as_bytes())?;
            }
            fields.value_if(key!("stage"), effect.stage().map(Stage::get).as_ref())?;
            fields.text_if(key!("command"), expanded(effect, doors, command))?;
            if let Some(id) = packet {
                fields.packet(key!("packet"), Place::new(id, self.captures))?;
            }
            // With whose key a signed packet was made.
            fields.text_if(key!("user"), effect.user(doors).map(User::as_bytes))?;
            fields.text(key!("text"), line)?;
            // Of a shard, the place in the whole. The last field: `merge` cuts it off.
            fields.value_if(key!("order"), order.as_ref())
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

/// Returns the command that an effect runs.
fn expanded<'a>(effect: &Effect, doors: &Doors, text: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    let Effect::RunCommand { client, door, phase, .. } = *effect else { return None };
    text.clear();
    doors.door(door).commands.of(phase, client)?.expand(client, text);
    Some(text)
}

//! `--format json`: the transcript for programs, one object a line, as
//! `docs/knock-transcript.schema.json` says.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use knock_compat::{Effect, Rules, TimedEffect};
use knock_engine::address;
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Stage};
use serde::Serialize;

use crate::args::Args;
use crate::exit::Exit;
use crate::output::json::{self, Place, Versioned};
use crate::session::drive::{Played, watch};
use crate::session::player::PlayingDone;
use crate::session::reader::{CaptureNames, Reader};
use crate::session::summary::Totals;
use crate::{Streams, sum_up};

/// The version of the format. A program that knows one may meet further fields and events in it, never
/// another meaning of those it knows.
const VERSION: u8 = 1;

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
    text: Cow<'a, str>,
}

#[derive(Serialize)]
struct Summary {
    r#type: &'static str,
    #[serde(flatten)]
    totals: Totals,
}

/// Replays, and prints what happens as objects.
pub(crate) fn run(
    args: &Args,
    rules: Rules,
    doors: Doors,
    mut reader: Reader,
    streams: &mut Streams<'_>,
) -> Exit {
    let (captures, live) = (reader.names(), reader.is_live());
    let mut out = BufWriter::with_capacity(64 * 1024, &mut *streams.output);
    let limits = crate::limits(args.max_attempts);
    let (playing, written) =
        watch(&limits, rules, doors, &mut reader, &mut |played: &Played<'_>| {
            object(played, &captures, args.verbose, &mut out)?;
            if live { out.flush() } else { Ok(()) }
        });
    let reading = reader.finish();
    let written = written.and_then(|()| {
        let PlayingDone { counts, listening } = &playing;
        let totals = reading.tally.totals(*counts, listening, reading.source);
        json::write(
            &Versioned { version: VERSION, object: Summary { r#type: "summary", totals } },
            &mut out,
        )?;
        out.flush()
    });
    // What is left in the buffer after an error is of no use to anybody.
    drop(out.into_parts());
    if let Err(error) = written {
        return streams.cannot_write(&error);
    }
    sum_up(args, &reading, &playing, streams)
}

/// Writes what happened, unless it is a note and none are wanted.
fn object(
    played: &Played<'_>,
    captures: &CaptureNames,
    notes: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Played { timed: TimedEffect { at, effect }, packet, start, doors } = *played;
    let mut text = Vec::new();
    let r#type = match transcript::write(&effect, doors, &mut text) {
        Channel::Transcript => "line",
        Channel::Message => "message",
        Channel::Note if notes => "note",
        Channel::Note => return Ok(()),
    };
    let object = Happened {
        r#type,
        time: json::utc(at),
        after_seconds: json::between(start, at),
        event: effect.kind().name(),
        client: effect.client().map(address::text),
        door: effect.door().map(|door| doors.door(door).name.to_string()),
        stage: effect.stage().map(Stage::get),
        command: command(&effect, doors),
        packet: packet.map(|id| Place::new(id, captures)),
        text: String::from_utf8_lossy(&text),
    };
    json::write(&Versioned { version: VERSION, object }, out)
}

/// Returns the command that would run.
fn command(effect: &Effect, doors: &Doors) -> Option<String> {
    let Effect::RunCommand { client, door, phase, .. } = *effect else { return None };
    let mut text = Vec::new();
    doors.door(door).commands.of(phase, client)?.expand(client, &mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
}

//! `--format json`: the transcript for programs, one object a line, as
//! `docs/knock-transcript.schema.json` says.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

use knock_compat::{Effect, Knockd08Effect, Rules, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{Doors, Note, Phase, Skip};
use serde::Serialize;

use crate::args::Args;
use crate::exit::Exit;
use crate::output::json::{self, Place, Versioned};
use crate::output::text::text_of;
use crate::session::play::{Played, play};
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
    let (playing, written) = play(args, rules, doors, &mut reader, |played| {
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
        event: name(&effect),
        client: effect.client().map(text_of),
        door: effect.door().map(|door| doors.door(door).name.to_string()),
        stage: stage(&effect),
        command: command(&effect, doors),
        packet: packet.map(|id| Place::new(id, captures)),
        text: String::from_utf8_lossy(&text),
    };
    json::write(&Versioned { version: VERSION, object }, out)
}

/// Returns the name by which programs tell what happened.
const fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::StageReached { .. } => "stage",
        Effect::SequenceTimedOut { .. } => "sequence-timeout",
        Effect::Opened { .. } => "opened",
        Effect::RunCommand { phase: Phase::Start, .. } => "start-command",
        Effect::RunCommand { phase: Phase::Stop, .. } => "stop-command",
        Effect::CommandTimedOut { .. } => "command-timeout",
        Effect::CommandFailed { .. } => "command-failed",
        Effect::MarkOneTime { .. } => "one-time-used",
        Effect::DoorDisabled { .. } => "disabled",
        Effect::OpeningRefused { .. } => "refused",
        Effect::OpeningSkipped { why: Skip::Merged, .. } => "merged",
        Effect::OpeningSkipped { why: Skip::AlreadyOpen, .. } => "already-open",
        Effect::OpeningSkipped { why: Skip::Cooldown, .. } => "cooldown",
        Effect::ReloadRefused => "reload-refused",
        Effect::Own(Knockd08Effect::CommandTooLong { .. }) => "command-too-long",
        Effect::Own(Knockd08Effect::Crashed { .. }) => "crashed",
        Effect::Own(Knockd08Effect::FilterRefused { .. }) => "filter-refused",
        Effect::Note(note) => match note {
            Note::Retransmission { .. } => "retransmission",
            Note::OtherFlags { .. } => "other-flags",
            Note::SecondTry { .. } => "second-try",
            Note::Voided { .. } => "void",
            Note::Evicted { .. } => "evicted",
            Note::SequenceChanged { .. } => "sequence-changed",
            Note::DoorChanged { .. } => "door-changed",
        },
    }
}

/// Returns how far the attempt is, or was when it ended.
const fn stage(effect: &Effect) -> Option<u8> {
    match effect {
        Effect::StageReached { stage, .. }
        | Effect::SequenceTimedOut { stage, .. }
        | Effect::Note(
            Note::OtherFlags { stage, .. }
            | Note::SecondTry { stage, .. }
            | Note::Voided { stage, .. }
            | Note::Evicted { stage, .. }
            | Note::SequenceChanged { stage, .. }
            | Note::DoorChanged { stage, .. },
        ) => Some(stage.get()),
        Effect::Opened { .. }
        | Effect::RunCommand { .. }
        | Effect::CommandTimedOut { .. }
        | Effect::CommandFailed { .. }
        | Effect::MarkOneTime { .. }
        | Effect::DoorDisabled { .. }
        | Effect::OpeningRefused { .. }
        | Effect::OpeningSkipped { .. }
        | Effect::ReloadRefused
        | Effect::Own(_)
        | Effect::Note(Note::Retransmission { .. }) => None,
    }
}

/// Returns the command that would run.
fn command(effect: &Effect, doors: &Doors) -> Option<String> {
    let Effect::RunCommand { client, door, phase, .. } = *effect else { return None };
    let mut text = Vec::new();
    doors.door(door).commands.of(phase, client)?.expand(client, &mut text);
    Some(String::from_utf8_lossy(&text).into_owned())
}

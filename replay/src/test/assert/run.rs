//! `--assert`: what is printed of what assertions say.

use std::io::{self, Write};

use knock_config::diagnostics;
use knock_config::text::counted;
use knock_engine::Doors;

use super::claim::Assertions;
use super::read;
use super::trial::{Judgement, Trial};
use crate::args::ReplayArgs;
use crate::output::Output as _;
use crate::output::text::{Printer, Shown};
use crate::replay::Replay;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::terminal::Streams;
use crate::test::expect::{self, KeptTranscript, NOTHING_TESTED, TOO_LONG};

/// Replays, and judges the assertions of `--assert`, and the transcript if one is expected.
pub(crate) fn run(
    args: &ReplayArgs,
    replay: Replay,
    streams: &mut Streams<'_>,
) -> Result<Exit, Exit> {
    let Replay { rules, config: Configuration { doors, places, .. }, mut reader, bar } = replay;
    let files = load_all(args, &doors, streams)?;
    let limits = load::limits(args.input.max_attempts);
    let mut trial = Trial::new(&files, rules, (doors, &places), &reader, limits);
    let (mut kept, mut nowhere) = (KeptTranscript::default(), io::sink());
    let out: &mut (dyn Write + Send) = if args.expect.is_some() { &mut kept } else { &mut nowhere };
    let shown = Shown { no_lines: args.expect.is_none(), ..args.shown() };
    let mut printer = Printer::new(shown, bar, out, streams.errors);
    let (playing, replayed) = trial.run(&mut reader, |played| printer.one(*played));
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let written = replayed.and_then(|()| printer.end((&playing, &reading)));
    if kept.is_full {
        streams.error(TOO_LONG);
        return Err(Exit::Output);
    }
    finish(streams, args.input.quiet, written, &reading, reading.summary_of(&playing))?;
    let judged = report(&trial.judge(&playing, "knock-replay explain"), args, streams);
    let Some(file) = &args.expect else { return Ok(judged) };
    if judged == Exit::Output {
        return Err(judged);
    }
    if judged != Exit::Done && args.bless {
        streams.error("a transcript is not written if assertions fail");
        return Ok(judged);
    }
    let compared = expect::judge(args, file, &kept, streams);
    Ok(if compared == Exit::Done { judged } else { compared })
}

/// Reads all files, or says what is wrong with them.
fn load_all(
    args: &ReplayArgs,
    doors: &Doors,
    streams: &mut Streams<'_>,
) -> Result<Vec<Assertions>, Exit> {
    let mut files = Vec::new();
    for path in &args.assert {
        match read::load(path, Some(doors)) {
            Ok(file) => files.push(file),
            Err(unusable) => streams.say(&unusable.report(streams.style())),
        }
    }
    if files.len() < args.assert.len() {
        return Err(Exit::Config);
    }
    for file in files.iter().filter(|_| !args.input.quiet) {
        if let Some(place) = file.settings.place {
            streams.line(&format!(
                "warning: {}:{}: this line is for `knock-replay test`; here the command line says it",
                file.name, place.line
            ));
        }
    }
    Ok(files)
}

/// Prints which assertions fail, and how many pass.
fn report(judgement: &Judgement, args: &ReplayArgs, streams: &mut Streams<'_>) -> Exit {
    let style = streams.output_style();
    let printed = streams.print(&diagnostics::render_findings(&judgement.failed, style));
    if printed != Exit::Done {
        return printed;
    }
    let failures = judgement.failures();
    if judgement.proves_nothing {
        streams.error(&format!(
            "{NOTHING_TESTED}; if that is what is expected, assert `nothing is admitted`"
        ));
    }
    if failures > 0 {
        let total = counted(judgement.total, "assertion");
        streams.line(&format!("{failures} of {total} failed"));
    } else if !judgement.proves_nothing && !args.input.quiet {
        streams.line(&format!("{} passed", counted(judgement.total, "assertion")));
    }
    if judgement.holds() { Exit::Done } else { Exit::Differ }
}

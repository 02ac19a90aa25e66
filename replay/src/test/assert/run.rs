//! `--assert`: what is printed of what assertions say.

use std::io::{self, Write as _};

use knock_compat::Rules;
use knock_config::diagnostics::{self, Style};
use knock_config::text::counted;
use knock_engine::Doors;
use knock_engine::transcript::Channel;

use super::claim::Assertions;
use super::read::load;
use super::trial::{Judgement, Trial};
use crate::args::Args;
use crate::exit::Exit;
use crate::explain::Places;
use crate::output::text::{beside, line};
use crate::session::play::Played;
use crate::session::progress::Bar;
use crate::session::reader::Reader;
use crate::test::expect::{self, Kept, NOTHING_TESTED, TOO_LONG};
use crate::{Streams, sum_up};

/// Replays, and judges the assertions of `--assert`, and the transcript if one is expected.
pub(crate) fn run(
    args: &Args,
    rules: Rules,
    (doors, places): (Doors, &Places),
    mut reader: Reader,
    bar: Option<&Bar>,
    streams: &mut Streams<'_>,
) -> Exit {
    let Some(files) = load_all(args, &doors, streams) else { return Exit::Config };
    let limits = crate::limits(args.max_attempts);
    let mut trial = Trial::new(&files, rules, (doors, places), &reader, limits);
    let mut kept = Kept::default();
    let (playing, replayed) =
        trial.run(&mut reader, |played| tell(args, played, &mut kept, bar, streams));
    if replayed.is_err() {
        // Nothing but the transcript that is kept can fail.
        streams.say(&format!("knock-replay: error: {TOO_LONG}\n"));
        return Exit::Output;
    }
    // Takes the bar off the screen as well.
    let reading = reader.finish();
    let summed_up = sum_up(args, &reading, &playing, streams);
    if summed_up != Exit::Done {
        return summed_up;
    }
    let judged = report(&trial.judge(&playing, "--explain"), args, streams);
    let Some(file) = &args.expect else { return judged };
    if judged == Exit::Output {
        return judged;
    }
    if judged != Exit::Done && args.bless {
        streams.say("knock-replay: error: a transcript is not kept where assertions do not hold\n");
        return judged;
    }
    let compared = expect::judge(args, file, &kept, streams);
    if compared == Exit::Done { judged } else { compared }
}

/// Reads all files, or says what is wrong with them.
fn load_all(args: &Args, doors: &Doors, streams: &mut Streams<'_>) -> Option<Vec<Assertions>> {
    let mut files = Vec::new();
    for path in &args.assert {
        match load(path, Some(doors)) {
            Ok(file) => files.push(file),
            Err(unusable) => streams.say(&unusable.report(streams.style())),
        }
    }
    if files.len() < args.assert.len() {
        return None;
    }
    for file in files.iter().filter(|_| !args.quiet) {
        if let Some(place) = file.settings.place {
            streams.say(&format!(
                "knock-replay: warning: {}:{}: this line is for `knock-replay test`; here the command \
                 line says it\n",
                file.name, place.line
            ));
        }
    }
    Some(files)
}

/// Keeps what happens, and tells at once what nobody is to miss.
fn tell(
    args: &Args,
    played: &Played<'_>,
    kept: &mut Kept,
    bar: Option<&Bar>,
    streams: &mut Streams<'_>,
) -> io::Result<()> {
    let mut text = Vec::new();
    let channel = line(&played.timed, played.start, args.time, played.doors, &mut text);
    let (kind, is_wanted) = match channel {
        Channel::Transcript if args.expect.is_some() => {
            text.push(b'\n');
            return kept.write_all(&text);
        }
        Channel::Transcript => return Ok(()),
        Channel::Message => ("warning", !args.quiet),
        Channel::Note => ("note", args.verbose),
    };
    if is_wanted {
        let text = String::from_utf8_lossy(&text);
        beside(bar, || streams.say(&format!("knock-replay: {kind}: {text}\n")));
    }
    Ok(())
}

/// Prints which assertions do not hold, and says how many do.
fn report(judgement: &Judgement, args: &Args, streams: &mut Streams<'_>) -> Exit {
    let style = if streams.output_colour { Style::Coloured } else { Style::Plain };
    let printed = streams.print(&diagnostics::render_findings(&judgement.failed, style));
    if printed != Exit::Done {
        return printed;
    }
    let failures = judgement.failures();
    if judgement.proves_nothing {
        streams.say(&format!(
            "knock-replay: error: {NOTHING_TESTED}; if that is what is expected, assert `nothing is \
             admitted`\n"
        ));
    }
    if failures > 0 {
        let total = counted(judgement.total, "assertion");
        let verb = if failures == 1 { "does" } else { "do" };
        streams.say(&format!("knock-replay: {failures} of {total} {verb} not hold\n"));
    } else if !judgement.proves_nothing && !args.quiet {
        let verb = if judgement.total == 1 { "holds" } else { "hold" };
        streams.say(&format!("knock-replay: {} {verb}\n", counted(judgement.total, "assertion")));
    }
    if judgement.holds() { Exit::Done } else { Exit::Differ }
}

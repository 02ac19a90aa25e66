//! Replays packet captures against a `knockd.conf` and prints the transcript.
//!
//! The same engine as the daemon's, fed with the packets of captures; commands are never run.

mod args;
mod command_line;
mod convert;
pub mod diff;
mod exit;
pub mod explain;
mod output;
mod report;
mod session;
pub mod test;

use std::ffi::OsString;

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, IsTerminal as _, Write};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use knock_compat::Rules;
use knock_config::diagnostics::{self as findings, Style};
use knock_config::options::{self, Format};
use knock_config::text::{Cause, shown};
use knock_config::{Host, Refusal, Setup, ThisHost, Verdict};
use knock_engine::{Doors, Limits};

pub use crate::args::{Args, RuleChoice, Subject, TimeFormat};
pub use crate::command_line::command;
pub use crate::exit::Exit;
pub use crate::session::huge_pages::HugePages;

use crate::command_line::Job;
use crate::explain::Places;
use crate::output::text::Printer;
use crate::session::player::{Player, PlayingDone};
use crate::session::progress::{Bar, Progress};
use crate::session::reader::{Reader, ReadingDone};
use knock_capture::{Capture, CaptureError, Fault, Merge};

/// What the program writes to, besides standard input, which it reads if a capture is named `-`.
pub struct Streams<'a> {
    /// Standard output: the transcript.
    pub output: &'a mut (dyn Write + Send),
    /// Standard error: everything else.
    pub errors: &'a mut (dyn Write + Send),
    /// Whether a progress bar may be drawn on standard error.
    pub progress: bool,
    /// Whether errors may be coloured.
    pub colour: bool,
    /// Whether explanations on standard output may be coloured.
    pub output_colour: bool,
}

/// Runs the program with the arguments and streams of this process.
#[must_use]
pub fn main() -> Exit {
    let mut streams = Streams {
        output: &mut io::stdout(),
        errors: &mut io::stderr(),
        progress: io::stderr().is_terminal(),
        colour: anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        output_colour: anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
    };
    run(std::env::args_os(), &mut streams)
}

/// Runs the program. `args` are those of a process, its name first.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    match command_line::parse(args) {
        Ok(Job::Replay(args)) => {
            if let Some(Subject::Warning(code)) = args.explain {
                streams.print(&options::explanation(code))
            } else if args.checking.check {
                check(&args, streams)
            } else if let Some(file) = &args.write {
                convert::write(&args, file, streams)
            } else {
                replay(&args, streams)
            }
        }
        Ok(Job::Test(args)) => test::suite::run(&args, streams),
        Ok(Job::Init(args)) => test::init::run(&args, streams),
        Err(error) => usage(&error, streams),
    }
}

/// Prints what clap has to say: help and version on standard output, faults on standard error.
fn usage(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let text = error.render();
    let text = if streams.colour { text.ansi().to_string() } else { text.to_string() };
    if error.use_stderr() {
        streams.say(&text);
        return Exit::Config;
    }
    streams.print(&text)
}

/// Says everything that can be said about the configuration.
fn check(args: &Args, streams: &mut Streams<'_>) -> Exit {
    let style = streams.style();
    let host: Option<&dyn Host> = if args.on_this_machine { Some(&ThisHost) } else { None };
    let options = &args.checking;
    let verdict = Verdict::on(&args.config, refusal, options, args.only_ip_v4, host, style);
    if verdict.config.is_none() || !args.quiet {
        streams.say(&verdict.errors);
        streams.say(&verdict.summary);
    }
    match (streams.print(&verdict.output), verdict.config) {
        (Exit::Done, None) => Exit::Config,
        (printed, _) => printed,
    }
}

fn replay(args: &Args, streams: &mut Streams<'_>) -> Exit {
    let Some((doors, places)) = load_doors(&args.config, args.quiet, streams) else {
        return Exit::Config;
    };
    let new = args.against.as_ref().map(|path| (path, load_doors(path, args.quiet, streams)));
    if let Some((_, None)) = new {
        return Exit::Config;
    }
    let Some(captures) = open_captures(args, streams) else { return Exit::Capture };
    // Objects are printed while the bar would be.
    let bar_fits = streams.progress && !args.quiet && args.checking.format == Format::Text;
    let size = captures.size().filter(|_| bar_fits);
    let bar = size.map(Bar::hidden);
    let reader = Reader::new(args, captures, bar.clone().map(Progress::new));
    if let Some(Subject::Knocks(whom)) = args.explain {
        return explain::explain(args, whom, (doors, &places), reader, streams);
    }
    if let Some(file) = &args.report {
        return report::report(args, file, (doors, &places), reader, streams);
    }
    if let Some((path, Some((new_doors, new_places)))) = new {
        let old = (shown(&args.config), doors, places);
        return diff::config::run(args, old, (shown(path), new_doors, new_places), reader, streams);
    }
    let Some(rules) = args.rules.one() else {
        return diff::rules::compare(args, &doors, reader, bar, streams);
    };
    if let Some(refusal) = rules.refusal(&doors, &reader.listening()) {
        streams.say(&format!("knock-replay: error: knockd 0.8 would not start: {refusal}\n"));
        return Exit::Config;
    }
    if args.checking.format == Format::Json {
        return output::transcript::run(args, rules, doors, reader, streams);
    }
    if !args.assert.is_empty() {
        return test::assert::run(args, rules, (doors, &places), reader, bar.as_ref(), streams);
    }
    if let Some(file) = &args.expect {
        return test::expect::run(args, file, rules, doors, reader, bar, streams);
    }
    let (reading, playing, written) = play(args, rules, doors, reader, bar, streams);
    if let Err(error) = written {
        return streams.cannot_write(&error);
    }
    sum_up(args, &reading, &playing, streams)
}

/// Prints the summary, and what kept captures from being read to their ends.
fn sum_up(
    args: &Args,
    reading: &ReadingDone,
    playing: &PlayingDone,
    streams: &mut Streams<'_>,
) -> Exit {
    if !args.quiet {
        for line in reading.tally.lines(playing.counts, &playing.listening, reading.source) {
            streams.say(&format!("knock-replay: {line}\n"));
        }
    }
    for error in &reading.errors {
        streams.cannot_read(error);
    }
    if reading.errors.is_empty() { Exit::Done } else { Exit::Capture }
}

/// Replays while a second thread prints: under a flood, rendering lines takes a third of the time.
fn play(
    args: &Args,
    rules: Rules,
    doors: Doors,
    mut reader: Reader,
    bar: Option<Bar>,
    streams: &mut Streams<'_>,
) -> (ReadingDone, PlayingDone, io::Result<()>) {
    /// How many packets of a file are decoded before the first of them is handled.
    const AT_ONCE: usize = 16;
    /// How many batches may wait for the printer, which bounds what a slow reader makes us keep.
    const BATCHES: usize = 16;
    let (effects, to_print) = mpsc::sync_channel(BATCHES);
    let (give_back, used) = mpsc::channel();
    let live = reader.is_live();
    let player = Player::new(args, rules, doors, reader.listening(), effects, used, live);
    let doors = player.doors().clone();
    let printer = Printer::new(args, doors, bar, streams.output, streams.errors);
    thread::scope(|scope| {
        let printing = scope.spawn(move || printer.run(&to_print, &give_back));
        // A live packet is handled as soon as it is there.
        let at_once = if live { 1 } else { AT_ONCE };
        let playing = player.play(|engine, events| reader.read(engine, at_once, events));
        let written = printing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (reader.finish(), playing, written)
    })
}

/// Why a configuration is refused that is easily given by mistake.
const A_CAPTURE: Refusal = Refusal {
    cause: "it is a packet capture, not a configuration",
    help: "name captures without an option, and the configuration behind `-c`",
};

fn refusal(text: &[u8]) -> Option<Refusal> {
    knock_capture::begins_like_one(text).then_some(A_CAPTURE)
}

/// Reads the configuration, and says what is wrong with it. `None` if it cannot be used.
fn load_doors(path: &Path, quiet: bool, streams: &mut Streams<'_>) -> Option<(Doors, Places)> {
    let setup = Setup::load_unless(path, refusal);
    if setup.config.is_none() || !quiet {
        streams.say(&setup.report(streams.style()));
    }
    let places = Places::new(path, &setup);
    match knock_config::doors(&setup.config?) {
        Ok(doors) => Some((doors, places)),
        Err(error) => {
            streams.say(&format!("error: {}: {error}\n", shown(path)));
            None
        }
    }
}

/// Returns limits with a hash seed that nobody can know: it changes nothing that is printed, but a
/// capture made of addresses that collide would take for ever under a seed that is known.
pub(crate) fn limits(attempts: NonZeroU32) -> Limits {
    Limits { attempts, hash_seed: RandomState::new().build_hasher().finish() }
}

/// Opens all captures, or says of each why it cannot be read.
fn open_captures(args: &Args, streams: &mut Streams<'_>) -> Option<Merge> {
    let mut captures = Vec::new();
    let mut failed = false;
    for path in args.captures() {
        let opened = if args::is_stdin(path) { Capture::stdin() } else { Capture::open(path) };
        match opened {
            Ok(capture) => captures.push(capture),
            Err(error) => {
                streams.cannot_read(&error);
                failed = true;
            }
        }
    }
    (!failed).then(|| Merge::new(captures))
}

impl<'a> Streams<'a> {
    /// Makes streams that nobody watches: without colours and without a progress bar.
    pub fn plain(output: &'a mut (dyn Write + Send), errors: &'a mut (dyn Write + Send)) -> Self {
        Self { output, errors, progress: false, colour: false, output_colour: false }
    }
}

impl Streams<'_> {
    fn style(&self) -> Style {
        if self.colour { Style::Coloured } else { Style::Plain }
    }

    /// Prints a text on standard output.
    fn print(&mut self, text: &str) -> Exit {
        match self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()) {
            Ok(()) => Exit::Done,
            Err(error) => self.cannot_write(&error),
        }
    }

    /// Says something on standard error. Nobody could be told that this failed.
    fn say(&mut self, text: &str) {
        let _ = self.errors.write_all(text.as_bytes());
    }

    fn cannot_read(&mut self, error: &CaptureError) {
        if let Fault::Scenario(text) = &error.fault {
            self.say(&findings::render(std::slice::from_ref(text), self.style()));
        } else {
            self.say(&format!("knock-replay: error: {error}\n"));
        }
    }

    /// Says that standard output cannot be written, unless whoever read it has gone: then nobody
    /// wants more of it.
    fn cannot_write(&mut self, error: &io::Error) -> Exit {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Exit::Done;
        }
        let cause = Cause(error);
        self.say(&format!("knock-replay: error: cannot write to standard output: {cause}\n"));
        Exit::Output
    }
}

//! `diff --rules`: where knockd 0.8 and knock differ on the captures.

mod ahead;
pub mod compare;
mod input;
mod lines;
mod output;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::mem;
use std::num::NonZeroU32;
use std::thread;

use knock_compat::{Difference, Refusal, Rules};
use knock_config::options::Format;
use knock_engine::{Counts, Doors, Timestamp};

use self::ahead::Ahead;
use self::compare::{Comparison, Differing, Line, Older, Side};
use self::input::{Decoding, Input};
use self::output::{At, Context, Lines, Text, Totals, VERSION};
use crate::args::DiffArgs;
use crate::output::Output;
use crate::output::json::Json;
use crate::output::words::number;
use crate::session::drive::in_pieces;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::names::CaptureNames;
use crate::session::reader::Reader;
use crate::session::terminal::Streams;

/// The most attempts, under each of the rule sets: together they then take less than 1 GB.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// Compares the two, and prints the lines that differ.
pub(crate) fn run(args: &DiffArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let input = &args.input;
    let Configuration { doors, .. } = Configuration::begin(&input.config, input, streams)?;
    let (mut reader, bar) = load::open(input, &[&doors], args.format == Format::Text, streams)?;
    let limits = load::limits(input.max_attempts.min(ATTEMPTS));
    let listening = reader.listening();
    let mut comparison = Comparison::new(&doors, &listening, &limits);
    let refusal = Rules::Knockd08.refusal(&doors, &listening);
    if let Some(refusal) = refusal.filter(|_| !input.quiet) {
        streams.line(&warning(refusal));
    }
    let Streams { output, errors, .. } = streams;
    let mut lines: Box<dyn Output<Lines> + '_> = match args.format {
        Format::Text => Box::new(Text {
            times: args.time,
            bar,
            is_live: reader.is_live(),
            out: *output,
            buffer: Vec::new(),
        }),
        Format::Json => Box::new(Json::new(VERSION, reader.is_live(), *output)),
    };
    let mut report = Comparing {
        args,
        lines: &mut *lines,
        errors: *errors,
        names: reader.names(),
        packets: 0,
        start: None,
        place: At::BeforePackets,
        due_to: BTreeMap::new(),
    };
    let mut written = report.run(&mut comparison, &mut reader);
    let Comparing { due_to, packets, .. } = report;
    // Takes the bar off the screen as well.
    let reading = reader.finish();
    let totals =
        totals(packets, due_to, refusal, &comparison, |counts| reading.tally.warning_lines(counts));
    if written.is_ok() {
        written = lines.end(&totals);
    }
    drop(lines);
    finish(streams, input.quiet, written, &reading, summary(&totals))?;
    Ok(totals.exit())
}

fn warning(refusal: Refusal) -> String {
    let number = refusal.difference().number();
    format!("warning: knockd 0.8 would not start: {refusal} (difference {number})")
}

fn totals(
    packets: u64,
    due_to: BTreeMap<Option<Difference>, u64>,
    refusal: Option<Refusal>,
    comparison: &Comparison,
    warnings: impl FnOnce(Counts) -> Vec<String>,
) -> Totals {
    let [knockd_08, knock] = [Side::Knockd08, Side::Knock].map(|side| comparison.counts(side));
    // What is worth a warning on either side.
    let counts = Counts {
        admitted: knockd_08.admitted.max(knock.admitted),
        not_begun: knockd_08.not_begun,
        ..knock
    };
    let refusal = refusal.map(|refusal| refusal.to_string());
    Totals { packets, due_to, knockd_08, knock, refusal, warnings: warnings(counts) }
}

impl Totals {
    fn exit(&self) -> Exit {
        if self.due_to.is_empty() && self.refusal.is_none() { Exit::Done } else { Exit::Differ }
    }
}

/// Says which differences were met, how many lines are due to each, and how many openings there were:
/// what matters most.
fn summary(totals: &Totals) -> Vec<String> {
    let read = number(totals.packets, "packet", "packets");
    let verdict = if totals.exit() == Exit::Done {
        "knockd 0.8 and knock do the same"
    } else {
        "knockd 0.8 and knock differ"
    };
    let mut summary = vec![format!("{read} read: {verdict}")];
    for (due_to, count) in &totals.due_to {
        let lines = number(*count, "line", "lines");
        summary.push(match due_to {
            Some(one) => format!("difference {}, {lines}: {one}", one.number()),
            None => format!(
                "error: {lines} differ for no known reason; please report this with the captures and \
                 the configuration"
            ),
        });
    }
    let [theirs, ours] = [totals.knockd_08.opened, totals.knock.opened];
    summary.push(format!("openings: {theirs} by knockd 0.8, {ours} by knock"));
    summary.extend(totals.warnings.iter().cloned());
    summary
}

/// A comparison under way.
struct Comparing<'a> {
    args: &'a DiffArgs,
    lines: &'a mut (dyn Output<Lines> + 'a),
    errors: &'a mut (dyn Write + Send),
    names: CaptureNames,
    /// How many packets there were so far.
    packets: u64,
    start: Option<Timestamp>,
    /// What is handled now.
    place: At,
    /// How many lines are due to each difference.
    due_to: BTreeMap<Option<Difference>, u64>,
}

impl Comparing<'_> {
    fn run(&mut self, comparison: &mut Comparison, reader: &mut Reader) -> io::Result<()> {
        // knockd 0.8 looks at packets to all ports.
        reader.begin(None);
        let decoder = Decoding(comparison.sight());
        let is_live = reader.is_live();
        let (knock, older) = comparison.sides();
        let doors = knock.doors().clone();
        thread::scope(|scope| {
            let mut ahead = Ahead::begin(scope, knock)?;
            in_pieces(reader, decoder, |inputs| {
                self.start = self.start.or(inputs.first().map(|first| first.at));
                ahead.give(mem::take(inputs));
                if is_live || ahead.waiting() > 1 {
                    *inputs = self.compare_next(&mut ahead, older, &doors)?;
                }
                Ok::<(), io::Error>(())
            })?;
            while ahead.waiting() > 0 {
                self.compare_next(&mut ahead, older, &doors)?;
            }
            self.place = At::AfterPackets;
            ahead.give(vec![Input::end()]);
            self.compare_next(&mut ahead, older, &doors).map(drop)
        })
    }

    /// Compares what the others do with some of the input with what knock has done with it. Returns the list, to
    /// be filled again.
    fn compare_next(
        &mut self,
        ahead: &mut Ahead,
        older: &mut Older,
        doors: &Doors,
    ) -> io::Result<Vec<Input>> {
        let Some((piece, done)) = ahead.next() else { return Ok(Vec::new()) };
        for (place, Input { at, packet, seen }) in piece.iter().enumerate() {
            if let Some(id) = *packet {
                self.packets = self.packets.saturating_add(1);
                self.place = At::Packet(id);
            }
            let differing = older.handle(*at, seen, done.of_input(place), doors);
            self.print(differing, older.take_messages())?;
        }
        Ok(ahead.take_back(piece, done))
    }

    fn print(&mut self, differing: Vec<Differing>, messages: Vec<Line>) -> io::Result<()> {
        let place = self.place;
        for one in differing {
            if one.due_to.is_some_and(|due_to| self.args.except.contains(&due_to)) {
                continue;
            }
            let count = self.due_to.entry(one.due_to).or_default();
            *count = count.saturating_add(1);
            let start = self.start.unwrap_or(one.line.at);
            self.lines.one((&one, &Context { captures: &self.names, start, place }))?;
        }
        if self.args.input.quiet || messages.is_empty() {
            return Ok(());
        }
        // After the lines that they come after.
        self.lines.flush()?;
        for line in messages {
            let context = Context { captures: &self.names, start: line.at, place };
            let (text, place) = (String::from_utf8_lossy(&line.text), context.words());
            let text = format!("knock-replay: warning: {text} [{place}]\n");
            // There is no way to report that standard error cannot be written.
            let _ = self.errors.write_all(text.as_bytes());
        }
        Ok(())
    }
}

//! `diff --rules`: where knockd 0.8 and knock differ on the captures.

pub mod compare;
mod lines;
mod output;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroU32;

use knock_compat::{Difference, Refusal, Rules, Sight, Undecodable};
use knock_config::options::Format;
use knock_engine::{Counts, Event, Listening, Timestamp};

use self::compare::{Comparison, Seen, Side};
use self::output::{At, Context, Lines, Text, Totals, VERSION};
use crate::args::DiffArgs;
use crate::output::Output;
use crate::output::json::Json;
use crate::output::words::number;
use crate::session::drive::in_pieces;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::names::{CaptureNames, PacketId};
use crate::session::reader::{Decoder, Next, Reader};
use crate::session::terminal::Streams;

/// The most attempts, under each of the rule sets: together they then take less than 1 GB.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// How many packets are anticipated together.
const AT_ONCE: usize = 16;

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
    /// How many lines are due to each difference.
    due_to: BTreeMap<Option<Difference>, u64>,
}

impl Comparing<'_> {
    fn run(&mut self, comparison: &mut Comparison, reader: &mut Reader) -> io::Result<()> {
        // knockd 0.8 looks at packets to all ports.
        reader.begin(None);
        let decoder = Decoding(comparison.sight());
        let mut place = At::BeforePackets;
        in_pieces(reader, decoder, |inputs| {
            for inputs in inputs.chunks_mut(AT_ONCE) {
                for input in inputs.iter() {
                    comparison.anticipate(&input.seen);
                }
                for Input { at, packet, seen } in inputs {
                    if let Some(id) = *packet {
                        self.packets = self.packets.saturating_add(1);
                        place = At::Packet(id);
                    }
                    self.start.get_or_insert(*at);
                    let seen = std::mem::replace(seen, Seen::Event(Event::DeadlineReached));
                    self.step(comparison, *at, seen, place)?;
                }
            }
            Ok::<(), io::Error>(())
        })?;
        let end = Seen::Event(Event::DeadlineReached);
        self.step(comparison, Timestamp::MAX, end, At::AfterPackets)
    }

    fn step(
        &mut self,
        comparison: &mut Comparison,
        at: Timestamp,
        seen: Seen,
        place: At,
    ) -> io::Result<()> {
        let differing = comparison.handle(at, seen);
        let messages = comparison.take_messages();
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

/// What comes next, and when.
struct Input {
    at: Timestamp,
    /// Which packet, if it is one.
    packet: Option<PacketId>,
    seen: Seen,
}

/// Decodes frames as all rule sets see them; how knock does is given.
struct Decoding(Sight);

impl Decoder for Decoding {
    type Input = Input;

    fn decode(
        &self,
        at: Timestamp,
        listening: &Listening,
        next: Next<'_>,
        inputs: &mut Vec<Input>,
    ) -> Result<(), Undecodable> {
        let (packet, (seen, found)) = match next {
            Next::Frame(head, frame, id) => {
                (Some(id), Seen::of_frame(self.0, listening, head.link, frame))
            }
            Next::Addresses(listening) => {
                (None, (Seen::Event(Event::AddressesChanged(listening)), Ok(())))
            }
            Next::Time => (None, (Seen::Event(Event::DeadlineReached), Ok(()))),
        };
        inputs.push(Input { at, packet, seen });
        found
    }
}

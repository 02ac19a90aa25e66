//! `--rules both`: where knockd 0.8 and knock differ on the captures.

pub mod compare;

use std::collections::BTreeMap;
use std::io;
use std::num::NonZeroU32;

use knock_compat::{Difference, Refusal, Rules, Undecodable};
use knock_engine::{Counts, Doors, Timestamp};

use crate::Streams;
use crate::args::Args;
use crate::diff::rules::compare::{Comparison, Differing, Happening, Line, Side};
use crate::exit::Exit;
use crate::output::text::stamp;
use crate::session::progress::Bar;
use crate::session::reader::{CaptureNames, Next, PacketId, Reader};

/// The most attempts, under each of the rule sets: together they then take less than 1 GB.
const ATTEMPTS: NonZeroU32 = NonZeroU32::new(100_000).unwrap();

/// Compares the two, and prints the lines that differ.
pub(crate) fn compare(
    args: &Args,
    doors: &Doors,
    mut reader: Reader,
    bar: Option<Bar>,
    streams: &mut Streams<'_>,
) -> Exit {
    let limits = crate::limits(args.max_attempts.min(ATTEMPTS));
    let listening = reader.listening();
    let mut comparison = Comparison::new(doors, &listening, &limits);
    let mut report = Report::new(args, reader.names(), bar, streams);
    if let Some(refusal) = Rules::Knockd08.refusal(doors, &listening) {
        report.refused(refusal);
    }
    let written = report.run(&mut comparison, &mut reader);
    let exit = report.exit();
    let Report { counts: due_to, packets, .. } = report;
    // Takes the bar off the screen as well.
    let reading = reader.finish();
    if let Err(error) = written {
        return streams.cannot_write(&error);
    }
    if !args.quiet {
        summarize(packets, &due_to, exit, streams);
        streams.say(&openings(&comparison));
        let lines = reading.tally.warning_lines(counts(&comparison));
        for line in lines {
            streams.say(&format!("knock-replay: {line}\n"));
        }
    }
    for error in &reading.errors {
        streams.cannot_read(error);
    }
    if reading.errors.is_empty() { exit } else { Exit::Capture }
}

/// Returns what is worth a warning on either side.
fn counts(comparison: &Comparison) -> Counts {
    let [theirs, ours] = [Side::Knockd08, Side::Knock].map(|side| comparison.counts(side));
    Counts { admitted: theirs.admitted.max(ours.admitted), not_begun: theirs.not_begun, ..ours }
}

/// Says how many openings there were: what matters most.
fn openings(comparison: &Comparison) -> String {
    let [theirs, ours] = [Side::Knockd08, Side::Knock].map(|side| comparison.counts(side).opened);
    format!("knock-replay: openings: {theirs} by knockd 0.8, {ours} by knock\n")
}

/// Says which differences were met, and how many lines are due to each.
fn summarize(
    packets: u64,
    counts: &BTreeMap<Option<Difference>, u64>,
    exit: Exit,
    streams: &mut Streams<'_>,
) {
    let read = if packets == 1 { "1 packet".to_owned() } else { format!("{packets} packets") };
    let verdict = if exit == Exit::Done {
        "knockd 0.8 and knock do the same"
    } else {
        "knockd 0.8 and knock differ"
    };
    streams.say(&format!("knock-replay: {read} read: {verdict}\n"));
    for (due_to, count) in counts {
        let lines = if *count == 1 { "line" } else { "lines" };
        match due_to {
            Some(one) => streams.say(&format!(
                "knock-replay: difference {}, {count} {lines}: {one}\n",
                one.number()
            )),
            None => streams.say(&format!(
                "knock-replay: error: {count} {lines} differ for no known reason; please report \
                 this with the captures and the configuration\n"
            )),
        }
    }
}

/// Prints what differs.
struct Report<'a, 's> {
    args: &'a Args,
    bar: Option<Bar>,
    streams: &'a mut Streams<'s>,
    names: CaptureNames,
    /// How many packets there were so far.
    packets: u64,
    start: Option<Timestamp>,
    /// How many lines are due to each difference.
    counts: BTreeMap<Option<Difference>, u64>,
    /// knockd 0.8 does not start with this configuration.
    is_refused: bool,
}

impl<'a, 's> Report<'a, 's> {
    fn new(
        args: &'a Args,
        names: CaptureNames,
        bar: Option<Bar>,
        streams: &'a mut Streams<'s>,
    ) -> Self {
        let counts = BTreeMap::new();
        let (packets, start, is_refused) = (0, None, false);
        Self { args, bar, streams, names, packets, start, counts, is_refused }
    }

    fn exit(&self) -> Exit {
        if self.counts.is_empty() && !self.is_refused { Exit::Done } else { Exit::Differ }
    }

    /// knockd 0.8 does not start with this configuration.
    fn refused(&mut self, refusal: Refusal) {
        self.is_refused = true;
        let due_to = match refusal {
            Refusal::RejectsAllPackets => Difference::TargetFamily,
            Refusal::NoSequenceLeft(_) => Difference::OneTimeNoneLeft,
        };
        if !self.args.quiet {
            self.streams.say(&format!(
                "knock-replay: warning: knockd 0.8 would not start: {refusal} (difference {})\n",
                due_to.number()
            ));
        }
    }

    fn run(&mut self, comparison: &mut Comparison, reader: &mut Reader) -> io::Result<()> {
        let mut result = Ok(());
        let mut last = None;
        loop {
            let more = reader.next(|at, next| {
                let happening = match next {
                    Next::Addresses(listening) => Happening::Addresses(listening),
                    Next::Frame(link, frame, packet) => {
                        self.packets = self.packets.saturating_add(1);
                        last = Some(packet);
                        Happening::Frame(link, frame)
                    }
                };
                self.start.get_or_insert(at);
                let mut decoded = Ok(());
                let differing =
                    comparison.step(at, &happening, |why| decoded = Err::<(), Undecodable>(why));
                let place = self.place(last);
                result = self.show(&differing, &comparison.take_messages(), &place);
                decoded
            });
            reader.tick();
            if !more || result.is_err() {
                break;
            }
        }
        result?;
        let differing = comparison.step(Timestamp::MAX, &Happening::Time, drop);
        self.show(&differing, &comparison.take_messages(), "after the last packet")?;
        self.streams.output.flush()
    }

    /// Returns the packet that is handled, in words.
    fn place(&self, packet: Option<PacketId>) -> String {
        packet.map_or("before the first packet".to_owned(), |packet| self.names.packet(packet))
    }

    /// Prints with the bar out of the way.
    fn show(&mut self, differing: &[Differing], messages: &[Line], place: &str) -> io::Result<()> {
        if differing.is_empty() && messages.is_empty() {
            return Ok(());
        }
        match self.bar.clone() {
            Some(bar) => bar.suspend(|| self.print(differing, messages, place)),
            None => self.print(differing, messages, place),
        }
    }

    fn print(&mut self, differing: &[Differing], messages: &[Line], place: &str) -> io::Result<()> {
        let is_wanted =
            |one: &&Differing| one.due_to.is_none_or(|due_to| !self.args.except.contains(&due_to));
        for Differing { side, line, due_to } in differing.iter().filter(is_wanted) {
            let count = self.counts.entry(*due_to).or_default();
            *count = count.saturating_add(1);
            let sign = match side {
                Side::Knockd08 => "- ",
                Side::Knock => "+ ",
            };
            let why = due_to.map_or("no known difference".to_owned(), |one| {
                format!("difference {}", one.number())
            });
            let text = [
                sign.as_bytes(),
                self.time(line.at).as_bytes(),
                &line.text,
                format!("  [{why}, {place}]\n").as_bytes(),
            ]
            .concat();
            self.streams.output.write_all(&text)?;
        }
        if !messages.is_empty() && !self.args.quiet {
            self.streams.output.flush()?;
            for line in messages {
                let text = String::from_utf8_lossy(&line.text);
                self.streams.say(&format!("knock-replay: warning: {text} [{place}]\n"));
            }
        }
        Ok(())
    }

    fn time(&self, at: Timestamp) -> String {
        let start = self.start.unwrap_or(at);
        self.args.time.map_or(String::new(), |format| stamp(format, at, start) + " ")
    }
}

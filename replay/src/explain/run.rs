//! The loop around the explainer.

use std::io::{self, BufWriter, Write};

use knock_engine::{Doors, Listening};

use super::explainer::Explainer;
use super::explanation::Explanation;
use super::json;
use super::places::Places;
use super::text::{Grouped, Kept, Text};
use super::whom::Whom;
use super::words::Words;
use crate::Streams;
use knock_config::options::Format;

use crate::args::Args;
use crate::exit::Exit;
use crate::session::reader::{CaptureNames, Next, Reader};

/// What is printed, and when.
enum Printing {
    /// Text, client by client, when all is known.
    Grouped(Grouped),
    /// Text, each line as it happens: packets are live.
    Live,
    /// JSON, each object as it happens.
    Json,
}

/// Explains what becomes of the packets of `whom`.
pub(crate) fn explain(
    args: &Args,
    whom: Whom,
    (doors, places): (Doors, &Places),
    mut reader: Reader,
    streams: &mut Streams<'_>,
) -> Exit {
    let limits = crate::limits(args.max_attempts);
    let live = reader.is_live();
    let printing = match (args.checking.format, live) {
        (Format::Json, _) => Printing::Json,
        (Format::Text, true) => Printing::Live,
        (Format::Text, false) => Printing::Grouped(Grouped::new(kept(whom))),
    };
    let explainer = Explainer::new(doors.clone(), reader.listening(), &limits, whom);
    let colour = streams.output_colour;
    let mut report = Report {
        explainer,
        doors,
        listening: reader.listening(),
        places,
        captures: reader.names(),
        printing,
        live,
        colour,
        out: BufWriter::with_capacity(64 * 1024, &mut *streams.output),
        result: Ok(()),
    };
    report.run(&mut reader);
    // Takes the progress bar off the screen as well.
    let reading = reader.finish();
    let (explainer, written) = report.finish();
    if let Err(error) = written {
        return streams.cannot_write(&error);
    }
    if !args.quiet {
        let listening = explainer.listening();
        for line in reading.tally.lines(explainer.counts(), listening, reading.source) {
            streams.say(&format!("knock-replay: {line}\n"));
        }
    }
    for error in &reading.errors {
        streams.cannot_read(error);
    }
    if reading.errors.is_empty() { Exit::Done } else { Exit::Capture }
}

/// Returns how much is kept until it is printed: at most some 30 MB.
const fn kept(whom: Whom) -> Kept {
    const OF_ALL: usize = 200_000;
    match whom {
        Whom::All => Kept { of_one: 100, of_all: OF_ALL },
        Whom::Network(_) => Kept { of_one: 10_000, of_all: OF_ALL },
    }
}

/// What is under way.
struct Report<'a> {
    explainer: Explainer,
    /// The doors as they were in the beginning: their names and commands stay.
    doors: Doors,
    listening: Listening,
    places: &'a Places,
    captures: CaptureNames,
    printing: Printing,
    live: bool,
    colour: bool,
    out: BufWriter<&'a mut (dyn Write + Send)>,
    result: io::Result<()>,
}

impl Report<'_> {
    fn run(&mut self, reader: &mut Reader) {
        while self.result.is_ok() && self.next(reader) {
            reader.tick();
        }
        if self.result.is_ok() {
            self.tell(|explainer, tell| explainer.finish(tell));
        }
    }

    /// Prints the end. Returns what writing met.
    fn finish(mut self) -> (Explainer, io::Result<()>) {
        if self.result.is_ok() {
            self.result = self.end();
        }
        // What is left in the buffer after an error is of no use to anybody.
        drop(self.out.into_parts());
        (self.explainer, self.result)
    }

    fn next(&mut self, reader: &mut Reader) -> bool {
        reader.next(|at, next| match next {
            Next::Addresses(listening) => {
                self.listening = listening.clone();
                self.tell(|explainer, tell| explainer.addresses(at, listening, tell));
                Ok(())
            }
            Next::Frame(link, frame, id) => {
                self.tell(|explainer, tell| explainer.frame(at, link, frame, id, tell))
            }
        })
    }

    /// Has the explainer do something, and prints what it tells.
    fn tell<T>(
        &mut self,
        action: impl FnOnce(&mut Explainer, &mut dyn FnMut(&Explanation)) -> T,
    ) -> T {
        let Self { explainer, doors, listening, places, captures, printing, .. } = self;
        let Self { live, colour, out, result, .. } = self;
        let words = Words { doors, listening, places, captures };
        action(explainer, &mut |one: &Explanation| {
            let written = match printing {
                Printing::Grouped(grouped) => {
                    grouped.add(one);
                    Ok(())
                }
                Printing::Live => Text::new(out, *colour).one(one, &words),
                Printing::Json => json::explanation(one, &words, out)
                    .and_then(|()| if *live { out.flush() } else { Ok(()) }),
            };
            if result.is_ok() {
                *result = written;
            }
        })
    }

    fn end(&mut self) -> io::Result<()> {
        let Self { explainer, doors, listening, places, captures, printing, .. } = self;
        let words = Words { doors, listening, places, captures };
        let out = &mut self.out;
        match printing {
            Printing::Grouped(grouped) => {
                let mut text = Text::new(out, self.colour);
                text.groups(grouped, explainer, &words)?;
                text.end(explainer, &words)
            }
            Printing::Live => Text::new(out, self.colour).end(explainer, &words),
            Printing::Json => {
                for one in explainer.nearest() {
                    json::nearest(&one, &words, out)?;
                }
                json::summary(explainer.totals(), &words, out)?;
                out.flush()
            }
        }
    }
}

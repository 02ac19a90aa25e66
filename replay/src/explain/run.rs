//! `explain`: what becomes of packets, printed.

use std::mem::ManuallyDrop;

use knock_config::options::Format;

use super::explaining::Explaining;
use super::json::VERSION;
use super::kept::KeptLimits;
use super::text::{Grouped, Live};
use super::{Explainer, Explanation, Whom, Words};
use crate::args::ExplainArgs;
use crate::output::json::Json;
use crate::output::{Output, Results, buffered};
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::load::{self, Configuration};
use crate::session::terminal::Streams;

/// Explanations, and in the end how near each client came.
pub(super) enum Explanations {}

impl Results for Explanations {
    type One<'a> = (&'a Explanation, &'a Words<'a>);
    type End<'a> = (&'a Explainer, &'a Words<'a>);
}

/// Explains what becomes of the packets of a client, or of all.
pub(crate) fn run(args: &ExplainArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let input = &args.input;
    let config = Configuration::begin(&input.config, input, streams)?;
    let (mut reader, _) =
        load::open(input, &[&config.doors], args.format == Format::Text, streams)?;
    let limits = load::limits(input.max_attempts);
    let (live, colour) = (reader.is_live(), streams.output_colour);
    let explaining = Explaining::new(args.client, &limits, &config, &reader);
    // Its last line is all that it is for.
    let explaining = if input.quiet { explaining } else { explaining.beside_knockd_08(&limits) };
    // To free the memory of a flood piece by piece takes long, and the program ends soon.
    let mut explaining = ManuallyDrop::new(explaining);
    let (reading, written) = buffered(streams.output, |out| {
        let mut output: Box<dyn Output<Explanations> + '_> = match (args.format, live) {
            (Format::Json, _) => Box::new(Json::new(VERSION, live, out)),
            // Client by client, when all is known.
            (Format::Text, false) => Box::new(Grouped::new(kept(args.client), colour, out)),
            (Format::Text, true) => Box::new(Live::new(colour, out)),
        };
        let written = explaining.run(&mut reader, |_| {}, |_, one, words| output.one((one, words)));
        // Takes the progress bar off the screen as well.
        let reading = reader.finish();
        let (explainer, words) = explaining.now();
        (reading, written.and_then(|()| output.end((explainer, &words))))
    });
    let explainer = explaining.now().0;
    let mut summary = reading.summary(explainer.counts(), explainer.listening());
    summary.extend(explaining.rules());
    finish(streams, input.quiet, written, &reading, summary).map(|()| Exit::Done)
}

/// Returns how much is kept until it is printed: at most some 30 MB.
const fn kept(whom: Whom) -> KeptLimits {
    const OF_ALL: usize = 200_000;
    match whom {
        Whom::All => KeptLimits { of_one: 100, of_all: OF_ALL },
        Whom::Network(_) => KeptLimits { of_one: 10_000, of_all: OF_ALL },
    }
}

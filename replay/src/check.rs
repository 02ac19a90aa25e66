//! `check`: everything that can be said about a configuration without packets.

use knock_config::{Host, ThisHost, Verdict, options};

use crate::args::CheckArgs;
use crate::session::exit::Exit;
use crate::session::load;
use crate::session::terminal::Streams;

/// Checks a configuration, or explains a warning.
pub(crate) fn run(args: &CheckArgs, streams: &mut Streams<'_>) -> Exit {
    if let Some(code) = args.explain {
        return streams.print(&options::explanation(code));
    }
    let host: Option<&dyn Host> = if args.on_this_machine { Some(&ThisHost) } else { None };
    let (options, style) = (args.options(), streams.style());
    let verdict = Verdict::on(&args.config, load::refusal, &options, args.only_ip_v4, host, style);
    if verdict.config.is_none() || !args.quiet {
        streams.say(&verdict.errors);
        streams.say(&verdict.summary);
    }
    match (streams.print(&verdict.output), verdict.config) {
        (Exit::Done, None) => Exit::Config,
        (printed, _) => printed,
    }
}

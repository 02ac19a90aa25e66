//! `diff`: two runs over the same packets, and where they differ.

pub(crate) mod config;
pub mod rules;

use crate::args::DiffArgs;
use crate::session::exit::Exit;
use crate::session::terminal::Streams;

/// Compares two configurations, or knockd 0.8 with knock.
pub(crate) fn run(args: &DiffArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    match &args.new {
        Some(new) => config::run(args, new, streams),
        None => rules::run(args, streams),
    }
}

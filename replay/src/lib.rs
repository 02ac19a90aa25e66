//! Replays packet captures against a `knockd.conf` and prints the transcript.
//!
//! The same engine as the daemon's, fed with the packets of captures; commands are never run.

mod args;
mod check;
mod convert;
pub mod diff;
pub mod explain;
mod extract;
mod merge;
mod output;
mod replay;
mod report;
mod session;
mod shard;
pub mod test;

use std::ffi::OsString;
use std::io;

use knock_config::command_line;

pub use crate::args::command;
pub use crate::session::exit::Exit;
pub use crate::session::huge_pages::HugePages;
pub use crate::session::terminal::Streams;

use crate::args::Job;

/// Runs the program with the arguments and streams of this process.
#[must_use]
pub fn main() -> Exit {
    let (mut output, mut errors) = (io::stdout(), io::stderr());
    run(std::env::args_os(), &mut Streams::of_process(&mut output, &mut errors))
}

/// Runs the program. `args` are those of a process, its name first.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    let job = match Job::parse(args) {
        Ok((job, hint)) => {
            if let Some(hint) = hint {
                streams.line(&hint.to_string());
            }
            job
        }
        Err(error) => return usage(&error, streams),
    };
    let done = match job {
        Job::Replay(args) => replay::run(&args, streams),
        Job::Check(args) => return check::run(&args, streams),
        Job::Explain(args) => explain::run(&args, streams),
        Job::Diff(args) => diff::run(&args, streams),
        Job::Report(args) => report::run(&args, streams),
        Job::Test(args) => return test::suite::run(&args, streams),
        Job::Init(args) => test::init::run(&args, streams),
        Job::Extract(args) => extract::run(&args, streams),
        Job::Merge(args) => merge::run(&args, streams),
        Job::Convert(args) => convert::run(&args, streams),
    };
    done.unwrap_or_else(|exit| exit)
}

/// Prints what clap has to say: help and version on standard output, faults on standard error.
fn usage(error: &clap::Error, streams: &mut Streams<'_>) -> Exit {
    let text = command_line::text("knock-replay", error, streams.colour);
    if error.use_stderr() {
        streams.say(&text);
        return Exit::Config;
    }
    streams.print(&text)
}

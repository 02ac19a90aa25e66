//! `check`: everything that can be said about configurations without packets.

mod find;

use std::path::Path;

use knock_config::options::Format;
use knock_config::text::counted;
use knock_config::{Host, ThisHost, Verdict, Waits, options};
use knock_guard::Modes;

use crate::args::CheckArgs;
use crate::session::exit::Exit;
use crate::session::load;
use crate::session::terminal::Streams;

/// Checks configurations, or explains or lists warnings.
pub(crate) fn run(args: &CheckArgs, streams: &mut Streams<'_>) -> Exit {
    if args.codes.list {
        return streams.print(&options::list());
    }
    if let Some(code) = args.codes.explain {
        return streams.print(&options::explanation(code));
    }
    let mut tally = Tally::default();
    for path in args.paths() {
        let configurations = match find::configurations(path) {
            Ok(configurations) => configurations,
            Err(why) => {
                streams.error(&why.to_string());
                tally.unsearched = tally.unsearched.saturating_add(1);
                continue;
            }
        };
        for path in configurations {
            if let Err(exit) = check(&path, args, &mut tally, streams) {
                return exit;
            }
        }
    }
    let is_said = args.format == Format::Text && !(args.quiet && tally.is_sound());
    if tally.files > 1 && is_said {
        streams.say(&tally.summary());
    }
    if tally.is_sound() { Exit::Done } else { Exit::Config }
}

/// Checks one configuration, and prints what was found.
///
/// # Errors
/// The exit status, if standard output cannot be written.
fn check(
    path: &Path,
    args: &CheckArgs,
    tally: &mut Tally,
    streams: &mut Streams<'_>,
) -> Result<(), Exit> {
    let modes = if args.no_strict_modes { Modes::Any } else { Modes::Strict };
    let host = args.on_this_machine.then_some(ThisHost { modes });
    let host = host.as_ref().map(|host| -> &dyn Host { host });
    let (options, style) = (args.options(), streams.style());
    let verdict =
        Verdict::on(path, load::refusal, &options, args.only_ip_v4, host, Waits::Forever, style);
    if verdict.config.is_none() || !args.quiet {
        streams.say(&verdict.errors);
        streams.say(&verdict.summary);
    }
    tally.add(&verdict);
    let printed = streams.print(&verdict.output);
    if printed == Exit::Done { Ok(()) } else { Err(printed) }
}

/// What was found in all configurations together.
#[derive(Debug, Default)]
struct Tally {
    files: usize,
    /// How many have an error or a denied warning.
    faulty: usize,
    warnings: usize,
    /// How many folders could not be searched.
    unsearched: usize,
}

impl Tally {
    fn add(&mut self, verdict: &Verdict) {
        self.files = self.files.saturating_add(1);
        self.faulty = self.faulty.saturating_add(usize::from(verdict.config.is_none()));
        self.warnings = self.warnings.saturating_add(verdict.warnings);
    }

    const fn is_sound(&self) -> bool {
        self.faulty == 0 && self.unsearched == 0
    }

    fn summary(&self) -> String {
        let files = counted(self.files, "configuration");
        let faulty = match self.faulty {
            0 => String::from("no errors"),
            count => format!("{count} with errors"),
        };
        let warnings = match self.warnings {
            0 => String::new(),
            count => format!(", {}", counted(count, "warning")),
        };
        format!("{files}: {faulty}{warnings}\n")
    }
}

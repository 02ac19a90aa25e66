//! The command line: a mode without a subcommand, and one for each subcommand.

mod check;
mod convert;
mod diff;
mod explain;
mod extract;
mod init;
mod input;
mod legacy;
mod merge;
mod replay;
mod report;
mod test;
mod whom;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command, CommandFactory as _, FromArgMatches as _, ValueEnum};
use knock_compat::{Difference, Rules};

pub(crate) use self::check::{CheckArgs, CodeArgs};
pub(crate) use self::convert::ConvertArgs;
pub(crate) use self::diff::DiffArgs;
pub(crate) use self::explain::ExplainArgs;
pub(crate) use self::extract::ExtractArgs;
pub(crate) use self::init::InitArgs;
pub(crate) use self::input::Input;
pub(crate) use self::legacy::Hint;
pub(crate) use self::merge::MergeArgs;
pub(crate) use self::replay::{Args, ReplayArgs};
pub(crate) use self::report::ReportArgs;
pub(crate) use self::test::TestArgs;
pub use self::whom::{NotWhom, Whom};

/// The configuration of a check that names none.
const DEFAULT_CONFIG: &str = "/etc/knockd.conf";

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Job {
    Replay(ReplayArgs),
    Check(CheckArgs),
    Explain(ExplainArgs),
    Diff(DiffArgs),
    Report(ReportArgs),
    Test(TestArgs),
    Init(InitArgs),
    Convert(ConvertArgs),
    Extract(ExtractArgs),
    Merge(MergeArgs),
}

/// Whose transcript is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuleChoice {
    /// What knock does: what the manual of knockd promises
    Knock,
    /// What knockd 0.8 does, fault for fault
    #[value(name = "knockd-0.8")]
    Knockd08,
    /// Where the two differ: now 'knock-replay diff --rules'
    #[value(hide = true)]
    Both,
}

impl RuleChoice {
    /// Returns the rules; `None` for both.
    pub(crate) const fn one(self) -> Option<Rules> {
        match self {
            Self::Knock => Some(Rules::Knock),
            Self::Knockd08 => Some(Rules::Knockd08),
            Self::Both => None,
        }
    }
}

/// How times are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TimeFormat {
    /// RFC 3339 with microseconds, UTC
    Utc,
    /// The same in the time zone of this machine, or of TZ
    Local,
    /// Seconds since the first packet
    Relative,
}

fn local_address(text: &str) -> Result<IpAddr, &'static str> {
    text.parse().map_err(|_| "not an address, such as 192.0.2.1 or 2001:db8::1")
}

fn difference(text: &str) -> Result<Difference, &'static str> {
    let number = text.trim().parse::<u8>().ok();
    let mut all = Difference::ALL.into_iter();
    all.find(|one| Some(one.number()) == number)
        .ok_or("not the number of a difference that a transcript can show")
}

/// What is wrong with the command line, and of which kind it is.
type Fault = (ErrorKind, String);

#[expect(clippy::unnecessary_wraps, reason = "it is what the places that use it return")]
fn fault(kind: ErrorKind, message: impl Into<String>) -> Option<Fault> {
    Some((kind, message.into()))
}

/// Objects have both times.
fn fault_of_times(time: Option<TimeFormat>) -> Option<Fault> {
    time?;
    fault(ErrorKind::ArgumentConflict, "objects have both times: leave out '--time'")
}

/// Returns what is in the place of a capture, if it is a client and no file.
fn client_in_the_place_of_a_capture(path: &Path) -> Option<Whom> {
    let whom = path.to_str()?.parse::<Whom>().ok()?;
    (!path.exists()).then_some(whom)
}

impl Job {
    /// Reads the arguments of a process. Returns what is to be done, with a hint if they are those of
    /// before there were subcommands.
    ///
    /// # Errors
    /// What clap has to say: a fault, or the help.
    pub(crate) fn parse(
        args: impl IntoIterator<Item = OsString>,
    ) -> Result<(Self, Option<Hint>), clap::Error> {
        let mut command = command();
        let args: Vec<OsString> = args.into_iter().collect();
        if let Some(subcommand) = late_subcommand(&command, &args) {
            return Err(command.error(
                ErrorKind::InvalidSubcommand,
                format!(
                    "after an option, '{subcommand}' is the name of a capture, and there is no such file\n\n  \
                     tip: write the subcommand first: 'knock-replay {subcommand} ...'"
                ),
            ));
        }
        let matches = command.try_get_matches_from_mut(args)?;
        let (name, parsed) = match matches.subcommand() {
            None => {
                let args = Args::from_arg_matches(&matches);
                ("", args.map_err(|error| error.format(&mut command))?.job())
            }
            Some((name, matches)) => {
                let job = Self::of_subcommand(name, matches)?;
                let fault = job.fault();
                (name, fault.map_or(Ok((job, None)), Err))
            }
        };
        parsed.map_err(|(kind, message)| {
            let subcommand = command.find_subcommand_mut(name);
            match subcommand {
                Some(subcommand) => subcommand.error(kind, message),
                None => command.error(kind, message),
            }
        })
    }

    fn of_subcommand(name: &str, matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        match name {
            "check" => CheckArgs::from_arg_matches(matches).map(Self::Check),
            "explain" => ExplainArgs::from_arg_matches(matches).map(Self::Explain),
            "diff" => DiffArgs::from_arg_matches(matches).map(Self::Diff),
            "report" => ReportArgs::from_arg_matches(matches).map(Self::Report),
            "init" => InitArgs::from_arg_matches(matches).map(Self::Init),
            "extract" => ExtractArgs::from_arg_matches(matches).map(Self::Extract),
            "merge" => MergeArgs::from_arg_matches(matches).map(Self::Merge),
            "convert" => ConvertArgs::from_arg_matches(matches).map(Self::Convert),
            // There are no more than these.
            _ => TestArgs::from_arg_matches(matches).map(Self::Test),
        }
    }

    /// Returns what is wrong, as far as clap does not know.
    fn fault(&self) -> Option<Fault> {
        match self {
            Self::Explain(args) => args.fault(),
            Self::Diff(args) => args.fault(),
            Self::Report(args) => args.fault(),
            Self::Test(args) => args.fault(),
            Self::Extract(args) => args.fault(),
            Self::Replay(_)
            | Self::Check(_)
            | Self::Init(_)
            | Self::Convert(_)
            | Self::Merge(_) => None,
        }
    }
}

/// Returns the command line as a value, for the manual page.
#[must_use]
pub fn command() -> Command {
    // A capture that is called like a subcommand is still one after an option, or as `./test`.
    legacy::relax(Args::command())
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true)
        .disable_help_subcommand(true)
        .subcommand(subcommand::<CheckArgs>("check"))
        .subcommand(subcommand::<ExplainArgs>("explain"))
        .subcommand(subcommand::<DiffArgs>("diff"))
        .subcommand(subcommand::<ReportArgs>("report"))
        .subcommand(subcommand::<TestArgs>("test"))
        .subcommand(subcommand::<InitArgs>("init"))
        .subcommand(subcommand::<ExtractArgs>("extract"))
        .subcommand(subcommand::<MergeArgs>("merge"))
        .subcommand(subcommand::<ConvertArgs>("convert"))
}

fn subcommand<A: clap::Args>(name: &'static str) -> Command {
    // The help flag of the whole is another one, and with it goes that of each subcommand.
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let command = A::augment_args(Command::new(name)).disable_help_flag(true);
    command.arg(help.help("Print help (see a summary with '-h')"))
}

/// Returns the name of a subcommand that comes after an option, where it is none, if no file has this name.
fn late_subcommand<'a>(command: &Command, args: &'a [OsString]) -> Option<&'a str> {
    let takes_value = |option: &str| {
        command.get_arguments().any(|argument| {
            let is_long = argument.get_long().is_some_and(|long| option == format!("--{long}"));
            let is_short = argument.get_short().is_some_and(|short| option == format!("-{short}"));
            (is_long || is_short)
                && argument.get_action().takes_values()
                && !argument.is_require_equals_set()
        })
    };
    let mut args = args.iter().skip(1).map(|argument| argument.to_str().unwrap_or_default());
    let mut has_options = false;
    while let Some(argument) = args.next() {
        if argument == "--" {
            return None;
        } else if argument.starts_with('-') && argument != "-" {
            has_options = true;
            if takes_value(argument) {
                args.next();
            }
        } else {
            let is_subcommand = has_options
                && command.find_subcommand(argument).is_some()
                && !Path::new(argument).exists();
            return is_subcommand.then_some(argument);
        }
    }
    None
}

/// Returns whether a capture is standard input.
pub(crate) fn is_stdin(capture: &Path) -> bool {
    capture.as_os_str() == "-"
}

#[cfg(test)]
mod tests {
    use knock_tests::command_line::CommandLine;

    /// Returns the command lines of the program and of its subcommands that have options.
    fn lines() -> Vec<CommandLine> {
        const WITH_CAPTURE: &[&str] = &["a.pcap --config=c", "a.pcap", "", "--config=c"];
        const PROGRAM: &[&str] = &[
            "a.pcap --config=c",
            "a.pcap",
            "--config=c",
            "a.pcap --config=c --expect=e",
            "--check",
        ];
        let lines: [(&str, &[&str]); 8] = [
            ("", PROGRAM),
            ("check", &["", "--on-this-machine"]),
            ("explain", WITH_CAPTURE),
            ("diff", &["--rules a.pcap --config=c", "--new=n a.pcap --config=c", "--rules a.pcap"]),
            ("report", &["--output=o a.pcap --config=c", "a.pcap --config=c", "--output=o a.pcap"]),
            ("test", &["folder"]),
            ("extract", &["--output=o a.pcap --config=c", "a.pcap --config=c"]),
            ("init", &["--config=c", ""]),
        ];
        let line = |(name, bases)| CommandLine::new(super::command(), name, bases);
        lines.into_iter().map(line).collect()
    }

    #[test]
    fn of_an_option_given_twice_the_last_counts() {
        lines().iter().for_each(CommandLine::assert_the_last_counts);
    }

    #[test]
    fn a_long_option_may_be_abbreviated() {
        lines().iter().for_each(CommandLine::assert_abbreviations_are_known);
    }

    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}

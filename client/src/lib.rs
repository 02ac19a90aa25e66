//! Knocks at ports of a host, in order and paced, and reports whether a door has opened.
//!
//! A command line becomes a [`Request`], which becomes a [`Plan`] once the host is found, and the plan is
//! printed, sent or written. Nothing outside the plan is sent.

mod args;
mod ask;
mod enroll;
mod exit;
mod list;
mod plan;
pub mod profile;
mod report;
mod request;
mod route;
mod send;
mod signed;
mod then;
mod write;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Parser as _;
use knock_config::command_line;
use knock_config::diagnostics::Style;
use knock_config::file_faults::{OutputFault, WriteFault};
use knock_config::text::shown;
use knock_guard::{Readers, Target};

pub use crate::args::{Args, command, whole_command};
pub use crate::enroll::EnrollArgs;
pub use crate::exit::Exit;
pub use crate::plan::{DEFAULT_DELAY, DEFAULT_WAIT, MAX_HITS, Plan, Then};
pub use crate::request::{Awaited, Family, Request};
pub use crate::route::{Route, RouteError};
pub use crate::send::SendError;
pub use crate::signed::{Admission, SignedPlan, SignedShot};
pub use crate::then::Shut;
pub use knock_capture::hit::{Hit, HitError, flag_names, protocol_name};

use crate::ask::Asked;
use crate::profile::OneTime;
use crate::report::{Form, Reporter, Sought};

/// What the program writes to.
pub struct Streams<'a> {
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub errors: &'a mut dyn Write,
    /// Whether errors may be coloured.
    pub colour: bool,
    /// Whether standard output is a terminal.
    pub is_terminal: bool,
}

/// Runs the program with the arguments and streams of this process.
#[must_use]
pub fn main() -> Exit {
    let mut streams = Streams {
        output: &mut io::stdout(),
        errors: &mut io::stderr(),
        colour: anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
        is_terminal: io::stdout().is_terminal(),
    };
    run(std::env::args_os(), &mut streams)
}

/// Runs the program. `args` are those of a process, its name first.
pub fn run(args: impl IntoIterator<Item = OsString>, streams: &mut Streams<'_>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    // Even a faulty command line may ask for JSON or silence.
    let is_json = args.iter().any(|arg| args::is_json(arg));
    if let Some(program) = knock_guard::granted_to_all() {
        let form = if is_json { Form::Json } else { Form::Quiet };
        let reporter = Reporter::new(streams.output, streams.errors, form);
        let program = knock_guard::quoted(&program);
        let error = format!("{program} has capabilities, and every user may execute it");
        let help = format!(
            "every user could send packets in any other's name; let only a group execute it: {GRANT}"
        );
        return fail(reporter, &error, Some(&help), Exit::Refused);
    }
    if let Some(rest) = EnrollArgs::of(&args) {
        return match EnrollArgs::read(rest) {
            Ok(args) => enroll(&args, streams),
            Err(error) => usage(&error, is_json, streams),
        };
    }
    match Args::try_parse_from(args).and_then(Args::checked) {
        Ok(args) => knock(&args, streams),
        Err(error) => usage(&error, is_json, streams),
    }
}

/// How a group gets the right to send what needs a privilege.
const GRANT: &str =
    "run `chgrp GROUP`, `chmod 750` and `setcap cap_net_raw=ep` on the program, in this order";

/// Prints what clap has to say: help and version on standard output, faults on standard error.
fn usage(error: &clap::Error, is_json: bool, streams: &mut Streams<'_>) -> Exit {
    if error.use_stderr() && is_json {
        let reporter = Reporter::new(streams.output, streams.errors, Form::Json);
        let (message, help) = parts(&error.render().to_string());
        return fail(reporter, &message, help.as_deref(), Exit::Refused);
    }
    let text = command_line::text("knock", error, streams.colour);
    if error.use_stderr() {
        // There is nowhere left to report a failure here.
        let _ = streams.errors.write_all(text.as_bytes());
        return Exit::Refused;
    }
    print(&text, streams)
}

/// Splits a message of clap into what is wrong and what can be done about it, without the usage
/// and the pointer to `--help`.
fn parts(text: &str) -> (String, Option<String>) {
    let message = ["\n\n  tip: ", "\n\nUsage:", "\n\nFor more"]
        .iter()
        .fold(text, |text, rest| text.split_once(rest).map_or(text, |(message, _)| message));
    let rest = text.strip_prefix(message).unwrap_or_default();
    let tips: Vec<&str> = rest.lines().filter_map(|line| line.strip_prefix("  tip: ")).collect();
    let message = message.strip_prefix("error: ").unwrap_or(message);
    (message.to_owned(), (!tips.is_empty()).then(|| tips.join("; ")))
}

/// Prints the output that was asked for.
fn print(text: &str, streams: &mut Streams<'_>) -> Exit {
    let written = streams.output.write_all(text.as_bytes()).and_then(|()| streams.output.flush());
    match written {
        Ok(()) => Exit::Done,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
        Err(error) => {
            let reporter = Reporter::new(streams.output, streams.errors, Form::Quiet);
            fail(reporter, &OutputFault(&error), None, Exit::Failed)
        }
    }
}

/// Reports an error, and returns its exit status.
fn fail(
    mut reporter: Reporter<'_>,
    error: &dyn std::fmt::Display,
    help: Option<&str>,
    exit: Exit,
) -> Exit {
    let exit = reporter.error(error, help, exit);
    reporter.finish(exit)
}

fn enroll(args: &EnrollArgs, streams: &mut Streams<'_>) -> Exit {
    let form = if args.json { Form::Json } else { Form::Text };
    let mut reporter = Reporter::new(streams.output, streams.errors, form);
    let exit = enroll::enroll(args, streams.is_terminal, &mut reporter);
    reporter.finish(exit)
}

fn knock(args: &Args, streams: &mut Streams<'_>) -> Exit {
    if let Some(shell) = args.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command(), "knock", &mut script);
        return print(&String::from_utf8_lossy(&script), streams);
    }
    let form = match (args.json, args.quiet, args.verbose) {
        (true, _, _) => Form::Json,
        (false, true, _) => Form::Quiet,
        (false, false, true) => Form::Verbose,
        (false, false, false) => Form::Text,
    };
    let style = if streams.colour { Style::Coloured } else { Style::Plain };
    let mut reporter = Reporter::new(streams.output, streams.errors, form).with_style(style);
    if let Some(uri) = &args.import {
        let exit = enroll::import(uri, args.host.as_deref(), &mut reporter);
        return reporter.finish(exit);
    }
    if args.list {
        let exit = ask::list(args, &mut reporter);
        return reporter.finish(exit);
    }
    let Asked { request, one_time, signing, read, near } = match ask::ask(args, &mut reporter) {
        Ok(asked) => asked,
        Err(exit) => return reporter.finish(exit),
    };
    if let Some(signing) = signing {
        let exit = signed::knock(args, &request, &signing, &read, &mut reporter);
        return reporter.finish(exit);
    }
    let found = match (args.dry_run, &args.write) {
        (true, _) => route::find_or_make_up(&request),
        (false, Some(_)) => route::find_or_believe(&request),
        (false, None) => route::find(&request),
    };
    let route = match found {
        Ok(route) => route,
        Err(error) => {
            let near = near.filter(|_| error.is_unknown_host());
            let help = near.map(|near| format!("did you mean the profile `{near}`?"));
            return fail(reporter, &error, help.or_else(|| error.help()).as_deref(), Exit::Refused);
        }
    };
    if !route.exists {
        let host = route.destination.ip();
        let source = format!("; using {} as the source", route.source.ip());
        let source = if request.source.is_none() { &source } else { "" };
        reporter.note(&format!("there is no route to {host}{source}"));
    }
    let plan = Plan::new(request, route);
    let exit = if args.dry_run {
        reporter.plan(&plan);
        Exit::Done
    } else if let Some(file) = &args.write {
        write(&plan, args, file, &read, &mut reporter)
    } else {
        let exit = send(&plan, &mut reporter);
        one_time.map_or(exit, |one_time| used(&one_time, exit, &mut reporter))
    };
    reporter.finish(exit)
}

/// Writes the knocks to a capture.
fn write(
    plan: &Plan,
    args: &Args,
    file: &Path,
    read: &BTreeSet<PathBuf>,
    reporter: &mut Reporter<'_>,
) -> Exit {
    write_capture(args, file, read, plan.hits.len(), reporter, |out| {
        write::write(plan, args.seed, out)
    })
}

/// Writes a capture with so many packets to a file or to standard output.
fn write_capture(
    args: &Args,
    file: &Path,
    read: &BTreeSet<PathBuf>,
    knocks: usize,
    reporter: &mut Reporter<'_>,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Exit {
    let written = if args.writes_to_output() {
        let written = write(reporter.output());
        // The reader has gone: that is not an error.
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    } else {
        // It shows the sequence.
        let target = Target::new(file, Readers::Owner, read.iter().map(PathBuf::as_path));
        let target = target.map_err(io::Error::from);
        target.and_then(|target| target.write(|out| write(out)))
    };
    match written {
        Ok(()) if args.writes_to_output() => Exit::Done,
        Ok(()) => {
            reporter.written(file, knocks);
            Exit::Done
        }
        Err(error) => {
            let error = format!("cannot write {}: {}", shown(file), WriteFault(&error));
            reporter.error(&error, None, Exit::Failed)
        }
    }
}

/// Sends the knocks, and waits for the port that they should open.
fn send(plan: &Plan, reporter: &mut Reporter<'_>) -> Exit {
    // How many times all knocks have been sent.
    let mut rounds: u32 = 0;
    // Held so that the kernel answers no reply to a knock before the next round or the end.
    let mut silences = Vec::new();
    loop {
        match send::send(plan, |number, hit| reporter.knock(plan, number, hit)) {
            Ok(round) => {
                silences.clear();
                silences.extend(round);
            }
            Err(error) => return not_sent(&error, rounds, reporter),
        }
        rounds = rounds.saturating_add(1);
        let Some(then) = plan.then else { return Exit::Done };
        let cause = match then::wait(plan, then) {
            Ok(after) => {
                reporter.open(then.port, after);
                return Exit::Done;
            }
            Err(cause) => cause,
        };
        if rounds > then.retry {
            return reporter.shut(then, &cause, Sought::Knocks);
        }
        reporter.again(then, &cause);
    }
}

/// Marks a one-time sequence once the host presumably heard it: all knocks were sent, and the port
/// opened if the user asked for one.
fn used(one_time: &OneTime, exit: Exit, reporter: &mut Reporter<'_>) -> Exit {
    let (path, line) = one_time.place();
    let path = shown(path);
    match exit {
        Exit::Done => {}
        Exit::Shut => {
            reporter.note(&format!(
                "the sequence of line {line} in {path} is not marked as used; if the server has \
                 used it, put a `#` in front of it"
            ));
            return exit;
        }
        Exit::Failed | Exit::Refused => return exit,
    }
    let Err(error) = one_time.mark() else { return exit };
    let error = format!("cannot mark the sequence of line {line} as used: {error}");
    let help = "the knocks were sent: put a `#` in front of the line, or the client will use it \
                        again in vain";
    reporter.error(&error, Some(help), Exit::Failed)
}

/// Reports why a knock was not sent.
fn not_sent(error: &SendError, rounds: u32, reporter: &mut Reporter<'_>) -> Exit {
    // "Nothing was sent" is true of the first round only.
    let not_ready = if rounds == 0 { Exit::Refused } else { Exit::Failed };
    match error {
        SendError::NotPermitted { .. } => {
            let help = format!(
                "run it as root, or let a group use the capability: {GRANT}; a plain SYN or a datagram needs \
                 neither"
            );
            reporter.error(error, Some(&help), not_ready)
        }
        SendError::NotReady { .. } => reporter.error(error, None, not_ready),
        SendError::NotSent { .. } => reporter.error(error, None, Exit::Failed),
    }
}

//! `knockctl`: asks a running knockd what it does, and tells it what to do.

mod args;
mod daemon;
mod exit;
mod metrics;
mod tables;

use std::io::{self, Write as _};

use anstream::AutoStream;
use clap::Parser as _;
use knock_config::command_line;
use knock_config::options::Format;
use knock_config::text::printable;
use knock_control::{CloseParameters, Closing, EventLine, Lines, OpenDoors, Status};
use serde_json::{Map, Value, json};

pub use crate::args::{Args, command};
use crate::args::{Command, Target};
use crate::daemon::{Daemon, Failure};
pub use crate::exit::Exit;

/// Runs the program with the arguments of this process.
#[must_use]
pub fn main() -> Exit {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            if error.use_stderr() {
                let text = command_line::text("knockctl", &error, true);
                let _ = write!(anstream::stderr(), "{text}");
                return Exit::CommandLine;
            }
            return if error.print().is_ok() { Exit::Done } else { Exit::Output };
        }
    };
    match run(&args) {
        Ok(()) => Exit::Done,
        Err(failure) => {
            // There is no other place to say it.
            let _ = writeln!(anstream::stderr(), "knockctl: error: {failure}");
            failure.exit()
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    let mut daemon = Daemon::connect(&args.socket)?;
    let is_json = args.format == Format::Json;
    let (method, parameters) = call(&args.command);
    if matches!(args.command, Command::Events) {
        return daemon.stream(method, |parameters| {
            if is_json {
                return print(&format!("{parameters}\n"));
            }
            let EventLine { line, lost, .. } = of(parameters)?;
            let gap =
                if lost > 0 { format!("({lost} lines are missing here)\n") } else { String::new() };
            print(&format!("{gap}{}\n", shown_line(&line)))
        });
    }
    let parameters = daemon.call(method, parameters)?;
    if is_json {
        print(&format!("{parameters}\n"))?;
        // The exit status does not depend on the format.
        let is_close = matches!(args.command, Command::Close { .. });
        let has_closed_none = is_close && of::<Closing>(&parameters)?.closing == 0;
        return if has_closed_none { Err(Failure::NothingToClose) } else { Ok(()) };
    }
    let text = match &args.command {
        Command::Status => {
            let status: Status = of(&parameters)?;
            let OpenDoors { doors } = of(&daemon.call("List", Map::new())?)?;
            tables::status(&status, &doors)
        }
        Command::List => {
            let OpenDoors { doors } = of(&parameters)?;
            tables::doors(&doors)
        }
        Command::Attempts => tables::attempts(&of(&parameters)?),
        Command::Close { .. } => {
            let Closing { closing } = of(&parameters)?;
            match closing {
                0 => return Err(Failure::NothingToClose),
                1 => "closing 1 door\n".to_owned(),
                count => format!("closing {count} doors\n"),
            }
        }
        Command::Explain { client } => {
            let Lines { lines } = of(&parameters)?;
            if lines.is_empty() {
                format!("knockd has logged nothing about {client} lately\n")
            } else {
                lines.iter().map(|line| shown_line(line) + "\n").collect()
            }
        }
        Command::Reload => "reloading; 'knockctl events' and the log say how it went\n".to_owned(),
        Command::Unguard => "no port is guarded, until knockd is restarted\n".to_owned(),
        Command::Metrics => metrics::text(&of(&parameters)?),
        Command::Events => String::new(),
    };
    print(&text)
}

/// Returns the method of a command, and its parameters.
fn call(command: &Command) -> (&'static str, Map<String, Value>) {
    let (method, parameters) = match command {
        Command::Status | Command::Metrics => ("Status", json!({})),
        Command::List => ("List", json!({})),
        Command::Attempts => ("Attempts", json!({})),
        Command::Close { target, all: _ } => {
            let close = match target {
                Some(Target::Client(client)) => {
                    CloseParameters { client: Some(client.to_string()), door: None }
                }
                Some(Target::Door(door)) => {
                    CloseParameters { client: None, door: Some(door.clone()) }
                }
                None => CloseParameters::default(),
            };
            ("Close", serde_json::to_value(close).unwrap_or_default())
        }
        Command::Events => ("Events", json!({})),
        Command::Explain { client } => ("Explain", json!({ "client": client.to_string() })),
        Command::Reload => ("Reload", json!({})),
        Command::Unguard => ("Unguard", json!({})),
    };
    match parameters {
        Value::Object(parameters) => (method, parameters),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            (method, Map::new())
        }
    }
}

/// Reads an answer.
fn of<T: serde::de::DeserializeOwned>(parameters: &Value) -> Result<T, Failure> {
    serde_json::from_value(parameters.clone()).map_err(|error| Failure::Answer(error.to_string()))
}

/// Returns a line that is fit to be printed: names of doors are arbitrary.
fn shown_line(line: &str) -> String {
    printable(line.as_bytes())
}

/// Prints a text, without its colours unless standard output is a terminal that wants them.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = AutoStream::auto(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        // The reader wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ReaderIsGone),
        Err(error) => Err(Failure::Output(error)),
    }
}

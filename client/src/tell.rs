//! What is told, as text or as JSON.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use knock_config::Wording;
use knock_config::diagnostics::{self, Source, Style};
use knock_config::text::{Cause, counted, shown};
use knock_engine::Port;
use serde::Serialize;

use crate::exit::Exit;
use crate::list::{self, Listed};
use crate::plan::{Plan, Then};
use crate::profile::Trouble;
use crate::route::Address;
use crate::then::Shut;
use knock_capture::duration::Shown;
use knock_capture::hit::{Hit, flag_names, protocol_name};

/// The version of the objects of `--json`. It changes when one loses a member or its meaning.
const VERSION: u8 = 1;

/// How much is told, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Errors only.
    Quiet,
    /// What has come of the knocks.
    Text,
    /// Each knock, too.
    Verbose,
    /// Everything, as objects.
    Json,
}

/// Tells what happens: on standard output, errors on standard error.
pub(crate) struct Teller<'a> {
    output: &'a mut dyn Write,
    errors: &'a mut dyn Write,
    form: Form,
    style: Style,
    /// Why something could not be written, unless whoever read it has gone.
    failure: Option<io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    version: u8,
    #[serde(flatten)]
    event: Event<'a>,
}

/// One object of `--json`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    /// What will be done.
    Plan {
        host: &'a str,
        address: String,
        source: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        interface: Option<String>,
        delay_ms: f64,
        knocks: Vec<Object>,
        #[serde(skip_serializing_if = "Option::is_none")]
        then: Option<Waiting>,
    },
    /// A knock that leaves now.
    Knock {
        number: usize,
        address: String,
        #[serde(flatten)]
        knock: Object,
    },
    /// A capture was written.
    Written { file: String, knocks: usize },
    /// The port has opened.
    Open { port: u16, after_s: f64 },
    /// The port has not opened; there may be another round.
    Shut {
        port: u16,
        cause: String,
        again: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    },
    /// A host of the profiles.
    Profile(&'a Listed),
    /// Something that may go wrong, and does not end the program.
    Warning {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
    },
    /// Something that is good to know.
    Note { message: &'a str },
    /// Something went wrong, and ends the program.
    Error {
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        help: Option<&'a str>,
        status: u8,
    },
}

#[derive(Serialize)]
struct Object {
    port: u16,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    flags: Option<Vec<&'static str>>,
}

#[derive(Serialize)]
struct Waiting {
    port: u16,
    wait_s: f64,
    retry: u32,
}

impl From<Hit> for Object {
    fn from(hit: Hit) -> Self {
        Self {
            port: hit.knock.port.0,
            protocol: protocol_name(hit.knock.protocol),
            flags: hit.tcp_flags().map(flag_names),
        }
    }
}

impl<'a> Teller<'a> {
    pub(crate) fn new(output: &'a mut dyn Write, errors: &'a mut dyn Write, form: Form) -> Self {
        Self { output, errors, form, style: Style::Plain, failure: None }
    }

    /// Returns the same with colours, or without.
    pub(crate) fn with_style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// Tells what would be done: always, because it was asked for.
    pub(crate) fn plan(&mut self, plan: &Plan) {
        if self.form != Form::Json {
            self.print(&PlanText(plan).to_string());
            return;
        }
        self.object(Event::Plan {
            host: &plan.host,
            address: Address(plan.destination).to_string(),
            source: Address(plan.source).to_string(),
            interface: plan.interface.as_ref().map(ToString::to_string),
            delay_ms: millis(plan.delay),
            knocks: plan.hits.iter().map(|hit| Object::from(*hit)).collect(),
            then: plan.then.map(|then| Waiting {
                port: then.port.0,
                wait_s: then.wait.as_secs_f64(),
                retry: then.retry,
            }),
        });
    }

    /// Tells of a knock that leaves now, as knock 0.8 does.
    pub(crate) fn knock(&mut self, plan: &Plan, number: usize, hit: Hit) {
        match self.form {
            Form::Quiet | Form::Text => {}
            Form::Verbose => {
                let protocol = protocol_name(hit.knock.protocol);
                let flags = hit.flags.map(flag_list).unwrap_or_default();
                let address = Address(plan.destination);
                let port = hit.knock.port.0;
                self.print(&format!("hitting {protocol} {address}:{port}{flags}\n"));
            }
            Form::Json => {
                let address = Address(plan.destination).to_string();
                self.object(Event::Knock { number, address, knock: hit.into() });
            }
        }
    }

    /// Tells that a capture was written.
    pub(crate) fn written(&mut self, file: &Path, knocks: usize) {
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                self.print(&format!("{}: {}\n", shown(file), counted(knocks, "knock")));
            }
            Form::Json => self.object(Event::Written { file: shown(file), knocks }),
        }
    }

    /// Tells that the port has opened.
    pub(crate) fn open(&mut self, port: Port, after: Duration) {
        let Port(port) = port;
        let after_s = after.as_secs_f64();
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                self.print(&format!("{port}/tcp is open after {after_s:.2} s\n"));
            }
            Form::Json => self.object(Event::Open { port, after_s }),
        }
    }

    /// Tells that the port has not opened, and that there is another round.
    pub(crate) fn again(&mut self, then: Then, cause: &Shut) {
        let Port(port) = then.port;
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                let wait = Shown(then.wait);
                self.print(&format!(
                    "{port}/tcp is not open after {wait} ({cause}); knocking again\n"
                ));
            }
            Form::Json => {
                let cause = cause.to_string();
                self.object(Event::Shut { port, cause, again: true, help: None });
            }
        }
    }

    /// Tells that the port has not opened, and ends.
    pub(crate) fn shut(&mut self, then: Then, cause: &Shut) -> Exit {
        let Port(port) = then.port;
        let help = "if the host is right, the door may be another, a knock may have been lost, or the \
                    door needs more time: try `--retry 2`, `--delay 500` or a longer `--wait`";
        if self.form == Form::Json {
            let cause = cause.to_string();
            self.object(Event::Shut { port, cause, again: false, help: Some(help) });
            return Exit::Shut;
        }
        let wait = Shown(then.wait);
        let error = format!("{port}/tcp is not open after {wait}: {cause}");
        self.complain(&error, Some(help));
        Exit::Shut
    }

    /// Tells what ends the program, with what can be done about it.
    pub(crate) fn error(
        &mut self,
        error: &dyn fmt::Display,
        help: Option<&str>,
        exit: Exit,
    ) -> Exit {
        if self.form == Form::Json {
            let message = error.to_string();
            self.object(Event::Error { message, help, status: exit.status() });
        } else {
            self.complain(error, help);
        }
        exit
    }

    /// Tells why there are no knocks.
    pub(crate) fn trouble(&mut self, trouble: &Trouble) -> Exit {
        if let Trouble::Alone(wording) = trouble {
            return self.error(&wording.message, wording.help.as_deref(), Exit::Refused);
        }
        if self.form == Form::Json {
            let report = trouble.report(Style::Plain);
            return self.error(&report.trim_end(), None, Exit::Refused);
        }
        let _ = self.errors.write_all(trouble.report(self.style).as_bytes());
        Exit::Refused
    }

    /// Tells what is hardly meant in a text.
    pub(crate) fn findings(&mut self, source: &Source) {
        let render = |style| diagnostics::render(std::slice::from_ref(source), style);
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                let _ = self.errors.write_all(render(self.style).as_bytes());
            }
            Form::Json if source.findings.is_empty() => {}
            Form::Json => {
                let message = render(Style::Plain);
                self.object(Event::Warning { message: message.trim_end(), note: None, help: None });
            }
        }
    }

    /// Warns of something.
    pub(crate) fn warning(&mut self, wording: &Wording) {
        let Wording { message, label: _, help, note } = wording;
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                let _ = writeln!(self.errors, "knock: warning: {message}");
                for (name, text) in [("note", note), ("help", help)] {
                    let Some(text) = text else { continue };
                    let _ = writeln!(self.errors, "  {name}: {text}");
                }
            }
            Form::Json => {
                let (note, help) = (note.as_deref(), help.as_deref());
                self.object(Event::Warning { message, note, help });
            }
        }
    }

    /// Lists the hosts of the profiles: always, because it was asked for.
    pub(crate) fn list(&mut self, hosts: &[Listed]) {
        if self.form == Form::Json {
            for host in hosts {
                self.object(Event::Profile(host));
            }
            return;
        }
        let text = list::text(hosts, self.form == Form::Verbose);
        self.print(&text);
    }

    /// Says something that is good to know.
    pub(crate) fn note(&mut self, note: &str) {
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                let _ = writeln!(self.errors, "knock: note: {note}");
            }
            Form::Json => self.object(Event::Note { message: note }),
        }
    }

    /// Returns what standard output is for besides, a capture for instance.
    pub(crate) fn output(&mut self) -> &mut dyn Write {
        self.output
    }

    /// Ends: with another status if what was told could not be written.
    pub(crate) fn finish(mut self, exit: Exit) -> Exit {
        let Some(cause) = self.failure.take() else { return exit };
        let error = format!("cannot write to standard output: {}", Cause(&cause));
        self.complain(&error, None);
        if exit == Exit::Done { Exit::Failed } else { exit }
    }

    /// Prints on standard error. Nobody could be told that this failed.
    fn complain(&mut self, error: &dyn fmt::Display, help: Option<&str>) {
        let _ = writeln!(self.errors, "knock: error: {error}");
        if let Some(help) = help {
            let _ = writeln!(self.errors, "  help: {help}");
        }
    }

    fn object(&mut self, event: Event<'_>) {
        match serde_json::to_string(&Line { version: VERSION, event }) {
            Ok(line) => self.print(&format!("{line}\n")),
            Err(error) => self.failure = Some(io::Error::other(error)),
        }
    }

    fn print(&mut self, text: &str) {
        if self.failure.is_some() {
            return;
        }
        let written = self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush());
        self.failure = written.err().filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
    }
}

/// Returns a length of time in milliseconds.
fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Returns flags as a knock has them behind its port.
fn flag_list(flags: knock_engine::TcpFlags) -> String {
    let names = flag_names(flags);
    if names.is_empty() { ":none".to_owned() } else { format!(":{}", names.join(",")) }
}

/// What would be done, for people.
struct PlanText<'a>(&'a Plan);

impl fmt::Display for PlanText<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(plan) = self;
        let (address, source) = (Address(plan.destination), Address(plan.source));
        write!(out, "knock at {address}")?;
        if plan.host != address.to_string() {
            write!(out, " ({})", plan.host.escape_debug())?;
        }
        write!(out, " from {source}")?;
        if let Some(interface) = &plan.interface {
            write!(out, " through {interface}")?;
        }
        writeln!(out, ":")?;
        for (due, hit) in plan.schedule() {
            writeln!(out, "{:>12}  {hit}", Shown(due).to_string())?;
        }
        if let Some(Then { port, wait, retry }) = plan.then {
            write!(out, "then wait up to {} until {}/tcp is open", Shown(wait), port.0)?;
            match retry {
                0 => {}
                1 => write!(out, ", and knock once more if it is not")?,
                times => write!(out, ", and knock up to {times} times more if it is not")?,
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

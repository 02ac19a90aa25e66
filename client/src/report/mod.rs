//! The output of the program, as text or as JSON.

mod enrolled;
mod event;
mod plan_text;

pub(crate) use enrolled::{Enrolled, Imported};

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use knock_config::Wording;
use knock_config::diagnostics::{self, Source, Style};
use knock_config::file_faults::OutputFault;
use knock_config::text::{counted, shown};
use knock_engine::Port;

use crate::exit::Exit;
use crate::list::{self, Listed};
use crate::plan::{Plan, Then};
use crate::profile::Trouble;
use crate::route::Address;
use crate::signed::{SignedPlan, SignedShot};
use crate::then::Shut;
use event::{Event, Line, Object, VERSION, Waiting};
use knock_capture::duration::Shown;
use knock_capture::hit::{Hit, protocol_name};
use plan_text::{PlanText, ThenText, flag_list};

/// How much is printed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Errors only.
    Quiet,
    /// The results of the knocks.
    Text,
    /// Each knock, too.
    Verbose,
    /// Everything, as objects.
    Json,
}

/// What should have opened the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sought {
    /// A sequence.
    Knocks,
    /// A signed packet.
    Packet,
}

impl Sought {
    /// Returns why it may not have, and what can be done.
    const fn help(self) -> &'static str {
        match self {
            Self::Knocks => {
                "if the host is right, the sequence may be wrong, a knock may have been lost, or the \
                 door needs more time: try `--retry 2`, `--delay 500` or a longer `--wait`"
            }
            Self::Packet => {
                "if the host is right, the packet may have been lost, the clocks of the two may differ \
                 (`date -u`), or the server may not know the key or the door: try `--retry 2`; \
                 `knock-replay explain` on the server says which it is"
            }
        }
    }
}

/// Prints what happens: on standard output, errors on standard error.
pub(crate) struct Reporter<'a> {
    output: &'a mut dyn Write,
    errors: &'a mut dyn Write,
    form: Form,
    style: Style,
    /// Why something could not be written, unless only the reader has gone.
    failure: Option<io::Error>,
}

impl<'a> Reporter<'a> {
    pub(crate) fn new(output: &'a mut dyn Write, errors: &'a mut dyn Write, form: Form) -> Self {
        Self { output, errors, form, style: Style::Plain, failure: None }
    }

    /// Returns the same with colours, or without.
    pub(crate) fn with_style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    /// Prints the plan: always, because the user asked for it.
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
            then: plan.then.map(Waiting::from),
        });
    }

    /// Prints the plan of a signed knock: always, because the user asked for it.
    pub(crate) fn signed_plan(&mut self, plan: &SignedPlan) {
        if self.form == Form::Json {
            let then = plan.then.map(Waiting::from);
            return self.object(Event::SignedPlan { plan: plan.into(), then });
        }
        let then = plan.then.map(|then| ThenText(then).to_string()).unwrap_or_default();
        self.print(&format!("{plan}{then}"));
    }

    /// Prints a signed packet that is sent now.
    pub(crate) fn packet(&mut self, number: usize, shot: &SignedShot) {
        match self.form {
            Form::Quiet | Form::Text => {}
            Form::Verbose => {
                let (address, port) = (Address(shot.destination), shot.destination.port());
                self.print(&format!("signed packet to {address} port {port}\n"));
            }
            Form::Json => self.object(Event::Packet { number, packet: shot.into() }),
        }
    }

    /// Prints the key that was made, always, because it is nowhere else for the client.
    pub(crate) fn enrolled(&mut self, enrolled: &Enrolled<'_>) {
        match self.form {
            Form::Json => self.object(Event::Enrolled(enrolled)),
            Form::Quiet | Form::Text | Form::Verbose => self.print(&enrolled.to_string()),
        }
    }

    /// Prints where a key was stored.
    pub(crate) fn imported(&mut self, imported: &Imported) {
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => self.print(&imported.to_string()),
            Form::Json => self.object(Event::Imported(imported)),
        }
    }

    /// Prints a knock that is sent now, as knock 0.8 does.
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

    /// Prints that a capture was written.
    pub(crate) fn written(&mut self, file: &Path, knocks: usize) {
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                self.print(&format!("{}: {}\n", shown(file), counted(knocks, "knock")));
            }
            Form::Json => self.object(Event::Written { file: shown(file), knocks }),
        }
    }

    /// Prints that the port has opened.
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

    /// Prints that the port has not opened, and that there is another round.
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

    /// Reports that the port has not opened, and returns the exit status.
    pub(crate) fn shut(&mut self, then: Then, cause: &Shut, sought: Sought) -> Exit {
        let Port(port) = then.port;
        let help = sought.help();
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

    /// Reports the error that ends the program, with what can be done about it.
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

    /// Reports why there are no knocks.
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

    /// Warns about likely mistakes in a text.
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

    /// Prints a warning.
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

    /// Lists the hosts of the profiles: always, because the user asked for it.
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

    /// Prints something useful to know.
    pub(crate) fn note(&mut self, note: &str) {
        match self.form {
            Form::Quiet => {}
            Form::Text | Form::Verbose => {
                let _ = writeln!(self.errors, "knock: note: {note}");
            }
            Form::Json => self.object(Event::Note { message: note }),
        }
    }

    /// Returns standard output for other uses, such as a capture.
    pub(crate) fn output(&mut self) -> &mut dyn Write {
        self.output
    }

    /// Returns the exit status: another one if the output could not be written.
    pub(crate) fn finish(mut self, exit: Exit) -> Exit {
        let Some(cause) = self.failure.take() else { return exit };
        self.complain(&OutputFault(&cause), None);
        if exit == Exit::Done { Exit::Failed } else { exit }
    }

    /// Prints on standard error. There is nowhere left to report a failure here.
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

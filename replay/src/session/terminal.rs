//! The streams of the process, and what is said on them.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use knock_capture::{CaptureError, Fault};
use knock_config::diagnostics::{self, Style};
use knock_config::file_faults::{OutputFault, WriteFault};
use knock_config::text::{ThreadFault, shown};

use super::exit::Exit;
use super::threads;

/// What the program writes to, besides standard input, which it reads if a capture is named `-`.
pub struct Streams<'a> {
    /// Standard output: the results.
    pub output: &'a mut (dyn Write + Send),
    /// Standard error: everything else.
    pub errors: &'a mut (dyn Write + Send),
    /// Whether a progress bar may be drawn on standard error.
    pub progress: bool,
    /// Whether errors may be coloured.
    pub colour: bool,
    /// Whether results on standard output may be coloured.
    pub output_colour: bool,
}

impl<'a> Streams<'a> {
    /// Makes streams without colours and without a progress bar.
    pub fn plain(output: &'a mut (dyn Write + Send), errors: &'a mut (dyn Write + Send)) -> Self {
        Self { output, errors, progress: false, colour: false, output_colour: false }
    }

    /// Makes the streams of this process out of two handles.
    pub(crate) fn of_process(output: &'a mut io::Stdout, errors: &'a mut io::Stderr) -> Self {
        let is_coloured = |choice| choice != anstream::ColorChoice::Never;
        Self {
            progress: errors.is_terminal(),
            colour: is_coloured(anstream::AutoStream::choice(&*errors)),
            output_colour: is_coloured(anstream::AutoStream::choice(&*output)),
            output,
            errors,
        }
    }
}

impl Streams<'_> {
    pub(crate) const fn style(&self) -> Style {
        if self.colour { Style::Coloured } else { Style::Plain }
    }

    pub(crate) const fn output_style(&self) -> Style {
        if self.output_colour { Style::Coloured } else { Style::Plain }
    }

    /// Prints a text on standard output.
    pub(crate) fn print(&mut self, text: &str) -> Exit {
        match self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()) {
            Ok(()) => Exit::Done,
            Err(error) => self.cannot_write(&error),
        }
    }

    /// Says something on standard error. There is no way to report that this failed.
    pub(crate) fn say(&mut self, text: &str) {
        let _ = self.errors.write_all(text.as_bytes());
    }

    /// Says a line in the name of the program.
    pub(crate) fn line(&mut self, line: &str) {
        self.say(&format!("knock-replay: {line}\n"));
    }

    pub(crate) fn error(&mut self, text: &str) {
        self.line(&format!("error: {text}"));
    }

    pub(crate) fn cannot_read(&mut self, error: &CaptureError) {
        if let Fault::Scenario(text) = &error.fault {
            self.say(&diagnostics::render(std::slice::from_ref(text), self.style()));
        } else {
            self.error(&error.to_string());
        }
    }

    /// Says that there is no thread to replay on.
    pub(crate) fn cannot_start(&mut self, why: &ThreadFault) -> Exit {
        self.error(&why.to_string());
        Exit::Capture
    }

    /// Says that standard output cannot be written, unless its reader has gone, who then wants no more; or that there
    /// was no thread, where that kept a replay from its end.
    pub(crate) fn cannot_write(&mut self, error: &io::Error) -> Exit {
        if let Some(why) = threads::fault(error) {
            return self.cannot_start(why);
        }
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Exit::Done;
        }
        self.error(&OutputFault(error).to_string());
        Exit::Output
    }

    /// Says that a file cannot be written.
    pub(crate) fn cannot_write_file(&mut self, path: &Path, error: &io::Error) -> Exit {
        self.error(&format!("cannot write {}: {}", shown(path), WriteFault(error)));
        Exit::Output
    }
}

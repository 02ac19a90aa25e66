//! Marking one-time sequences as used: before a door opens, and again after a reload.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use knock_config::diagnostics::Style;
use knock_config::file_faults::cause_for_existing;
use knock_config::marks;
use knock_config::text::shown;
use knock_config::{Config, Setup, path_of};
use knock_engine::{DoorId, MarkId, address};
use knock_guard::{Modes, OpenError};

use super::Runner;
use super::one_time::{UnmarkedLine, one_time_files};
use super::output::Kind;
use super::start::Loaded;
use crate::files;
use crate::wire::Order;

impl Runner {
    /// Marks the line of a sequence that a client has completed, and tells the engine whether it may open
    /// the door.
    pub(super) fn mark(
        &mut self,
        mark: MarkId,
        client: IpAddr,
        door: DoorId,
        (line, offset): (u32, u64),
    ) {
        self.marks = self.marks.saturating_add(1);
        let outcome = self.one_time.mark(door, line, offset);
        self.sniffer.queue(&Order::Marked { mark, is_marked: outcome.is_ok() });
        if let Err(why) = outcome {
            let mut text = Vec::new();
            address::write(client, &mut text);
            let name = &self.doors.door(door).name;
            let why = format!(
                ": not opened: cannot mark the one-time sequence on line {line} as used: {why}"
            );
            text.extend([b": ", name.as_bytes(), why.as_bytes()].concat());
            self.output.text(Kind::Notice, text);
        }
    }

    /// Removes sequences that were used already from a configuration that was just read, and marks them
    /// in their files. Returns the configuration and its warnings.
    pub(super) fn without_used_sequences(
        &mut self,
        loaded: Loaded,
        warnings: String,
    ) -> Result<(Loaded, String), String> {
        let Loaded { config, doors, mut files } = loaded;
        let unmarked = self.one_time.unmarked(&config, &files);
        if unmarked.is_empty() {
            return Ok((Loaded { config, doors, files }, warnings));
        }
        for line in unmarked {
            let UnmarkedLine { ref file, number, offset } = line;
            let text = files.one_time.get(file).map_or(&[][..], Vec::as_slice);
            let (path, modes) = (path_of(file), self.args.modes());
            let outcome = match marks::mark(path, modes, text, number, offset) {
                Ok(_) => "marked it again".to_owned(),
                Err(why) => format!("it does not count, but does after a restart ({why})"),
            };
            line.mark_in(&mut files);
            let place = format!("{}:{number}", shown(path));
            let text =
                format!("knockd: warning: {place}: this sequence was used before; {outcome}");
            self.output.text(Kind::Notice, text);
        }
        let setup = Setup::parse(&self.path, files);
        let report = setup.report(Style::Plain);
        let Setup { config: Some(config), files, .. } = setup else { return Err(report) };
        let doors = knock_config::doors(&config).map_err(|error| format!("error: {error}\n"))?;
        Ok((Loaded { config, doors, files }, report))
    }
}

/// A file in which sequences cannot be marked as used.
#[derive(Debug)]
pub(crate) struct NotWritable(PathBuf, OpenError);

impl fmt::Display for NotWritable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(path, error) = self;
        match error {
            OpenError::Io(error) => {
                let why = "a sequence that is not marked as used could be used again";
                write!(out, "cannot write {}: {}; {why}", shown(path), cause_for_existing(error))
            }
            OpenError::Distrusted(why) => files::write_distrust(path, why, out),
        }
    }
}

/// Checks that every file of one-time sequences can be written: a sequence that cannot be marked as used
/// could be used again, by anyone who saw it.
///
/// # Errors
/// [`NotWritable`] about the first that cannot be opened.
pub(crate) fn check_writable(config: &Config, modes: Modes) -> Result<(), NotWritable> {
    for (_, file) in one_time_files(config) {
        let path = path_of(file);
        marks::open(path, modes).map_err(|error| NotWritable(path.to_owned(), error))?;
    }
    Ok(())
}

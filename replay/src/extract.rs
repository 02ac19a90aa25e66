//! `extract`: the packets that a replay needs, as one small capture.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use knock_capture::write::{Packet, Writer};
use knock_capture::{Head, Unwanted};
use knock_engine::{Doors, LinkType, NamedPorts, Timestamp, Undecodable, decode};
use knock_guard::Readers;

use crate::args::{ExtractArgs, is_stdin};
use crate::output::buffered;
use crate::output::words::number;
use crate::session::exit::Exit;
use crate::session::finish::finish;
use crate::session::interrupt::Interrupt;
use crate::session::load::{self, Configuration};
use crate::session::names::{CaptureNames, PacketId};
use crate::session::overwrite::target;
use crate::session::reader::{Next, Reader, ReadingDone};
use crate::session::terminal::Streams;

/// Reads captures, and writes what a replay needs of them.
pub(crate) fn run(args: &ExtractArgs, streams: &mut Streams<'_>) -> Result<Exit, Exit> {
    let ExtractArgs { captures, config: _, output, quiet } = args;
    if is_stdin(output) && io::stdout().is_terminal() {
        streams.error("a capture has no place on a terminal: write it to a file or a pipe");
        return Err(Exit::Config);
    }
    let (doors, read) = doors_and_files(args, streams)?;
    let all: Vec<&Doors> = doors.iter().collect();
    let interrupt = Interrupt::hold(captures.iter().map(PathBuf::as_path), streams)?;
    let mut reader = load::open_all(captures, &all, interrupt.as_ref(), !quiet, streams)?;
    let mut named = NamedPorts::none();
    for doors in &doors {
        named.add(doors);
    }
    let (kept, written) = if is_stdin(output) {
        buffered(streams.output, |out| extract(&mut reader, named, out))
    } else {
        let read = read.iter().map(PathBuf::as_path);
        let file = target("--output", output, Readers::Owner, read, streams)?;
        let mut kept = Kept::default();
        let written = file.write(|out| {
            let written;
            (kept, written) = extract(&mut reader, named, out);
            written
        });
        written.map_err(|error| streams.cannot_write_file(output, &error))?;
        (kept, Ok(()))
    };
    let mut reading = reader.finish();
    let mut summary = kept.summary(&reading);
    if interrupt.as_ref().is_some_and(Interrupt::came) {
        reading.forgive_cuts();
        summary.push("interrupted: the new capture has what came until then".to_owned());
    }
    finish(streams, *quiet, written, &reading, summary).map(|()| Exit::Done)
}

/// Returns the doors of each configuration, and all files that are read.
fn doors_and_files(
    args: &ExtractArgs,
    streams: &mut Streams<'_>,
) -> Result<(Vec<Doors>, Vec<PathBuf>), Exit> {
    let mut doors = Vec::new();
    let mut read = args.captures.clone();
    for path in &args.config {
        let config = Configuration::load(path, args.quiet, streams)?;
        doors.push(config.doors);
        read.push(path.clone());
        read.extend(config.places.files().map(Path::to_owned));
    }
    Ok((doors, read))
}

/// What the new capture has, in numbers.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    packets: u64,
    /// Packets to ports that a configuration names.
    named: u64,
    /// Empty packets.
    times: u64,
}

impl Kept {
    fn summary(self, reading: &ReadingDone) -> Vec<String> {
        let read = number(reading.tally.packets(), "packet read", "packets read");
        let mut line = format!("{read}, {} kept", self.packets);
        if self.times > 0 {
            let _ = write!(line, ", {} added", number(self.times, "time", "times"));
        }
        let mut lines = vec![line];
        if self.named == 0 {
            lines.push("warning: no packet was to a port that a configuration names".to_owned());
        }
        lines
    }
}

/// Reads to the end, or until nothing can be written.
fn extract(reader: &mut Reader, named: NamedPorts, out: &mut dyn Write) -> (Kept, io::Result<()>) {
    let is_unwanted: Unwanted =
        Arc::new(move |link, frame| !decode(link, frame).is_ok_and(|packet| named.names(&packet)));
    reader.begin(Some(Arc::clone(&is_unwanted)));
    let mut extract = match Extract::begin(reader.names(), out) {
        Ok(extract) => extract,
        Err(error) => return (Kept::default(), Err(error)),
    };
    let mut written = Ok(());
    loop {
        let is_more = reader.next(|at, next| {
            match next {
                Next::Addresses(listening) => {
                    extract.writer.set_addresses(listening.local().unwrap_or_default().to_vec());
                }
                Next::Time => extract.pass(at),
                Next::Frame(head, frame, id) => {
                    let is_named = !is_unwanted(head.link, frame);
                    if is_named || extract.last.is_none() {
                        extract.kept.named = extract.kept.named.saturating_add(u64::from(is_named));
                        written = extract.packet(head, frame, id);
                    } else {
                        extract.pass(at);
                    }
                }
            }
            Ok::<(), Undecodable>(())
        });
        reader.tick(1);
        if !is_more || written.is_err() {
            break;
        }
    }
    let written = written.and_then(|()| extract.writer.flush());
    (extract.kept, written)
}

/// A capture that is being made.
struct Extract<'a> {
    writer: Writer<&'a mut dyn Write>,
    captures: CaptureNames,
    /// The last packet that was kept, and how to decode it.
    last: Option<(PacketId, LinkType)>,
    /// The latest time of what was kept.
    kept_until: Timestamp,
    /// The latest time of what was not kept.
    passed_until: Timestamp,
    kept: Kept,
}

impl<'a> Extract<'a> {
    fn begin(captures: CaptureNames, out: &'a mut dyn Write) -> io::Result<Self> {
        let writer = Writer::new(out)?;
        let (kept_until, passed_until) = (Timestamp::MIN, Timestamp::MIN);
        let kept = Kept::default();
        Ok(Self { writer, captures, last: None, kept_until, passed_until, kept })
    }

    /// Notes the time of packets that are not kept.
    fn pass(&mut self, at: Timestamp) {
        self.passed_until = at.max(self.passed_until);
    }

    fn packet(&mut self, head: Head, frame: &[u8], id: PacketId) -> io::Result<()> {
        let Head { at, link, original_length, .. } = head;
        // Time does not run backwards for an engine: it has to know how late it was.
        if at < self.passed_until {
            self.time()?;
        }
        let name = self.captures.of(id);
        let comment = format!("packet {} of {name}", id.number);
        let (capture, comment) = (id.capture, comment.as_str());
        let packet = Packet { capture, name, at, link, original_length, frame, comment };
        self.writer.packet(&packet)?;
        self.last = Some((id, link));
        self.kept_until = at.max(self.kept_until);
        self.kept.packets = self.kept.packets.saturating_add(1);
        Ok(())
    }

    /// Writes an empty packet if what was not kept is later than all that was.
    fn time(&mut self) -> io::Result<()> {
        let at = self.passed_until;
        let Some((id, link)) = self.last.filter(|_| at > self.kept_until) else { return Ok(()) };
        let (capture, name) = (id.capture, self.captures.of(id));
        let (original_length, frame, comment) =
            (0, &[][..], "only the time of packets that were left out");
        self.writer.packet(&Packet { capture, name, at, link, original_length, frame, comment })?;
        self.kept_until = at;
        self.kept.times = self.kept.times.saturating_add(1);
        Ok(())
    }
}

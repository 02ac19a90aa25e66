//! Replays a capture against a `knockd.conf` and prints the transcript: a driver in fifty lines.
//!
//!     cargo run -p knock-engine --example replay [CAPTURE CONFIGURATION]
//!
//! Without arguments it takes the capture and the configuration of the tests.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::PathBuf;

use knock_capture::Capture;
use knock_config::Setup;
use knock_engine::transcript::{self, Channel};
use knock_engine::{
    CommandStatus, CommandsEnd, Engine, Event, Limits, Listening, TimedEffect, Timestamp, decode,
};

fn main() -> Result<(), Box<dyn Error>> {
    let seed = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/captures/seed");
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut argument = |or: &str| arguments.next().unwrap_or_else(|| PathBuf::from(seed).join(or));
    let mut capture = Capture::open(&argument("capture.pcap"))?;
    let setup = Setup::load(&argument("knockd.conf"));
    let Some(config) = &setup.config else {
        return Err(setup.report(knock_config::diagnostics::Style::Plain).into());
    };
    let doors = knock_config::doors(config)?;
    let mut engine =
        Engine::new(doors, Listening::everywhere(), &Limits::default()).presuming_marks();

    // Commands are not run: each one succeeds as soon as it would start.
    let commands = CommandsEnd::AtOnce(CommandStatus::SUCCESS);
    while let Some(head) = capture.peek()? {
        if let Ok(packet) = decode(head.link, capture.frame()) {
            engine.drive(head.at, Event::Packet(packet), commands, print)?;
        }
        capture.advance();
    }
    // Time goes on until nothing is due: doors close, attempts expire.
    engine.drive(Timestamp::MAX, Event::DeadlineReached, commands, print)?;
    Ok(())
}

fn print(engine: &Engine, timed: TimedEffect) -> io::Result<()> {
    let mut line = Vec::new();
    if transcript::write(&timed.effect, engine.doors(), &mut line) == Channel::Transcript {
        line.push(b'\n');
        io::stdout().write_all(&line)?;
    }
    Ok(())
}

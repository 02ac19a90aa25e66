//! The loop: packets in, transcript out.

use std::io::{self, Write};
use std::net::IpAddr;

use knock_engine::transcript::{self, Channel};
use knock_engine::{
    CommandStatus, Doors, Effect, Engine, Event, Limits, Listening, TimedEffect, Timestamp, decode,
};

use crate::args::Args;
use crate::capture::Merge;
use crate::printer::Printer;
use crate::progress::Progress;
use crate::summary::{AddressSource, Tally};

/// A replay in progress.
pub(crate) struct Player<'a> {
    engine: Engine,
    addresses: Addresses,
    tally: Tally,
    printer: Printer<'a>,
    messages: &'a mut dyn Write,
    progress: Option<Progress>,
    /// Whether notes are wanted.
    verbose: bool,
    /// Whether not even warnings are.
    quiet: bool,
}

impl<'a> Player<'a> {
    /// How many packets are decoded before the first of them is handled, so that the engine can
    /// fetch what it needs for all of them from memory at once.
    const AT_ONCE: usize = 16;

    /// Makes ready to replay. The transcript goes to `out`, all else to `messages`.
    pub(crate) fn new(
        args: &Args,
        doors: Doors,
        progress: Option<Progress>,
        out: &'a mut dyn Write,
        messages: &'a mut dyn Write,
    ) -> Self {
        let addresses = Addresses::of(args);
        let limits = Limits { attempts: args.max_attempts, ..Limits::default() };
        Self {
            engine: Engine::new(doors, addresses.listening(), &limits),
            addresses,
            tally: Tally::default(),
            printer: Printer::new(out, args.time),
            messages,
            progress,
            verbose: args.verbose,
            quiet: args.quiet,
        }
    }

    /// Replays the captures, then lets time run on until nothing is due.
    ///
    /// # Errors
    /// What writing the transcript met.
    pub(crate) fn play(&mut self, captures: &mut Merge) -> io::Result<()> {
        let live = captures.is_live();
        // A live packet is handled as soon as it is there.
        let at_once = if live { 1 } else { Self::AT_ONCE };
        let mut waiting = Vec::with_capacity(at_once.saturating_add(1));
        while self.take_packets(captures, at_once, &mut waiting) {
            for (_, event) in &waiting {
                if let Event::Packet(packet) = event {
                    self.engine.anticipate(packet);
                }
            }
            for (at, event) in waiting.drain(..) {
                self.engine.handle(at, event);
                self.perform()?;
            }
            if live {
                self.flush()?;
            }
            if let Some(progress) = &mut self.progress {
                progress.tick(|| captures.bytes_read());
            }
        }
        // Time runs on until nothing is due.
        self.engine.handle(Timestamp::MAX, Event::DeadlineReached);
        self.perform()?;
        if let Some(progress) = &mut self.progress {
            progress.finish();
        }
        self.flush()
    }

    /// Takes the next packets, at most `at_once`, and what must be known before them. Returns
    /// whether there are any.
    fn take_packets(
        &mut self,
        captures: &mut Merge,
        at_once: usize,
        waiting: &mut Vec<(Timestamp, Event)>,
    ) -> bool {
        for _ in 0..at_once {
            let Some(head) = captures.peek() else { break };
            if self.addresses.learn(captures.take_local_addresses()) {
                let listening = self.addresses.listening();
                waiting.push((head.at, Event::AddressesChanged(listening)));
            }
            self.tally.packet(head.at);
            self.printer.start_at(head.at);
            let event = match decode(head.link, captures.frame()) {
                Ok(packet) => Event::Packet(packet),
                Err(why) => {
                    self.tally.undecodable(why);
                    Event::DeadlineReached
                }
            };
            waiting.push((head.at, event));
            captures.advance();
        }
        !waiting.is_empty()
    }

    /// Returns the lines of the summary.
    pub(crate) fn summary(&self) -> Vec<String> {
        self.tally.lines(self.engine.counts(), self.engine.listening(), self.addresses.source)
    }

    /// Prints what the engine has to say, and answers that every command succeeded at once.
    fn perform(&mut self) -> io::Result<()> {
        while let Some(timed) = self.engine.poll_effect() {
            self.print(timed)?;
            if let Effect::RunCommand { run, .. } = timed.effect {
                let status = CommandStatus::SUCCESS;
                self.engine.handle(timed.at, Event::CommandEnded { run, status });
            }
        }
        Ok(())
    }

    fn print(&mut self, TimedEffect { at, effect }: TimedEffect) -> io::Result<()> {
        let line_start = self.printer.len();
        let line = self.printer.begin_line(at);
        match transcript::write(&effect, self.engine.doors(), line) {
            Channel::Transcript => {
                let full = self.printer.end_line();
                if full { self.flush() } else { Ok(()) }
            }
            Channel::Message => {
                let line = self.printer.take_back(line_start);
                if self.quiet { Ok(()) } else { self.say("warning", &line) }
            }
            Channel::Note => {
                let line = self.printer.take_back(line_start);
                if self.verbose { self.say("note", &line) } else { Ok(()) }
            }
        }
    }

    /// Says something on standard error, behind what the transcript has so far.
    fn say(&mut self, kind: &str, line: &[u8]) -> io::Result<()> {
        self.flush()?;
        let Self { progress, messages, .. } = self;
        let mut write = || {
            // Nobody could be told that standard error cannot be written.
            let _ = write!(messages, "knock-replay: {kind}: ");
            let _ = messages.write_all(line);
            let _ = messages.write_all(b"\n");
        };
        match progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let Self { progress, printer, .. } = self;
        match progress {
            Some(progress) => progress.suspend(|| printer.flush()),
            None => printer.flush(),
        }
    }
}

/// The local addresses, as far as they are known.
struct Addresses {
    source: AddressSource,
    known: Vec<IpAddr>,
    ipv4_only: bool,
}

impl Addresses {
    fn of(args: &Args) -> Self {
        let source =
            if args.local.is_empty() { AddressSource::Unknown } else { AddressSource::Given };
        Self { source, known: args.local.clone(), ipv4_only: args.only_ip_v4 }
    }

    /// Takes addresses that a capture names. Returns whether they change what is known.
    fn learn(&mut self, named: Vec<IpAddr>) -> bool {
        if named.is_empty() || self.source == AddressSource::Given {
            return false;
        }
        self.source = AddressSource::Named;
        self.known.extend(named);
        true
    }

    fn listening(&self) -> Listening {
        let listening = match self.source {
            AddressSource::Unknown => Listening::everywhere(),
            AddressSource::Given | AddressSource::Named => {
                Listening::at(self.known.iter().copied())
            }
        };
        listening.with_ipv4_only(self.ipv4_only)
    }
}

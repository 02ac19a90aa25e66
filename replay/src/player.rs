//! The loop: packets in, effects out.

use std::net::IpAddr;
use std::sync::mpsc::SyncSender;

use knock_engine::{
    CommandStatus, Doors, Effect, Engine, Event, Limits, Listening, TimedEffect, Timestamp, decode,
};

use crate::args::Args;
use crate::capture::Merge;
use crate::printer::Batch;
use crate::progress::Progress;
use crate::summary::{AddressSource, Tally};

/// A replay in progress.
pub(crate) struct Player {
    engine: Engine,
    addresses: Addresses,
    tally: Tally,
    /// What the printer has not got yet.
    effects: Vec<TimedEffect>,
    printer: SyncSender<Batch>,
}

/// Nobody prints any more.
struct PrinterGone;

impl Player {
    /// How many packets are decoded before the first of them is handled, so that the engine can
    /// fetch what it needs for all of them from memory at once.
    const AT_ONCE: usize = 16;
    /// How many effects are printed at once.
    const BATCH: usize = 1024;

    /// Makes ready to replay, with a printer for the effects.
    pub(crate) fn new(args: &Args, doors: Doors, printer: SyncSender<Batch>) -> Self {
        let addresses = Addresses::of(args);
        let limits = Limits { attempts: args.max_attempts, ..Limits::default() };
        Self {
            engine: Engine::new(doors, addresses.listening(), &limits),
            addresses,
            tally: Tally::default(),
            effects: Vec::new(),
            printer,
        }
    }

    /// Replays the captures, then lets time run on until nothing is due, or stops early if nobody
    /// prints any more. Returns the lines of the summary.
    pub(crate) fn play(mut self, captures: &mut Merge, progress: Option<Progress>) -> Vec<String> {
        // The printer knows why it ended, if it has.
        let _ = self.try_play(captures, progress);
        self.tally.lines(self.engine.counts(), self.engine.listening(), self.addresses.source)
    }

    fn try_play(
        &mut self,
        captures: &mut Merge,
        mut progress: Option<Progress>,
    ) -> Result<(), PrinterGone> {
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
                self.print(true)?;
            }
            if let Some(progress) = &mut progress {
                progress.tick(|| captures.bytes_read());
            }
        }
        // Time runs on until nothing is due.
        self.engine.handle(Timestamp::MAX, Event::DeadlineReached);
        self.perform()?;
        self.print(true)
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

    /// Takes what the engine wants done or known, and answers that every command succeeded at once.
    fn perform(&mut self) -> Result<(), PrinterGone> {
        while let Some(timed) = self.engine.poll_effect() {
            self.effects.push(timed);
            if let Effect::RunCommand { run, .. } = timed.effect {
                let status = CommandStatus::SUCCESS;
                self.engine.handle(timed.at, Event::CommandEnded { run, status });
            }
            if self.effects.len() >= Self::BATCH {
                self.print(false)?;
            }
        }
        Ok(())
    }

    /// Hands over what is to be printed, if there is anything.
    fn print(&mut self, flush: bool) -> Result<(), PrinterGone> {
        if self.effects.is_empty() {
            return Ok(());
        }
        let start = self.tally.start().unwrap_or(Timestamp::EPOCH);
        let effects = std::mem::take(&mut self.effects);
        self.printer.send(Batch { effects, start, flush }).map_err(|_| PrinterGone)
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

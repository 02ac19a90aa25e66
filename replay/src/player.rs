//! The engine between reader and printer.

use std::sync::mpsc::{Receiver, SyncSender};

use knock_engine::{
    CommandStatus, Counts, Doors, Effect, Engine, Event, Limits, Listening, TimedEffect, Timestamp,
};

use crate::args::Args;
use crate::printer::Batch;

/// The engine, with what goes out of it.
pub(crate) struct Player {
    engine: Engine,
    /// When the first packet came.
    start: Option<Timestamp>,
    /// What the printer has not got yet.
    effects: Vec<TimedEffect>,
    printer: SyncSender<Batch>,
    /// Empty lists that the printer had.
    used: Receiver<Vec<TimedEffect>>,
    /// Whether each line is to be printed at once.
    live: bool,
}

/// What the engine has to say when all is over.
pub(crate) struct PlayingDone {
    /// What has happened, in numbers.
    pub(crate) counts: Counts,
    /// Which destinations counted in the end.
    pub(crate) listening: Listening,
}

/// Nobody prints any more.
struct PrinterGone;

impl Player {
    /// How many effects are printed at once.
    const BATCH: usize = 4096;

    /// Makes an engine that has heard nothing, and prints to `printer`; if
    /// `live`, as soon as there is something to print.
    pub(crate) fn new(
        args: &Args,
        doors: Doors,
        listening: Listening,
        printer: SyncSender<Batch>,
        used: Receiver<Vec<TimedEffect>>,
        live: bool,
    ) -> Self {
        let limits = Limits { attempts: args.max_attempts, ..Limits::default() };
        let engine = Engine::new(doors, listening, &limits);
        Self { engine, start: None, effects: Vec::new(), printer, used, live }
    }

    /// Replays what `read` appends until that is nothing, then lets time run on until nothing is due.
    /// Stops early if nobody prints any more.
    pub(crate) fn play(mut self, read: impl FnMut(&mut Vec<(Timestamp, Event)>)) -> PlayingDone {
        // The printer knows why it ended, if it has.
        let _ = self.try_play(read);
        PlayingDone { counts: self.engine.counts(), listening: self.engine.listening().clone() }
    }

    fn try_play(
        &mut self,
        mut read: impl FnMut(&mut Vec<(Timestamp, Event)>),
    ) -> Result<(), PrinterGone> {
        let mut events = Vec::new();
        loop {
            read(&mut events);
            let Some((first, _)) = events.first() else { break };
            self.start.get_or_insert(*first);
            for (_, event) in &events {
                if let Event::Packet(packet) = event {
                    self.engine.anticipate(packet);
                }
            }
            for (at, event) in events.drain(..) {
                self.engine.handle(at, event);
                self.perform()?;
            }
            if self.live {
                self.print(true)?;
            }
        }
        // Time runs on until nothing is due.
        self.engine.handle(Timestamp::MAX, Event::DeadlineReached);
        self.perform()?;
        self.print(true)
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
        let start = self.start.unwrap_or(Timestamp::EPOCH);
        let empty = self.used.try_recv().unwrap_or_default();
        let effects = std::mem::replace(&mut self.effects, empty);
        self.printer.send(Batch { effects, start, flush }).map_err(|_| PrinterGone)
    }
}

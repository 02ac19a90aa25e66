//! The engine between reader and printer.

use std::sync::mpsc::{Receiver, SyncSender};
use std::vec::Drain;

use knock_compat::{Engine, TimedEffect};
use knock_engine::{CommandsEnd, Event, Timestamp};

use super::drive::PlayingDone;
use super::reader::Events;
use crate::output::text::Batch;

/// The engine, with what goes out of it.
pub(crate) struct Player {
    engine: Engine,
    outgoing: Outgoing,
}

/// Effects on their way to the printer.
struct Outgoing {
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

/// Nobody prints any more.
struct PrinterGone;

impl Player {
    /// How many packets are anticipated before the first of them is handled.
    const ANTICIPATED: usize = 16;

    /// Takes an engine that has heard nothing, and prints to `printer`; if `live`, as soon as there is
    /// something to print.
    pub(crate) fn new(
        engine: Engine,
        printer: SyncSender<Batch>,
        used: Receiver<Vec<TimedEffect>>,
        live: bool,
    ) -> Self {
        let outgoing = Outgoing { start: None, effects: Vec::new(), printer, used, live };
        Self { engine, outgoing }
    }

    /// Replays what `read` appends until that is nothing, then lets time run on until nothing is due.
    /// Stops early if the output is closed.
    pub(crate) fn play(mut self, read: impl FnMut(&mut Events)) -> PlayingDone {
        // The printer knows why it ended, if it has.
        let _ = self.try_play(read);
        PlayingDone { counts: self.engine.counts(), listening: self.engine.listening().clone() }
    }

    fn try_play(&mut self, mut read: impl FnMut(&mut Events)) -> Result<(), PrinterGone> {
        let mut events = Vec::new();
        loop {
            read(&mut events);
            let Some((first, _)) = events.first() else { break };
            self.outgoing.start.get_or_insert(*first);
            self.handle_all(events.drain(..))?;
            if self.outgoing.live {
                self.outgoing.print(true)?;
            }
        }
        // Time runs on until nothing is due.
        self.handle(Timestamp::MAX, Event::DeadlineReached)?;
        self.outgoing.print(true)
    }

    fn handle_all(&mut self, mut events: Drain<'_, (Timestamp, Event)>) -> Result<(), PrinterGone> {
        while !events.as_slice().is_empty() {
            for (_, event) in events.as_slice().iter().take(Self::ANTICIPATED) {
                if let Event::Packet(packet) | Event::SignedPacket(packet, _) = event {
                    self.engine.anticipate(packet);
                }
            }
            for (at, event) in events.by_ref().take(Self::ANTICIPATED) {
                self.handle(at, event)?;
            }
        }
        Ok(())
    }

    fn handle(&mut self, at: Timestamp, event: Event) -> Result<(), PrinterGone> {
        let Self { engine, outgoing } = self;
        engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, timed| outgoing.take(timed))
    }
}

impl Outgoing {
    /// How many effects are printed at once.
    const BATCH: usize = 4096;

    fn take(&mut self, timed: TimedEffect) -> Result<(), PrinterGone> {
        self.effects.push(timed);
        if self.effects.len() >= Self::BATCH { self.print(self.live) } else { Ok(()) }
    }

    /// Hands over what is to be printed, if there is anything. What is live is waited for: a reader
    /// that has left must be noticed now, not at the next packet.
    fn print(&mut self, flush: bool) -> Result<(), PrinterGone> {
        if self.effects.is_empty() {
            return Ok(());
        }
        let start = self.start.unwrap_or(Timestamp::EPOCH);
        let effects = std::mem::take(&mut self.effects);
        self.printer.send(Batch { effects, start, flush }).map_err(|_| PrinterGone)?;
        self.effects = if self.live {
            self.used.recv().map_err(|_| PrinterGone)?
        } else {
            self.used.try_recv().unwrap_or_default()
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::mpsc;

    use knock_compat::Rules;
    use knock_config as config;
    use knock_engine::{Doors, Limits, Listening, Packet, Port, Transport};

    use super::*;

    /// As many timeouts as fill a batch to the last place, from one packet.
    #[test]
    fn a_live_packet_is_printed_at_once_even_if_its_effects_fill_a_batch() {
        let conf = b"[d]\nsequence = 1:udp,2:udp\nseq_timeout = 5\ncommand =\n";
        let config = config::parse(conf).config.unwrap();
        let doors = config.doors.into_iter().map(|door| door.door()).collect();
        let (printer, batches) = mpsc::sync_channel(1);
        let (give_back, used) = mpsc::channel();
        let printing = std::thread::spawn(move || {
            let mut flushes = Vec::new();
            for Batch { mut effects, flush, .. } in batches {
                flushes.push((effects.len(), flush));
                effects.clear();
                let _ = give_back.send(effects);
            }
            flushes
        });
        let doors = Doors::new(doors).unwrap();
        let limits = Limits::default();
        let engine = Rules::Knock.engine(doors, Listening::everywhere(), &limits);
        let player = Player::new(engine, printer, used, true);
        let full = u32::try_from(Outgoing::BATCH).unwrap();
        let mut number = 0;
        player.play(|events| {
            let packet = Packet {
                source: Ipv4Addr::from_bits(0x0a00_0000 | number).into(),
                destination: IpAddr::V4(Ipv4Addr::LOCALHOST),
                source_port: Port(9),
                destination_port: Port(1),
                transport: Transport::Udp,
            };
            if number < full {
                events.push((Timestamp::EPOCH, Event::Packet(packet)));
            } else if number == full {
                events.push((Timestamp::MAX, Event::DeadlineReached));
            }
            number += 1;
        });
        let flushes = printing.join().unwrap();
        assert_eq!(flushes.last(), Some(&(Outgoing::BATCH, true)));
        assert!(flushes.iter().all(|(_, flush)| *flush));
    }
}

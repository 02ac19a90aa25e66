//! The engine between reader and printer.

use std::vec::Drain;

use knock_compat::{Engine, TimedEffect};
use knock_engine::{ANTICIPATED, CommandsEnd, Event, Timestamp};

use super::drive::PlayingDone;
use super::outgoing::{Outgoing, PrinterGone};
use super::reader::Events;

/// The engine, with where its effects go. It shares no cache lines with the threads that read and print.
#[repr(align(128))]
pub(crate) struct Player {
    engine: Engine,
    outgoing: Outgoing<TimedEffect>,
}

impl Player {
    /// Takes an engine that has heard nothing, and where its effects go.
    pub(crate) const fn new(engine: Engine, outgoing: Outgoing<TimedEffect>) -> Self {
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
            self.outgoing.begin(*first);
            self.handle_all(events.drain(..))?;
            self.outgoing.complete()?;
        }
        // Time runs on until nothing is due.
        self.handle(Timestamp::MAX, Event::DeadlineReached)?;
        self.outgoing.print(true)
    }

    fn handle_all(&mut self, mut events: Drain<'_, (Timestamp, Event)>) -> Result<(), PrinterGone> {
        while !events.as_slice().is_empty() {
            let next = events.as_slice().iter().take(ANTICIPATED);
            self.engine.anticipate(next.filter_map(|(_, event)| event.packet()));
            for (at, event) in events.by_ref().take(ANTICIPATED) {
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::{IpAddr, Ipv4Addr};

    use knock_compat::Rules;
    use knock_config as config;
    use knock_engine::{Doors, Limits, Listening, Packet, Port, Transport};

    use super::*;
    use crate::session::outgoing::{Batch, outgoing};

    /// As many timeouts as fill a batch to the last place, from one packet.
    #[test]
    fn a_live_packet_is_printed_at_once_even_if_its_effects_fill_a_batch() {
        let conf = b"[d]\nsequence = 1:udp,2:udp\nseq_timeout = 5\ncommand =\n";
        let config = config::parse(conf).config.unwrap();
        let doors = config.doors.into_iter().map(|door| door.door()).collect();
        let (outgoing, to_print) = outgoing(true);
        let printing = std::thread::spawn(move || {
            let mut flushes = Vec::new();
            let Ok(()) = to_print.each(|Batch { effects, flush, .. }| {
                flushes.push((effects.len(), *flush));
                Ok::<_, Infallible>(())
            });
            flushes
        });
        let doors = Doors::new(doors).unwrap();
        let limits = Limits::default();
        let engine = Rules::Knock.engine(doors, Listening::everywhere(), &limits);
        let player = Player::new(engine, outgoing);
        let full = u32::try_from(Outgoing::<TimedEffect>::BATCH).unwrap();
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
        assert_eq!(flushes.last(), Some(&(Outgoing::<TimedEffect>::BATCH, true)));
        assert!(flushes.iter().all(|(_, flush)| *flush));
    }
}

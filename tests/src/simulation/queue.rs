//! Future events, in order of time, and the network that delays packets.

use std::collections::BTreeMap;

use super::rng::Rng;
use super::tally::Tally;
use crate::model::Packet;

/// The index of a client in the world's list.
pub(super) type ClientNumber = usize;

/// A future event.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// A packet comes to the host.
    Arrival(Sent),
    /// It is a client's turn.
    Turn(ClientNumber),
    /// The command with this number, counted from 0, ends.
    CommandEnds(u64),
    /// The line with this number, counted from 0, is marked, or cannot be.
    LineMarked(u64),
    /// The configuration is reloaded.
    Reload,
    /// The local addresses change.
    Addresses,
    /// The clock of the capture is set.
    ClockStep,
}

/// A packet on its way. Its stamp is given on arrival.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) packet: Packet,
    /// When it left its sender.
    pub(super) left_ns: i64,
    /// Which knock of which visit it is, if the client follows the rules.
    pub(super) knock: Option<HonestKnock>,
}

/// A knock of a visit: one run through a door's sequence by a client who follows the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HonestKnock {
    pub(super) visit: usize,
    /// From 0.
    pub(super) place: usize,
}

/// Future events, by time; at the same time, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Queue {
    happenings: BTreeMap<(i64, u64), Happening>,
    serial: u64,
}

impl Queue {
    pub(super) fn put(&mut self, at_ns: i64, happening: Happening) {
        self.happenings.insert((at_ns, self.serial), happening);
        self.serial += 1;
    }

    pub(super) fn next(&mut self) -> Option<(i64, Happening)> {
        self.happenings.pop_first().map(|((at_ns, _), happening)| (at_ns, happening))
    }
}

/// How the network treats packets, in percent, and how long they travel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) loss: i64,
    pub(super) duplication: i64,
    pub(super) delay_max_ns: i64,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Nothing is lost, and what is sent first arrives first.
    Steady,
    /// The network does its worst.
    Wild,
}

impl Network {
    pub(super) fn send(
        self,
        sent: Sent,
        path: Path,
        rng: &mut Rng,
        queue: &mut Queue,
        tally: &mut Tally,
    ) {
        if path == Path::Steady {
            queue.put(sent.left_ns + 20_000_000, Happening::Arrival(sent));
            return;
        }
        if rng.percent(self.loss) {
            tally.lost += 1;
            return;
        }
        let copies = if rng.percent(self.duplication) { 2 } else { 1 };
        tally.duplicated += copies - 1;
        for _ in 0..copies {
            let delay_ns = rng.between(0, self.delay_max_ns);
            queue.put(sent.left_ns + delay_ns, Happening::Arrival(sent));
        }
    }
}

//! The order of what happens among what happens in other shards.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use knock_compat::{Effect, TimedEffect};
use knock_engine::{DoorId, Doors, Note, OnReknock, Phase, Stage, Timestamp};
use serde::{Deserialize, Serialize};

/// The place of an object in the whole: of those of the same time, the one with the smaller numbers comes first.
/// Packets are numbered from 1; those count that some door admits, of whatever client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Order {
    /// Time makes it happen.
    Due(AfterPacket, Round, Class, MadeBy),
    /// A packet makes it happen: the one with this number.
    Packet([u64; 1]),
}

/// The last packet before it.
type AfterPacket = u64;
/// How many stop commands of the same client and door ran at the same moment before it: each waits for the one before,
/// and meanwhile everything else happens that is due.
type Round = u64;
/// 0, or 1 for the end of an admission, which comes after all else.
type Class = u64;
/// The packet that made it due.
type MadeBy = u64;

impl Order {
    const PLAIN: Class = 0;
    const ADMISSION: Class = 1;

    /// Returns what objects are sorted by, with their time.
    pub(crate) const fn key(self, at: Timestamp) -> (u64, bool, Timestamp, [u64; 3]) {
        match self {
            // What is due can be due at the time of the packet that made it due, so time is not enough.
            Self::Packet([packet]) => (packet, false, Timestamp::MIN, [0; 3]),
            Self::Due(after, round, class, made_by) => (after, true, at, [round, class, made_by]),
        }
    }
}

/// A client at a door.
type Lessee = (IpAddr, DoorId);

/// What is due, with the packets that made it so.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// How many packets were handled.
    packets: u64,
    attempts: HashMap<Lessee, MadeBy>,
    stops: HashMap<Lessee, Stops>,
    admissions: HashMap<Lessee, MadeBy>,
}

/// The stop commands of a client at a door that are owed.
#[derive(Debug, Default)]
struct Stops {
    /// Those that are not due yet, each with the packet of its start command.
    owed: VecDeque<MadeBy>,
    /// How many are due and have not run.
    due: u64,
    row: Option<Row>,
}

/// Stop commands of a client and door that run one after another at the same moment.
#[derive(Clone, Copy, Debug)]
struct Row {
    at: Timestamp,
    after: AfterPacket,
    made_by: MadeBy,
    /// How many have run.
    round: Round,
}

impl Stops {
    /// Returns the row of now, a new one if there is none, which `made_by` has made due.
    fn row(&mut self, at: Timestamp, after: AfterPacket, made_by: MadeBy) -> &mut Row {
        let new = Row { at, after, made_by, round: 0 };
        let row = self.row.get_or_insert(new);
        if (row.at, row.after) != (at, after) {
            *row = new;
        }
        row
    }
}

impl Orders {
    /// Returns how many packets were handled.
    pub(super) const fn packets(&self) -> u64 {
        self.packets
    }

    /// A packet that some door admits is handled from now on, and all that was due before has happened.
    pub(super) fn begin_packet(&mut self) {
        self.packets = self.packets.saturating_add(1);
    }

    /// Returns the place of what happens now. All that happens must be handed over, in its order.
    pub(super) fn of(&mut self, timed: &TimedEffect, doors: &Doors) -> Order {
        let TimedEffect { at, effect } = *timed;
        let after = self.packets;
        let plain = |(round, made_by)| Order::Due(after, round, Order::PLAIN, made_by);
        if let Effect::SequenceTimedOut { client, door, .. } = effect {
            let made_by = self.attempts.remove(&(client, door)).unwrap_or_default();
            plain((0, made_by))
        } else if let Effect::AdmissionEnded { client, door } = effect {
            let made_by = self.admissions.remove(&(client, door)).unwrap_or_default();
            Order::Due(after, 0, Order::ADMISSION, made_by)
        } else if let Effect::CommandTimedOut { client, door } = effect {
            let is_separate = doors.door(door).on_reknock == OnReknock::Separate;
            plain(self.stop_is_due((client, door), at, is_separate))
        } else if let Effect::RunCommand { client, door, phase: Phase::Stop, .. } = effect {
            plain(self.stop_runs((client, door), at))
        } else {
            self.note(&effect, doors);
            Order::Packet([after])
        }
    }

    /// Notes what a packet makes due, or ends.
    fn note(&mut self, effect: &Effect, doors: &Doors) {
        let packet = self.packets;
        if let Effect::StageReached { client, door, stage } = *effect {
            let sequence = doors.door(door).sequence();
            if sequence.is_none_or(|sequence| sequence.is_complete_at(stage)) {
                self.attempts.remove(&(client, door));
            } else if stage == Stage::FIRST {
                // Also if it begins again.
                self.attempts.insert((client, door), packet);
            }
        } else if let Effect::Note(
            Note::Voided { client, door, .. } | Note::Evicted { client, door, .. },
        ) = *effect
        {
            self.attempts.remove(&(client, door));
        } else if let Effect::RunCommand { client, door, phase: Phase::Start, .. } = *effect
            && doors.door(door).commands.stop_for(client).is_some()
        {
            self.stops.entry((client, door)).or_default().owed.push_back(packet);
        } else if let Effect::Admit { client, door, .. } = *effect {
            self.admissions.insert((client, door), packet);
        }
    }

    /// A stop command is due: one of those with deadlines of their own, or one of those with that of the last opening.
    fn stop_is_due(&mut self, lessee: Lessee, at: Timestamp, is_separate: bool) -> (Round, MadeBy) {
        let after = self.packets;
        let stops = self.stops.entry(lessee).or_default();
        stops.due = stops.due.saturating_add(1);
        let last = stops.owed.back().copied().unwrap_or_default();
        let first = stops.owed.pop_front().unwrap_or_default();
        if is_separate {
            stops.row(at, after, first);
            return (0, first);
        }
        let Row { round, made_by, .. } = *stops.row(at, after, last);
        (round, made_by)
    }

    fn stop_runs(&mut self, lessee: Lessee, at: Timestamp) -> (Round, MadeBy) {
        let after = self.packets;
        let stops = self.stops.entry(lessee).or_default();
        stops.due = stops.due.saturating_sub(1);
        let row = stops.row(at, after, 0);
        let Row { round, made_by, .. } = *row;
        row.round = round.saturating_add(1);
        if stops.owed.is_empty() && stops.due == 0 {
            self.stops.remove(&lessee);
        }
        (round, made_by)
    }
}

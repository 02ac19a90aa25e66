//! What is remembered of clients at doors, within limits.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::{DoorId, Knock, Packet, Seconds, Sequence, Stage, Timestamp, Transport};

use super::explanation::{Attempt, Late, Seen};
use super::miss::{Cause, Miss, Nearest, Tally};
use crate::output::time::nanos;
use crate::session::names::PacketId;

/// All clients that had to do with doors, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Clients {
    list: Vec<Client>,
    places: HashMap<IpAddr, usize, RandomState>,
    /// Who was looked for last, and what was found: a packet is looked at from several sides.
    last: Option<(IpAddr, Option<usize>)>,
    /// How many tracks there are.
    tracks: usize,
}

/// A client that had to do with a door.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// Boxed: a map reserves space for eleven at once.
    pub(super) tracks: BTreeMap<DoorId, Box<Track>>,
    /// Packets to ports of no door.
    pub(super) strays: u64,
}

/// A client at a door.
#[derive(Debug, Default)]
pub(super) struct Track {
    pub(super) live: Option<Live>,
    /// The attempt that timed out last, for knocks that come too late.
    pub(super) expired: Option<ExpiredAttempt>,
    /// The last attempt, live or not.
    pub(super) attempt: Option<Attempt>,
    /// The knocks that counted last, at most [`Track::COUNTED_MAX`], the latest last.
    pub(super) counted: Vec<Counted>,
    /// The packets that the door heard last, at most [`Track::ARRIVALS_MAX`], the latest last.
    pub(super) arrivals: Vec<Arrival>,
    /// Whether a packet to a port of no door came where the first knock is missing.
    pub(super) has_stray_first: bool,
    /// When a packet last had to do with the door.
    pub(super) last: Option<Timestamp>,
    pub(super) tally: Tally,
    /// How long the sequence was when it was last looked at, and its line if it is a one-time one.
    pub(super) sequence: (u8, Option<u32>),
}

/// A packet that a door heard, whatever became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) at: Timestamp,
    pub(super) knock: Knock,
}

/// A live attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Live {
    pub(super) stage: Stage,
    /// The knock that is expected.
    pub(super) expected: Option<Knock>,
    /// What kept the next knock from counting, as far as is known.
    pub(super) hindrance: Option<Miss>,
}

/// An attempt that timed out.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpiredAttempt {
    /// How far it came.
    stage: Stage,
    /// How far it would have come with the knocks that came too late.
    reached: Stage,
    began: Timestamp,
    ended: Timestamp,
    /// What it failed of, as it was counted.
    cause: Cause,
}

/// A knock that counted, as far as needed to recognize its retransmission.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    id: PacketId,
    mark: (u16, Knock, Option<u32>),
}

impl Counted {
    pub(super) fn new(id: PacketId, packet: &Packet) -> Self {
        Self { id, mark: mark(packet) }
    }
}

fn mark(packet: &Packet) -> (u16, Knock, Option<u32>) {
    let number = match packet.transport {
        Transport::Tcp(header) => header.sequence_number,
        Transport::Udp => None,
    };
    (packet.source_port.0, packet.knock(), number)
}

impl Track {
    /// As many as the longest sequence has.
    const COUNTED_MAX: usize = Sequence::MAX_KNOCKS;

    /// Remembers a knock that counted.
    pub(super) fn count(&mut self, knock: Counted) {
        if self.counted.len() >= Self::COUNTED_MAX {
            self.counted.remove(0);
        }
        self.counted.push(knock);
    }

    /// As many as the longest sequence has.
    const ARRIVALS_MAX: usize = Sequence::MAX_KNOCKS;

    /// Remembers a packet that the door heard.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        if self.arrivals.len() >= Self::ARRIVALS_MAX {
            self.arrivals.remove(0);
        }
        self.arrivals.push(arrival);
    }

    /// Returns the attempt that is live, or that a knock may be too late for.
    pub(super) fn pending(&self) -> Option<Attempt> {
        self.attempt.filter(|_| self.live.is_some() || self.expired.is_some())
    }

    /// Takes note of the sequence that the door has now.
    pub(super) fn look_at(&mut self, sequence: (u8, Option<u32>)) {
        if self.sequence.1 != sequence.1 {
            // Nothing can be too late for a one-time sequence that is used up.
            self.expired = None;
        }
        self.sequence = sequence;
    }

    /// Ends the live attempt, which failed at `stage` of what `miss` makes of it.
    pub(super) fn fail(&mut self, stage: Stage, miss: impl FnOnce(&Live) -> Miss) -> Option<Live> {
        let live = self.live.take()?;
        self.tally.miss(stage, miss(&live));
        Some(live)
    }

    /// Counts a packet that failed to be a first knock, if no attempt is under way or was just now.
    pub(super) fn fail_to_begin(&mut self, miss: Miss) {
        if self.live.is_none() && self.expired.is_none() {
            self.tally.miss(Stage::NONE, miss);
        }
    }
}

impl Counted {
    /// Returns which packet it was.
    pub(super) const fn id(&self) -> PacketId {
        self.id
    }

    /// Returns what was knocked at.
    pub(super) const fn knock(&self) -> Knock {
        self.mark.1
    }
}

impl Live {
    /// Takes note of a packet that came instead of the next knock; that nearest to a knock is kept.
    pub(super) fn hinder(&mut self, miss: Miss) {
        if self.hindrance.is_none_or(|there| miss.cause < there.cause) {
            self.hindrance = Some(miss);
        }
    }

    /// Returns what the attempt failed of when it timed out.
    pub(super) fn silence(&self) -> Miss {
        self.hindrance.unwrap_or(Miss::once(Cause::Silence, None, self.expected))
    }
}

impl ExpiredAttempt {
    /// How long a knock may be late and still belong to the attempt that it is too late for.
    const MEMORY: Seconds = Seconds::new(86_400).unwrap();

    pub(super) const fn new(
        stage: Stage,
        began: Timestamp,
        ended: Timestamp,
        cause: Cause,
    ) -> Self {
        Self { stage, reached: stage, began, ended, cause }
    }

    /// Returns how far the attempt would have come.
    pub(super) const fn reached(&self) -> Stage {
        self.reached
    }

    /// Returns how late a knock is that is the next one.
    pub(super) fn late(&self, at: Timestamp) -> Option<Late> {
        if at > self.ended.saturating_add(Self::MEMORY) {
            return None;
        }
        let after_nanos = nanos(self.began, at);
        // `seq_timeout` is exclusive.
        let needed_seconds = (after_nanos / 1_000_000_000).saturating_add(1);
        let by_nanos = nanos(self.ended, at);
        Some(Late { stage: self.reached, after_nanos, by_nanos, needed_seconds })
    }

    /// Takes a late knock. Returns whether there can be more.
    pub(super) fn follow(&mut self, packet: Seen, late: Late, of: u8, tally: &mut Tally) -> bool {
        if self.reached == self.stage {
            tally.was_late(self.stage, self.cause, packet, late);
        } else {
            tally.was_later_still(self.stage, late);
        }
        match Stage::new(self.reached.get().saturating_add(1)) {
            Some(reached) if reached.get() < of => {
                self.reached = reached;
                true
            }
            Some(_) | None => false,
        }
    }
}

impl Clients {
    pub(super) fn get(&self, client: IpAddr) -> Option<&Client> {
        self.list.get(*self.places.get(&client)?)
    }

    pub(super) fn get_mut(&mut self, client: IpAddr) -> Option<&mut Client> {
        let place = self.place(client)?;
        self.list.get_mut(place)
    }

    fn place(&mut self, client: IpAddr) -> Option<usize> {
        if let Some((last, place)) = self.last
            && last == client
        {
            return place;
        }
        let place = self.places.get(&client).copied();
        self.last = Some((client, place));
        place
    }

    /// Returns what is remembered of a client at a door, and begins to if there are fewer than
    /// `limit` such pairs; `None` if there are as many.
    pub(super) fn follow(
        &mut self,
        client: IpAddr,
        door: DoorId,
        limit: usize,
    ) -> Option<&mut Track> {
        let place = match self.place(client) {
            Some(place) => place,
            None if self.tracks >= limit => return None,
            None => {
                let place = self.list.len();
                self.places.insert(client, place);
                self.last = Some((client, Some(place)));
                self.list.push(Client { address: client, tracks: BTreeMap::new(), strays: 0 });
                place
            }
        };
        let tracks = &mut self.list.get_mut(place)?.tracks;
        if !tracks.contains_key(&door) {
            if self.tracks >= limit {
                return None;
            }
            self.tracks = self.tracks.saturating_add(1);
        }
        Some(&mut **tracks.entry(door).or_default())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.list.iter()
    }

    /// Returns the packet that a client's packet repeats, if a knock that counted is remembered that
    /// it could repeat.
    pub(super) fn repeated(&self, packet: &Packet) -> Option<PacketId> {
        let mark = mark(packet);
        let counted = self.get(packet.source)?.tracks.values().flat_map(|track| &track.counted);
        counted.filter(|counted| counted.mark == mark).map(|counted| counted.id).max()
    }
}

impl Client {
    /// Returns how near the client came to opening each door, in the order of the doors.
    pub(super) fn nearest(&self) -> impl Iterator<Item = Nearest> {
        self.tracks
            .iter()
            .map(|(&door, track)| Nearest::new(self.address, door, track.sequence, &track.tally))
    }
}

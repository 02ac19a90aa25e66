//! What is remembered of clients at doors, within limits.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::{DoorId, Knock, Packet, Seconds, Sequence, Stage, Timestamp, Transport};

use super::admission::Admission;
use super::chunked::Chunked;
use super::explanation::{Attempt, Late, Seen};
use super::miss::{Cause, Miss, Nearest, Standing, Tally};
use crate::output::time::nanos;
use crate::session::names::PacketId;

/// All clients that had to do with doors, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Clients {
    list: Chunked<Client>,
    places: Places,
    /// Who was looked for last, and what was found: a packet is looked at from several sides.
    last: Option<(IpAddr, Option<usize>)>,
    /// In the order in which they began.
    tracks: Chunked<Track>,
}

/// The places of clients in a list. Each kind of address has a table of its own, so that one of IPv4 takes little room:
/// in a flood, every packet is looked for.
#[derive(Debug, Default)]
struct Places {
    v4: HashMap<u32, u32, RandomState>,
    v6: HashMap<u128, u32, RandomState>,
}

/// A client that had to do with a door.
#[derive(Debug)]
struct Client {
    address: IpAddr,
    /// The doors in order, each with the place of the client's track there.
    doors: Vec<(DoorId, u32)>,
    /// Packets to ports of no door.
    strays: u64,
}

/// A client at a door. Hundreds of thousands are kept: what only few have is apart, and lists begin small.
#[derive(Debug)]
pub(super) struct Track {
    /// Its number among all, in the order in which they began.
    pub(super) number: u32,
    /// The place of the client in the list.
    client: u32,
    door: DoorId,
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
    /// What is open for the client now.
    pub(super) admission: Option<Box<Admission>>,
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
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) stage: Stage,
    /// The knock that is expected.
    pub(super) expected: Option<Knock>,
    /// What kept the next knock from counting, as far as is known.
    hindrance: Option<Box<Miss>>,
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
    const fn new(number: u32, client: u32, door: DoorId) -> Self {
        Self {
            number,
            client,
            door,
            live: None,
            expired: None,
            attempt: None,
            counted: Vec::new(),
            arrivals: Vec::new(),
            has_stray_first: false,
            last: None,
            admission: None,
            tally: Tally::new(),
            sequence: (0, None),
        }
    }

    /// As many as the longest sequence has.
    const COUNTED_MAX: usize = Sequence::MAX_KNOCKS;

    /// Remembers a knock that counted.
    pub(super) fn count(&mut self, knock: Counted) {
        if self.counted.len() >= Self::COUNTED_MAX {
            self.counted.remove(0);
        }
        push(&mut self.counted, knock);
    }

    /// As many as the longest sequence has.
    const ARRIVALS_MAX: usize = Sequence::MAX_KNOCKS;

    /// Remembers a packet that the door heard.
    pub(super) fn arrive(&mut self, arrival: Arrival) {
        if self.arrivals.len() >= Self::ARRIVALS_MAX {
            self.arrivals.remove(0);
        }
        push(&mut self.arrivals, arrival);
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
    pub(super) const fn new(stage: Stage, expected: Option<Knock>) -> Self {
        Self { stage, expected, hindrance: None }
    }

    /// Takes note of a packet that came instead of the next knock; that nearest to a knock is kept.
    pub(super) fn hinder(&mut self, miss: Miss) {
        if self.hindrance.as_ref().is_none_or(|there| miss.cause < there.cause) {
            self.hindrance = Some(Box::new(miss));
        }
    }

    /// Returns what kept the next knock from counting, as far as is known.
    pub(super) fn hindrance(&self) -> Option<Miss> {
        self.hindrance.as_deref().copied()
    }

    /// Returns what the attempt failed of when it timed out.
    pub(super) fn silence(&self) -> Miss {
        self.hindrance().unwrap_or(Miss::once(Cause::Silence, None, self.expected))
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
    fn get(&self, client: IpAddr) -> Option<&Client> {
        self.list.get(self.place(client)?)
    }

    fn place(&self, client: IpAddr) -> Option<usize> {
        usize::try_from(self.places.get(client)?).ok()
    }

    /// Returns the place of a client, and remembers it.
    fn find(&mut self, client: IpAddr) -> Option<usize> {
        if let Some((last, place)) = self.last
            && last == client
        {
            return place;
        }
        let place = self.place(client);
        self.last = Some((client, place));
        place
    }

    /// Prepares for a packet of a client that comes soon: the waits for memory overlap then.
    pub(super) fn anticipate(&self, client: IpAddr) {
        /// As many are in the processor's cache.
        const FEW: usize = 20_000;
        if self.list.len() > FEW {
            black_box(self.places.get(client));
        }
    }

    /// Returns whether nothing is remembered of a client, and nothing will be, as there are `limit` pairs.
    pub(super) fn crowds_out(&mut self, client: IpAddr, limit: usize) -> bool {
        self.tracks.len() >= limit && self.find(client).is_none()
    }

    /// Returns what is remembered of a client at a door, and begins to if there are fewer than
    /// `limit` such pairs; `None` if there are as many.
    pub(super) fn follow(
        &mut self,
        client: IpAddr,
        door: DoorId,
        limit: usize,
    ) -> Option<&mut Track> {
        let is_full = self.tracks.len() >= limit;
        let place = match self.find(client) {
            Some(place) => place,
            None if is_full => return None,
            None => {
                let place = self.list.len();
                self.places.insert(client, u32::try_from(place).ok()?);
                self.last = Some((client, Some(place)));
                // A client of a flood has to do with one or two doors.
                let doors = Vec::with_capacity(2);
                self.list.push(Client { address: client, doors, strays: 0 });
                place
            }
        };
        let Self { list, tracks, .. } = self;
        let Client { doors, .. } = list.get_mut(place)?;
        let track = match doors.binary_search_by_key(&door, |(door, _)| *door) {
            Ok(at) => doors.get(at)?.1,
            Err(_) if is_full => return None,
            Err(at) => {
                let track = u32::try_from(tracks.len()).ok()?;
                tracks.push(Track::new(track, u32::try_from(place).ok()?, door));
                doors.insert(at, (door, track));
                track
            }
        };
        tracks.get_mut(usize::try_from(track).ok()?)
    }

    /// Counts a packet to a port of no door, if anything is remembered of the client.
    pub(super) fn count_stray(&mut self, client: IpAddr) {
        if let Some(place) = self.find(client)
            && let Some(client) = self.list.get_mut(place)
        {
            client.strays = client.strays.saturating_add(1);
        }
    }

    /// Returns how many packets a client sent to ports of no door.
    pub(super) fn strays_of(&self, client: IpAddr) -> u64 {
        self.get(client).map_or(0, |client| client.strays)
    }

    /// Hands over what is remembered of a client at its doors, in the order of the doors.
    pub(super) fn each_of(&mut self, client: IpAddr, mut see: impl FnMut(DoorId, &mut Track)) {
        let Some(place) = self.find(client) else { return };
        let Self { list, tracks, .. } = self;
        let doors = list.get(place).map(|client| &client.doors);
        for &(door, track) in doors.into_iter().flatten() {
            if let Some(track) = usize::try_from(track).ok().and_then(|at| tracks.get_mut(at)) {
                see(door, track);
            }
        }
    }

    /// Returns what is remembered of a client at a door.
    pub(super) fn get_mut(&mut self, client: IpAddr, door: DoorId) -> Option<&mut Track> {
        let place = self.find(client)?;
        let Self { list, tracks, .. } = self;
        let track = list.get(place)?.track(door)?;
        tracks.get_mut(track)
    }

    /// Returns what is remembered of all clients at their doors: client by client in the order in which they came, each
    /// in the order of the doors.
    pub(super) fn iter(&self) -> impl Iterator<Item = Followed<'_>> {
        self.list.iter().flat_map(|client| self.followed(client))
    }

    fn followed<'a>(&'a self, client: &'a Client) -> impl Iterator<Item = Followed<'a>> {
        client.doors.iter().filter_map(|&(door, track)| {
            let track = self.tracks.get(usize::try_from(track).ok()?)?;
            Some(Followed { client: client.address, strays: client.strays, door, track })
        })
    }

    /// Returns how near a client came to opening a door.
    pub(super) fn nearest_at(&self, client: IpAddr, door: DoorId) -> Option<Nearest> {
        let of_client = self.get(client)?;
        let track = self.tracks.get(of_client.track(door)?)?;
        Some(Followed { client, strays: of_client.strays, door, track }.nearest())
    }

    /// Returns what a client at a door came to, in short. `place` is that among all pairs, if they came in this order:
    /// nothing must be searched then.
    pub(super) fn standing(&self, place: u32, client: IpAddr, door: DoorId) -> Option<Standing> {
        let is_it = |track: &&Track| {
            let place = usize::try_from(track.client).ok();
            let there = place.and_then(|place| self.list.get(place));
            track.door == door && there.is_some_and(|there| there.address == client)
        };
        let near = usize::try_from(place).ok().and_then(|place| self.tracks.get(place));
        let track = match near.filter(is_it) {
            Some(track) => track,
            None => self.tracks.get(self.get(client)?.track(door)?)?,
        };
        let (of, _) = track.sequence;
        Some(Standing::new(usize::try_from(track.client).ok()?, of, &track.tally))
    }

    /// Returns the packet that a client's packet repeats, if a knock that counted is remembered that
    /// it could repeat.
    pub(super) fn repeated(&self, packet: &Packet) -> Option<PacketId> {
        let mark = mark(packet);
        let followed = self.followed(self.get(packet.source)?);
        let counted = followed.flat_map(|one| &one.track.counted);
        counted.filter(|counted| counted.mark == mark).map(|counted| counted.id).max()
    }
}

impl Places {
    fn get(&self, client: IpAddr) -> Option<u32> {
        match client {
            IpAddr::V4(client) => self.v4.get(&client.to_bits()),
            IpAddr::V6(client) => self.v6.get(&client.to_bits()),
        }
        .copied()
    }

    fn insert(&mut self, client: IpAddr, place: u32) {
        match client {
            IpAddr::V4(client) => self.v4.insert(client.to_bits(), place),
            IpAddr::V6(client) => self.v6.insert(client.to_bits(), place),
        };
    }
}

impl Client {
    /// Returns the place of the track at a door.
    fn track(&self, door: DoorId) -> Option<usize> {
        let at = self.doors.binary_search_by_key(&door, |(door, _)| *door).ok()?;
        self.doors.get(at).and_then(|&(_, track)| usize::try_from(track).ok())
    }
}

/// A client at a door, with what is remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Followed<'a> {
    pub(super) client: IpAddr,
    /// How many packets the client sent to ports of no door.
    pub(super) strays: u64,
    pub(super) door: DoorId,
    pub(super) track: &'a Track,
}

impl Followed<'_> {
    /// Returns how near the client came to opening the door.
    pub(super) fn nearest(&self) -> Nearest {
        let Self { client, strays: _, door, track } = *self;
        Nearest::new(client, door, track.sequence, &track.tally)
    }
}

/// Adds to a list of which most have one or two entries, and few have many.
fn push<T>(list: &mut Vec<T>, one: T) {
    make_room(list);
    list.push(one);
}

fn make_room<T>(list: &mut Vec<T>) {
    if list.len() < 2 {
        list.reserve_exact(1);
    }
}

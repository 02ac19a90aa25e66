//! What is remembered of clients at doors, within limits.

use std::collections::HashMap;
use std::iter::Map;
use std::net::IpAddr;
use std::slice;

use foldhash::fast::RandomState;
use knock_engine::{DoorId, Knock, Packet, Seconds, Sequence, Stage, Timestamp, Transport};

use super::admission::Admission;
use super::explanation::{Attempt, Late, Seen};
use super::miss::{Cause, Miss, Nearest, Standing, Tally};
use crate::output::time::nanos;
use crate::session::names::PacketId;

/// All clients that had to do with doors, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Clients {
    list: Vec<Client>,
    places: HashMap<IpAddr, u32, RandomState>,
    /// Who was looked for last, and what was found: a packet is looked at from several sides.
    last: Option<(IpAddr, Option<usize>)>,
    /// How many tracks there are.
    tracks: usize,
}

/// A client that had to do with a door.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    pub(super) tracks: Tracks,
    /// Packets to ports of no door.
    pub(super) strays: u64,
}

/// A client at each of its doors, in the order of the doors.
///
/// A client of a flood has to do with one or two doors, and there may be hundreds of thousands of them: a
/// map would reserve space for eleven doors.
#[derive(Debug, Default)]
pub(super) struct Tracks(Vec<(DoorId, Box<Track>)>);

/// A client at a door. Hundreds of thousands are kept: what only few have is apart, and lists begin small.
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
    pub(super) fn get(&self, client: IpAddr) -> Option<&Client> {
        self.list.get(self.place(client)?)
    }

    fn place(&self, client: IpAddr) -> Option<usize> {
        usize::try_from(*self.places.get(&client)?).ok()
    }

    pub(super) fn get_mut(&mut self, client: IpAddr) -> Option<&mut Client> {
        let place = self.find(client)?;
        self.list.get_mut(place)
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

    /// Returns what is remembered of a client at a door, and begins to if there are fewer than
    /// `limit` such pairs; `None` if there are as many.
    pub(super) fn follow(
        &mut self,
        client: IpAddr,
        door: DoorId,
        limit: usize,
    ) -> Option<&mut Track> {
        let place = match self.find(client) {
            Some(place) => place,
            None if self.tracks >= limit => return None,
            None => {
                let place = self.list.len();
                self.places.insert(client, u32::try_from(place).ok()?);
                self.last = Some((client, Some(place)));
                let tracks = Tracks::default();
                self.list.push(Client { address: client, tracks, strays: 0 });
                place
            }
        };
        let Self { list, tracks: count, .. } = self;
        let Tracks(tracks) = &mut list.get_mut(place)?.tracks;
        let at = match tracks.binary_search_by_key(&door, |(door, _)| *door) {
            Ok(at) => at,
            Err(_) if *count >= limit => return None,
            Err(at) => {
                *count = count.saturating_add(1);
                make_room(tracks);
                tracks.insert(at, (door, Box::default()));
                at
            }
        };
        tracks.get_mut(at).map(|(_, track)| &mut **track)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Client> {
        self.list.iter()
    }

    /// Returns what a client at a door came to, in short.
    pub(super) fn standing(&self, client: IpAddr, door: DoorId) -> Option<Standing> {
        let number = self.place(client)?;
        let track = self.list.get(number)?.tracks.get(door)?;
        let (of, _) = track.sequence;
        Some(Standing::new(number, of, &track.tally))
    }

    /// Returns the packet that a client's packet repeats, if a knock that counted is remembered that
    /// it could repeat.
    pub(super) fn repeated(&self, packet: &Packet) -> Option<PacketId> {
        let mark = mark(packet);
        let tracks = self.get(packet.source)?.tracks.iter();
        let counted = tracks.flat_map(|(_, track)| &track.counted);
        counted.filter(|counted| counted.mark == mark).map(|counted| counted.id).max()
    }
}

impl Client {
    /// Returns how near the client came to opening each door, in the order of the doors.
    pub(super) fn nearest(&self) -> impl Iterator<Item = Nearest> {
        self.tracks
            .iter()
            .map(|(door, track)| Nearest::new(self.address, door, track.sequence, &track.tally))
    }

    /// Returns how near the client came to opening a door.
    pub(super) fn nearest_at(&self, door: DoorId) -> Option<Nearest> {
        let track = self.tracks.get(door)?;
        Some(Nearest::new(self.address, door, track.sequence, &track.tally))
    }
}

impl Tracks {
    pub(super) fn get(&self, door: DoorId) -> Option<&Track> {
        let Self(list) = self;
        let at = list.binary_search_by_key(&door, |(door, _)| *door).ok()?;
        list.get(at).map(|(_, track)| &**track)
    }

    pub(super) fn get_mut(&mut self, door: DoorId) -> Option<&mut Track> {
        let Self(list) = self;
        let at = list.binary_search_by_key(&door, |(door, _)| *door).ok()?;
        list.get_mut(at).map(|(_, track)| &mut **track)
    }

    fn iter(&self) -> impl Iterator<Item = (DoorId, &Track)> {
        let Self(list) = self;
        list.iter().map(|(door, track)| (*door, &**track))
    }
}

impl<'a> IntoIterator for &'a mut Tracks {
    type Item = (&'a DoorId, &'a mut Track);
    type IntoIter = Map<
        slice::IterMut<'a, (DoorId, Box<Track>)>,
        fn(&'a mut (DoorId, Box<Track>)) -> Self::Item,
    >;

    fn into_iter(self) -> Self::IntoIter {
        let Tracks(list) = self;
        list.iter_mut().map(|(door, track)| (&*door, &mut **track))
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

//! All clients that had to do with doors.

use std::collections::HashMap;
use std::hint::black_box;
use std::net::IpAddr;

use foldhash::fast::RandomState;
use knock_engine::{DoorId, Packet};
use smallvec::SmallVec;

use super::chunked::Chunked;
use super::miss::{Nearest, Standing};
use super::outsiders::Outsiders;
use super::track::{Counted, Track};
use crate::session::names::PacketId;

/// All clients that had to do with doors, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Clients {
    list: Chunked<Client>,
    places: Places,
    /// Who is surely not in the list, once it was full.
    outsiders: Option<Outsiders>,
    /// Who was looked for last, and what was found: a packet is looked at from several sides.
    last: Option<(IpAddr, Option<usize>)>,
    /// The place after that of the client who was found last: attempts time out in the order in which they began.
    next: usize,
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
    /// The doors in order, each with the place of the client's track there. A client of a flood has to do with one or
    /// two.
    doors: SmallVec<[(DoorId, u32); 2]>,
    /// Packets to ports of no door.
    strays: u64,
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
        let place = self.search(client);
        self.last = Some((client, place));
        self.next = place.map_or(self.next, |place| place.saturating_add(1));
        place
    }

    fn search(&self, client: IpAddr) -> Option<usize> {
        if self.is_outsider(client) {
            return None;
        }
        let is_next = self.list.get(self.next).is_some_and(|next| next.address == client);
        if is_next { Some(self.next) } else { self.place(client) }
    }

    #[inline]
    fn is_outsider(&self, client: IpAddr) -> bool {
        self.outsiders.as_ref().is_some_and(|outsiders| outsiders.contain(client))
    }

    /// Prepares for a packet of a client that comes soon: the waits for memory overlap then.
    pub(super) fn anticipate(&self, client: IpAddr) {
        /// As many are in the processor's cache.
        const FEW: usize = 20_000;
        if self.list.len() > FEW && !self.is_outsider(client) {
            black_box(self.places.get(client));
        }
    }

    /// Returns whether nothing is remembered of a client, and nothing will be, as there are `limit` pairs.
    #[inline]
    pub(super) fn crowds_out(&mut self, client: IpAddr, limit: usize) -> bool {
        self.tracks.len() >= limit
            && (self.is_outsider(client) || self.find_in_full(client).is_none())
    }

    /// Returns the place of a client when there are as many as there may be.
    fn find_in_full(&mut self, client: IpAddr) -> Option<usize> {
        if self.outsiders.is_none() {
            let clients = self.list.iter().map(|client| client.address);
            self.outsiders = Some(Outsiders::of(clients, self.list.len()));
        }
        self.find(client)
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
                if let Some(outsiders) = &mut self.outsiders {
                    outsiders.add(client);
                }
                self.list.push(Client { address: client, doors: SmallVec::new(), strays: 0 });
                place
            }
        };
        let Self { list, tracks, .. } = self;
        let client = list.get_mut(place)?;
        let track = match client.find(door) {
            Ok(at) => client.doors.get(at)?.1,
            Err(_) if is_full => return None,
            Err(at) => {
                let track = u32::try_from(tracks.len()).ok()?;
                tracks.push(Track::new(track, u32::try_from(place).ok()?, door));
                client.doors.insert(at, (door, track));
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
        let doors = list.get(place).map(|client| client.doors.as_slice());
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
        client.doors.as_slice().iter().filter_map(|&(door, track)| {
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
        let followed = self.followed(self.get(packet.source)?);
        let counted = followed.flat_map(|one| &*one.track.counted);
        counted.filter(|counted| counted.is_like(packet)).map(Counted::id).max()
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
    /// Returns where a door is among those of the client, or where it would be.
    fn find(&self, door: DoorId) -> Result<usize, usize> {
        self.doors.binary_search_by_key(&door, |(door, _)| *door)
    }

    /// Returns the place of the track at a door.
    fn track(&self, door: DoorId) -> Option<usize> {
        let at = self.find(door).ok()?;
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

#[cfg(test)]
mod tests {
    use knock_engine::Doors;

    use super::*;

    /// Some addresses, of either family.
    fn address(number: u16) -> IpAddr {
        if number.is_multiple_of(2) {
            std::net::Ipv4Addr::from_bits(number.into()).into()
        } else {
            std::net::Ipv6Addr::from_bits(number.into()).into()
        }
    }

    #[test]
    fn clients_are_found_at_each_of_their_doors_when_there_is_room_for_no_others() {
        const CLIENTS: u16 = 100;
        let door = |name| format!("[{name}]\nsequence = 1\ncommand =\n");
        let text = ["a", "b", "c", "d", "e"].map(door).concat();
        let config = knock_config::parse(text.as_bytes()).config.unwrap();
        let doors = config.doors.iter().map(knock_config::DoorConfig::door).collect();
        let doors: Vec<DoorId> = Doors::new(doors).unwrap().in_order().map(|(id, _)| id).collect();
        let mut clients = Clients::default();
        let mut known = Vec::new();
        for number in 0..CLIENTS {
            for at in [3, 1, 4, 0].into_iter().take(usize::from(number % 5)) {
                let track = clients.follow(address(number), doors[at], 1000).unwrap();
                known.push((address(number), doors[at], track.number));
            }
        }
        let full = known.len();
        assert!(!clients.crowds_out(address(CLIENTS), full + 1));
        for &(client, door, number) in known.iter().chain(known.iter().rev()) {
            assert!(!clients.crowds_out(client, full));
            assert_eq!(clients.follow(client, door, full).unwrap().number, number);
            assert!(clients.follow(client, doors[2], full).is_none());
        }
        for number in (0..2 * CLIENTS).filter(|number| number % 5 == 0 || *number >= CLIENTS) {
            assert!(clients.crowds_out(address(number), full));
            assert!(clients.follow(address(number), doors[0], full).is_none());
        }
        let mut in_order = known;
        in_order.sort_by_key(|&(client, door, _)| {
            (clients.place(client).expect("a client that is known"), door)
        });
        let listed = clients.iter().map(|one| (one.client, one.door, one.track.number));
        assert_eq!(listed.collect::<Vec<_>>(), in_order);
    }
}

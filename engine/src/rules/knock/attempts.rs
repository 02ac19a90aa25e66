//! All live attempts: found by client, by due time, and by least progress.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::attempt::{Advance, Attempt, Beginning, Counted, GroupOrPeriod, Progress, Split};
use super::due::{Chain, Due, DueTable, Slot};
use super::fingerprint::{ClientHasher, ShortHash};
use super::slot_table::SlotTable;
use crate::ANTICIPATED;
use crate::derived::PeriodMark;
use crate::doors::{DoorId, Doors};
use crate::groups::GroupId;
use crate::sequence::Sequence;
use crate::time::Timestamp;

/// All live attempts: found by client, by due time, and by least progress.
#[derive(Debug)]
pub(super) struct Attempts {
    pub(super) table: DueTable<Attempt>,
    /// The oldest attempt of each client; none while all attempts are ending.
    clients: SlotTable,
    /// Whether all attempts are ending, which were due before something else can happen: nothing looks for a client any
    /// more.
    all_end: bool,
    /// No attempt is due later.
    latest: Timestamp,
    /// By stage, in the order in which they reached it; those that came together in the order of the file.
    pub(super) stages: [Chain; Sequence::MAX_KNOCKS],
    /// By stage, the run of the last attempt that came to it; 0 if the last run has ended.
    pub(super) last_runs: [u64; Sequence::MAX_KNOCKS],
    /// How many doors all attempts have.
    live: usize,
    hasher: ClientHasher,
}

impl Attempts {
    /// How many attempts have reserved space at the start, if the limit is that high: 68 MiB of addresses.
    const ROOM: usize = 1_048_576;

    /// From how many attempts on it is worthwhile to end all of them together.
    const MANY: usize = ANTICIPATED;

    /// Makes an empty list that will have at most `limit` attempts.
    pub(super) fn new(limit: usize, hasher: ClientHasher) -> Self {
        Self {
            table: DueTable::with_room_for(limit.min(Self::ROOM)),
            clients: SlotTable::for_at_most(limit),
            all_end: false,
            latest: Timestamp::MIN,
            stages: [Chain::EMPTY; Sequence::MAX_KNOCKS],
            last_runs: [0; Sequence::MAX_KNOCKS],
            live: 0,
            hasher,
        }
    }

    /// Returns how many doors all attempts have.
    pub(super) fn len(&self) -> usize {
        self.live
    }

    pub(super) fn get(&self, slot: Slot) -> &Attempt {
        self.table.get(slot)
    }

    pub(super) fn due(&self, slot: Slot) -> Due {
        self.table.due(slot)
    }

    /// Returns the attempt that is due first, and when it is.
    pub(super) fn earliest(&self) -> Option<(Due, Slot)> {
        self.table.earliest()
    }

    /// Returns any attempt at a door with one-time sequences, which is in no group.
    pub(super) fn any_at(&self, door: DoorId) -> Option<Slot> {
        self.table.earliest_of(door)
    }

    /// Returns the doors whose chains have attempts.
    pub(super) fn chains(&self) -> impl Iterator<Item = DoorId> {
        self.table.doors()
    }

    /// Returns all attempts, those of one chain after another.
    pub(super) fn all(&self) -> Vec<Slot> {
        let firsts = self.table.doors().filter_map(|door| self.table.earliest_of(door));
        firsts.flat_map(|first| self.table.from(first)).collect()
    }

    /// Returns an attempt and the younger ones of its client, oldest first.
    pub(super) fn from(&self, oldest: Option<Slot>) -> impl Iterator<Item = Slot> + '_ {
        core::iter::successors(oldest, |&slot| self.get(slot).younger.some())
    }

    /// Returns the hash of a client.
    pub(super) fn hash(&self, client: IpAddr) -> ShortHash {
        self.hasher.client(client)
    }

    /// Returns the oldest attempt of a client, which has this hash.
    #[inline]
    pub(super) fn oldest_of(&self, client: IpAddr, hash: ShortHash) -> Option<Slot> {
        self.clients.find(hash, |oldest| self.get(oldest).client == client)
    }

    /// Returns the attempt to evict for another: among those with the least progress, the one that has
    /// been at its stage longest. It is evicted at its first door.
    pub(super) fn least(&self) -> Option<Slot> {
        self.stages.iter().find_map(|peers| peers.first.some())
    }

    /// Prefetches what packets of these clients will need, of [`ANTICIPATED`] at most.
    pub(super) fn anticipate(&self, clients: impl Iterator<Item = IpAddr>) {
        self.clients.anticipate(clients.map(|client| self.hash(client)));
    }

    /// Prefetches what ending this attempt and the next ones due at its door will need.
    pub(super) fn anticipate_ends(&self, slot: Slot) {
        self.anticipate(self.table.from(slot).map(|slot| self.get(slot).client));
    }

    /// Prepares for all that is due by a moment to end before anything else happens. If those are all attempts, and many, their
    /// clients are forgotten at once: to take each from where it is in the table would take longer than all else.
    pub(super) fn end_by(&mut self, until: Timestamp) {
        if self.latest <= until && self.table.len() >= Self::MANY && !self.all_end {
            self.clients.clear();
            self.all_end = true;
        }
    }

    /// Returns whether all attempts are ending.
    pub(super) fn all_end(&self) -> bool {
        self.all_end
    }

    /// Adds an attempt at stage 1. The client must have none at these doors; `youngest` is its latest
    /// attempt.
    #[expect(clippy::inline_always, reason = "one caller, and much to hand over")]
    #[inline(always)]
    pub(super) fn begin(
        &mut self,
        beginning: Beginning,
        youngest: Option<Slot>,
        doors: &Doors,
    ) -> Slot {
        debug_assert!(!self.all_end, "no packet comes before they have ended");
        let Beginning { client, hash, door, period, group, due, counted } = beginning;
        self.latest = self.latest.max(due.0);
        let of_group = group.map(|group| doors.groups().doors(group));
        let with_older = youngest.is_some_and(|youngest| is_of_one_packet(self.due(youngest), due));
        self.live = self.live.saturating_add(of_group.map_or(1, <[DoorId]>::len));
        let progress = Progress::FIRST.with(Progress::BEGAN_WITH_OLDER, with_older);
        let (peers, progress) = self.place_among_peers(door, progress, counted.run, doors);
        let attempt = Attempt {
            client,
            door,
            chain: door,
            group_or_period: GroupOrPeriod::of(group, period),
            progress,
            counted: counted.fingerprint,
            younger: Slot::NONE,
            peers,
        };
        let slot = self.table.insert(due, attempt);
        self.lead_peers_to(slot, progress.stage(), peers);
        match youngest {
            Some(youngest) => self.table.get_mut(youngest).younger = slot,
            None => self.clients.insert(hash, slot),
        }
        slot
    }

    /// Puts an attempt at stage 1 back to its beginning: it is due at `due`, and has been at its
    /// stage for the shortest time. It keeps its place among the attempts of its client.
    pub(super) fn restart(&mut self, slot: Slot, due: Due, counted: Counted, doors: &Doors) {
        self.leave_peers(slot);
        self.latest = self.latest.max(due.0);
        self.table.postpone(slot, due);
        self.table.get_mut(slot).counted = counted.fingerprint;
        self.join_peers(slot, counted.run, doors);
    }

    /// Follows a knock: some doors of an attempt come one stage further, some stay, the others end.
    /// `older` is the next older attempt of the client. What stays keeps its slot; if nothing stays, what
    /// goes on has it. Returns the youngest of what is left.
    pub(super) fn split(
        &mut self,
        older: Option<Slot>,
        slot: Slot,
        split: Split,
        counted: Counted,
        doors: &Doors,
    ) -> Option<Slot> {
        self.live = self.live.saturating_sub(split.end);
        let on = split.first_on.map(|first| {
            let attempt = self.get(slot);
            let group = attempt.group().filter(|_| split.on > 1);
            let on = advance(group, (first, attempt.period()), counted, doors);
            (on, self.due_at(slot, first, doors))
        });
        match (split.first_stay, on) {
            (None, None) => {
                self.remove(older, slot);
                None
            }
            (None, Some((on, due))) => {
                self.leave_peers(slot);
                let attempt = self.table.get_mut(slot);
                let is_deferred = attempt.door != on.door;
                attempt.advance(on, counted);
                if is_deferred {
                    self.table.defer(slot, due);
                }
                self.join_peers(slot, counted.run, doors);
                Some(slot)
            }
            (Some(first), on) => {
                let mut beside = *self.get(slot);
                if split.on.saturating_add(split.end) > 0 {
                    self.table.get_mut(slot).set(Progress::WITHOUT_REPEAT, true);
                    self.begins_at(slot, first, doors);
                }
                let Some((on, due)) = on else { return Some(slot) };
                beside.advance(on, counted);
                beside.set(Progress::BEGAN_WITH_OLDER, true);
                let beside = self.table.insert_near(slot, due, beside);
                self.table.get_mut(slot).younger = beside;
                self.join_peers(beside, counted.run, doors);
                Some(beside)
            }
        }
    }

    /// Ends an attempt at its first door. Returns what it was.
    #[inline]
    pub(super) fn end_first(&mut self, slot: Slot, doors: &Doors) -> Attempt {
        let before = *self.get(slot);
        self.live = self.live.saturating_sub(1);
        match before.next_door(doors) {
            Some(next) => self.begins_at(slot, next, doors),
            None => self.remove(None, slot),
        }
        before
    }

    /// Makes a door the first one of an attempt, and so changes when exactly it is due, and in which
    /// order it is evicted among those that came with it.
    fn begins_at(&mut self, slot: Slot, door: DoorId, doors: &Doors) {
        let before = self.get(slot);
        if before.group().is_none() || before.door == door {
            return;
        }
        let due = self.due_at(slot, door, doors);
        self.table.get_mut(slot).door = door;
        self.table.defer(slot, due);
        self.sort_among_peers(slot, doors);
    }

    /// Returns when an attempt is due with a door as its first one. With the same door that does not change,
    /// even if a reload has given the door another place.
    fn due_at(&self, slot: Slot, door: DoorId, doors: &Doors) -> Due {
        let due = self.due(slot);
        if self.get(slot).door == door { due } else { due_of(due, door, doors) }
    }

    /// Returns the attempts at some doors, those at one door after another, each due first first. There
    /// are no groups.
    pub(super) fn at(&self, doors: &[DoorId]) -> Vec<Slot> {
        let places: BTreeMap<DoorId, usize> =
            doors.iter().enumerate().map(|(at, &door)| (door, at)).collect();
        let of_doors = self.all().into_iter().filter_map(|slot| {
            let at = *places.get(&self.get(slot).door)?;
            Some((at, self.due(slot), slot))
        });
        let mut found: Vec<(usize, Due, Slot)> = of_doors.collect();
        found.sort_unstable_by_key(|&(at, due, _)| (at, due));
        found.into_iter().map(|(.., slot)| slot).collect()
    }

    /// Removes an attempt; `older` is the next older one of its client, if that is known.
    #[expect(clippy::inline_always, reason = "in a flood, a call costs as much as what it does")]
    #[inline(always)]
    fn remove(&mut self, older: Option<Slot>, slot: Slot) {
        self.leave_peers(slot);
        self.leave_client(older, slot);
        self.table.remove(slot);
    }

    fn older(&self, slot: Slot) -> Option<Slot> {
        let client = self.get(slot).client;
        let oldest = self.oldest_of(client, self.hash(client));
        let others = oldest.filter(|&oldest| oldest != slot);
        self.from(others).find(|&older| self.get(older).younger == slot)
    }

    #[inline]
    fn leave_client(&mut self, older: Option<Slot>, slot: Slot) {
        if self.all_end {
            self.all_end = self.table.len() > 1;
            return;
        }
        let &Attempt { client, younger, progress, .. } = self.get(slot);
        if let Some(younger) = younger.some()
            && !progress.has(Progress::BEGAN_WITH_OLDER)
        {
            self.table.get_mut(younger).set(Progress::BEGAN_WITH_OLDER, false);
        }
        // Nearly always it is the oldest one, which only the table can tell.
        if older.is_none() && self.leave_table(slot, self.hash(client), younger) {
            return;
        }
        if let Some(older) = older.or_else(|| self.older(slot)) {
            self.table.get_mut(older).younger = younger;
        }
    }

    /// Removes the oldest attempt of a client from the table of clients, where the next younger one takes its place.
    /// Returns whether it was there.
    fn leave_table(&mut self, slot: Slot, hash: ShortHash, younger: Slot) -> bool {
        match younger.some() {
            Some(younger) => self.clients.replace(hash, slot, younger),
            None => self.clients.remove(hash, slot),
        }
    }

    /// Notes that another attempt of a client is its oldest one now.
    pub(super) fn is_oldest_instead(&mut self, before: Slot, oldest: Slot) {
        let hash = self.hash(self.get(oldest).client);
        self.clients.replace(hash, before, oldest);
    }
}

/// Returns when a door of an attempt is due, from when another one is: their serial numbers differ only
/// by their places in the file.
pub(super) fn due_of((at, serial): Due, door: DoorId, doors: &Doors) -> Due {
    (at, serial & !PLACE | doors.place(door) & PLACE)
}

/// The bits of the place of a door in a serial number.
pub(super) const PLACE: u64 = 0xffff;

/// Returns where an attempt goes on of whose doors `first` comes further, and if it has a group, others do.
fn advance(
    group: Option<GroupId>,
    (first, period): (DoorId, PeriodMark),
    counted: Counted,
    doors: &Doors,
) -> Advance {
    let group = group.and_then(|group| doors.groups().below(group, counted.knock));
    Advance { door: first, group_or_period: GroupOrPeriod::of(group, period) }
}

/// Returns whether attempts that are due then began, or began again, with the same packet.
fn is_of_one_packet((_, one): Due, (_, other): Due) -> bool {
    one & !PLACE == other & !PLACE
}

#[cfg(test)]
mod tests {
    use super::super::fingerprint::tests::{client, colliding};
    use super::*;
    use crate::packet::{Knock, Port, Protocol};

    fn no_doors() -> Doors {
        Doors::new(Vec::new()).unwrap()
    }

    fn beginning(number: u32) -> Beginning {
        let knock = Knock { port: Port(1), protocol: Protocol::Tcp };
        Beginning {
            client: client(number),
            hash: ClientHasher::new(0).client(client(number)),
            door: Doors::id_for_tests(),
            period: PeriodMark::NONE,
            group: None,
            due: (Timestamp::MAX, 0),
            counted: Counted { knock, fingerprint: None, run: 1 },
        }
    }

    #[test]
    fn an_attempt_takes_68_bytes() {
        assert_eq!(DueTable::<Attempt>::ENTRY_SIZE, 68);
    }

    /// A growing table would be copied while a packet waits.
    #[test]
    fn a_flood_up_to_the_limit_moves_no_attempt() {
        let mut attempts = Attempts::new(5000, ClientHasher::new(0));
        let first = attempts.begin(beginning(0), None, &no_doors());
        let at = core::ptr::from_ref(attempts.get(first));
        for number in 1..5000 {
            attempts.begin(beginning(number), None, &no_doors());
        }
        assert_eq!(core::ptr::from_ref(attempts.get(first)), at);
    }

    #[test]
    fn an_attempt_between_others_of_its_client_ends_without_them() {
        let doors = no_doors();
        let mut attempts = Attempts::new(10, ClientHasher::new(0));
        let mut begin = |youngest| attempts.begin(beginning(7), youngest, &doors);
        let first = begin(None);
        let second = begin(Some(first));
        let third = begin(Some(second));
        for (ended, left) in [(second, &[first, third][..]), (third, &[first]), (first, &[])] {
            attempts.end_first(ended, &doors);
            let oldest = attempts.oldest_of(client(7), attempts.hash(client(7)));
            assert_eq!(attempts.from(oldest).collect::<Vec<Slot>>(), left);
        }
    }

    #[test]
    fn all_attempts_end_together_only_if_all_are_due() {
        let doors = no_doors();
        let at = |nanos| (Timestamp::from_nanos(nanos), 0);
        let counted = |number| Counted { run: number, ..beginning(0).counted };
        let mut attempts = Attempts::new(100, ClientHasher::new(0));
        let first = attempts.begin(Beginning { due: at(1), ..beginning(0) }, None, &doors);
        for number in 1..20 {
            attempts.begin(Beginning { due: at(5), ..beginning(number) }, None, &doors);
        }
        attempts.restart(first, at(9), counted(2), &doors);
        attempts.end_by(Timestamp::from_nanos(8));
        assert!(!attempts.all_end());
        attempts.end_by(Timestamp::from_nanos(9));
        while let Some((_, slot)) = attempts.earliest() {
            assert!(attempts.all_end());
            attempts.end_first(slot, &doors);
        }
        assert!(!attempts.all_end());
    }

    #[test]
    fn clients_whose_hashes_collide_are_distinguished() {
        let hasher = ClientHasher::new(0);
        let (one, other) = colliding(|number| hasher.client(client(number)));
        let mut attempts = Attempts::new(10, hasher);
        let slot = attempts.begin(beginning(one), None, &no_doors());
        let oldest_of = |number| attempts.oldest_of(client(number), attempts.hash(client(number)));
        assert_eq!(oldest_of(one), Some(slot));
        assert_eq!(oldest_of(other), None);
    }
}

//! The queue of all start commands, or of all stop commands: every door has its turn.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use knock_engine::DoorId;

use super::request::CommandRequest;

/// How many commands of one kind run at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    /// For commands that began a moment ago, and probably use the processor or wait for a lock.
    pub(super) fresh: usize,
    /// For all, also those that hang. Every door can have one more.
    pub(super) all: usize,
}

/// Commands that wait for their turn, and how many run.
///
/// Each door has a queue. The doors take turns, so that a door with many commands does not keep those
/// of other doors waiting. Nor can it take all the places: a door never has more than the number that
/// stays free for others, plus one. Commands that hang take no place from fresh ones, and whatever
/// hangs, one command of each door may run.
#[derive(Debug)]
pub(super) struct Lane {
    places: Places,
    /// The queues that are not empty.
    queues: BTreeMap<Option<DoorId>, VecDeque<CommandRequest>>,
    /// The doors with a queue, in the order in which they have their turn.
    turns: VecDeque<Option<DoorId>>,
    /// How many commands wait.
    waiting: usize,
    /// The doors with a queue of which it was said that their commands wait.
    said: BTreeSet<Option<DoorId>>,
    /// How many run of each door.
    running: BTreeMap<Option<DoorId>, Count>,
    total: Count,
}

/// How many commands run.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    fresh: usize,
    all: usize,
}

impl Lane {
    pub(super) const fn new(places: Places) -> Self {
        Self {
            places,
            queues: BTreeMap::new(),
            turns: VecDeque::new(),
            waiting: 0,
            said: BTreeSet::new(),
            running: BTreeMap::new(),
            total: Count { fresh: 0, all: 0 },
        }
    }

    /// Returns how many commands wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Returns whether commands of a door wait, unless it was asked before since its queue was empty.
    pub(super) fn must_say_waits(&mut self, door: Option<DoorId>) -> bool {
        self.queues.contains_key(&door) && self.said.insert(door)
    }

    /// Appends a command to the queue of its door.
    pub(super) fn push(&mut self, request: CommandRequest) {
        self.queue_of(request.door).push_back(request);
    }

    /// Puts a command back that could not be started: it comes next.
    pub(super) fn put_back(&mut self, request: CommandRequest) {
        let door = request.door;
        self.queue_of(door).push_front(request);
        self.turns.retain(|one| *one != door);
        self.turns.push_front(door);
    }

    fn queue_of(&mut self, door: Option<DoorId>) -> &mut VecDeque<CommandRequest> {
        self.waiting = self.waiting.saturating_add(1);
        let Self { queues, turns, .. } = self;
        queues.entry(door).or_insert_with(|| {
            turns.push_back(door);
            VecDeque::new()
        })
    }

    /// Takes the next command that may run now.
    pub(super) fn pop(&mut self) -> Option<CommandRequest> {
        for _ in 0..self.turns.len() {
            let door = self.turns.pop_front()?;
            if !self.has_place(door) {
                self.turns.push_back(door);
                continue;
            }
            let queue = self.queues.get_mut(&door)?;
            let request = queue.pop_front()?;
            if queue.is_empty() {
                self.queues.remove(&door);
                self.said.remove(&door);
            } else {
                self.turns.push_back(door);
            }
            self.waiting = self.waiting.saturating_sub(1);
            return Some(request);
        }
        None
    }

    fn has_place(&self, door: Option<DoorId>) -> bool {
        let Places { fresh, all } = self.places;
        let own = self.running.get(&door).copied().unwrap_or_default();
        let leaves_some = |own: usize, total: usize, places: usize| {
            total < places && own <= places.saturating_sub(total)
        };
        leaves_some(own.fresh, self.total.fresh, fresh)
            && (own.all == 0 || leaves_some(own.all, self.total.all, all))
    }

    /// Notes that a command of a door has begun.
    pub(super) fn begun(&mut self, door: Option<DoorId>) {
        for count in [self.running.entry(door).or_default(), &mut self.total] {
            count.fresh = count.fresh.saturating_add(1);
            count.all = count.all.saturating_add(1);
        }
    }

    /// Notes that a command of a door is no longer fresh.
    pub(super) fn aged(&mut self, door: Option<DoorId>) {
        for count in [self.running.entry(door).or_default(), &mut self.total] {
            count.fresh = count.fresh.saturating_sub(1);
        }
    }

    /// Notes that a command of a door has ended.
    pub(super) fn ended(&mut self, door: Option<DoorId>, was_fresh: bool) {
        if was_fresh {
            self.aged(door);
        }
        let own = self.running.entry(door).or_default();
        own.all = own.all.saturating_sub(1);
        if own.all == 0 {
            self.running.remove(&door);
        }
        self.total.all = self.total.all.saturating_sub(1);
    }

    /// Removes and returns all commands that wait, in order for each door.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = CommandRequest> + use<> {
        self.turns.clear();
        self.said.clear();
        self.waiting = 0;
        std::mem::take(&mut self.queues).into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use knock_config as config;
    use knock_engine::{Doors, Phase};

    use super::*;

    fn doors(count: usize) -> Vec<Option<DoorId>> {
        let lines: Vec<String> = (1..=count).map(|n| format!("[{n}]\nsequence={n}\n")).collect();
        let config = config::parse(lines.concat().as_bytes()).config.unwrap();
        let doors = config.doors.into_iter().map(|door| door.door()).collect();
        Doors::new(doors).unwrap().in_order().map(|(id, _)| Some(id)).collect()
    }

    fn request(door: Option<DoorId>, number: u8) -> CommandRequest {
        CommandRequest {
            run: None,
            door,
            door_name: Vec::new(),
            client: IpAddr::from([192, 0, 2, number]),
            phase: Phase::Start,
            line: vec![number],
            lease: None,
        }
    }

    /// Starts all that may run, and returns their doors.
    fn start(lane: &mut Lane) -> Vec<Option<DoorId>> {
        let mut started = Vec::new();
        while let Some(request) = lane.pop() {
            lane.begun(request.door);
            started.push(request.door);
        }
        started
    }

    fn running_of(lane: &Lane, door: Option<DoorId>) -> usize {
        lane.running.get(&door).map_or(0, |count| count.all)
    }

    const PLACES: Places = Places { fresh: 4, all: 8 };

    #[test]
    fn doors_take_turns_and_each_keeps_its_order() {
        let doors = doors(3);
        let mut lane = Lane::new(Places { fresh: 100, all: 100 });
        for (door, number) in [(0, 1), (0, 2), (0, 3), (1, 4), (2, 5), (1, 6)] {
            lane.push(request(doors[door], number));
        }
        let lines: Vec<u8> =
            std::iter::from_fn(|| lane.pop()).map(|request| request.line[0]).collect();
        assert_eq!(lines, [1, 4, 5, 2, 6, 3]);
        assert_eq!(lane.waiting(), 0);
    }

    #[test]
    fn a_door_leaves_places_for_others() {
        let doors = doors(3);
        let mut lane = Lane::new(PLACES);
        for number in 0..20 {
            lane.push(request(doors[0], number));
        }
        assert_eq!(start(&mut lane), [doors[0]; 3]);
        lane.push(request(doors[1], 0));
        assert_eq!(start(&mut lane), [doors[1]]);
        lane.push(request(doors[2], 0));
        assert_eq!(start(&mut lane), []);
        lane.ended(doors[0], true);
        assert_eq!(start(&mut lane), [doors[2]]);
        assert_eq!((lane.waiting(), running_of(&lane, doors[0])), (17, 2));
    }

    #[test]
    fn commands_that_hang_take_no_place_from_fresh_ones_and_every_door_may_run_one() {
        let doors = doors(20);
        let mut lane = Lane::new(PLACES);
        for &door in &doors {
            for number in 0..20 {
                lane.push(request(door, number));
            }
        }
        // Whatever is started hangs.
        loop {
            let started = start(&mut lane);
            if started.is_empty() {
                break;
            }
            for door in started {
                lane.aged(door);
            }
        }
        let running = doors.iter().map(|&door| running_of(&lane, door));
        assert!(running.clone().all(|count| count >= 1), "{:?}", running.collect::<Vec<_>>());
        assert!(lane.total.all <= PLACES.all + doors.len(), "{:?}", lane.total);
        for &door in &doors {
            while running_of(&lane, door) > 0 {
                lane.ended(door, false);
            }
        }
        assert_eq!((lane.total.fresh, lane.total.all, lane.running.len()), (0, 0, 0));
    }

    #[test]
    fn a_command_that_is_put_back_comes_next() {
        let doors = doors(2);
        let mut lane = Lane::new(PLACES);
        for (door, number) in [(0, 1), (1, 2), (0, 3)] {
            lane.push(request(doors[door], number));
        }
        let first = lane.pop().unwrap();
        lane.put_back(first);
        assert_eq!(lane.waiting(), 3);
        let lines: Vec<u8> =
            std::iter::from_fn(|| lane.pop()).map(|request| request.line[0]).collect();
        assert_eq!(lines, [1, 2, 3]);
    }
}

use knock_config as config;
use knock_engine::Doors;

use super::*;

/// Doors `a` (extend), `b` (separate), and `c` without a stop command.
fn doors() -> Doors {
    let text = b"[a]\nsequence=1\ncommand=s\ncmd_timeout=10\nstop_command=t %IP%\n\
                 [b]\nsequence=2\ncommand=s\ncmd_timeout=10\nstop_command=u\non_reknock=separate\n\
                 [c]\nsequence=3\ncommand=s\n";
    let config = config::parse(text).config.unwrap();
    Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap()
}

fn client(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Leases, and a clock that the test sets.
struct Scene {
    doors: Doors,
    leases: Leases,
    begin: BootTime,
}

impl Scene {
    fn new() -> Self {
        Self { doors: doors(), leases: Leases::from(1), begin: BootTime::now() }
    }

    fn id(&self, door: usize) -> DoorId {
        self.doors.with_index(door).unwrap()
    }

    fn at(&self, second: u64) -> BootTime {
        self.begin.after(seconds(second))
    }

    fn begin(&mut self, door: usize, last: u8) -> u64 {
        let id = self.id(door);
        self.leases.begin(id, self.doors.door(id), client(last)).unwrap().number
    }

    fn open(&mut self, door: usize, last: u8, second: u64) -> u64 {
        let number = self.begin(door, last);
        let now = self.at(second);
        self.leases.opened(number, CommandStatus::SUCCESS, now);
        number
    }

    /// Returns the numbers of the leases that the engine's request closes, its own first.
    fn asked(&mut self, door: usize, last: u8) -> (Option<u64>, Vec<u64>) {
        let (own, others) = self.leases.asked(self.id(door), client(last));
        (own.map(|lease| lease.number), others.iter().map(|lease| lease.number).collect())
    }

    /// Returns the numbers of the leases that the runner closes by itself at this time.
    fn due(&mut self, second: u64) -> Vec<u64> {
        let now = self.at(second);
        std::iter::from_fn(|| self.leases.take_due(now)).map(|lease| lease.number).collect()
    }
}

#[test]
fn a_lease_has_what_it_takes_to_close_the_door() {
    let mut scene = Scene::new();
    let number = scene.begin(0, 7);
    let lease = scene.leases.iter().next().unwrap();
    assert_eq!(
        (lease.number, &lease.stop[..], &lease.door_name[..]),
        (number, &b"t 192.0.2.7"[..], &b"a"[..])
    );
    let without = scene.id(2);
    assert!(scene.leases.begin(without, scene.doors.door(without), client(1)).is_none());
    assert_eq!(scene.leases.len(), 1);
}

#[test]
fn the_runner_closes_a_door_if_the_engine_does_not_ask_in_time() {
    for door in [0, 1] {
        let mut scene = Scene::new();
        let number = scene.open(door, 1, 100);
        assert_eq!(scene.leases.next_due(), Some(scene.at(112)));
        assert!(scene.due(111).is_empty());
        assert_eq!(scene.due(112), [number]);
        // The engine wakes up and asks: nothing runs a second time.
        assert_eq!(scene.asked(door, 1), (None, vec![]));
        assert_eq!(scene.leases.closed(number), Some(0));
        assert_eq!((scene.leases.len(), scene.leases.next_due()), (0, None));
    }
}

#[test]
fn the_engine_closes_in_the_order_of_the_openings_and_each_once() {
    let mut scene = Scene::new();
    let numbers = [0, 1, 2].map(|second| scene.open(1, 1, second));
    scene.leases.refuse(scene.id(1), client(1));
    for number in numbers {
        assert_eq!(scene.asked(1, 1), (Some(number), vec![]));
        assert_eq!(scene.leases.closed(number), Some(0));
    }
    // The fourth was refused, and there is no fifth.
    assert_eq!(scene.leases.len(), 1);
    assert_eq!(scene.asked(1, 1), (None, vec![]));
    assert_eq!(scene.leases.len(), 0);
    assert_eq!(scene.asked(1, 1), (None, vec![]));
}

#[test]
fn a_late_request_of_the_engine_closes_no_later_opening() {
    let mut scene = Scene::new();
    let first = scene.open(1, 1, 0);
    assert_eq!(scene.due(12), [first]);
    scene.leases.closed(first);
    let second = scene.open(1, 1, 13);
    assert_eq!(scene.asked(1, 1), (None, vec![]));
    assert_eq!(scene.asked(1, 1), (Some(second), vec![]));
}

#[test]
fn a_further_opening_moves_the_deadline_of_all_unless_they_are_separate() {
    let mut scene = Scene::new();
    let first = scene.open(0, 1, 0);
    let second = scene.begin(0, 1);
    // Its start command may take long.
    assert_eq!((scene.leases.next_due(), scene.due(1000)), (None, vec![]));
    let changed: Vec<u64> = scene
        .leases
        .opened(second, CommandStatus::SUCCESS, scene.begin.after(seconds(20)))
        .iter()
        .map(|one| one.number)
        .collect();
    assert_eq!(changed, [first, second]);
    assert_eq!((scene.due(31), scene.due(32)), (vec![], vec![first, second]));

    let mut scene = Scene::new();
    let first = scene.open(1, 1, 0);
    let second = scene.open(1, 1, 5);
    assert_eq!((scene.due(12), scene.due(17)), (vec![first], vec![second]));
}

#[test]
fn a_start_command_that_does_not_run_leaves_the_others_their_deadline() {
    let mut scene = Scene::new();
    let first = scene.open(0, 1, 0);
    let second = scene.begin(0, 1);
    let now = scene.at(3);
    scene.leases.withdraw(second, now);
    assert_eq!(scene.due(15), [first]);
}

#[test]
fn a_stop_command_that_fails_is_tried_again_with_growing_pauses() {
    let mut scene = Scene::new();
    let number = scene.open(0, 1, 0);
    assert_eq!(scene.asked(0, 1), (Some(number), vec![]));
    let mut now = 0;
    for (failures, wait) in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16)] {
        let at = scene.at(now);
        assert_eq!(scene.leases.failed(number, at), Some((failures, seconds(wait))));
        assert!(scene.due(now + wait - 1).is_empty());
        now += wait;
        assert_eq!(scene.due(now), [number]);
    }
    assert_eq!(scene.leases.closed(number), Some(5));
    assert_eq!(pause(1000), PAUSE_MAX);
}

#[test]
fn a_door_that_failed_to_close_is_not_closed_while_it_is_open_again() {
    let mut scene = Scene::new();
    let first = scene.open(0, 1, 0);
    assert_eq!(scene.asked(0, 1), (Some(first), vec![]));
    let now = scene.at(10);
    scene.leases.failed(first, now);
    let second = scene.open(0, 1, 11);
    assert!(scene.due(20).is_empty());
    // Both are closed at the deadline of the second.
    assert_eq!(scene.asked(0, 1), (Some(second), vec![first]));
}

#[test]
fn leases_of_an_engine_that_is_gone_are_closed_without_a_margin() {
    let mut scene = Scene::new();
    let first = scene.open(0, 1, 0);
    let second = scene.open(1, 2, 1);
    let opening = scene.begin(0, 3);
    let ids = scene.doors.in_order().map(|(id, _)| (id, id)).collect();
    scene.leases.lose_engine(&ids);
    assert_eq!((scene.due(10), scene.due(11)), (vec![first], vec![second]));
    let now = scene.at(20);
    scene.leases.opened(opening, CommandStatus::SUCCESS, now);
    assert_eq!(scene.due(30), [opening]);
    // The new engine knows only what it has opened itself.
    scene.leases.closed(first);
    let third = scene.open(0, 1, 40);
    assert_eq!(scene.asked(0, 1), (Some(third), vec![]));
}

#[test]
fn a_lease_is_doubtful_if_its_start_failed_or_the_same_stop_command_has_succeeded() {
    let mut scene = Scene::new();
    let failed = scene.begin(0, 1);
    let now = scene.begin;
    scene.leases.opened(failed, CommandStatus(4), now);
    let [first, second, third] = [0, 1, 2].map(|second| scene.open(0, 2, second));
    let other = scene.open(0, 3, 0);
    let doubtful = |scene: &Scene| {
        let doubtful = scene.leases.iter().filter(|lease| lease.is_doubtful);
        doubtful.map(|lease| lease.number).collect::<Vec<_>>()
    };
    assert_eq!(doubtful(&scene), [failed]);
    assert_eq!(scene.asked(0, 2), (Some(first), vec![]));
    let opening = scene.begin(0, 2);
    scene.leases.closed(first);
    assert_eq!(doubtful(&scene), [failed, second, third]);
    assert!(other < opening);
}

#[test]
fn at_the_end_everything_that_is_not_being_closed_is_closed() {
    let mut scene = Scene::new();
    let [open, opening] = [scene.open(0, 1, 0), scene.begin(0, 2)];
    let closing = scene.open(0, 3, 0);
    assert_eq!(scene.asked(0, 3), (Some(closing), vec![]));
    let failed = scene.open(1, 4, 0);
    assert_eq!(scene.asked(1, 4), (Some(failed), vec![]));
    for _ in 0..5 {
        let now = scene.at(100);
        scene.leases.failed(failed, now);
    }
    let all: Vec<u64> = scene.leases.close_all().iter().map(|lease| lease.number).collect();
    assert_eq!(all, [open, opening, failed]);
    // Failures are counted again.
    let now = scene.at(200);
    assert_eq!(scene.leases.failed(failed, now), Some((1, seconds(1))));
    assert_eq!(scene.leases.next_due(), Some(scene.at(201)));
    scene.leases.give_up(failed);
    assert_eq!(scene.leases.next_due(), None);
}

//! Whenever the process is killed or the power fails, the next start closes every opened door, once.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::{Disk, Fault, Left};
use super::lease;
use crate::lease_record::{Due, Group, Place, Record, Records, parse};
use crate::runner::lease_store::log::Log;

/// What the daemons have done to the doors.
#[derive(Clone, Default)]
struct World {
    opened: BTreeSet<u64>,
    closed: BTreeMap<u64, usize>,
    /// Doors that were closed, but that is not yet written, or that a power cut would undo.
    unwritten: BTreeSet<u64>,
    unsynced: BTreeSet<u64>,
}

impl World {
    fn close(&mut self, number: u64) {
        *self.closed.entry(number).or_default() += 1;
        self.unwritten.insert(number);
        self.unsynced.insert(number);
    }

    /// Notes that a write has succeeded: what could not be written before is written now, too.
    fn written(&mut self, is_synced: bool) {
        self.unwritten.clear();
        if is_synced {
            self.unsynced.clear();
        }
    }

    /// Returns the doors that are perhaps not closed as far as the next start knows.
    fn unsure(&self, left: Left) -> BTreeSet<u64> {
        match left {
            Left::Written => self.unwritten.clone(),
            Left::Synced | Left::Torn | Left::Names => self.unsynced.clone(),
        }
    }
}

/// A daemon with its log.
struct Host<'a> {
    log: Log<Disk>,
    disk: Disk,
    world: &'a mut World,
}

impl Host<'_> {
    /// Opens doors whose leases are written together. As in the runner, those that cannot be written stay
    /// closed.
    fn open(&mut self, numbers: &[u64]) {
        let records = numbers.iter().map(|&number| Record::Open(lease(number))).collect();
        if self.disk.is_dead() {
            return;
        }
        if self.log.commit(records).is_ok() {
            self.world.opened.extend(numbers);
            self.world.written(true);
        } else if !self.disk.is_dead() {
            let _ = self.log.note(numbers.iter().map(|&one| Record::Closed(one)).collect());
        }
    }

    fn note(&mut self, record: Record) {
        if !self.disk.is_dead() {
            let _ = self.log.note(vec![record]);
        }
    }

    fn sync(&mut self) {
        if !self.disk.is_dead() && self.log.sync().is_ok() && self.log.is_synced() {
            self.world.written(true);
        }
    }

    fn close(&mut self, number: u64) {
        if self.disk.is_dead() || !self.world.opened.contains(&number) {
            return;
        }
        self.world.close(number);
        if self.log.note(vec![Record::Closed(number)]).is_ok() {
            self.world.written(self.log.is_synced());
        }
    }
}

/// The life of a daemon: every kind of change, alone and together, and a file that others change.
fn live(disk: &Disk, world: &mut World) {
    let Ok(log) = Log::begin(disk.clone(), BTreeMap::new()) else { return };
    let mut host = Host { log, disk: disk.clone(), world };
    host.open(&[1]);
    host.note(Record::Runs(1, Group { leader: 9, started: 9 }));
    host.open(&[2, 3, 4]);
    let place = Place::new("boot", 1);
    let due = Due {
        place,
        since_boot: lease(1).closes_after.unwrap(),
        wall: lease(1).closes_after.unwrap(),
    };
    host.note(Record::Due(1, due));
    host.note(Record::Closing(1));
    host.close(1);
    host.sync();
    host.close(3);
    disk.touch_by_other();
    if !disk.is_dead() {
        let _ = host.log.check();
    }
    host.open(&[5]);
    host.close(2);
    disk.touch_by_other();
    host.open(&[6]);
    host.close(5);
    host.close(4);
    host.sync();
    host.open(&[7]);
    host.note(Record::Closing(6));
    host.close(7);
}

/// The next start: returns whether it got to its end. What was left is closed, and then written as such.
fn restart(disk: &Disk, text: &[u8], world: &mut World) -> bool {
    let Records { open: left, damaged, .. } = parse(text);
    let numbers: Vec<u64> = left.keys().copied().collect();
    for (number, lease_read) in &left {
        assert_eq!(lease_read.stop, lease(*number).stop);
    }
    // A whole file is not written again at the start.
    let lines = text.split(|byte| *byte == b'\n').count();
    let log = if damaged == 0 && !left.is_empty() {
        Log::go_on(disk.clone(), left, lines)
    } else {
        Log::begin(disk.clone(), left)
    };
    let Ok(mut log) = log else { return false };
    for number in numbers {
        world.close(number);
        if log.note(vec![Record::Closed(number)]).is_err() {
            return false;
        }
        world.written(log.is_synced());
    }
    true
}

fn check(world: &World, unsure: &BTreeSet<u64>, case: &str) {
    for number in &world.opened {
        let closed = world.closed.get(number).copied().unwrap_or_default();
        // What was closed an instant before the cut may be closed once more.
        let most = if unsure.contains(number) { 3 } else { 1 };
        assert!((1..=most).contains(&closed), "{case}: door {number} was closed {closed} times");
    }
    for (number, closed) in &world.closed {
        // A door that has not opened because its lease was only half written may be closed, too.
        assert!(world.opened.contains(number) || *closed == 1 || unsure.contains(number), "{case}");
    }
}

#[test]
fn after_a_cut_at_any_step_the_next_start_closes_every_opened_door_once() {
    let steps = steps();
    assert!(steps >= 30, "{steps}");
    for step in 0..=steps {
        for fault in [Fault::Cut, Fault::CutWithin] {
            try_faults(&[(step, fault)]);
        }
    }
}

#[test]
fn after_a_write_error_too() {
    for step in 0..steps() {
        for later in step + 1..step + 16 {
            try_faults(&[(step, Fault::Error), (later, Fault::Cut)]);
        }
        try_faults(&[(step, Fault::Error)]);
        try_faults(&[(step, Fault::Error), (step + 1, Fault::Error), (step + 3, Fault::CutWithin)]);
    }
}

/// Returns how many steps a daemon takes on a disk without faults.
fn steps() -> usize {
    let disk = Disk::default();
    live(&disk, &mut World::default());
    disk.steps()
}

fn try_faults(faults: &[(usize, Fault)]) {
    for left in [Left::Written, Left::Synced, Left::Torn, Left::Names] {
        let (disk, mut world) = (Disk::default(), World::default());
        disk.fail_at(faults);
        live(&disk, &mut world);
        restart_with_cuts(&disk, left, &world, &format!("{faults:?}, then {left:?}"));
    }
}

/// Starts again after a cut, and once more if that start is cut, too, at any of its steps.
fn restart_with_cuts(disk: &Disk, left: Left, world: &World, case: &str) {
    for second in 0.. {
        let (mut world, unsure) = (world.clone(), world.unsure(left));
        let (disk, text) = disk.after_cut(left);
        disk.fail_at(&[(second, Fault::CutWithin)]);
        let mut all_unsure = unsure;
        let is_done = restart(&disk, &text, &mut world);
        all_unsure.extend(world.unsure(left));
        if is_done {
            check(&world, &all_unsure, case);
            return;
        }
        let (disk, text) = disk.after_cut(left);
        assert!(restart(&disk, &text, &mut world));
        check(&world, &all_unsure, &format!("{case}, second cut at step {second}"));
    }
}

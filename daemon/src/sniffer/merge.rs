//! Packets of several interfaces, in order of time.

use std::collections::{BTreeMap, VecDeque};

use knock_engine::Timestamp;

use crate::wire::CaptureNumber;

/// Packets that wait until no earlier packet can come any more.
///
/// Each capture has its own queue in the kernel. The packets of one come in order, but a packet of one
/// capture may be read before an earlier one of another.
#[derive(Debug)]
pub(super) struct Merge<T> {
    places: BTreeMap<CaptureNumber, Place<T>>,
    /// How many packets of one capture may wait.
    waiting_max: usize,
}

/// What is known of a capture.
#[derive(Debug)]
struct Place<T> {
    waiting: VecDeque<(Timestamp, T)>,
    /// The time up to which all packets are read; `None` after the end of the capture.
    known: Option<Timestamp>,
}

impl<T> Merge<T> {
    /// At most `waiting_max` packets of each capture wait here, and the others in the kernel.
    pub(super) const fn new(waiting_max: usize) -> Self {
        Self { places: BTreeMap::new(), waiting_max }
    }

    /// Adds a capture. Its packets until now are not awaited.
    pub(super) fn add(&mut self, capture: CaptureNumber, now: Timestamp) {
        self.places.insert(capture, Place { waiting: VecDeque::new(), known: Some(now) });
    }

    /// Notes that a capture has ended. Its packets that wait here still count.
    pub(super) fn end(&mut self, capture: CaptureNumber) {
        if let Some(place) = self.places.get_mut(&capture) {
            place.known = None;
        }
        self.places.retain(|_, place| place.known.is_some() || !place.waiting.is_empty());
    }

    /// Returns how many more packets of a capture there is room for.
    pub(super) fn room(&self, capture: CaptureNumber) -> usize {
        let waiting = self.places.get(&capture).map_or(0, |place| place.waiting.len());
        self.waiting_max.saturating_sub(waiting)
    }

    /// Adds the next packet of a capture.
    pub(super) fn put(&mut self, capture: CaptureNumber, at: Timestamp, thing: T) {
        if let Some(place) = self.places.get_mut(&capture) {
            place.waiting.push_back((at, thing));
        }
    }

    /// Notes that all packets of a capture up to a time were added.
    pub(super) fn know(&mut self, capture: CaptureNumber, until: Timestamp) {
        if let Some(known) = self.places.get_mut(&capture).and_then(|place| place.known.as_mut()) {
            *known = until.max(*known);
        }
    }

    /// Returns the time up to which all packets of all captures were added; `None` without captures.
    pub(super) fn complete(&self) -> Option<Timestamp> {
        self.places.values().filter_map(|place| place.known).min()
    }

    /// Removes and returns the earliest packet, with the number of its capture, if no other capture can
    /// have an earlier one. With only one capture, no packet waits.
    pub(super) fn next(&mut self) -> Option<(CaptureNumber, Timestamp, T)> {
        let (first, at) = self.first()?;
        let mut others = self.places.iter().filter(|&(&number, _)| number != first);
        let may_come_before = |other: &Place<T>| other.known.is_some_and(|known| at > known);
        if others.any(|(_, other)| other.waiting.is_empty() && may_come_before(other)) {
            return None;
        }
        let place = self.places.get_mut(&first)?;
        let (at, thing) = place.waiting.pop_front()?;
        if place.known.is_none() && place.waiting.is_empty() {
            self.places.remove(&first);
        }
        Some((first, at, thing))
    }

    /// Returns the time of the earliest packet that waits.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.first().map(|(_, at)| at)
    }

    fn first(&self) -> Option<(CaptureNumber, Timestamp)> {
        let fronts = self.places.iter();
        let fronts = fronts.filter_map(|(&number, one)| Some((number, one.waiting.front()?.0)));
        fronts.min_by_key(|&(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_interface_no_packet_waits() {
        let mut merge = merge(1);
        merge.put(one(0), at(7), 'a');
        merge.put(one(0), at(9), 'b');
        assert_eq!(taken(&mut merge), "ab");
        assert_eq!(merge.complete(), Some(at(0)));
    }

    #[test]
    fn packets_come_out_in_order_of_time() {
        let mut merge = merge(3);
        for (place, moment, thing) in
            [(0, 1, 'a'), (0, 4, 'd'), (1, 2, 'b'), (1, 5, 'e'), (2, 3, 'c')]
        {
            merge.put(one(place), at(moment), thing);
        }
        for place in 0..3 {
            merge.know(one(place), at(5));
        }
        assert_eq!(taken(&mut merge), "abcde");
    }

    #[test]
    fn a_packet_waits_while_an_earlier_one_may_come() {
        let mut merge = merge(2);
        merge.put(one(0), at(5), 'b');
        merge.know(one(0), at(9));
        merge.know(one(1), at(4));
        assert_eq!(taken(&mut merge), "");
        assert_eq!((merge.earliest(), merge.complete()), (Some(at(5)), Some(at(4))));
        merge.put(one(1), at(5), 'c');
        merge.put(one(1), at(6), 'd');
        merge.put(one(1), at(10), 'e');
        // Of the same time, the packet of the interface that was named first comes first.
        assert_eq!(taken(&mut merge), "bcd");
        merge.know(one(0), at(10));
        assert_eq!(taken(&mut merge), "e");
    }

    #[test]
    fn what_is_read_of_an_interface_never_goes_back() {
        let mut merge = merge(2);
        merge.know(one(0), at(5));
        merge.know(one(1), at(6));
        merge.know(one(0), at(4));
        assert_eq!(merge.complete(), Some(at(5)));
    }

    #[test]
    fn each_interface_has_room_of_its_own() {
        let mut merge = merge(2);
        merge.put(one(0), at(1), 'a');
        assert_eq!((merge.room(one(0)), merge.room(one(1))), (3, 4));
    }

    #[test]
    fn packets_of_a_capture_that_has_ended_count_and_it_is_not_awaited() {
        let mut merge = merge(2);
        merge.put(one(0), at(5), 'b');
        merge.put(one(1), at(4), 'a');
        merge.know(one(1), at(4));
        merge.end(one(0));
        assert_eq!(taken(&mut merge), "a");
        merge.know(one(1), at(6));
        assert_eq!((merge.complete(), taken(&mut merge)), (Some(at(6)), "b".to_owned()));
        merge.put(one(0), at(7), 'c');
        merge.end(one(1));
        assert_eq!((merge.complete(), taken(&mut merge)), (None, String::new()));
    }

    #[test]
    fn a_capture_that_is_added_is_awaited() {
        let mut merge = merge(1);
        merge.add(one(1), at(3));
        merge.put(one(0), at(3), 'a');
        merge.put(one(0), at(4), 'c');
        assert_eq!((taken(&mut merge), merge.complete()), ("a".to_owned(), Some(at(0))));
        merge.put(one(1), at(3), 'b');
        merge.put(one(1), at(5), 'd');
        merge.know(one(0), at(9));
        merge.know(one(1), at(9));
        assert_eq!(taken(&mut merge), "bcd");
    }

    fn merge(captures: u32) -> Merge<char> {
        let mut merge = Merge::new(4);
        for number in 0..captures {
            merge.add(one(number), at(0));
        }
        merge
    }

    fn one(number: u32) -> CaptureNumber {
        CaptureNumber(number)
    }

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    fn taken(merge: &mut Merge<char>) -> String {
        std::iter::from_fn(|| merge.next()).map(|(_, _, thing)| thing).collect()
    }
}

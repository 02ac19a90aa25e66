//! Packets of several interfaces, in order of time.

use std::collections::VecDeque;

use knock_engine::Timestamp;

/// Packets that wait until no earlier packet can come any more.
///
/// Each interface has its own queue in the kernel. The packets of one come in order, but a packet of one
/// interface may be read before an earlier one of another.
#[derive(Debug)]
pub(super) struct Merge<T> {
    places: Vec<Place<T>>,
    /// How many packets of one interface may wait.
    waiting_max: usize,
}

/// What is known of an interface.
#[derive(Debug)]
struct Place<T> {
    waiting: VecDeque<(Timestamp, T)>,
    /// The time up to which all packets are read.
    known: Timestamp,
}

impl<T> Merge<T> {
    /// Begins at `now`, with this many interfaces. At most `waiting_max` packets of each wait here, and
    /// the others in the kernel.
    pub(super) fn new(interfaces: usize, now: Timestamp, waiting_max: usize) -> Self {
        let place = || Place { waiting: VecDeque::new(), known: now };
        Self { places: std::iter::repeat_with(place).take(interfaces).collect(), waiting_max }
    }

    /// Returns how many more packets of an interface there is room for.
    pub(super) fn room(&self, place: usize) -> usize {
        let waiting = self.places.get(place).map_or(0, |place| place.waiting.len());
        self.waiting_max.saturating_sub(waiting)
    }

    /// Adds the next packet of an interface.
    pub(super) fn put(&mut self, place: usize, at: Timestamp, thing: T) {
        if let Some(place) = self.places.get_mut(place) {
            place.waiting.push_back((at, thing));
        }
    }

    /// Notes that all packets of an interface up to a time were added.
    pub(super) fn know(&mut self, place: usize, until: Timestamp) {
        if let Some(place) = self.places.get_mut(place) {
            place.known = place.known.max(until);
        }
    }

    /// Returns the time up to which all packets of all interfaces were added.
    pub(super) fn complete(&self) -> Option<Timestamp> {
        self.places.iter().map(|place| place.known).min()
    }

    /// Removes and returns the earliest packet, with the number of its interface, if no other interface
    /// can have an earlier one. With only one interface, no packet waits.
    pub(super) fn next(&mut self) -> Option<(usize, Timestamp, T)> {
        let (first, at) = self.first()?;
        let mut others = self.places.iter().enumerate().filter(|&(number, _)| number != first);
        if !others.all(|(_, other)| at <= other.known || !other.waiting.is_empty()) {
            return None;
        }
        let (at, thing) = self.places.get_mut(first)?.waiting.pop_front()?;
        Some((first, at, thing))
    }

    /// Returns the time of the earliest packet that waits.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.first().map(|(_, at)| at)
    }

    fn first(&self) -> Option<(usize, Timestamp)> {
        let fronts = self.places.iter().enumerate();
        let fronts = fronts.filter_map(|(place, one)| Some((place, one.waiting.front()?.0)));
        fronts.min_by_key(|&(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_one_interface_no_packet_waits() {
        let mut merge = merge(1);
        merge.put(0, at(7), 'a');
        merge.put(0, at(9), 'b');
        assert_eq!(taken(&mut merge), "ab");
        assert_eq!(merge.complete(), Some(at(0)));
    }

    #[test]
    fn packets_come_out_in_order_of_time() {
        let mut merge = merge(3);
        for (place, moment, thing) in
            [(0, 1, 'a'), (0, 4, 'd'), (1, 2, 'b'), (1, 5, 'e'), (2, 3, 'c')]
        {
            merge.put(place, at(moment), thing);
        }
        for place in 0..3 {
            merge.know(place, at(5));
        }
        assert_eq!(taken(&mut merge), "abcde");
    }

    #[test]
    fn a_packet_waits_while_an_earlier_one_may_come() {
        let mut merge = merge(2);
        merge.put(0, at(5), 'b');
        merge.know(0, at(9));
        merge.know(1, at(4));
        assert_eq!(taken(&mut merge), "");
        assert_eq!((merge.earliest(), merge.complete()), (Some(at(5)), Some(at(4))));
        merge.put(1, at(5), 'c');
        merge.put(1, at(6), 'd');
        merge.put(1, at(10), 'e');
        // Of the same time, the packet of the interface that was named first comes first.
        assert_eq!(taken(&mut merge), "bcd");
        merge.know(0, at(10));
        assert_eq!(taken(&mut merge), "e");
    }

    #[test]
    fn what_is_read_of_an_interface_never_goes_back() {
        let mut merge = merge(2);
        merge.know(0, at(5));
        merge.know(1, at(6));
        merge.know(0, at(4));
        assert_eq!(merge.complete(), Some(at(5)));
    }

    #[test]
    fn each_interface_has_room_of_its_own() {
        let mut merge = merge(2);
        merge.put(0, at(1), 'a');
        assert_eq!((merge.room(0), merge.room(1)), (3, 4));
    }

    fn merge(interfaces: usize) -> Merge<char> {
        Merge::new(interfaces, at(0), 4)
    }

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    fn taken(merge: &mut Merge<char>) -> String {
        std::iter::from_fn(|| merge.next()).map(|(_, _, thing)| thing).collect()
    }
}

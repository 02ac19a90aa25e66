//! What came at several interfaces, in the order of time.

use std::collections::VecDeque;

use knock_engine::Timestamp;

/// Things that wait until nothing from before them can come any more.
///
/// Each interface has a queue in the kernel and tells its own packets in order, but a packet of one may
/// be read before an earlier one of another.
#[derive(Debug)]
pub(super) struct Merge<T> {
    places: Vec<Place<T>>,
    /// How many things wait of one interface.
    waiting_max: usize,
}

/// What is known of an interface.
#[derive(Debug)]
struct Place<T> {
    waiting: VecDeque<(Timestamp, T)>,
    /// The moment up to which everything is read.
    known: Timestamp,
}

impl<T> Merge<T> {
    /// Begins with so many interfaces, of which everything up to a moment is known. At most
    /// `waiting_max` things of each wait here, and others in the kernel.
    pub(super) fn new(interfaces: usize, now: Timestamp, waiting_max: usize) -> Self {
        let place = || Place { waiting: VecDeque::new(), known: now };
        Self { places: std::iter::repeat_with(place).take(interfaces).collect(), waiting_max }
    }

    /// Returns how many more things of an interface there is room for.
    pub(super) fn room(&self, place: usize) -> usize {
        let waiting = self.places.get(place).map_or(0, |place| place.waiting.len());
        self.waiting_max.saturating_sub(waiting)
    }

    /// Puts in what came next at an interface.
    pub(super) fn put(&mut self, place: usize, at: Timestamp, thing: T) {
        if let Some(place) = self.places.get_mut(place) {
            place.waiting.push_back((at, thing));
        }
    }

    /// Says that everything that came at an interface up to a moment was put in.
    pub(super) fn know(&mut self, place: usize, until: Timestamp) {
        if let Some(place) = self.places.get_mut(place) {
            place.known = place.known.max(until);
        }
    }

    /// Returns the moment up to which everything is known of all interfaces.
    pub(super) fn complete(&self) -> Option<Timestamp> {
        self.places.iter().map(|place| place.known).min()
    }

    /// Takes out the earliest thing, with its place, if no other interface can have an earlier one.
    /// Of one interface alone nothing waits.
    pub(super) fn next(&mut self) -> Option<(usize, Timestamp, T)> {
        let (first, at) = self.first()?;
        let mut others = self.places.iter().enumerate().filter(|&(number, _)| number != first);
        if !others.all(|(_, other)| at <= other.known || !other.waiting.is_empty()) {
            return None;
        }
        let (at, thing) = self.places.get_mut(first)?.waiting.pop_front()?;
        Some((first, at, thing))
    }

    /// Returns when the earliest thing came that waits.
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
    fn of_one_interface_nothing_waits() {
        let mut merge = merge(1);
        merge.put(0, at(7), 'a');
        merge.put(0, at(9), 'b');
        assert_eq!(taken(&mut merge), "ab");
        assert_eq!(merge.complete(), Some(at(0)));
    }

    #[test]
    fn things_are_taken_out_in_the_order_in_which_they_came() {
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
    fn what_an_earlier_thing_may_come_before_waits_for_it() {
        let mut merge = merge(2);
        merge.put(0, at(5), 'b');
        merge.know(0, at(9));
        merge.know(1, at(4));
        assert_eq!(taken(&mut merge), "");
        assert_eq!((merge.earliest(), merge.complete()), (Some(at(5)), Some(at(4))));
        merge.put(1, at(5), 'c');
        merge.put(1, at(6), 'd');
        merge.put(1, at(10), 'e');
        // At the same moment, the interface that was named first is first.
        assert_eq!(taken(&mut merge), "bcd");
        merge.know(0, at(10));
        assert_eq!(taken(&mut merge), "e");
    }

    #[test]
    fn nothing_becomes_unknown_again() {
        let mut merge = merge(2);
        merge.know(0, at(5));
        merge.know(1, at(6));
        merge.know(0, at(4));
        assert_eq!(merge.complete(), Some(at(5)));
    }

    #[test]
    fn there_is_room_for_so_many_things_of_each_interface() {
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

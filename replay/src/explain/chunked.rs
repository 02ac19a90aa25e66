//! A list that grows without moving what is in it.

use std::num::NonZeroUsize;

use crate::session::huge_pages::LARGE;

/// A list of which there may be hundreds of thousands of entries. A `Vec` would copy them all again and again, and
/// need fresh memory for each copy.
#[derive(Clone, Debug)]
pub(crate) struct Chunked<T> {
    chunks: Vec<Vec<T>>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    /// How many entries the first chunk has at most. It grows as it is needed.
    const FIRST: usize = 4096;
    /// How many entries each other chunk has: it is in huge pages, as memory in pages of 4 KiB takes several times as
    /// long to fetch.
    const CHUNK: NonZeroUsize = chunk(size_of::<T>());

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, one: T) {
        self.len = self.len.saturating_add(1);
        let most = if self.chunks.len() > 1 { Self::CHUNK.get() } else { Self::FIRST };
        match self.chunks.last_mut() {
            Some(last) if last.len() < most => last.push(one),
            Some(_) => {
                let mut chunk = Vec::with_capacity(Self::CHUNK.get());
                chunk.push(one);
                self.chunks.push(chunk);
            }
            None => self.chunks.push(vec![one]),
        }
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        let (chunk, place) = Self::split(place);
        self.chunks.get(chunk)?.get(place)
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        let (chunk, place) = Self::split(place);
        self.chunks.get_mut(chunk)?.get_mut(place)
    }

    /// Returns in which chunk a place is, and where in that.
    fn split(place: usize) -> (usize, usize) {
        match place.checked_sub(Self::FIRST) {
            None => (0, place),
            Some(place) => ((place / Self::CHUNK).saturating_add(1), place % Self::CHUNK),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flatten()
    }
}

/// The least size of a chunk but the first, in bytes: so many huge pages that what is left after the last one, and in small
/// pages, is little.
const LEAST: usize = 4 * LARGE;

/// Returns how many entries of a size make a chunk: a power of two.
const fn chunk(size: usize) -> NonZeroUsize {
    let entries = match LEAST.checked_div(size) {
        Some(entries) => entries.next_power_of_two(),
        None => LEAST,
    };
    match NonZeroUsize::new(entries) {
        Some(entries) => entries,
        None => NonZeroUsize::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry that is large, so that few make a chunk.
    type Large = [usize; 100];

    #[test]
    fn entries_are_where_they_were_pushed() {
        let mut list = Chunked::default();
        let (first, chunk) = (Chunked::<Large>::FIRST, Chunked::<Large>::CHUNK.get());
        let many = first + 2 * chunk + 3;
        for number in 0..many {
            assert_eq!(list.len(), number);
            list.push([number; 100]);
        }
        assert_eq!(list.len(), many);
        assert!(list.iter().map(|one| one[0]).eq(0..many));
        for place in [0, first - 1, first, first + chunk - 1, first + chunk, many - 1] {
            assert_eq!(list.get(place).unwrap()[0], place);
            list.get_mut(place).unwrap()[0] += 1;
            assert_eq!(list.get(place).unwrap()[0], place + 1);
        }
        assert_eq!(list.get(many), None);
        assert_eq!(list.get_mut(many), None);
    }

    #[test]
    fn every_chunk_but_the_first_is_in_huge_pages_and_not_much_larger() {
        for size in [1, 16, 56, 280, 1000, 5000] {
            let bytes = chunk(size).get() * size;
            assert!((LEAST..2 * LEAST).contains(&bytes), "{size}: {bytes}");
        }
    }
}

//! A list that grows without moving what is in it.

/// A list of which there may be hundreds of thousands of entries. A `Vec` would copy them all again and again, and
/// need fresh memory for each copy.
#[derive(Clone, Debug)]
pub(crate) struct Chunked<T>(Vec<Vec<T>>);

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunked<T> {
    /// How many entries a chunk has. The first grows as it is needed.
    const CHUNK: usize = 4096;

    pub(crate) fn len(&self) -> usize {
        let last = self.0.last().map_or(0, Vec::len);
        self.0.len().saturating_sub(1).saturating_mul(Self::CHUNK).saturating_add(last)
    }

    pub(crate) fn push(&mut self, one: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < Self::CHUNK => last.push(one),
            Some(_) => {
                let mut chunk = Vec::with_capacity(Self::CHUNK);
                chunk.push(one);
                self.0.push(chunk);
            }
            None => self.0.push(vec![one]),
        }
    }

    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / Self::CHUNK)?.get(place % Self::CHUNK)
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place / Self::CHUNK)?.get_mut(place % Self::CHUNK)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_where_they_were_pushed() {
        let mut list = Chunked::default();
        let many = 2 * Chunked::<usize>::CHUNK + 3;
        for number in 0..many {
            assert_eq!(list.len(), number);
            list.push(number);
        }
        assert_eq!(list.len(), many);
        assert!(list.iter().copied().eq(0..many));
        for place in [0, Chunked::<usize>::CHUNK - 1, Chunked::<usize>::CHUNK, many - 1] {
            assert_eq!(list.get(place), Some(&place));
            *list.get_mut(place).unwrap() += 1;
            assert_eq!(list.get(place), Some(&(place + 1)));
        }
        assert_eq!(list.get(many), None);
        assert_eq!(list.get_mut(many), None);
    }
}

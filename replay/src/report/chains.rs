//! Short lists of very many owners, all in one list: most have one or two entries.

use crate::explain::Chunked;

/// The entries of all owners.
#[derive(Debug)]
pub(super) struct Chains<T>(Chunked<Link<T>>);

/// An entry, and the place of the one before it of the same owner.
#[derive(Debug)]
struct Link<T> {
    before: u32,
    one: T,
}

/// The entries of an owner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// The place of the last one.
    last: u32,
    len: u32,
}

/// The place of no entry.
const NONE: u32 = u32::MAX;

impl<T> Default for Chains<T> {
    fn default() -> Self {
        Self(Chunked::default())
    }
}

impl Chain {
    /// Without entries.
    pub(super) const fn new() -> Self {
        Self { last: NONE, len: 0 }
    }

    pub(super) fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }
}

impl<T> Chains<T> {
    /// Adds an entry to those of an owner.
    pub(super) fn push(&mut self, chain: &mut Chain, one: T) {
        let Ok(place) = u32::try_from(self.0.len()) else { return };
        self.0.push(Link { before: chain.last, one });
        *chain = Chain { last: place, len: chain.len.saturating_add(1) };
    }

    /// Returns the last entry of an owner.
    pub(super) fn last_mut(&mut self, chain: Chain) -> Option<&mut T> {
        let link = self.0.get_mut(usize::try_from(chain.last).ok()?);
        link.map(|link| &mut link.one)
    }

    /// Returns the entries of an owner, the last one first.
    pub(super) fn backwards(&self, chain: Chain) -> impl Iterator<Item = &T> {
        let mut place = chain.last;
        std::iter::from_fn(move || {
            let Link { before, one } = self.0.get(usize::try_from(place).ok()?)?;
            place = *before;
            Some(one)
        })
    }

    /// Returns the entries of an owner in order.
    pub(super) fn in_order(&self, chain: Chain) -> impl Iterator<Item = &T> {
        let mut list: Vec<&T> = self.backwards(chain).collect();
        list.reverse();
        list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_has_its_own_entries_in_their_order() {
        let mut chains = Chains::default();
        let mut owners = [Chain::new(); 3];
        for number in 0..10 {
            let owner = number % 2;
            chains.push(&mut owners[owner], number);
        }
        let of = |owner: usize| chains.in_order(owners[owner]).copied().collect::<Vec<_>>();
        assert_eq!([of(0), of(1), of(2)], [vec![0, 2, 4, 6, 8], vec![1, 3, 5, 7, 9], vec![]]);
        assert_eq!(owners.map(Chain::len), [5, 5, 0]);
        let [first, _, none] = owners;
        *chains.last_mut(first).unwrap() = 80;
        assert_eq!(chains.backwards(first).next(), Some(&80));
        assert_eq!(chains.last_mut(none), None);
    }
}

//! Attributes: a length, a type and a value, padded to 4 bytes.

/// A list of attributes that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes(Vec<u8>);

impl Attributes {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn bytes(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        // No value is so long: elements are sent in parts. The kernel would refuse the length.
        let length = u16::try_from(value.len().saturating_add(4)).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// Adds a text, with the NUL that the kernel wants.
    pub(crate) fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        self.bytes(kind, &[text.as_bytes(), &[0]].concat())
    }

    pub(crate) fn number(&mut self, kind: u16, value: u32) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(crate) fn long(&mut self, kind: u16, value: u64) -> &mut Self {
        self.bytes(kind, &value.to_be_bytes())
    }

    pub(crate) fn nested(&mut self, kind: u16, inner: &Self) -> &mut Self {
        self.bytes(kind | NESTED, &inner.0)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The bit of a type that says that the value is a list of attributes.
const NESTED: u16 = 1 << 15;

/// The bits of a type that are not part of it.
const FLAGS: u16 = 3 << 14;

/// Returns each attribute of a list with its type, up to the first that is malformed.
pub(crate) fn parse(mut list: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [low, high] = *list.first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let kind = u16::from_ne_bytes([*list.get(2)?, *list.get(3)?]);
        let value = list.get(4..length)?;
        list = list.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some((kind & !FLAGS, value))
    })
}

/// Returns the value of the attribute of a type.
pub(crate) fn find(list: &[u8], kind: u16) -> Option<&[u8]> {
    parse(list).find_map(|(found, value)| (found == kind).then_some(value))
}

/// Returns the attribute of a type as a text without the NUL.
pub(crate) fn text(list: &[u8], kind: u16) -> Option<&[u8]> {
    find(list, kind).map(|value| value.strip_suffix(&[0]).unwrap_or(value))
}

/// Returns the attribute of a type as a number.
pub(crate) fn number(list: &[u8], kind: u16) -> Option<u32> {
    find(list, kind)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// Returns the attribute of a type as a long number.
pub(crate) fn long(list: &[u8], kind: u16) -> Option<u64> {
    find(list, kind)?.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut inner = Attributes::new();
        inner.number(7, 0x0102_0304).text(8, "lo");
        let mut outer = Attributes::new();
        outer.text(1, "filter").nested(2, &inner).long(3, 9);
        let list = outer.as_bytes();
        assert_eq!(list.len() % 4, 0);
        assert_eq!(text(list, 1), Some(&b"filter"[..]));
        assert_eq!(long(list, 3), Some(9));
        let inner = find(list, 2).unwrap();
        assert_eq!(number(inner, 7), Some(0x0102_0304));
        assert_eq!(text(inner, 8), Some(&b"lo"[..]));
        assert_eq!(find(list, 4), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(parse(&bytes).count() <= 16);
        }
    }
}

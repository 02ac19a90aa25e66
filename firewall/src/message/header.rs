//! The headers of messages: that of netlink, 16 bytes, and that of netfilter, 4 bytes.

use super::numbers::SUBSYSTEM;

/// The bytes of both headers.
const LENGTH: usize = 20;

/// A message that was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// The port of the socket that asked for it.
    pub(crate) port: u32,
    /// What comes after the header of netlink.
    pub(crate) content: &'a [u8],
}

impl<'a> Received<'a> {
    /// Returns the number of a message of `nf_tables`.
    pub(crate) fn of_tables(&self) -> Option<u16> {
        let [kind, subsystem] = self.kind.to_le_bytes();
        (subsystem == SUBSYSTEM).then_some(u16::from(kind))
    }

    /// Returns the family of a message of `nf_tables`.
    pub(crate) fn family(&self) -> Option<u8> {
        self.content.first().copied()
    }

    /// Returns the attributes of a message of `nf_tables`.
    pub(crate) fn attributes(&self) -> &'a [u8] {
        self.content.get(4..).unwrap_or(&[])
    }
}

/// Returns the messages of a datagram, up to the first that is malformed.
pub(crate) fn parse(mut datagram: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let number = |at: usize| {
            let bytes = datagram.get(at..)?.first_chunk()?;
            Some(u32::from_ne_bytes(*bytes))
        };
        let short = |at: usize| {
            let bytes = datagram.get(at..)?.first_chunk()?;
            Some(u16::from_ne_bytes(*bytes))
        };
        let length = usize::try_from(number(0)?).ok()?;
        let received = Received {
            kind: short(4)?,
            flags: short(6)?,
            sequence: number(8)?,
            port: number(12)?,
            content: datagram.get(16..length)?,
        };
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(received)
    })
}

/// Appends a message of netfilter. `resource` is the number of a subsystem in the messages around a
/// batch.
pub(crate) fn write(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    sequence: u32,
    (family, resource): (u8, u16),
    attributes: &[u8],
) {
    // A message is far from 4 GiB.
    let length = u32::try_from(attributes.len().saturating_add(LENGTH)).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(&flags.to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    // The port of the sender, which the kernel knows; then family, version and resource.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[family, 0]);
    out.extend_from_slice(&resource.to_be_bytes());
    out.extend_from_slice(attributes);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut datagram = Vec::new();
        write(&mut datagram, 0x0a03, 5, 77, (1, 0), b"attr");
        write(&mut datagram, 16, 1, 78, (0, 10), b"");
        let messages: Vec<_> = parse(&datagram).collect();
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[0].of_tables(), Some(3));
        assert_eq!(messages[0].family(), Some(1));
        assert_eq!(messages[0].attributes(), b"attr");
        assert_eq!((messages[0].flags, messages[0].sequence, messages[0].port), (5, 77, 0));
        assert_eq!(messages[1].of_tables(), None);
        assert_eq!(messages[1].attributes(), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).count() <= 13);
        }
    }
}

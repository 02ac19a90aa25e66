//! Elements of sets: a key whose parts are padded to 4 bytes each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use knock_engine::{Port, PortRange, Protocol};

use super::attributes::{self, Attributes};
use super::numbers::{
    NFTA_DATA_VALUE, NFTA_SET_ELEM_EXPIRATION, NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_KEY_END,
    NFTA_SET_ELEM_TIMEOUT, NFTA_SET_ELEM_USERDATA,
};
use crate::grant::{Grant, Since};
use crate::transaction::{Clients, Element, Set, Version};

/// Writes an element of a set.
pub(super) fn write(element: &Element, set: Set, has_timeout: bool) -> Attributes {
    let mut out = Attributes::new();
    match (element, set) {
        (Element::Guarded(ports), _) => {
            let end = |port| value(&ports_key(ports.protocol(), port));
            out.nested(NFTA_SET_ELEM_KEY, &end(ports.first()));
            // In a set of ranges, nft would take the key of the next element for a missing end.
            out.nested(NFTA_SET_ELEM_KEY_END, &end(ports.last()));
        }
        (Element::Granted(grant), Set::Clients(Clients { range: Some(_), .. })) => {
            out.nested(NFTA_SET_ELEM_KEY, &value(&address_key(grant.client)));
        }
        (Element::Granted(grant), Set::Guarded | Set::Clients(Clients { range: None, .. })) => {
            let ports = ports_key(grant.ports.protocol(), grant.ports.first());
            let key = [address_key(grant.client), ports.to_vec()].concat();
            out.nested(NFTA_SET_ELEM_KEY, &value(&key));
        }
    }
    if let Element::Granted(grant) = element
        && has_timeout
    {
        let milliseconds = u64::try_from(grant.time_left.as_millis()).unwrap_or(u64::MAX);
        out.long(NFTA_SET_ELEM_TIMEOUT, milliseconds);
        if let Some(since) = grant.since {
            out.bytes(NFTA_SET_ELEM_USERDATA, &comment(&Since(since).to_string()));
        }
    }
    out
}

/// The type of a comment among what nft stores with an element: a byte for the type, one for the length, and the
/// value.
const COMMENT: u8 = 0;

/// Returns a comment as nft stores it, with a NUL at its end.
fn comment(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len().saturating_add(1)).unwrap_or(u8::MAX);
    [&[COMMENT, length], text.as_bytes(), &[0]].concat()
}

/// Returns the comment among what is stored with an element.
fn comment_in(mut stored: &[u8]) -> Option<&str> {
    while let &[kind, length, ref rest @ ..] = stored {
        let (value, rest) = rest.split_at_checked(length.into())?;
        if kind == COMMENT {
            return std::str::from_utf8(value.strip_suffix(&[0])?).ok();
        }
        stored = rest;
    }
    None
}

/// Reads an element of a set of clients; `None` if it is nothing of knockd's.
pub(crate) fn granted(element: &[u8], clients: Clients) -> Option<Grant> {
    let key = attributes::find(attributes::find(element, NFTA_SET_ELEM_KEY)?, NFTA_DATA_VALUE)?;
    let (client, rest): (IpAddr, &[u8]) = match clients.version {
        Version::V4 => {
            let (bytes, rest) = key.split_first_chunk::<4>()?;
            (Ipv4Addr::from(*bytes).into(), rest)
        }
        Version::V6 => {
            let (bytes, rest) = key.split_first_chunk::<16>()?;
            (Ipv6Addr::from(*bytes).into(), rest)
        }
    };
    let ports = match clients.range {
        Some(range) => range,
        None => single_port(rest)?,
    };
    // One without an end was added by hand.
    let left = attributes::long(element, NFTA_SET_ELEM_EXPIRATION);
    let time_left = left.map_or(Duration::MAX, Duration::from_millis);
    let comment = attributes::find(element, NFTA_SET_ELEM_USERDATA).and_then(comment_in);
    let since = comment.and_then(Since::parse).map(|Since(since)| since);
    Some(Grant { client, ports, time_left, since })
}

fn value(bytes: &[u8]) -> Attributes {
    let mut out = Attributes::new();
    out.bytes(NFTA_DATA_VALUE, bytes);
    out
}

fn address_key(client: IpAddr) -> Vec<u8> {
    match client {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ports_key(protocol: Protocol, port: Port) -> [u8; 8] {
    let protocol = match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    };
    let [high, low] = port.0.to_be_bytes();
    [protocol, 0, 0, 0, high, low, 0, 0]
}

fn single_port(key: &[u8]) -> Option<PortRange> {
    let &[protocol, _, _, _, high, low, ..] = key else { return None };
    let protocol = match protocol {
        6 => Protocol::Tcp,
        17 => Protocol::Udp,
        _ => return None,
    };
    let port = Port(u16::from_be_bytes([high, low]));
    PortRange::new(protocol, port, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_found_among_what_nft_stores() {
        let stored = comment("first let in 12 ms after boot");
        assert_eq!(comment_in(&stored), Some("first let in 12 ms after boot"));
        let after_another = [&[1, 2, 9, 9][..], &stored].concat();
        assert_eq!(comment_in(&after_another), Some("first let in 12 ms after boot"));
        for cut in [&stored[..1], &stored[..9], &[1, 200, 0], &[0, 1, 7], &[]] {
            assert_eq!(comment_in(cut), None, "{cut:?}");
        }
    }
}

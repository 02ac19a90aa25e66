//! IP and transport headers.

use core::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, err,
};

use super::{Carried, Layer, Undecodable};
use crate::address;
use crate::packet::{Packet, Port, TcpFlags, TcpHeader, Transport};

const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const UDP: u8 = 17;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;

/// What is made of the number of a protocol, the addresses of a packet, and the bytes from the header of that protocol on.
pub(super) trait Then<'a, T>:
    FnOnce(u8, (IpAddr, IpAddr), &'a [u8]) -> Result<T, Undecodable>
{
}

impl<'a, T, F> Then<'a, T> for F where
    F: FnOnce(u8, (IpAddr, IpAddr), &'a [u8]) -> Result<T, Undecodable>
{
}

/// Returns whether a header of IP is one of version 4, and not of version 6.
#[inline]
pub(super) fn is_v4(bytes: &[u8]) -> Result<bool, Undecodable> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => Ok(true),
        Some(6) => Ok(false),
        Some(version) => Err(Undecodable::NotIp(Carried::IpVersion(version))),
        None => Err(Undecodable::Cut { layer: Layer::Ip, needed: 1, had: 0 }),
    }
}

#[inline]
pub(super) fn v4<'a, T>(bytes: &'a [u8], then: impl Then<'a, T>) -> Result<T, Undecodable> {
    let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|error| bad_v4(&error))?;
    if header.fragments_offset().value() != 0 {
        return Err(Undecodable::LaterFragment);
    }
    let rest = after(bytes, header.slice());
    let ends = (header.source_addr().into(), header.destination_addr().into());
    then(header.protocol().0, ends, rest)
}

fn bad_v4(error: &err::ipv4::HeaderSliceError) -> Undecodable {
    use err::ipv4::{HeaderError, HeaderSliceError};
    match error {
        HeaderSliceError::Len(error) => cut(Layer::Ipv4, error),
        HeaderSliceError::Content(HeaderError::UnexpectedVersion { version_number }) => {
            Undecodable::WrongVersion { promised: 4, found: *version_number }
        }
        HeaderSliceError::Content(HeaderError::HeaderLengthSmallerThanHeader { ihl }) => {
            let said = usize::from(*ihl).saturating_mul(4);
            Undecodable::BadHeaderLength { layer: Layer::Ipv4, said, least: 20 }
        }
    }
}

#[inline]
pub(super) fn v6<'a, T>(bytes: &'a [u8], then: impl Then<'a, T>) -> Result<T, Undecodable> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|error| bad_v6(&error))?;
    let rest = after(bytes, header.slice());
    let ends = (header.source_addr(), header.destination_addr());
    let (protocol, rest) = extensions(header.next_header().0, rest)?;
    then(protocol, (ends.0.into(), ends.1.into()), rest)
}

fn bad_v6(error: &err::ipv6::HeaderSliceError) -> Undecodable {
    use err::ipv6::{HeaderError, HeaderSliceError};
    match error {
        HeaderSliceError::Len(error) => cut(Layer::Ipv6, error),
        HeaderSliceError::Content(HeaderError::UnexpectedVersion { version_number }) => {
            Undecodable::WrongVersion { promised: 6, found: *version_number }
        }
    }
}

/// Returns the source address of an IPv4 header, which may be cut after it.
pub(super) fn v4_source(bytes: &[u8]) -> Option<IpAddr> {
    bytes.get(12..)?.first_chunk::<4>().map(|&octets| octets.into())
}

/// Returns the source address of an IPv6 header, which may be cut after it.
pub(super) fn v6_source(bytes: &[u8]) -> Option<IpAddr> {
    bytes.get(8..)?.first_chunk::<16>().map(|&octets| octets.into())
}

/// Walks extension headers, in any order and number: each takes at least 8 bytes of the frame. Returns the protocol and
/// the bytes after them.
fn extensions(mut next: u8, mut bytes: &[u8]) -> Result<(u8, &[u8]), Undecodable> {
    loop {
        match next {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                let header = Ipv6RawExtHeaderSlice::from_slice(bytes)
                    .map_err(|error| cut(Layer::Ipv6Options, &error))?;
                next = header.next_header().0;
                bytes = after(bytes, header.slice());
            }
            FRAGMENT => {
                let header = Ipv6FragmentHeaderSlice::from_slice(bytes)
                    .map_err(|error| cut(Layer::Ipv6Fragment, &error))?;
                if header.fragment_offset().value() != 0 {
                    return Err(Undecodable::LaterFragment);
                }
                next = header.next_header().0;
                bytes = after(bytes, header.slice());
            }
            AUTHENTICATION => {
                let header = IpAuthHeaderSlice::from_slice(bytes)
                    .map_err(|error| bad_authentication(&error))?;
                next = header.next_header().0;
                bytes = after(bytes, header.slice());
            }
            protocol => return Ok((protocol, bytes)),
        }
    }
}

fn bad_authentication(error: &err::ip_auth::HeaderSliceError) -> Undecodable {
    use err::ip_auth::{HeaderError, HeaderSliceError};
    match error {
        HeaderSliceError::Len(error) => cut(Layer::Authentication, error),
        // The length field counts 4-byte words, minus 2.
        HeaderSliceError::Content(HeaderError::ZeroPayloadLen) => {
            Undecodable::BadHeaderLength { layer: Layer::Authentication, said: 8, least: 12 }
        }
    }
}

#[inline]
pub(super) fn transport(
    protocol: u8,
    (source, destination): (IpAddr, IpAddr),
    bytes: &[u8],
) -> Result<Packet, Undecodable> {
    let (transport, layer) = match protocol {
        TCP => (Transport::Tcp(tcp(bytes)), Layer::Tcp),
        UDP => (Transport::Udp, Layer::Udp),
        other => return Err(Undecodable::NotTcpOrUdp(other)),
    };
    let Some(&[from_high, from_low, to_high, to_low]) = bytes.first_chunk() else {
        return Err(Undecodable::Cut { layer, needed: 4, had: bytes.len() });
    };
    let source_port = Port(u16::from_be_bytes([from_high, from_low]));
    let destination_port = Port(u16::from_be_bytes([to_high, to_low]));
    if !address::is_of_a_host(source) {
        return Err(Undecodable::NoHost(source));
    }
    Ok(Packet { source, destination, source_port, destination_port, transport })
}

/// Returns what follows a UDP header, as long as that says.
pub(super) fn datagram(
    protocol: u8,
    _: (IpAddr, IpAddr),
    bytes: &[u8],
) -> Result<&[u8], Undecodable> {
    if protocol != UDP {
        return Err(Undecodable::NotTcpOrUdp(protocol));
    }
    let cut = |needed| Undecodable::Cut { layer: Layer::Udp, needed, had: bytes.len() };
    let &[_, _, _, _, high, low] = bytes.first_chunk().ok_or(cut(6))?;
    let length = usize::from(u16::from_be_bytes([high, low]));
    bytes.get(8..length.max(8)).ok_or(cut(length.max(8)))
}

#[inline]
fn tcp(bytes: &[u8]) -> TcpHeader {
    let number = bytes.first_chunk::<8>().map(|&[_, _, _, _, a, b, c, d]| [a, b, c, d]);
    TcpHeader {
        sequence_number: number.map(u32::from_be_bytes),
        flags: bytes.get(13).copied().map(TcpFlags),
    }
}

/// Returns what follows `header`, the first bytes of `bytes`.
#[inline]
fn after<'a>(bytes: &'a [u8], header: &[u8]) -> &'a [u8] {
    bytes.get(header.len()..).unwrap_or_default()
}

fn cut(layer: Layer, error: &err::LenError) -> Undecodable {
    Undecodable::Cut { layer, needed: error.required_len, had: error.len }
}

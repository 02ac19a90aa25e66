//! IP and transport headers.

use core::net::{IpAddr, Ipv6Addr};

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

pub(super) fn either_version(bytes: &[u8]) -> Result<Packet, Undecodable> {
    match bytes.first().map(|first| first >> 4) {
        Some(4) => v4(bytes),
        Some(6) => v6(bytes),
        Some(version) => Err(Undecodable::NotIp(Carried::IpVersion(version))),
        None => Err(Undecodable::Cut { layer: Layer::Ip, needed: 1, had: 0 }),
    }
}

#[inline]
pub(super) fn v4(bytes: &[u8]) -> Result<Packet, Undecodable> {
    let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|error| bad_v4(&error))?;
    if header.fragments_offset().value() != 0 {
        return Err(Undecodable::LaterFragment);
    }
    let rest = behind(bytes, header.slice());
    let ends = (header.source_addr().into(), header.destination_addr().into());
    transport(header.protocol().0, ends, rest)
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

pub(super) fn v6(bytes: &[u8]) -> Result<Packet, Undecodable> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|error| bad_v6(&error))?;
    let rest = behind(bytes, header.slice());
    extensions(header.next_header().0, (header.source_addr(), header.destination_addr()), rest)
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

/// Returns the source address of an IPv4 header, of which not all need be there.
pub(super) fn v4_source(bytes: &[u8]) -> Option<IpAddr> {
    bytes.get(12..)?.first_chunk::<4>().map(|&octets| octets.into())
}

/// Returns the source address of an IPv6 header, of which not all need be there.
pub(super) fn v6_source(bytes: &[u8]) -> Option<IpAddr> {
    bytes.get(8..)?.first_chunk::<16>().map(|&octets| octets.into())
}

/// Walks extension headers, in any order and number: each takes at least 8 bytes of the frame.
fn extensions(
    mut next: u8,
    ends: (Ipv6Addr, Ipv6Addr),
    mut bytes: &[u8],
) -> Result<Packet, Undecodable> {
    loop {
        match next {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS => {
                let header = Ipv6RawExtHeaderSlice::from_slice(bytes)
                    .map_err(|error| cut(Layer::Ipv6Options, &error))?;
                next = header.next_header().0;
                bytes = behind(bytes, header.slice());
            }
            FRAGMENT => {
                let header = Ipv6FragmentHeaderSlice::from_slice(bytes)
                    .map_err(|error| cut(Layer::Ipv6Fragment, &error))?;
                if header.fragment_offset().value() != 0 {
                    return Err(Undecodable::LaterFragment);
                }
                next = header.next_header().0;
                bytes = behind(bytes, header.slice());
            }
            AUTHENTICATION => {
                let header = IpAuthHeaderSlice::from_slice(bytes)
                    .map_err(|error| bad_authentication(&error))?;
                next = header.next_header().0;
                bytes = behind(bytes, header.slice());
            }
            protocol => return transport(protocol, (ends.0.into(), ends.1.into()), bytes),
        }
    }
}

fn bad_authentication(error: &err::ip_auth::HeaderSliceError) -> Undecodable {
    use err::ip_auth::{HeaderError, HeaderSliceError};
    match error {
        HeaderSliceError::Len(error) => cut(Layer::Authentication, error),
        // The length field counts words of 4 bytes, less 2.
        HeaderSliceError::Content(HeaderError::ZeroPayloadLen) => {
            Undecodable::BadHeaderLength { layer: Layer::Authentication, said: 8, least: 12 }
        }
    }
}

#[inline]
fn transport(
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

#[inline]
fn tcp(bytes: &[u8]) -> TcpHeader {
    let number = bytes.get(4..).and_then(<[u8]>::first_chunk);
    TcpHeader {
        sequence_number: number.copied().map(u32::from_be_bytes),
        flags: bytes.get(13).copied().map(TcpFlags),
    }
}

/// Returns what follows `header`, the first bytes of `bytes`.
#[inline]
fn behind<'a>(bytes: &'a [u8], header: &[u8]) -> &'a [u8] {
    bytes.get(header.len()..).unwrap_or_default()
}

fn cut(layer: Layer, error: &err::LenError) -> Undecodable {
    Undecodable::Cut { layer, needed: error.required_len, had: error.len }
}

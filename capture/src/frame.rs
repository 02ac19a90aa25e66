//! Packets, byte for byte.

use std::net::{IpAddr, SocketAddr};

use etherparse::err::ValueTooBigError;
use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6Header, TcpHeader, TcpOptionElement,
    UdpHeader,
};
use fastrand::Rng;
use knock_engine::{Port, TcpFlags};

/// The payload of a knock by UDP, the same as that of knock 0.8.
pub const DATAGRAM: [u8; 1] = [0];

/// Why a packet cannot be made. Neither happens to short packets within one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameError;

impl From<ValueTooBigError<usize>> for FrameError {
    fn from(_: ValueTooBigError<usize>) -> Self {
        Self
    }
}

impl From<ValueTooBigError<u16>> for FrameError {
    fn from(_: ValueTooBigError<u16>) -> Self {
        Self
    }
}

/// The source ports that Linux chooses from.
const PORTS: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// Chooses a random source port.
pub fn source_port(numbers: &mut Rng) -> Port {
    Port(numbers.u16(PORTS))
}

/// Returns a TCP segment with these flags, checksum and all.
///
/// A plain SYN has the options that Linux gives it; other flags have none.
///
/// # Errors
/// If the addresses are not of one family.
pub fn segment(
    source: SocketAddr,
    destination: SocketAddr,
    flags: TcpFlags,
    numbers: &mut Rng,
) -> Result<Vec<u8>, FrameError> {
    const WINDOW: u16 = 64_240;
    // Hand-made packets have a sequence number of 0, so the daemon finds no retransmissions by it.
    let sequence_number = numbers.u32(1..);
    let mut header = TcpHeader::new(source.port(), destination.port(), sequence_number, WINDOW);
    let has = |flag| flags.contains(flag);
    header.fin = has(TcpFlags::FIN);
    header.syn = has(TcpFlags::SYN);
    header.rst = has(TcpFlags::RST);
    header.psh = has(TcpFlags::PSH);
    header.ack = has(TcpFlags::ACK);
    header.urg = has(TcpFlags::URG);
    if header.ack {
        header.acknowledgment_number = numbers.u32(1..);
    }
    if flags == TcpFlags::SYN {
        let options = [
            TcpOptionElement::MaximumSegmentSize(if source.is_ipv4() { 1460 } else { 1440 }),
            TcpOptionElement::SelectiveAcknowledgementPermitted,
            TcpOptionElement::Timestamp(numbers.u32(..), 0),
            TcpOptionElement::Noop,
            TcpOptionElement::WindowScale(7),
        ];
        header.set_options(&options).map_err(|_| FrameError)?;
    }
    header.checksum = match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), &[])?
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            header.calc_checksum_ipv6_raw(source.octets(), destination.octets(), &[])?
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return Err(FrameError),
    };
    Ok(header.to_bytes().to_vec())
}

fn datagram(
    source: SocketAddr,
    destination: SocketAddr,
    payload: &[u8],
) -> Result<Vec<u8>, FrameError> {
    let (from, to) = (source.port(), destination.port());
    let length = u16::try_from(UdpHeader::LEN.saturating_add(payload.len()));
    let length = length.map_err(|_| FrameError)?;
    let mut header = UdpHeader { source_port: from, destination_port: to, length, checksum: 0 };
    header.checksum = match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            header.calc_checksum_ipv4_raw(source.octets(), destination.octets(), payload)?
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            header.calc_checksum_ipv6_raw(source.octets(), destination.octets(), payload)?
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return Err(FrameError),
    };
    Ok([&header.to_bytes()[..], payload].concat())
}

/// Returns a datagram with this payload as an Ethernet frame.
///
/// # Errors
/// If the addresses are not of one family, or the payload is too long.
pub fn datagram_frame(
    source: SocketAddr,
    destination: SocketAddr,
    payload: &[u8],
    numbers: &mut Rng,
) -> Result<Vec<u8>, FrameError> {
    let transport = datagram(source, destination, payload)?;
    around(source, destination, IpNumber::UDP, &transport, numbers)
}

/// Returns a packet as an Ethernet frame: a TCP segment with these flags, or a datagram for `None`.
///
/// # Errors
/// If the addresses are not of one family.
pub fn frame(
    source: SocketAddr,
    destination: SocketAddr,
    flags: Option<TcpFlags>,
    numbers: &mut Rng,
) -> Result<Vec<u8>, FrameError> {
    let (protocol, transport) = match flags {
        Some(flags) => (IpNumber::TCP, segment(source, destination, flags, numbers)?),
        None => (IpNumber::UDP, datagram(source, destination, &DATAGRAM)?),
    };
    around(source, destination, protocol, &transport, numbers)
}

/// Puts the headers of the network and the link in front of a packet.
fn around(
    source: SocketAddr,
    destination: SocketAddr,
    protocol: IpNumber,
    transport: &[u8],
    numbers: &mut Rng,
) -> Result<Vec<u8>, FrameError> {
    let length = u16::try_from(transport.len()).map_err(|_| FrameError)?;
    let (ether_type, network) = match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let (source, destination) = (source.octets(), destination.octets());
            let mut header = Ipv4Header::new(length, HOPS, protocol, source, destination)?;
            header.identification = numbers.u16(..);
            header.dont_fragment = true;
            header.header_checksum = header.calc_header_checksum();
            (EtherType::IPV4, header.to_bytes().to_vec())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                payload_length: length,
                next_header: protocol,
                hop_limit: HOPS,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            };
            (EtherType::IPV6, header.to_bytes().to_vec())
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return Err(FrameError),
    };
    let link = Ethernet2Header { source: CLIENT, destination: GATEWAY, ether_type };
    Ok([&link.to_bytes()[..], &network, transport].concat())
}

/// How many routers a packet may pass.
const HOPS: u8 = 64;

/// Locally administered hardware addresses, which no device has.
const CLIENT: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
const GATEWAY: [u8; 6] = [0x02, 0, 0, 0, 0, 0x02];

//! Captures made by hand: as much as these tests need.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

/// When captures begin, in seconds since the epoch: 2023-11-14T22:13:20Z.
const START: u64 = 1_700_000_000;

/// A packet that is a knock, unless its bytes say otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// When, in milliseconds after [`START`].
    at_ms: u64,
    client: IpAddr,
    server: IpAddr,
    port: u16,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Tcp { flags: u8, number: u32 },
    Udp,
    Arp,
}

/// Returns a SYN from 10.0.0.5 to 10.0.0.1, no retransmission of any other time.
pub(crate) fn syn(at_ms: u64, port: u16) -> Packet {
    let number = u32::try_from(at_ms).unwrap() + 1;
    let [client, server] = [[10, 0, 0, 5], [10, 0, 0, 1]].map(|ip| Ipv4Addr::from(ip).into());
    Packet { at_ms, client, server, port, body: Body::Tcp { flags: 2, number } }
}

/// Returns the three knocks that open `ssh`, 100 ms apart.
pub(crate) fn knocks(at_ms: u64) -> Vec<Packet> {
    [(0, 7000), (100, 8000), (200, 9000)]
        .map(|(after_ms, port)| syn(at_ms + after_ms, port))
        .to_vec()
}

/// Returns a capture of the three knocks that open `ssh`.
pub(crate) fn knocks_pcap() -> Vec<u8> {
    pcap(&knocks(0))
}

impl Packet {
    pub(crate) fn from(self, client: &str) -> Self {
        Self { client: client.parse().unwrap(), ..self }
    }

    pub(crate) fn to(self, server: &str) -> Self {
        Self { server: server.parse().unwrap(), ..self }
    }

    pub(crate) fn flags(self, flags: u8) -> Self {
        Self { body: Body::Tcp { flags, number: 99 }, ..self }
    }

    /// The same packet again, later.
    pub(crate) fn again(&self, at_ms: u64) -> Self {
        Self { at_ms, ..self.clone() }
    }

    pub(crate) fn udp(self) -> Self {
        Self { body: Body::Udp, ..self }
    }

    pub(crate) fn arp(self) -> Self {
        Self { body: Body::Arp, ..self }
    }

    fn frame(&self) -> Vec<u8> {
        let (protocol, body) = match self.body {
            Body::Tcp { flags, number } => {
                let fields = [be16(&[40_000, self.port]), be32(&[number, 0])].concat();
                (6, [&fields[..], &[0x50, flags, 16, 0, 0, 0, 0, 0]].concat())
            }
            Body::Udp => (17, be16(&[40_000, self.port, 8, 0])),
            Body::Arp => return [&[2; 12][..], &[8, 6], &[0; 28]].concat(),
        };
        let length = u16::try_from(body.len()).unwrap();
        let (kind, header) = match (self.client, self.server) {
            (IpAddr::V4(client), IpAddr::V4(server)) => {
                let fields = [be16(&[0x4500, length + 20, 0, 0]), vec![64, protocol, 0, 0]];
                (0x0800, [&fields.concat()[..], &client.octets(), &server.octets()].concat())
            }
            (IpAddr::V6(client), IpAddr::V6(server)) => {
                let fields = [be16(&[0x6000, 0, length]), vec![protocol, 64]].concat();
                (0x86dd, [&fields[..], &client.octets(), &server.octets()].concat())
            }
            mixed => panic!("client and server of two families: {mixed:?}"),
        };
        [vec![2; 12], be16(&[kind]), header, body].concat()
    }

    /// Returns a record of a pcap file.
    pub(crate) fn record(&self) -> Vec<u8> {
        let frame = self.frame();
        let length = u32::try_from(frame.len()).unwrap();
        let seconds = u32::try_from(START + self.at_ms / 1000).unwrap();
        let micros = u32::try_from(self.at_ms % 1000 * 1000).unwrap();
        [le32(&[seconds, micros, length, length]), frame].concat()
    }
}

/// Returns the header of a pcap file of Ethernet frames.
pub(crate) fn pcap_header() -> Vec<u8> {
    [le32(&[0xa1b2_c3d4]), vec![2, 0, 4, 0], le32(&[0, 0, 262_144, 1])].concat()
}

/// Returns a pcap file.
pub(crate) fn pcap(packets: &[Packet]) -> Vec<u8> {
    packets.iter().fold(pcap_header(), |file, packet| [file, packet.record()].concat())
}

/// Returns a pcap file of the first knocks of so many clients at `ssh`, 1 ms apart: 70 bytes each.
pub(crate) fn first_knocks_pcap(clients: u32) -> Vec<u8> {
    let mut file = pcap_header();
    for client in 0..clients {
        let client_address = Ipv4Addr::from(0x0a00_0000 + client).into();
        file.extend(Packet { client: client_address, ..syn(client.into(), 7000) }.record());
    }
    file
}

/// Returns a pcapng file with one interface, which names its addresses.
pub(crate) fn pcapng(addresses: &[Ipv4Addr], packets: &[Packet]) -> Vec<u8> {
    let option = |ip: &Ipv4Addr| [&[4, 0, 8, 0][..], &ip.octets(), &[255; 4]].concat();
    let options: Vec<u8> = addresses.iter().flat_map(option).collect();
    let interface = [vec![1, 0, 0, 0], le32(&[262_144]), options, vec![0; 4]].concat();
    let mut file = block(0x0a0d_0d0a, &[le32(&[0x1a2b_3c4d, 1]), vec![0xff; 8]].concat());
    file.extend(block(1, &interface));
    for packet in packets {
        let frame = packet.frame();
        let micros = (START * 1000 + packet.at_ms) * 1000;
        let length = u32::try_from(frame.len()).unwrap();
        let [high, low] = [micros >> 32, micros & 0xffff_ffff].map(|n| u32::try_from(n).unwrap());
        file.extend(block(6, &[le32(&[0, high, low, length, length]), frame].concat()));
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padding = vec![0; body.len().next_multiple_of(4) - body.len()];
    let length = u32::try_from(body.len() + padding.len() + 12).unwrap();
    [&le32(&[kind, length])[..], body, &padding, &le32(&[length])].concat()
}

/// Returns bytes as gzip would compress them.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns bytes as zstd would compress them.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn be16(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn be32(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn le32(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

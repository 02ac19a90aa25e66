//! The kinds of garbage.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use clap::ValueEnum;
use knock_signed::{DEFAULT_PORT, PACKET_BYTES};

use crate::flood::spoofed;
use crate::wire::{SEQUENCE, Wire, datagram, datagram_v6, syn};

/// How many frames are made. They are sent over and over.
const FRAMES: u32 = 1 << 13;

/// How many frames go to the kernel at once: few, because in between it is seen whether a client got in.
const BATCH: usize = 32;

/// Where an Ethernet frame has the header of IP, and what comes after that of IPv6.
const IP: usize = 14;
const AFTER_IPV6: usize = IP + 40;

/// Where an IPv4 packet has what is changed here.
const FRAGMENT: usize = IP + 6;
const CHECKSUM: usize = IP + 10;
const SOURCE: usize = IP + 12;

/// The numbers of extension headers of IPv6: options for all, of fragments, and options for the destination.
const EXTENSIONS: [u8; 3] = [0, 44, 60];

/// A kind of packets that open nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// What may be a signed packet until its key is looked for
    Signed,
    /// What goes where signed packets go, but has another length
    WrongLength,
    /// Both protocols, to ports that no door has
    RandomPorts,
    /// To ports of a sequence, each from another address
    ForgedKnocks,
    /// Of IPv4 packets: the first to ports that no door has, and later ones
    Fragments,
    /// Headers of IPv4 and TCP with impossible lengths, or cut off, to a port of a sequence
    Malformed,
    /// IPv6, to ports that no door has
    Ipv6,
    /// The same with extension headers
    Ipv6Extended,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Signed => "random packets of 112 bytes to the port of signed ones",
            Self::WrongLength => "packets of other lengths to that port",
            Self::RandomPorts => "packets to ports that no door has",
            Self::ForgedKnocks => "knocks at a sequence from forged sources",
            Self::Fragments => "fragments of IPv4 packets",
            Self::Malformed => "malformed headers of IPv4 and TCP",
            Self::Ipv6 => "IPv6 packets to ports that no door has",
            Self::Ipv6Extended => "IPv6 packets with extension headers",
        }
    }

    /// Returns whether some door may want such packets, so that the kernel cannot drop them.
    pub(super) const fn is_wanted(self) -> bool {
        match self {
            Self::Signed | Self::ForgedKnocks | Self::Malformed => true,
            Self::WrongLength
            | Self::RandomPorts
            | Self::Fragments
            | Self::Ipv6
            | Self::Ipv6Extended => false,
        }
    }

    fn frame(self, number: u32) -> Vec<u8> {
        let chance = RandomState::new().hash_one(number);
        let (from, port) = (spoofed(number), 10_000 + (chance % 50_000) as u16);
        match self {
            Self::Signed => datagram(from, DEFAULT_PORT, &random(PACKET_BYTES)),
            Self::WrongLength => {
                let length = (chance % 1400) as usize;
                let length = if length == PACKET_BYTES { length + 1 } else { length };
                datagram(from, DEFAULT_PORT, &random(length))
            }
            Self::RandomPorts if number.is_multiple_of(2) => syn(from, port, number),
            Self::RandomPorts => datagram(from, port, &random(100)),
            Self::ForgedKnocks => syn(from, SEQUENCE[chance as usize % SEQUENCE.len()], number),
            Self::Fragments => fragment(from, port, number),
            Self::Malformed => malformed(from, number),
            Self::Ipv6 => datagram_v6(forged_v6(number), port, &random(100)),
            Self::Ipv6Extended => {
                extended(datagram_v6(forged_v6(number), port, &random(100)), number)
            }
        }
    }
}

/// Packets of a kind, without end.
pub(super) struct Flood<'a> {
    kind: Kind,
    wire: &'a Wire,
    frames: Vec<Vec<u8>>,
    next: usize,
    sent: u64,
}

impl<'a> Flood<'a> {
    pub(super) fn new(kind: Kind, wire: &'a Wire) -> Self {
        let frames = (0..FRAMES).map(|number| kind.frame(number)).collect();
        Self { kind, wire, frames, next: 0, sent: 0 }
    }

    /// Returns how many were sent.
    pub(super) const fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends the next ones.
    pub(super) fn send(&mut self) {
        let batch = &mut self.frames[self.next..self.next + BATCH];
        if self.kind == Kind::ForgedKnocks {
            for (frame, number) in batch.iter_mut().zip(self.sent as u32..) {
                forge(frame, spoofed(number));
            }
        }
        self.wire.send_all(batch);
        self.sent += BATCH as u64;
        self.next = (self.next + BATCH) % self.frames.len();
    }
}

/// Changes the source of an IPv4 packet.
fn forge(frame: &mut [u8], source: Ipv4Addr) {
    frame[SOURCE..SOURCE + 4].copy_from_slice(&source.octets());
    frame[CHECKSUM..CHECKSUM + 2].fill(0);
    let words = frame[IP..IP + 20].chunks(2);
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    frame[CHECKSUM..CHECKSUM + 2].copy_from_slice(&sum.to_be_bytes());
}

fn random(length: usize) -> Vec<u8> {
    let state = RandomState::new();
    (0..length).map(|place| state.hash_one(place) as u8).collect()
}

/// Returns a fragment: the first with ports, or another whose first bytes look like those of a knock.
fn fragment(from: Ipv4Addr, port: u16, number: u32) -> Vec<u8> {
    let is_first = number.is_multiple_of(2);
    let port = if is_first { port } else { SEQUENCE[0] };
    let mut frame = syn(from, port, number);
    let offset: u16 = if is_first { 0x2000 } else { 1 + (number % 180) as u16 };
    frame[FRAGMENT..FRAGMENT + 2].copy_from_slice(&offset.to_be_bytes());
    forge(&mut frame, from);
    frame
}

/// Returns a packet to a port of the sequence with a header that cannot be.
fn malformed(from: Ipv4Addr, number: u32) -> Vec<u8> {
    let mut frame = syn(from, SEQUENCE[0], number);
    let mut set = |place: usize, byte: u8| frame[IP + place] = byte;
    match number % 6 {
        // A header of IPv4 that is shorter than one.
        0 => set(0, 0x40 | (number % 5) as u8),
        // One that is longer than the packet.
        1 => set(0, 0x4f),
        // A packet that is shorter than its header.
        2 => set(3, 19),
        // Another version than that of the frame.
        3 => set(0, 0x65),
        // A header of TCP that is shorter than one.
        4 => set(32, (number % 5) as u8 * 16),
        // One that is cut off.
        _ => frame.truncate(IP + 20 + (number % 20) as usize),
    }
    frame
}

fn forged_v6(number: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(0x2001_0db8_00ff << 80 | u128::from(spoofed(number).to_bits()))
}

/// Adds up to three extension headers to an IPv6 packet.
fn extended(mut frame: Vec<u8>, number: u32) -> Vec<u8> {
    let (next, length) = (IP + 6, IP + 4);
    for place in 0..=number % 3 {
        let kind = EXTENSIONS[((number / 3 + place) % 3) as usize];
        // Both kinds of options have one that fills the header; that of fragments says that it is the only one.
        let rest = if kind == 44 { [0; 7] } else { [0, 1, 4, 0, 0, 0, 0] };
        let header = [&[frame[next]], &rest[..]].concat();
        frame[next] = kind;
        frame.splice(AFTER_IPV6..AFTER_IPV6, header);
    }
    let bytes = (frame.len() - AFTER_IPV6) as u16;
    frame[length..length + 2].copy_from_slice(&bytes.to_be_bytes());
    frame
}

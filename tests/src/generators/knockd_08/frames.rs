//! Frames that are odd in ways that no kernel produces, and frames that are not knocks.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{START_NS, Sight, merged};
use crate::capture_builder::{Link, Record};

/// How packets change on their way into the capture, and what comes between them.
#[derive(Clone, Debug)]
pub(super) struct FramePlan {
    twists: Vec<(Index, Twist)>,
    noise: Vec<(i64, Noise)>,
    /// Whether Ethernet frames are padded to 60 bytes, as on a wire.
    padded: bool,
    /// Whether cooked frames come from a point-to-point link.
    point_to_point: bool,
}

/// What is changed in a frame.
#[derive(Clone, Debug)]
enum Twist {
    /// The IPv4 header claims this many words.
    HeaderWords(u8),
    /// The IP header claims this version.
    Version(u8),
    /// The link layer claims to carry this.
    EtherType(u16),
    /// IPv4 options of this many words.
    Options(u8, usize),
    /// An IPv6 extension header with this number.
    Extension(u8),
    /// The datagram ends after this many bytes of its transport header.
    EndsAfter(usize),
    /// The capture ends anywhere.
    Cut(Index),
    /// One byte is replaced by any other.
    Byte(Index, u8),
}

/// A frame that is not a knock.
#[derive(Clone, Debug)]
enum Noise {
    Arp,
    /// Anything after an Ethernet type.
    Other(u16, Vec<u8>),
    /// Not even a link-layer header.
    Garbage(Vec<u8>),
}

pub(super) fn frame_plan() -> impl Strategy<Value = FramePlan> {
    let twists = prop_oneof![2 => Just(vec![]), 3 => vec((any::<Index>(), twist()), 1..=4)];
    let noise = prop_oneof![2 => Just(vec![]), 1 => vec((0..130_000_i64, noise()), 1..=4)];
    (twists, noise, prop::bool::weighted(0.8), any::<bool>()).prop_map(
        |(twists, noise, padded, point_to_point)| FramePlan {
            twists,
            noise,
            padded,
            point_to_point,
        },
    )
}

fn twist() -> impl Strategy<Value = Twist> {
    prop_oneof![
        2 => (0..16_u8).prop_map(Twist::HeaderWords),
        1 => (0..16_u8).prop_map(Twist::Version),
        1 => select(vec![0x0800, 0x86dd, 0x8100, 0x0806, 0x88cc, 46]).prop_map(Twist::EtherType),
        1 => (select(vec![0x00, 0x01, 0x94]), 1..=10_usize)
            .prop_map(|(kind, words)| Twist::Options(kind, words)),
        1 => select(vec![0, 43, 44, 51, 60, 59]).prop_map(Twist::Extension),
        2 => select(vec![0, 2, 4, 8, 12, 13, 14, 19]).prop_map(Twist::EndsAfter),
        1 => any::<Index>().prop_map(Twist::Cut),
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, value)| Twist::Byte(at, value)),
    ]
}

fn noise() -> impl Strategy<Value = Noise> {
    let bytes = || vec(any::<u8>(), 0..64);
    let ether_type = select(vec![0x0800, 0x86dd, 0x88cc, 0x8863, 0x0026, 0x8100]);
    prop_oneof![
        1 => Just(Noise::Arp),
        2 => (ether_type, bytes()).prop_map(|(kind, bytes)| Noise::Other(kind, bytes)),
        1 => bytes().prop_map(Noise::Garbage),
    ]
}

/// A frame on its way into the capture.
struct Draft {
    at_ns: i64,
    frame: Vec<u8>,
    /// Where the IP header is.
    ip_at: usize,
    /// Where the transport header is.
    transport_at: usize,
    kept: Option<usize>,
}

impl FramePlan {
    /// Returns the captured frames of the packets, in the order of the capture.
    pub(super) fn records(&self, sights: &[Sight], link: Link, big_endian: bool) -> Vec<Record> {
        let mut drafts: Vec<Draft> =
            sights.iter().map(|sight| draft(sight, link, big_endian)).collect();
        if !drafts.is_empty() {
            for (index, twist) in &self.twists {
                let at = index.index(drafts.len());
                drafts[at].apply(twist, link);
            }
        }
        let mut records: Vec<Record> =
            drafts.into_iter().map(|draft| self.finish(draft, link)).collect();
        if !self.noise.is_empty() {
            let mut noise: Vec<&(i64, Noise)> = self.noise.iter().collect();
            noise.sort_by_key(|(at_ms, _)| *at_ms);
            let noise = noise.into_iter().map(|(at_ms, noise)| {
                let frame = noise.frame(link);
                Record::of(START_NS + at_ms * 1_000_000, &frame, frame.len())
            });
            records = merged(records, noise.collect(), |record| record.at_ns);
        }
        records
    }

    fn finish(&self, draft: Draft, link: Link) -> Record {
        let Draft { at_ns, mut frame, kept, .. } = draft;
        if self.padded && link == Link::Ethernet && frame.len() < 60 {
            frame.resize(60, 0);
        }
        if self.point_to_point && link == Link::Sll && frame.len() >= 16 {
            // A packet type of 4 (sent by us), ARPHRD_PPP, no address.
            frame[..14].copy_from_slice(b"\0\x04\x02\0\0\0\0\0\0\0\0\0\0\0");
        }
        let kept = kept.unwrap_or(frame.len()).min(frame.len());
        Record::of(at_ns, &frame, kept)
    }
}

fn draft(sight: &Sight, link: Link, big_endian: bool) -> Draft {
    let (frame, kept) = sight.shape.frame(&sight.packet, link, big_endian);
    let ip_at = link.header(sight.packet.dst, &sight.shape.vlan, big_endian).len();
    let transport_at = ip_at + crate::capture_builder::datagram(&sight.packet, &sight.shape).1;
    let kept = (kept < frame.len()).then_some(kept);
    Draft { at_ns: sight.packet.at_ns, frame, ip_at, transport_at, kept }
}

impl Draft {
    fn apply(&mut self, twist: &Twist, link: Link) {
        let Some(first) = self.frame.get(self.ip_at).copied() else { return };
        let six = first >> 4 == 6;
        match *twist {
            Twist::HeaderWords(words) if !six => self.frame[self.ip_at] = first & 0xf0 | words,
            Twist::Version(version) => self.frame[self.ip_at] = version << 4 | first & 0x0f,
            Twist::EtherType(kind) if self.ip_at >= 2 && link != Link::Raw => {
                self.frame[self.ip_at - 2..self.ip_at].copy_from_slice(&kind.to_be_bytes());
            }
            Twist::Options(kind, words) if first == 0x45 => {
                let at = self.ip_at + 20;
                let mut options = vec![1; words * 4];
                let router_alert = [0x94, 4, 0, 0];
                options[..4].copy_from_slice(&if kind == 0x94 { router_alert } else { [kind; 4] });
                self.insert(at, &options);
                self.frame[self.ip_at] = 0x45 + u8::try_from(words).unwrap_or_default();
            }
            Twist::Extension(number) if six && self.frame.len() >= self.ip_at + 40 => {
                let next = std::mem::replace(&mut self.frame[self.ip_at + 6], number);
                self.insert(self.ip_at + 40, &[next, 0, 1, 4, 0, 0, 0, 0]);
            }
            Twist::EndsAfter(bytes) => self.frame.truncate(self.transport_at + bytes),
            Twist::Cut(index) => self.kept = Some(index.index(self.frame.len() + 1)),
            Twist::Byte(index, value) => {
                let at = index.index(self.frame.len());
                self.frame[at] = value;
            }
            Twist::HeaderWords(_)
            | Twist::EtherType(_)
            | Twist::Options(..)
            | Twist::Extension(_) => {}
        }
    }

    fn insert(&mut self, at: usize, bytes: &[u8]) {
        let at = at.min(self.frame.len());
        self.frame.splice(at..at, bytes.iter().copied());
        self.transport_at += bytes.len();
    }
}

impl Noise {
    fn frame(&self, link: Link) -> Vec<u8> {
        let after = |kind: u16, bytes: &[u8]| {
            let mut header = link.header(IpAddr::from([10, 0, 0, 1]), &[], false);
            if let Some(start) = header.len().checked_sub(2) {
                header[start..].copy_from_slice(&kind.to_be_bytes());
            }
            [&header, bytes].concat()
        };
        match self {
            Self::Arp => {
                let request = b"\0\x01\x08\0\x06\x04\0\x01\x02\0\0\0\0\x01\xc0\0\x02\x01\0\0\0\0\0\0\x0a\0\0\x01";
                after(0x0806, request)
            }
            Self::Other(kind, bytes) => after(*kind, bytes),
            Self::Garbage(bytes) => bytes.clone(),
        }
    }
}

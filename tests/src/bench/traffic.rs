//! Captures for benchmarks.

#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    reason = "the numbers are small, or scattered bits of which some are taken"
)]

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use etherparse::{IpHeaders, PacketBuilder, PacketBuilderStep};

use super::runs::time;

/// How many packets the mixed traffic has.
pub const MIXED: u32 = 1_500_000;
/// The packets of [`Kind::Mixed`] that a door hears, for tcpdump.
pub const MIXED_FILTER: &str = "(ip and dst host 10.0.0.1 and (tcp dst port 7000 or 8000 or 9000) and \
                                tcp[13] & 2 != 0) or (ip6 and dst host 2001:db8::1 and \
                                (tcp dst port 7000 or 8000 or 9000) and ip6[53] & 2 != 0)";
/// The same for IPv4 only, which is less work for tcpdump.
pub const MIXED_FILTER_OF_IPV4: &str = "ip and dst host 10.0.0.1 and \
                                        (tcp dst port 7000 or 8000 or 9000) and tcp[13] & 2 != 0";

/// What is in a capture.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Frames of 40 to 1,514 bytes, a third of them IPv6, two thirds TCP; one in a hundred is a knock.
    Mixed,
    /// One of so many parts of the same, which take turns: the first has the first packet.
    PartOfMixed(u32, u32),
    /// First knocks, each of a new address.
    FirstKnocks(u32),
    /// Three knocks of each of so many clients, one after another.
    Openings(u32),
}

/// A folder for captures, each of which is made once.
#[derive(Debug)]
pub struct Captures(pub PathBuf);

impl Captures {
    /// Returns a capture.
    #[must_use]
    pub fn get(&self, kind: Kind) -> PathBuf {
        let path = self.0.join(kind.name());
        if path.exists() {
            return path;
        }
        say_what_is_made(&path);
        let part = path.with_extension("part");
        let mut out = BufWriter::with_capacity(1 << 20, File::create(&part).unwrap());
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        for number in kind.numbers() {
            let frame = kind.frame(number);
            let length = u32::try_from(frame.len()).unwrap();
            let micros = u64::from(number) * 5;
            let seconds = 1_700_000_000 + u32::try_from(micros / 1_000_000).unwrap();
            let fraction = u32::try_from(micros % 1_000_000).unwrap();
            for word in [seconds, fraction, length, length] {
                out.write_all(&word.to_le_bytes()).unwrap();
            }
            out.write_all(&frame).unwrap();
        }
        out.flush().unwrap();
        fs::rename(part, &path).unwrap();
        path
    }

    /// Returns the mixed traffic, and after it a datagram that may be one of fwknop. Nothing else is from
    /// its sender, 192.0.2.9.
    #[must_use]
    pub fn mixed_with_a_datagram(&self) -> PathBuf {
        let (plain, path) = (self.get(Kind::Mixed), self.0.join("mixed-with-a-datagram.pcap"));
        if !path.exists() {
            say_what_is_made(&path);
            let part = path.with_extension("part");
            fs::copy(plain, &part).unwrap();
            let mut frame = Vec::new();
            let ip =
                PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([192, 0, 2, 9], [10, 0, 0, 1], 64);
            ip.udp(40_000, 62_201).write(&mut frame, &[b'A'; 200]).unwrap();
            let mut out = File::options().append(true).open(&part).unwrap();
            let length = u32::try_from(frame.len()).unwrap();
            for word in [1_700_000_100, 0, length, length] {
                out.write_all(&word.to_le_bytes()).unwrap();
            }
            out.write_all(&frame).unwrap();
            fs::rename(part, &path).unwrap();
        }
        path
    }

    /// Returns a capture compressed by zstd.
    #[must_use]
    pub fn compressed(&self, kind: Kind) -> PathBuf {
        let plain = self.get(kind);
        let path = plain.with_extension("pcap.zst");
        if !path.exists() {
            say_what_is_made(&path);
            let part = plain.with_extension("zst.part");
            let mut zstd = Command::new("zstd");
            zstd.args(["-q", "-f", "-o"]).arg(&part).arg(plain);
            time(&mut zstd);
            fs::rename(part, &path).unwrap();
        }
        path
    }
}

impl Kind {
    fn name(self) -> String {
        match self {
            Self::Mixed => "mixed-from-hosts.pcap".to_owned(),
            Self::PartOfMixed(part, of) => format!("mixed-from-hosts-{part}-of-{of}.pcap"),
            Self::FirstKnocks(count) => format!("first-knocks-from-hosts-{count}.pcap"),
            Self::Openings(clients) => format!("openings-{clients}.pcap"),
        }
    }

    fn numbers(self) -> Box<dyn Iterator<Item = u32>> {
        match self {
            Self::Mixed => Box::new(0..MIXED),
            Self::PartOfMixed(part, of) => Box::new((part..MIXED).step_by(of as usize)),
            Self::FirstKnocks(count) => Box::new(0..count),
            Self::Openings(clients) => Box::new(0..clients * 3),
        }
    }

    fn frame(self, number: u32) -> Vec<u8> {
        match self {
            Self::Mixed | Self::PartOfMixed(..) => mixed(number),
            Self::FirstKnocks(_) => knock(number, number, 7000),
            Self::Openings(_) => knock(number / 3, number, 7000 + 1000 * (number % 3) as u16),
        }
    }
}

#[expect(clippy::print_stderr, reason = "it takes a while")]
fn say_what_is_made(path: &Path) {
    eprintln!("making {}", path.display());
}

/// Scattered numbers, the same in every run.
#[must_use]
pub fn scatter(number: u32) -> u32 {
    let mixed = number.wrapping_mul(0x9e37_79b1);
    (mixed ^ (mixed >> 15)).wrapping_mul(0x85eb_ca6b)
}

/// Returns a knock of one of many clients.
fn knock(client: u32, number: u32, port: u16) -> Vec<u8> {
    // The lower half of the addresses has no multicast, and 0.0.0.0 is left out: packets from those do
    // not count.
    let source = (client.wrapping_add(1).wrapping_mul(0x9e37_79b1) & 0x7fff_ffff).to_be_bytes();
    let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
    tcp(link.ipv4(source, [10, 0, 0, 1], 64), number, port, 0)
}

fn mixed(number: u32) -> Vec<u8> {
    let dice = scatter(number);
    let client = (scatter(number / 3 % 5000) & 0x7fff_ffff | 1).to_be_bytes();
    let ports = [7000, 8000, 9000];
    let knocks = dice.is_multiple_of(100);
    let port = if knocks { ports[number as usize % 3] } else { (dice >> 9) as u16 };
    let small = dice >> 28 < 3;
    let length = if knocks || small { 0 } else { (dice >> 3) as usize % 1461 };
    let link = PacketBuilder::ethernet2([2; 6], [4; 6]);
    let ip = if dice & 3 == 3 {
        let mut source = [0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        source[12..].copy_from_slice(&client);
        let mut local = [0; 16];
        local[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        local[15] = 1;
        link.ipv6(source, local, 64)
    } else {
        link.ipv4(client, [10, 0, 0, 1], 64)
    };
    let mut frame = if knocks || dice >> 5 & 3 != 0 {
        tcp(ip, dice, port, length.min(1440))
    } else {
        let mut out = Vec::new();
        ip.udp(53, port).write(&mut out, &vec![0; length.min(1452)]).unwrap();
        out
    };
    if !knocks && (dice >> 20).is_multiple_of(64) {
        frame.truncate(40);
    }
    frame
}

fn tcp(
    ip: PacketBuilderStep<IpHeaders>,
    sequence_number: u32,
    port: u16,
    length: usize,
) -> Vec<u8> {
    let mut out = Vec::new();
    let segment = ip.tcp(40_000, port, sequence_number | 1, 64_240);
    let segment = if length == 0 { segment.syn() } else { segment.ack(1) };
    segment.write(&mut out, &vec![0; length]).unwrap();
    out
}

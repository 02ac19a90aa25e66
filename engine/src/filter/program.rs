//! Programs for the kernel, made of what the doors want.

mod extensions;

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};
use core::ops::RangeInclusive;

use super::code::{Code, Compare, Label, Size};
use super::wanted::{Place, Ports, Version, Wanted};
use super::{Framing, INSTRUCTIONS_MAX, Instruction, RANGES_MAX, Width};
use knock_signed::PACKET_BYTES;

use crate::packet::Port;
use crate::ports::{PortSet, joined};

/// A program would be longer than [`INSTRUCTIONS_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// The types of Ethernet for IPv4, IPv6 and VLAN tags.
const IPV4: u32 = 0x0800;
const IPV6: u32 = 0x86dd;
const TAGS: [u32; 3] = [0x8100, 0x88a8, 0x9100];

/// The numbers of protocols.
const TCP: u32 = 6;
const UDP: u32 = 17;

/// The bits of the field with the flags of an IPv4 packet that say where in it a fragment belongs.
const FRAGMENT_OFFSET: u32 = 0x1fff;

/// What the first byte of an IPv4 header can be, and the first number above: its version, and a length of
/// at least five words.
const IPV4_FIRST_BYTES: [u32; 2] = [0x45, 0x50];

/// The same of an IPv6 header: its version, and bits that mean nothing here.
const IPV6_FIRST_BYTES: [u32; 2] = [0x60, 0x70];

/// Where things are in the headers of IPv4, IPv6 and TCP; ports of UDP are where those of TCP are.
const IPV4_FRAGMENT: u32 = 6;
const IPV4_PROTOCOL: u32 = 9;
const IPV4_DESTINATION: u32 = 16;
const IPV6_DESTINATION: u32 = 24;
const DESTINATION_PORT: u32 = 2;
const UDP_LENGTH: u32 = 4;
const TCP_FLAGS: u32 = 13;

/// How long the header of UDP says that a signed packet is: it counts itself.
const SIGNED_LENGTH: u32 = 8 + 112;
const _: () = assert!(PACKET_BYTES == 112, "the length above");

/// The offset at which the kernel has the protocol of a packet: `SKF_AD_OFF + SKF_AD_PROTOCOL` of
/// `linux/filter.h`.
const KERNEL_PROTOCOL: u32 = 0xffff_f000;

pub(super) fn program(
    wanted: &Wanted<'_>,
    framing: Framing,
    width: Width,
) -> Result<Vec<Instruction>, TooLong> {
    let mut code = Code::default();
    if width == Width::Everything {
        code.end(true);
        return Ok(code.finish());
    }
    let mut maker = Maker {
        pass: code.end(true),
        drop: code.end(false),
        network: match framing {
            Framing::Ethernet => 14,
            Framing::Cooked => 0,
        },
        code,
        width,
    };
    let ipv4 = maker.version(wanted, Version::V4)?;
    let ipv6 = maker.version(wanted, Version::V6)?;
    let Maker { mut code, pass, drop, .. } = maker;
    if ipv4.is_none() && ipv6.is_none() {
        let mut code = Code::default();
        code.end(false);
        return Ok(code.finish());
    }
    let tags = TAGS.map(|tag| (tag, Some(pass)));
    let start = code.choose(tags.into_iter().chain([(IPV6, ipv6), (IPV4, ipv4)]), drop);
    let protocol = match framing {
        Framing::Ethernet => 12,
        Framing::Cooked => KERNEL_PROTOCOL,
    };
    code.load(Size::Half, protocol, start);
    if code.len() > INSTRUCTIONS_MAX { Err(TooLong) } else { Ok(code.finish()) }
}

/// What the parts of a program have in common.
struct Maker {
    code: Code,
    /// The ends of the program.
    pass: Label,
    drop: Label,
    /// Where the network header begins.
    network: u32,
    width: Width,
}

impl Maker {
    /// Adds the tests for a version of IP. `None` if none of its packets is wanted.
    fn version(&mut self, wanted: &Wanted<'_>, version: Version) -> Result<Option<Label>, TooLong> {
        let mut destinations = Vec::new();
        let mut elsewhere = None;
        for Place { destinations: here, ports } in places(wanted, version, self.width) {
            let found = self.protocols(version, ports);
            match here {
                Some(here) => destinations.extend(here.into_iter().map(|one| (one, found))),
                None => elsewhere = Some(found),
            }
            if self.code.len().max(destinations.len()) > INSTRUCTIONS_MAX {
                return Err(TooLong);
            }
        }
        if destinations.is_empty() && elsewhere.is_none() {
            return Ok(None);
        }
        let elsewhere = elsewhere.unwrap_or(self.drop);
        let found = match version {
            Version::V4 => self.ipv4_destinations(&destinations, elsewhere),
            Version::V6 => self.ipv6_destinations(&destinations, elsewhere),
        };
        Ok(Some(found))
    }

    /// Adds the tests of the destination, and of what holds for all IPv4 packets.
    fn ipv4_destinations(&mut self, destinations: &[(IpAddr, Label)], elsewhere: Label) -> Label {
        let Self { code, drop, network, .. } = self;
        let mut next = elsewhere;
        for &(address, found) in destinations.iter().rev() {
            if let IpAddr::V4(address) = address {
                next = code.compare(Compare::Equal, address.to_bits(), found, next);
            }
        }
        if !destinations.is_empty() {
            next = code.load(Size::Word, network.saturating_add(IPV4_DESTINATION), next);
        }
        next = code.load_header_length(*network, next);
        next = code.compare(Compare::AnyBit, FRAGMENT_OFFSET, *drop, next);
        next = code.load(Size::Half, network.saturating_add(IPV4_FRAGMENT), next);
        self.first_byte(IPV4_FIRST_BYTES, next)
    }

    /// Adds the tests of the destination, word by word, and of what holds for all IPv6 packets.
    fn ipv6_destinations(&mut self, destinations: &[(IpAddr, Label)], elsewhere: Label) -> Label {
        let Self { code, network, .. } = self;
        let at = network.saturating_add(IPV6_DESTINATION);
        let mut other = elsewhere;
        for &(address, found) in destinations.iter().rev() {
            let IpAddr::V6(address) = address else { continue };
            let mut next = found;
            for (word, after) in words(address).into_iter().zip([0, 4, 8, 12]).rev() {
                next = code.compare(Compare::Equal, word, next, other);
                next = code.load(Size::Word, at.saturating_add(after), next);
            }
            other = next;
        }
        let next = self.walk_extensions(other);
        self.first_byte(IPV6_FIRST_BYTES, next)
    }

    /// Adds the test whether the first byte of a packet is at least the first number, and below the second.
    fn first_byte(&mut self, [least, above]: [u32; 2], next: Label) -> Label {
        let Self { code, drop, network, .. } = self;
        let next = code.compare(Compare::AtLeast, least, next, *drop);
        let next = code.compare(Compare::AtLeast, above, *drop, next);
        code.load(Size::Byte, *network, next)
    }

    /// Adds the tests for packets to these ports.
    fn protocols(&mut self, version: Version, ports: Ports) -> Label {
        let (tcp, udp) = match self.width {
            Width::AnyPort | Width::Everything => (Some(self.pass), Some(self.pass)),
            Width::Exact | Width::FewRanges => self.ports(&ports),
            Width::AnyFlags | Width::AnyDestination => self.ports(&ports.with_any_flags()),
        };
        let Self { code, pass, drop, network, .. } = self;
        match version {
            Version::V4 => {
                let next = code.choose([(UDP, udp), (TCP, tcp)].into_iter(), *drop);
                code.load(Size::Byte, network.saturating_add(IPV4_PROTOCOL), next)
            }
            Version::V6 => {
                // What is neither has more extension headers than were walked.
                let (udp, tcp) = (udp.unwrap_or(*drop), tcp.unwrap_or(*drop));
                let next = [(UDP, Some(udp)), (TCP, Some(tcp))].into_iter();
                let next = code.choose(next, *pass);
                code.load_kept(next)
            }
        }
    }

    /// Adds the tests of ports, each time with the flags of TCP that go with them. Returns where those
    /// for TCP and UDP begin.
    fn ports(&mut self, ports: &Ports) -> (Option<Label>, Option<Label>) {
        let mut udp = (!ports.udp.is_empty()).then(|| self.port(&ports.udp, self.pass, self.drop));
        if let Some(port) = ports.signed.filter(|port| !ports.udp.contains(port.0)) {
            udp = Some(self.signed(port, udp.unwrap_or(self.drop)));
        }
        let mut tcp = None;
        // From the last to the first: those without flags come first, because flags can be cut off.
        for (flags, ports) in ports.tcp.iter().rev() {
            let next = tcp.unwrap_or(self.drop);
            let mut found = self.pass;
            if flags.mask != 0 {
                found = self.code.compare(Compare::Equal, flags.value.into(), found, next);
                found = self.code.mask(flags.mask.into(), found);
                found = self.load_transport(Size::Byte, TCP_FLAGS, found);
            }
            tcp = Some(self.port(ports, found, next));
        }
        (tcp, udp)
    }

    /// Adds the test whether a packet goes to the port of signed packets and is as long as one. Others go on.
    fn signed(&mut self, port: Port, others: Label) -> Label {
        let is_as_long = self.code.compare(Compare::Equal, SIGNED_LENGTH, self.pass, self.drop);
        let length = self.load_transport(Size::Half, UDP_LENGTH, is_as_long);
        let is_there = self.code.compare(Compare::Equal, port.0.into(), length, others);
        self.load_transport(Size::Half, DESTINATION_PORT, is_there)
    }

    /// Adds the test whether the destination port is one of these.
    fn port(&mut self, ports: &PortSet, found: Label, missed: Label) -> Label {
        let mut ranges = ports.ranges();
        if self.width != Width::Exact {
            ranges = joined(&ranges, RANGES_MAX);
        }
        let starts_and_ends = |range: &RangeInclusive<u16>| {
            [u32::from(*range.start()), u32::from(*range.end()).saturating_add(1)]
        };
        let bounds: Vec<u32> = ranges.iter().flat_map(starts_and_ends).collect();
        let next = self.search(&bounds, [missed, found]);
        self.load_transport(Size::Half, DESTINATION_PORT, next)
    }

    /// Adds a binary search for where a number is between ascending bounds: before the first of them it
    /// leads to the first label, after it to the second, after the next one to the first again.
    fn search(&mut self, bounds: &[u32], labels: [Label; 2]) -> Label {
        let [label, other] = labels;
        let middle = bounds.len() / 2;
        let (below, rest) = bounds.split_at(middle);
        let Some((&bound, above)) = rest.split_first() else { return label };
        let after = if middle.is_multiple_of(2) { [other, label] } else { [label, other] };
        let above = self.search(above, after);
        let below = self.search(below, labels);
        self.code.compare(Compare::AtLeast, bound, above, below)
    }

    /// Adds a load from the header after those of IP.
    fn load_transport(&mut self, size: Size, at: u32, next: Label) -> Label {
        self.code.load_after_header(size, self.network.saturating_add(at), next)
    }
}

/// Returns what is wanted where, as closely as the width has it.
fn places(wanted: &Wanted<'_>, version: Version, width: Width) -> impl Iterator<Item = Place> {
    let is_by_place = match width {
        Width::Exact | Width::FewRanges | Width::AnyFlags => true,
        Width::AnyDestination | Width::AnyPort | Width::Everything => false,
    };
    let everywhere = || Place { destinations: None, ports: wanted.ports(version) };
    let everywhere = (!is_by_place).then(everywhere).filter(|place| !place.ports.is_empty());
    let by_place = is_by_place.then(|| wanted.places(version));
    by_place.into_iter().flatten().chain(everywhere)
}

fn words(address: Ipv6Addr) -> [u32; 4] {
    let bits = address.to_bits();
    [96, 64, 32, 0].map(|shift| u32::try_from((bits >> shift) & u128::from(u32::MAX)).unwrap_or(0))
}

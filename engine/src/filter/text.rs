//! The text of expressions.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::ops::RangeInclusive;

use super::wanted::{FlagMask, Place, Ports, Version, Wanted};
use super::{LENGTH_MAX, RANGES_MAX, Width};
use crate::address;
use crate::decode::LinkType;
use crate::ports::PortSet;

/// A test that no frame passes: none is that long. libpcap refuses to compile a test that it
/// recognizes as always false.
const NOTHING: &str = "len = 4294967295";

/// The next headers that decoding skips.
const EXTENSION_HEADER: &str =
    "ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 44 or ip6[6] = 51 or ip6[6] = 60";

/// An expression would be longer than [`LENGTH_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

pub(super) fn expression(
    wanted: &Wanted<'_>,
    link: LinkType,
    width: Width,
) -> Result<String, TooLong> {
    if width == Width::Everything {
        return Ok(String::new());
    }
    let mut alternatives = Alternatives::default();
    for version in [Version::V4, Version::V6] {
        add_packets(&mut alternatives, wanted, version, width)?;
    }
    if alternatives.is_empty() {
        return Ok(NOTHING.into());
    }
    // These come first: read as usual frames, they can seem to end too early.
    alternatives.parts.splice(..0, odd_frames(link));
    let text = alternatives.join();
    if text.len() > LENGTH_MAX { Err(TooLong) } else { Ok(text) }
}

/// Adds the tests for a version of IP.
fn add_packets(
    alternatives: &mut Alternatives,
    wanted: &Wanted<'_>,
    version: Version,
    width: Width,
) -> Result<(), TooLong> {
    match width {
        Width::Exact | Width::FewRanges | Width::AnyFlags => {
            for place in wanted.places(version) {
                alternatives.add(packets(version, place, width)?)?;
            }
        }
        Width::AnyDestination | Width::AnyPort | Width::Everything => {
            let ports = wanted.ports(version);
            if !ports.is_empty() {
                alternatives.add(packets(version, Place { destinations: None, ports }, width)?)?;
            }
        }
    }
    Ok(())
}

/// Returns the tests for packets to a place.
fn packets(version: Version, place: Place, width: Width) -> Result<String, TooLong> {
    let Place { destinations, ports } = place;
    let wanted = match width {
        Width::AnyPort | Width::Everything => "tcp or udp".into(),
        Width::Exact | Width::FewRanges => knocks(version, &ports, width)?,
        Width::AnyFlags | Width::AnyDestination => knocks(version, &ports.with_any_flags(), width)?,
    };
    let (name, wanted) = match version {
        Version::V4 => ("ip", wanted),
        Version::V6 => ("ip6", any(&[EXTENSION_HEADER.into(), wanted])),
    };
    let Some(destinations) = destinations else { return Ok(both(name, &wanted)) };
    let addresses = list(&destinations, |&address| literal(address))?;
    Ok(both(&format!("{name} dst host {addresses}"), &wanted))
}

fn literal(address: IpAddr) -> String {
    let mut text = Vec::new();
    address::write(address, &mut text);
    String::from_utf8(text).unwrap_or_default()
}

fn knocks(version: Version, ports: &Ports, width: Width) -> Result<String, TooLong> {
    let mut alternatives = Alternatives::default();
    // Ports without flags come first.
    for (&flags, ports) in &ports.tcp {
        let ports = ports_of(version, "tcp", ports, width)?;
        alternatives.add(match has_flags(version, flags) {
            Some(flags) => both(&ports, &flags),
            None => ports,
        })?;
    }
    if !ports.udp.is_empty() {
        alternatives.add(ports_of(version, "udp", &ports.udp, width)?)?;
    }
    Ok(alternatives.join())
}

fn ports_of(
    version: Version,
    protocol: &str,
    ports: &PortSet,
    width: Width,
) -> Result<String, TooLong> {
    let mut ranges = ports.ranges();
    match width {
        Width::Exact => {}
        Width::FewRanges
        | Width::AnyFlags
        | Width::AnyDestination
        | Width::AnyPort
        | Width::Everything => ranges = joined(&ranges, RANGES_MAX),
    }
    if version == Version::V6 {
        // libpcap takes several times as long when the same list ends both branches, because it
        // merges them from the end, test by test.
        ranges.reverse();
    }
    let (single, several): (Vec<_>, Vec<_>) =
        ranges.into_iter().partition(|range| range.start() == range.end());
    let mut alternatives = Alternatives::default();
    if !single.is_empty() {
        let single = list(&single, |range| format!("{}", range.start()))?;
        alternatives.add(format!("{protocol} dst port {single}"))?;
    }
    if !several.is_empty() {
        let several = list(&several, |range| format!("{}-{}", range.start(), range.end()))?;
        alternatives.add(format!("{protocol} dst portrange {several}"))?;
    }
    Ok(alternatives.join())
}

/// Joins the ranges that are nearest to one another until there are at most this many.
fn joined(ranges: &[RangeInclusive<u16>], most: usize) -> Vec<RangeInclusive<u16>> {
    let gap = |pair: &[RangeInclusive<u16>]| match pair {
        [one, other] => other.start().saturating_sub(*one.end()),
        _ => 0,
    };
    let mut gaps: Vec<(u16, usize)> =
        ranges.windows(2).enumerate().map(|(at, pair)| (gap(pair), at)).collect();
    gaps.sort_unstable_by(|one, other| other.cmp(one));
    let kept: BTreeSet<usize> =
        gaps.iter().take(most.saturating_sub(1)).map(|&(_, at)| at).collect();
    let mut out = Vec::new();
    let mut start = None;
    for (at, range) in ranges.iter().enumerate() {
        let first = *start.get_or_insert(*range.start());
        if kept.contains(&at) || at.saturating_add(1) == ranges.len() {
            out.push(first..=*range.end());
            start = None;
        }
    }
    out
}

/// Returns the test of a header's flags, if any count.
fn has_flags(version: Version, flags: FlagMask) -> Option<String> {
    let FlagMask { mask, value } = flags;
    let byte = match version {
        Version::V4 => "tcp[13]",
        // `tcp[]` works for IPv4 only. The offset is right, because no extension comes before it.
        Version::V6 => "ip6[53]",
    };
    (mask != 0).then(|| format!("{byte} & 0x{mask:02x} = 0x{value:02x}"))
}

/// Returns the frames that pass because only decoding can read them.
fn odd_frames(link: LinkType) -> Option<String> {
    Some(match link {
        LinkType::Ethernet | LinkType::LinuxSll | LinkType::LinuxSll2 => {
            "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100".into()
        }
        // libpcap knows the address families of its own machine, in its own byte order.
        LinkType::Null => {
            let families = [2_u32, 10, 24, 28, 30].into_iter();
            let families = families.flat_map(|family| [family, family.swap_bytes()]);
            both("not (ip or ip6)", &any(&families.map(address_family).collect::<Vec<_>>()))
        }
        LinkType::Loop => any(&[24, 28, 30].map(address_family)),
        // The short forms of ff 03 00 21 and ff 03 00 57.
        LinkType::Ppp => any(&[
            "link[0] = 0x21 or link[0] = 0x57 or link[0:2] = 0x0021 or link[0:2] = 0x0057".into(),
            SHORT_PROTOCOL.into(),
        ]),
        LinkType::PppHdlc => {
            any(&[SHORT_PROTOCOL.into(), "link[0] = 0x0f or link[0] = 0x8f".into()])
        }
        LinkType::Raw | LinkType::Ipv4 | LinkType::Ipv6 | LinkType::Other(_) => return None,
    })
}

/// PPP with its address and a protocol of one byte.
const SHORT_PROTOCOL: &str = "link[0:2] = 0xff03 and (link[2] = 0x21 or link[2] = 0x57)";

fn address_family(family: u32) -> String {
    format!("link[0:4] = 0x{family:08x}")
}

/// Tests joined by `or`, together at most [`LENGTH_MAX`] bytes.
#[derive(Default)]
struct Alternatives {
    parts: Vec<String>,
    length: usize,
}

impl Alternatives {
    fn add(&mut self, part: String) -> Result<(), TooLong> {
        self.length = self.length.saturating_add(part.len());
        self.parts.push(part);
        if self.length > LENGTH_MAX { Err(TooLong) } else { Ok(()) }
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    fn join(&self) -> String {
        any(&self.parts)
    }
}

fn any(parts: &[String]) -> String {
    if let [only] = parts {
        return only.clone();
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|part| if part.contains(" and ") { grouped(part) } else { part.clone() })
        .collect();
    parts.join(" or ")
}

fn both(one: &str, other: &str) -> String {
    format!("{} and {}", grouped(one), grouped(other))
}

/// Puts parentheses around more than one test.
fn grouped(part: &str) -> String {
    if part.contains(" or ") || part.contains(" and ") { format!("({part})") } else { part.into() }
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> Result<String, TooLong> {
    if items.len() > LENGTH_MAX {
        return Err(TooLong);
    }
    Ok(items.iter().map(text).collect::<Vec<_>>().join(" or "))
}

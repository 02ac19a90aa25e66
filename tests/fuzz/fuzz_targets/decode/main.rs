//! Decodes frames: a `LINKTYPE_` number in two bytes, the higher first, then the frame.

#![no_main]

mod knockd_08;
mod reference;

use std::net::IpAddr;

use etherparse::{LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use knock_compat::{Reason, Undecodable};
use knock_engine::{LinkType, Packet, Transport, Undecodable as Common};
use libfuzzer_sys::fuzz_target;

type Decoded = Result<Packet, Undecodable>;

fuzz_target!(|data: &[u8]| {
    let Some((&number, frame)) = data.split_first_chunk() else { return };
    let number = u16::from_be_bytes(number);
    let link = LinkType::from_number(number);
    let decode = |part: &[u8]| knock_engine::decode(link, part).map_err(Undecodable::from);
    let outcome = decode(frame);
    assert_eq!(outcome.ok(), reference::decode(number, frame), "{link}: {outcome:?}");
    compare_with_etherparse(link, frame, outcome);
    check_every_beginning(frame, decode);
    knockd_08::check(link, frame, outcome);
});

/// Decodes the frame as if it was cut, at all places where headers are likely to end.
fn check_every_beginning(frame: &[u8], decode: impl Fn(&[u8]) -> Decoded) {
    let whole = decode(frame);
    let mut last_header = 0;
    let near_an_end = |cut: &usize| *cut <= 160 || *cut + 16 >= frame.len();
    for cut in (0..=frame.len()).filter(near_an_end) {
        match decode(&frame[..cut]) {
            Ok(part) => check_packet_of_part(part, whole),
            Err(why) => {
                if let Some(header) = check_error(why, cut) {
                    assert!(last_header <= header, "{why} after {cut} bytes");
                    last_header = header;
                } else {
                    assert_eq!(whole, Err(why), "after {cut} bytes");
                }
            }
        }
    }
}

/// More bytes add nothing to a packet but the TCP fields that were cut off.
fn check_packet_of_part(part: Packet, whole: Decoded) {
    let mut part = part;
    let whole = whole.expect("a part of the frame is a packet");
    if let (Transport::Tcp(part), Transport::Tcp(whole)) = (&mut part.transport, whole.transport) {
        part.sequence_number = part.sequence_number.or(whole.sequence_number);
        part.flags = part.flags.or(whole.flags);
    }
    assert_eq!(part, whole);
}

/// Checks why a frame of `length` bytes is not a packet. If it is cut, returns where the cut header begins.
fn check_error(why: Undecodable, length: usize) -> Option<usize> {
    let reason = why.reason();
    assert_eq!(Reason::all().nth(reason.index()), Some(reason));
    match why {
        Undecodable::Common(Common::Cut { layer: _, needed, had }) => {
            assert!(reason.is_damage());
            assert!(had < needed && had <= length, "{why} of {length} bytes");
            Some(length - had)
        }
        Undecodable::Common(Common::BadHeaderLength { said, least, .. }) => {
            assert!(said < least, "{why}");
            None
        }
        Undecodable::Common(Common::WrongVersion { promised, found }) => {
            assert!(found < 16 && promised != found, "{why}");
            None
        }
        Undecodable::Common(
            Common::LinkType(_)
            | Common::NotIp(_)
            | Common::LaterFragment
            | Common::NotTcpOrUdp(_)
            | Common::NoHost(_),
        )
        | Undecodable::LinkTypeUnknownTo08(_)
        | Undecodable::Ipv6UnknownTo08(_) => None,
    }
}

/// What etherparse finds, the engine finds too, unless the Ethernet type contradicts the IP header. The
/// reverse is not true: etherparse checks lengths that the engine ignores, and does not read ports of
/// fragments.
fn compare_with_etherparse(link: LinkType, frame: &[u8], outcome: Decoded) {
    let sliced = match link {
        LinkType::Ethernet => LaxSlicedPacket::from_ethernet(frame).ok(),
        LinkType::Raw => LaxSlicedPacket::from_ip(frame).ok(),
        _ => None,
    };
    let Some((ends, ports)) = sliced.as_ref().and_then(seen_by_etherparse) else { return };
    if let Err(Undecodable::Common(Common::WrongVersion { .. } | Common::NoHost(_))) = outcome {
        return;
    }
    let packet = outcome.expect("etherparse finds a packet");
    assert_eq!((packet.source, packet.destination), ends);
    assert_eq!((packet.source_port.0, packet.destination_port.0), ports);
}

fn seen_by_etherparse(packet: &LaxSlicedPacket<'_>) -> Option<((IpAddr, IpAddr), (u16, u16))> {
    // Only etherparse skips MACsec.
    if packet.link_exts.iter().any(|ext| matches!(ext, LaxLinkExtSlice::Macsec(_))) {
        return None;
    }
    let ends = match packet.net.as_ref()? {
        // The engine skips authentication headers after IPv6 only; the kernel's filter skips
        // none.
        LaxNetSlice::Ipv4(ip) if ip.extensions().auth.is_some() => return None,
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into())
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            (header.source_addr().into(), header.destination_addr().into())
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let ports = match packet.transport.as_ref()? {
        TransportSlice::Tcp(tcp) => (tcp.source_port(), tcp.destination_port()),
        TransportSlice::Udp(udp) => (udp.source_port(), udp.destination_port()),
        TransportSlice::Icmpv4(_) | TransportSlice::Icmpv6(_) | TransportSlice::Igmp(_) => {
            return None;
        }
    };
    Some((ends, ports))
}

use alloc::string::ToString;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::*;
use crate::packet::{Port, TcpFlags, TcpHeader, Transport};

#[test]
fn a_syn_over_ethernet_is_decoded_whole() {
    let packet = decode(LinkType::Ethernet, &ethernet(0x0800, &ipv4(6, &tcp())));
    let expected = Packet {
        source: IpAddr::from([192, 0, 2, 1]),
        destination: IpAddr::from([192, 0, 2, 9]),
        source_port: Port(40_000),
        destination_port: Port(7000),
        transport: Transport::Tcp(TcpHeader {
            sequence_number: Some(0x0102_0304),
            flags: Some(TcpFlags::SYN),
        }),
    };
    assert_eq!(packet, Ok(expected));
}

#[test]
fn a_datagram_over_ipv6_is_decoded_whole() {
    let packet = decode(LinkType::Ethernet, &ethernet(0x86dd, &ipv6(17, &udp()))).unwrap();
    assert_eq!(packet.source.to_string(), "2001:db8::1");
    assert_eq!(packet.destination.to_string(), "2001:db8::9");
    assert_eq!((packet.source_port, packet.destination_port), (Port(40_000), Port(7000)));
    assert_eq!(packet.transport, Transport::Udp);
}

#[test]
fn a_frame_without_ports_may_still_say_who_sent_it() {
    let frame = ethernet(0x0800, &ipv4(1, &[]));
    let from = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(source(LinkType::Ethernet, &frame), Some(from));
    assert_eq!(source(LinkType::Ethernet, &frame[..30]), Some(from));
    assert_eq!(source(LinkType::Ethernet, &frame[..29]), None);
    assert_eq!(source(LinkType::Raw, &frame[14..]), Some(from));
    assert_eq!(source(LinkType::Ipv6, &frame[14..]), None);
    let frame = ipv6(17, &[]);
    assert_eq!(source(LinkType::Raw, &frame).unwrap().to_string(), "2001:db8::1");
    assert_eq!(source(LinkType::Ipv6, &frame[..23]), None);
    assert_eq!(source(LinkType::Raw, &[]), None);
}

#[test]
fn vlan_tags_are_told_by_their_ids_outermost_first() {
    let tags: &[u8] = &[0x81, 0x00, 0xe0, 0x05, 0x88, 0xa8, 0x0f, 0xff, 0x08, 0x00, 0x45];
    let ether = [&[2; 12], tags].concat();
    assert_eq!(vlan_tags(LinkType::Ethernet, &ether), [5, 4095]);
    assert_eq!(vlan_tags(LinkType::Ethernet, &ether[..21]), [5]);
    assert_eq!(vlan_tags(LinkType::LinuxSll, &[&[2; 14], tags].concat()), [5, 4095]);
    assert_eq!(
        vlan_tags(LinkType::LinuxSll2, &[&tags[..2], &[2; 18], &tags[2..]].concat()),
        [5, 4095]
    );
    assert_eq!(vlan_tags(LinkType::Raw, tags), []);
    assert_eq!(vlan_tags(LinkType::Ethernet, &[]), []);
}

#[test]
fn link_types_go_by_their_numbers() {
    let numbers = [1, 0, 108, 9, 50, 101, 228, 229, 113, 276];
    for (number, link) in numbers.into_iter().zip(LinkType::SUPPORTED) {
        assert_eq!(LinkType::from_number(number), link);
        assert_eq!(link.number(), number);
        assert!(link.is_supported());
    }
    assert_eq!(LinkType::from_number(12), LinkType::Raw);
    assert_eq!(LinkType::from_number(14), LinkType::Raw);
    assert_eq!(LinkType::from_number(242), LinkType::Other(242));
    assert!(!LinkType::Other(242).is_supported());
}

#[test]
fn link_types_are_told_by_the_names_that_people_know() {
    let names = LinkType::SUPPORTED.map(|link| link.to_string());
    assert_eq!(
        names,
        [
            "Ethernet",
            "BSD loopback",
            "OpenBSD loopback",
            "PPP",
            "PPP over HDLC",
            "raw IP",
            "raw IPv4",
            "raw IPv6",
            "Linux cooked",
            "Linux cooked v2",
        ]
    );
    for (number, name) in [
        (6, "Token Ring"),
        (8, "SLIP"),
        (10, "FDDI"),
        (51, "PPP over Ethernet"),
        (104, "Cisco HDLC"),
        (105, "IEEE 802.11"),
        (107, "Frame Relay"),
        (117, "OpenBSD pflog"),
        (127, "IEEE 802.11 with radiotap"),
        (147, "user-defined"),
        (162, "user-defined"),
        (187, "Bluetooth HCI"),
        (201, "Bluetooth HCI"),
        (189, "USB, Linux"),
        (220, "USB, Linux"),
        (192, "PPI"),
        (195, "IEEE 802.15.4"),
        (230, "IEEE 802.15.4"),
        (166, "PPP with direction"),
        (204, "PPP with direction"),
        (227, "CAN bus"),
        (239, "Linux netfilter log"),
        (242, "IP over InfiniBand"),
        (247, "InfiniBand"),
        (249, "USB, Windows"),
        (253, "Linux netlink"),
        (258, "Apple PKTAP"),
    ] {
        let told = LinkType::from_number(number).to_string();
        assert_eq!(told, alloc::format!("link type {number} ({name})"));
    }
    assert_eq!(LinkType::from_number(146).to_string(), "link type 146");
    assert_eq!(LinkType::from_number(163).to_string(), "link type 163");
}

#[test]
fn the_upper_half_of_the_link_type_word_is_not_looked_at() {
    assert_eq!(LinkType::from_header_word(0x4000_0001), LinkType::Ethernet);
    assert_eq!(LinkType::from_header_word(0x3030_0114), LinkType::LinuxSll2);
}

#[test]
fn every_link_layer_is_taken_off() {
    for (link, frame) in good_frames() {
        let packet = decode(link, &frame).unwrap_or_else(|error| panic!("{link}: {error}"));
        assert_eq!(packet.destination_port, Port(7000), "{link}");
    }
}

#[test]
fn a_frame_that_is_cut_is_the_same_packet_or_says_that_it_is_cut() {
    for (link, frame) in good_frames() {
        let whole = decode(link, &frame).unwrap();
        for length in 0..frame.len() {
            match decode(link, &frame[..length]) {
                Ok(packet) => assert_eq!(but_for_tcp(packet), but_for_tcp(whole), "{link}"),
                Err(Undecodable::Cut { layer, needed, had }) => {
                    assert!(had < needed, "{link} at {length}: {layer}");
                    assert!(had <= length, "{link} at {length}: {layer}");
                }
                Err(error) => panic!("{link} at {length}: {error}"),
            }
        }
    }
}

#[test]
fn of_a_tcp_header_only_the_ports_are_required() {
    let whole = ipv4(6, &tcp());
    let header = |length: usize| match decode(LinkType::Raw, &whole[..20 + length]) {
        Ok(Packet { transport: Transport::Tcp(header), .. }) => Ok(header),
        Ok(packet) => panic!("{packet:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(header(3), Err(Undecodable::Cut { layer: Layer::Tcp, needed: 4, had: 3 }));
    assert_eq!(header(4), Ok(TcpHeader { sequence_number: None, flags: None }));
    assert_eq!(header(7), Ok(TcpHeader { sequence_number: None, flags: None }));
    assert_eq!(header(13), Ok(TcpHeader { sequence_number: Some(0x0102_0304), flags: None }));
    assert_eq!(header(14).map(|header| header.flags), Ok(Some(TcpFlags::SYN)));
}

#[test]
fn of_a_udp_header_only_the_ports_are_required() {
    let whole = ipv4(17, &udp());
    assert!(decode(LinkType::Raw, &whole[..24]).is_ok());
    let cut = Undecodable::Cut { layer: Layer::Udp, needed: 4, had: 2 };
    assert_eq!(decode(LinkType::Raw, &whole[..22]), Err(cut));
    assert_eq!(cut.to_string(), "cut in the UDP header: 4 bytes needed, 2 there");
}

#[test]
fn what_is_not_ip_is_named() {
    let not_ip = |link, frame: &[u8]| match decode(link, frame) {
        Err(error @ Undecodable::NotIp(_)) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let ethernet_named = |ether_type| not_ip(LinkType::Ethernet, &ethernet(ether_type, &[0; 46]));
    assert_eq!(ethernet_named(0x0806), "not IP but ARP");
    assert_eq!(ethernet_named(0x8035), "not IP but RARP");
    assert_eq!(ethernet_named(0x88cc), "not IP but LLDP");
    assert_eq!(ethernet_named(0x8863), "not IP but PPPoE");
    assert_eq!(ethernet_named(0x8864), "not IP but PPPoE");
    assert_eq!(ethernet_named(0x888e), "not IP but EAPOL");
    assert_eq!(ethernet_named(0x88e5), "not IP but MACsec");
    assert_eq!(ethernet_named(0x8847), "not IP but MPLS");
    assert_eq!(ethernet_named(0x8848), "not IP but MPLS");
    assert_eq!(ethernet_named(0x9000), "not IP but Ethernet type 0x9000");
    assert_eq!(ethernet_named(0x05ff), "not IP but IEEE 802.3, length 1535");
    assert_eq!(ethernet_named(0x0600), "not IP but Ethernet type 0x0600");
    assert_eq!(not_ip(LinkType::Null, &[7, 0, 0, 0]), "not IP but address family 7");
    assert_eq!(not_ip(LinkType::Null, &[0, 0, 0, 7]), "not IP but address family 7");
    assert_eq!(not_ip(LinkType::Ppp, &[0xc0, 0x21]), "not IP but PPP protocol 0xc021");
    assert_eq!(not_ip(LinkType::PppHdlc, &[0xff, 7]), "not IP but HDLC address 0xff, control 0x07");
    assert_eq!(not_ip(LinkType::Raw, &[0x5f]), "not IP but IP version 5");
}

#[test]
fn address_and_control_of_ppp_are_taken_off_once() {
    for link in [LinkType::Ppp, LinkType::PppHdlc] {
        let frame = [&[0xff, 0x03, 0xff, 0x03, 0x00, 0x21][..], &ipv4(6, &tcp())].concat();
        let protocol = Carried::PppProtocol(0xff);
        assert_eq!(decode(link, &frame), Err(Undecodable::NotIp(protocol)));
        assert_eq!(decode(link, &frame[..3]), Err(Undecodable::NotIp(protocol)));
    }
}

#[test]
fn the_openbsd_loopback_has_its_family_in_network_order_only() {
    let frame = [&[2, 0, 0, 0][..], &ipv4(6, &tcp())].concat();
    let family = Carried::AddressFamily(0x0200_0000);
    assert!(decode(LinkType::Null, &frame).is_ok());
    assert_eq!(decode(LinkType::Loop, &frame), Err(Undecodable::NotIp(family)));
}

#[test]
fn the_ip_version_must_be_what_the_layer_below_promises() {
    let frame = ethernet(0x0800, &ipv6(6, &tcp()));
    let wrong = Undecodable::WrongVersion { promised: 4, found: 6 };
    assert_eq!(decode(LinkType::Ethernet, &frame), Err(wrong));
    assert_eq!(decode(LinkType::Ipv4, &ipv6(6, &tcp())), Err(wrong));

    let frame = ethernet(0x86dd, &ipv4(6, &[tcp(), tcp()].concat()));
    let wrong = Undecodable::WrongVersion { promised: 6, found: 4 };
    assert_eq!(decode(LinkType::Ethernet, &frame), Err(wrong));
    assert_eq!(wrong.to_string(), "IP version 4 where the layer below promises 6");
}

#[test]
fn an_ipv4_header_below_five_words_is_not_believed() {
    let mut frame = ipv4(6, &tcp());
    frame[0] = 0x44;
    let bad = Undecodable::BadHeaderLength { layer: Layer::Ipv4, said: 16, least: 20 };
    assert_eq!(decode(LinkType::Raw, &frame), Err(bad));
    assert_eq!(bad.to_string(), "the IPv4 header says that it is 16 bytes long; the least is 20");
}

#[test]
fn ipv4_options_are_skipped() {
    let mut frame = ipv4(6, &tcp());
    frame[0] = 0x4f;
    frame.splice(20..20, [1; 40]);
    assert_eq!(port(LinkType::Raw, &frame), Ok(Port(7000)));
    let cut = Undecodable::Cut { layer: Layer::Ipv4, needed: 60, had: 50 };
    assert_eq!(decode(LinkType::Raw, &frame[..50]), Err(cut));
}

#[test]
fn lengths_and_checksums_are_not_judged() {
    let mut frame = ipv4(17, &udp());
    frame[2..4].fill(0); // total length
    frame[10..12].fill(0xff); // checksum
    frame[24..28].fill(0xff); // UDP length and checksum
    assert_eq!(port(LinkType::Raw, &frame), Ok(Port(7000)));

    let mut frame = ipv6(6, &tcp());
    frame[4..6].fill(0); // payload length
    frame[52] = 0; // data offset
    assert_eq!(port(LinkType::Raw, &frame), Ok(Port(7000)));
}

#[test]
fn only_the_first_fragment_counts() {
    let mut frame = ipv4(17, &udp());
    frame[6..8].copy_from_slice(&[0x20, 0]); // more fragments follow
    assert_eq!(port(LinkType::Raw, &frame), Ok(Port(7000)));
    frame[6..8].copy_from_slice(&[0, 1]);
    assert_eq!(port(LinkType::Raw, &frame), Err(Undecodable::LaterFragment));
    assert_eq!(Undecodable::LaterFragment.to_string(), "a later fragment, without ports");

    let fragment = |offset_and_more: u16| {
        let [high, low] = offset_and_more.to_be_bytes();
        ipv6(44, &[&[17, 0, high, low, 0, 0, 0, 1], &udp()[..]].concat())
    };
    assert_eq!(port(LinkType::Raw, &fragment(0)), Ok(Port(7000)));
    assert_eq!(port(LinkType::Raw, &fragment(1)), Ok(Port(7000)));
    assert_eq!(port(LinkType::Raw, &fragment(8)), Err(Undecodable::LaterFragment));
}

#[test]
fn other_protocols_are_named_by_number() {
    let icmp = decode(LinkType::Raw, &ipv4(1, &[8; 8]));
    assert_eq!(icmp, Err(Undecodable::NotTcpOrUdp(1)));
    assert_eq!(icmp.unwrap_err().to_string(), "not TCP or UDP but IP protocol 1");
    // An authentication header is walked behind IPv6 only, as no packet filter does behind IPv4.
    assert_eq!(decode(LinkType::Raw, &ipv4(51, &tcp())), Err(Undecodable::NotTcpOrUdp(51)));
    assert_eq!(decode(LinkType::Raw, &ipv6(58, &[])), Err(Undecodable::NotTcpOrUdp(58)));
    assert_eq!(decode(LinkType::Raw, &ipv6(59, &[])), Err(Undecodable::NotTcpOrUdp(59)));
}

#[test]
fn an_authentication_header_of_no_length_is_refused() {
    let frame = ipv6(51, &[&[6, 0], &[0; 18][..]].concat());
    let bad = Undecodable::BadHeaderLength { layer: Layer::Authentication, said: 8, least: 12 };
    assert_eq!(decode(LinkType::Raw, &frame), Err(bad));
}

#[test]
fn a_source_that_no_host_has_is_refused() {
    for source in [[0, 0, 0, 0], [224, 0, 0, 1], [239, 255, 255, 255], [255, 255, 255, 255]] {
        let mut frame = ipv4(6, &tcp());
        frame[12..16].copy_from_slice(&source);
        let refused = decode(LinkType::Raw, &frame).unwrap_err();
        assert_eq!(refused, Undecodable::NoHost(source.into()));
        assert_eq!(refused.reason(), Reason::NoHost);
    }
    for source in [[0, 0, 0, 1], [223, 255, 255, 255], [240, 0, 0, 1], [10, 255, 255, 255]] {
        let mut frame = ipv4(6, &tcp());
        frame[12..16].copy_from_slice(&source);
        assert!(decode(LinkType::Raw, &frame).is_ok(), "{source:?}");
    }
    let mut frame = ipv6(17, &udp());
    frame[8..24].fill(0);
    let refused = decode(LinkType::Raw, &frame).unwrap_err();
    assert_eq!(refused.to_string(), "from ::, an address that no host has");
    frame[8] = 0xff;
    assert!(decode(LinkType::Raw, &frame).is_err());
}

#[test]
fn frames_of_an_unsupported_link_type_name_it() {
    let error = decode(LinkType::Other(242), &ethernet(0x0800, &ipv4(6, &tcp()))).unwrap_err();
    assert_eq!(error, Undecodable::LinkType(242));
    assert_eq!(error.to_string(), "link type 242 (IP over InfiniBand) is not supported");
}

#[test]
fn every_reason_stands_once_at_its_index() {
    for (index, reason) in Reason::ALL.into_iter().enumerate() {
        assert_eq!(reason.index(), index);
    }
}

#[test]
fn what_hints_at_damage_is_told_from_traffic_that_carries_no_knock() {
    let sound = Reason::ALL.into_iter().filter(|reason| !reason.is_damage());
    let told: Vec<_> = sound.map(|reason| reason.to_string()).collect();
    assert_eq!(
        told,
        [
            "not IP",
            "not TCP or UDP",
            "not the first fragment",
            "of an unsupported link type",
            "from an address that no host has",
        ]
    );
    let damaged = Reason::ALL.into_iter().filter(|reason| reason.is_damage());
    let told: Vec<_> = damaged.map(|reason| reason.to_string()).collect();
    assert_eq!(
        told,
        [
            "of the wrong IP version",
            "with a bad header length",
            "cut in the link-layer header",
            "cut in the IP header",
            "cut in the TCP header",
            "cut in the UDP header",
        ]
    );
}

#[test]
fn a_frame_that_ends_too_early_names_the_header_it_ends_in() {
    for (layer, name, reason) in [
        (Layer::Ethernet, "Ethernet header", Reason::CutInLink),
        (Layer::Vlan, "VLAN tag", Reason::CutInLink),
        (Layer::LinuxCooked, "Linux cooked header", Reason::CutInLink),
        (Layer::Loopback, "loopback header", Reason::CutInLink),
        (Layer::Ppp, "PPP header", Reason::CutInLink),
        (Layer::Hdlc, "HDLC header", Reason::CutInLink),
        (Layer::Ip, "IP header", Reason::CutInIp),
        (Layer::Ipv4, "IPv4 header", Reason::CutInIp),
        (Layer::Ipv6, "IPv6 header", Reason::CutInIp),
        (Layer::Ipv6Options, "IPv6 extension header", Reason::CutInIp),
        (Layer::Ipv6Fragment, "IPv6 fragment header", Reason::CutInIp),
        (Layer::Authentication, "authentication header", Reason::CutInIp),
        (Layer::Tcp, "TCP header", Reason::CutInTcp),
        (Layer::Udp, "UDP header", Reason::CutInUdp),
    ] {
        let cut = Undecodable::Cut { layer, needed: 4, had: 3 };
        let told = alloc::format!("cut in the {name}: 4 bytes needed, 3 there");
        assert_eq!((cut.to_string(), cut.reason()), (told, reason));
    }
}

/// A SYN or datagram to port 7000 behind every link layer and header that is known.
fn good_frames() -> Vec<(LinkType, Vec<u8>)> {
    let v4 = ipv4(6, &tcp());
    let v6 = ipv6(17, &udp());
    let behind = |head: &[u8], ip: &[u8]| [head, ip].concat();
    let mut frames = alloc::vec![
        (LinkType::Ethernet, ethernet(0x0800, &v4)),
        (LinkType::Ethernet, ethernet(0x86dd, &v6)),
        (LinkType::Ethernet, ethernet(0x8100, &behind(&[0, 7, 0x08, 0], &v4))),
        (
            LinkType::Ethernet,
            ethernet(0x88a8, &behind(&[0, 7, 0x91, 0, 0, 8, 0x81, 0, 0, 9, 0x86, 0xdd], &v6)),
        ),
        (LinkType::LinuxSll, behind(&sll(0x0800), &v4)),
        (LinkType::LinuxSll, behind(&sll(0x86dd), &v6)),
        (LinkType::LinuxSll, behind(&sll(0x8100), &behind(&[0, 7, 0x08, 0], &v4))),
        (LinkType::LinuxSll2, behind(&sll2(0x0800), &v4)),
        (LinkType::LinuxSll2, behind(&sll2(0x86dd), &v6)),
        (LinkType::LinuxSll2, behind(&sll2(0x8100), &behind(&[0, 7, 0x86, 0xdd], &v6))),
        (LinkType::Null, behind(&2_u32.to_le_bytes(), &v4)),
        (LinkType::Null, behind(&2_u32.to_be_bytes(), &v4)),
        (LinkType::Loop, behind(&2_u32.to_be_bytes(), &v4)),
        (LinkType::Ppp, behind(&[0xff, 0x03, 0x00, 0x21], &v4)),
        (LinkType::Ppp, behind(&[0xff, 0x03, 0x57], &v6)),
        (LinkType::Ppp, behind(&[0x00, 0x57], &v6)),
        (LinkType::Ppp, behind(&[0x21], &v4)),
        (LinkType::PppHdlc, behind(&[0xff, 0x03, 0x00, 0x21], &v4)),
        (LinkType::PppHdlc, behind(&[0xff, 0x03, 0x57], &v6)),
        (LinkType::PppHdlc, behind(&[0x0f, 0, 0x08, 0x00], &v4)),
        (LinkType::PppHdlc, behind(&[0x8f, 0, 0x86, 0xdd], &v6)),
        (LinkType::Raw, v4.clone()),
        (LinkType::Raw, v6.clone()),
        (LinkType::Ipv4, v4),
        (LinkType::Ipv6, v6),
        (LinkType::Ipv6, ipv6(0, &extensions())),
    ];
    for family in [10_u32, 24, 28, 30] {
        let v6 = ipv6(17, &udp());
        frames.push((LinkType::Null, behind(&family.to_le_bytes(), &v6)));
        frames.push((LinkType::Null, behind(&family.to_be_bytes(), &v6)));
        frames.push((LinkType::Loop, behind(&family.to_be_bytes(), &v6)));
    }
    frames
}

/// Hop-by-hop, destination options of 16 bytes, routing, atomic fragment, authentication of 24
/// bytes, destination options again, TCP.
fn extensions() -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend([60, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([43, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([44, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([51, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([60, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend([6, 0, 0, 0, 0, 0, 0, 0]);
    bytes.extend(tcp());
    bytes
}

fn port(link: LinkType, frame: &[u8]) -> Result<Port, Undecodable> {
    decode(link, frame).map(|packet| packet.destination_port)
}

fn but_for_tcp(packet: Packet) -> Packet {
    Packet { transport: Transport::Udp, ..packet }
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2; 12], &ether_type.to_be_bytes()[..], payload].concat()
}

fn sll(protocol: u16) -> Vec<u8> {
    [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], &protocol.to_be_bytes()[..]].concat()
}

fn sll2(protocol: u16) -> Vec<u8> {
    [&protocol.to_be_bytes()[..], &[0; 18]].concat()
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = alloc::vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    bytes.extend([192, 0, 2, 1, 192, 0, 2, 9]);
    bytes.extend(payload);
    bytes
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = alloc::vec![0x60, 0, 0, 0, 0, 20, next, 64];
    for last in [1, 9] {
        bytes.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend(payload);
    bytes
}

/// A SYN from port 40,000 to 7000.
fn tcp() -> Vec<u8> {
    let mut bytes = alloc::vec![0x9c, 0x40, 0x1b, 0x58, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x02];
    bytes.extend([4, 0, 0, 0, 0, 0]);
    bytes
}

/// An empty datagram from port 40,000 to 7000.
fn udp() -> Vec<u8> {
    alloc::vec![0x9c, 0x40, 0x1b, 0x58, 0, 8, 0, 0]
}

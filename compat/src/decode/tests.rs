use super::*;

#[test]
fn knockd_08_reports_a_wrong_version_in_the_same_words() {
    for frame in
        [ethernet(0x0800, &ipv6(6, &tcp())), ethernet(0x86dd, &ipv4(6, &[tcp(), tcp()].concat()))]
    {
        let wrong = knock_engine::decode(LinkType::Ethernet, &frame);
        assert!(matches!(wrong, Err(Common::WrongVersion { .. })), "{wrong:?}");
        assert_eq!(decode_08(LinkType::Ethernet, &frame, true), wrong.map_err(Undecodable::from));
    }
}

#[test]
fn a_frame_that_ends_too_early_for_knockd_08_names_the_header_it_ends_in() {
    let cut_in = |link: LinkType, frame: &[u8]| match decode_08(link, frame, true) {
        Err(Undecodable::Common(Common::Cut { layer, .. })) => layer,
        other => panic!("{other:?}"),
    };
    let v4 = |protocol, payload: &[u8]| ethernet(0x0800, &ipv4(protocol, payload));
    let v6 = |next, payload: &[u8]| ethernet(0x86dd, &ipv6(next, payload));
    for (link, frame, layer) in [
        (LinkType::Ethernet, ethernet(0x0800, &[])[..13].to_vec(), Layer::Ethernet),
        (LinkType::LinuxSll, sll(0x0800)[..15].to_vec(), Layer::LinuxCooked),
        (LinkType::Raw, Vec::new(), Layer::Ip),
        (LinkType::Ethernet, v4(6, &[])[..33].to_vec(), Layer::Ipv4),
        (LinkType::Ethernet, v6(6, &[])[..53].to_vec(), Layer::Ipv6),
        (LinkType::Ethernet, v4(6, &tcp()[..3]), Layer::Tcp),
        (LinkType::Ethernet, v4(17, &udp()[..3]), Layer::Udp),
        (LinkType::Ethernet, v6(6, &tcp()[..3]), Layer::Tcp),
        (LinkType::Ethernet, v6(17, &udp()[..3]), Layer::Udp),
    ] {
        assert_eq!(cut_in(link, &frame), layer);
    }
}

fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2; 12], &ether_type.to_be_bytes()[..], payload].concat()
}

fn sll(protocol: u16) -> Vec<u8> {
    [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0], &protocol.to_be_bytes()[..]].concat()
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    bytes.extend([192, 0, 2, 1, 192, 0, 2, 9]);
    bytes.extend(payload);
    bytes
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, 20, next, 64];
    for last in [1, 9] {
        bytes.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    bytes.extend(payload);
    bytes
}

/// A SYN from port 40,000 to 7000.
fn tcp() -> Vec<u8> {
    let mut bytes = vec![0x9c, 0x40, 0x1b, 0x58, 1, 2, 3, 4, 0, 0, 0, 0, 0x50, 0x02];
    bytes.extend([4, 0, 0, 0, 0, 0]);
    bytes
}

/// An empty datagram from port 40,000 to 7000.
fn udp() -> Vec<u8> {
    vec![0x9c, 0x40, 0x1b, 0x58, 0, 8, 0, 0]
}

use std::io::Read;
use std::path::Path;

use super::*;
use crate::model::{Packet, SYN, Transport};

fn parsed(text: &str) -> Capture {
    knocks::parse(Path::new("knocks.txt"), text).unwrap()
}

fn problem(text: &str) -> String {
    knocks::parse(Path::new("case/knocks.txt"), text).unwrap_err().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[test]
fn a_knock_becomes_an_ethernet_frame_byte_for_byte() {
    let capture = parsed("0.5 192.0.2.10:40000 > 10.0.0.1:7000 tcp S seq=77");
    let [record] = &capture.records[..] else { panic!("one line, one record") };
    assert_eq!(record.at_ns, 1_700_000_000_500_000_000);
    let ethernet = "020000000002 020000000001 0800";
    let ip = "45000028 12344000 40065c91 c000020a 0a000001";
    let tcp = "9c401b58 0000004d 00000000 5002faf0 31010000";
    assert_eq!(hex(&record.data), [ethernet, ip, tcp].concat().replace(' ', ""));
}

#[test]
fn every_link_type_has_its_header() {
    let header = |link: &str, dst: &str| {
        let text = format!("link={link}\n0 {dst} > [{dst}]:7 udp");
        let text = if dst.contains(':') { text } else { text.replace(['[', ']'], "") };
        let frame = hex(&parsed(&text).records[0].data);
        let length = if dst.contains(':') { 48 } else { 28 };
        frame[..frame.len() - 2 * length].to_owned()
    };
    let (v4, v6) = ("10.0.0.1", "2001:db8::1");
    assert_eq!(header("ethernet", v4), "0200000000020200000000010800");
    assert_eq!(header("ethernet", v6), "02000000000202000000000186dd");
    assert_eq!(header("sll", v4), "00000001000602000000000100000800");
    assert_eq!(header("sll", v6), "000000010006020000000001000086dd");
    assert_eq!(header("sll2", v6), "86dd000000000002000100060200000000010000");
    assert_eq!(header("raw", v6), "");
    assert_eq!(header("null", v4), "02000000");
    assert_eq!(header("null format=pcap-be", v6), "0000001e");
    assert_eq!(header("loop", v6), "0000001e");
    assert_eq!(header("ppp", v4), "ff030021");
    assert_eq!(header("ppp", v6), "ff030057");
}

#[test]
fn vlan_tags_are_before_the_ethernet_type_outermost_first() {
    let capture = parsed("0 192.0.2.10 > 10.0.0.1:7 udp vlan=5,7");
    assert_eq!(hex(&capture.records[0].data[12..22]), "88a80005810000070800");
}

#[test]
fn a_cut_frame_keeps_its_original_length() {
    let cut = parsed("0 192.0.2.10 > 10.0.0.1:7 tcp cut=20").records.remove(0);
    assert_eq!((cut.data.len(), cut.original_length), (20, 54));
    let kept = parsed("0 192.0.2.10 > 10.0.0.1:7 tcp keep=13").records.remove(0);
    assert_eq!((kept.data.len(), kept.original_length), (14 + 20 + 13, 54));
}

#[test]
fn sequence_numbers_differ_by_default() {
    let capture = parsed("0 192.0.2.1 > 10.0.0.1:7 tcp\n0 192.0.2.1 > 10.0.0.1:7 tcp");
    assert_ne!(capture.records[0].data[38..42], capture.records[1].data[38..42]);
}

#[test]
fn classic_pcap_has_the_bytes_of_its_format() {
    let text = "link=raw format=FORMAT start=2\n0.123456789 raw 01 02";
    let bytes = |format| hex(&parsed(&text.replace("FORMAT", format)).to_bytes());
    let zeros = "0".repeat(16);
    let little = format!("{zeros}000004006500000002000000");
    let big = format!("{zeros}000400000000006500000002");
    assert_eq!(bytes("pcap"), format!("d4c3b2a102000400{little}40e2010002000000020000000102"));
    assert_eq!(bytes("pcap-be"), format!("a1b2c3d400020004{big}0001e24000000002000000020102"));
    assert_eq!(bytes("pcap-ns"), format!("4d3cb2a102000400{little}15cd5b0702000000020000000102"));
}

#[test]
fn pcapng_has_the_bytes_of_its_format() {
    let text = "link=raw format=pcapng-be start=2 address=10.0.0.1\n0.000000001 raw 01 02";
    let section = "0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffffffffffff 0000001c";
    let interface = "00000001 0000002c 0065 0000 00040000 0004 0008 0a000001 ffffff00 \
                     0009 0001 09000000 0000 0000 0000002c";
    let packet = "00000006 00000024 00000000 00000000 77359401 00000002 00000002 01020000 00000024";
    let expected = [section, interface, packet].concat().replace(' ', "");
    assert_eq!(hex(&parsed(text).to_bytes()), expected);
}

#[test]
fn compressed_captures_hold_the_plain_bytes() {
    let text = "0 192.0.2.1 > 10.0.0.1:7 udp payload=500";
    let plain = parsed(text).to_bytes();
    let mut out = Vec::new();
    let gz = parsed(&format!("compress=gz\n{text}"));
    assert_eq!(gz.file_name(), "capture.pcap.gz");
    flate2::read::GzDecoder::new(&gz.to_bytes()[..]).read_to_end(&mut out).unwrap();
    assert_eq!(out, plain);
    out.clear();
    let zst = parsed(&format!("compress=zst\n{text}")).to_bytes();
    ruzstd::decoding::StreamingDecoder::new(&zst[..]).unwrap().read_to_end(&mut out).unwrap();
    assert_eq!(out, plain);
}

#[test]
fn a_missing_tail_is_cut_off() {
    let text = "0 192.0.2.1 > 10.0.0.1:7 udp";
    let whole = parsed(text).to_bytes();
    let cut = parsed(&format!("missing=3\n{text}")).to_bytes();
    assert_eq!(cut, whole[..whole.len() - 3]);
}

#[test]
fn times_are_exact() {
    let at = |time: &str| {
        let text = format!("start=10\n{time} raw 00");
        parsed(&text).records[0].at_ns - 10_000_000_000
    };
    assert_eq!(at("0"), 0);
    assert_eq!(at("0.1"), 100_000_000);
    assert_eq!(at("4.999999999"), 4_999_999_999);
    assert_eq!(at("-1.5"), -1_500_000_000);
}

#[test]
fn errors_name_file_and_line() {
    assert_eq!(
        problem("# fine\n\n1 192.0.2.1 > 10.0.0.1 tcp"),
        "case/knocks.txt:3: \"10.0.0.1\" is not an address and a port, such as 10.0.0.1:7000"
    );
    assert_eq!(
        problem("now 192.0.2.1 > 10.0.0.1:7 tcp"),
        "case/knocks.txt:1: \"now\" is not a time in seconds, such as 0.500"
    );
    for (line, word) in [
        ("1 192.0.2.1 > 10.0.0.1:7 icmp", "neither tcp nor udp"),
        ("1 192.0.2.1 > 10.0.0.1:7 udp S", "no flags"),
        ("1 192.0.2.1 > 10.0.0.1:7 tcp X", "FSRPAUEC"),
        ("1 192.0.2.1 > 10.0.0.1:7 tcp S A", "\"A\" is unknown"),
        ("1 192.0.2.1 > 10.0.0.1:7 tcp sex=3", "\"sex=3\" is unknown"),
        ("1 192.0.2.1 > 10.0.0.1:7 tcp frag=0", "not a fragment"),
        ("1 192.0.2.1 > [::1]:7 tcp", "the same address family"),
        ("1.1234567890 raw 00", "not a time"),
        ("1 raw 0", "hexadecimal"),
        ("1 raw +1", "hexadecimal"),
        ("1 wrong", "expected TIME"),
        ("link=token-ring", "unknown link"),
        ("speed=1", "unknown setting"),
        ("1 raw 00\nlink=raw", "before the first packet"),
        ("link=147\n1 192.0.2.1 > 10.0.0.1:7 tcp", "only be given raw"),
    ] {
        let message = problem(line);
        assert!(message.contains(word), "{line}: {message}");
    }
}

#[test]
fn what_is_visible_depends_on_the_captured_bytes() {
    let packet = Packet {
        at_ns: 0,
        src: "192.0.2.1".parse().unwrap(),
        dst: "10.0.0.1".parse().unwrap(),
        sport: 1,
        dport: 2,
        transport: Transport::Tcp { seq: Some(9), flags: Some(SYN) },
    };
    let seen = |kept| {
        let shape = Shape { kept_of_transport: Some(kept), ..Shape::default() };
        visible(&packet, &shape, Link::Sll).map(|packet| packet.transport)
    };
    assert_eq!(seen(3), None);
    assert_eq!(seen(4), Some(Transport::Tcp { seq: None, flags: None }));
    assert_eq!(seen(7), Some(Transport::Tcp { seq: None, flags: None }));
    assert_eq!(seen(8), Some(Transport::Tcp { seq: Some(9), flags: None }));
    assert_eq!(seen(13), Some(Transport::Tcp { seq: Some(9), flags: None }));
    assert_eq!(seen(14), Some(packet.transport));
    assert_eq!(visible(&packet, &Shape::default(), Link::Sll), Some(packet));
    for oddity in [Oddity::FirstFragment, Oddity::Options, Oddity::WrongLength(0)] {
        let shape = Shape { oddity, ..Shape::default() };
        assert_eq!(visible(&packet, &shape, Link::Raw), Some(packet), "{oddity:?}");
    }
    for oddity in [Oddity::LaterFragment { offset: 1, more: true }, Oddity::ShortHeader(4)] {
        let shape = Shape { oddity, ..Shape::default() };
        assert_eq!(visible(&packet, &shape, Link::Raw), None, "{oddity:?}");
    }
}

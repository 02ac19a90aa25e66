//! Captures hear what libpcap hears on the same interface.

#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::fs::File;
use std::io::Write as _;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use knock_engine::Listening;
use knock_tests::capture_builder::{Link, Shape, datagram};
use knock_tests::model::{Packet, SYN, Transport};
use knock_tests::process::finish;
use knock_tests::require::{Need, require};
use nix::sched::{CloneFlags, unshare};
use pcap::{Active, Capture as Pcap, Linktype, Precision};

use super::*;
use crate::packet_socket::EVERY;

/// Frames that are sent, as they are heard: stamp, length on the wire, bytes.
type Heard = Vec<(i64, u32, Vec<u8>)>;

/// The port to which the last packet goes.
const LAST_PORT: u16 = 9;

const DOORS: &str = "
[tcp]
    sequence = 7001,7002:udp
    tcpflags = syn
    command =
[udp]
    sequence = 9:udp
    command =
";

/// The same doors for libpcap. What needs no flags of TCP comes first.
const PACKETS: &str = "
    ((ip dst host 192.0.2.1 or 127.0.0.1) and (udp dst port 7002 or 9)) or
    ((ip6 dst host 2001:db8::1 or ::1) and (udp dst port 7002 or 9)) or
    ((ip dst host 192.0.2.1 or 127.0.0.1) and tcp dst port 7001 and tcp[13] & 2 = 2) or
    ((ip6 dst host 2001:db8::1 or ::1) and tcp dst port 7001 and ip6[53] & 2 = 2)";

/// Frames with a VLAN tag that the kernel has not removed; they pass.
const TAGGED: &str = "ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100";

#[test]
fn on_ethernet_loopback_and_any_the_same_frames_are_heard_as_by_libpcap() {
    let name = "on_ethernet_loopback_and_any_the_same_frames_are_heard_as_by_libpcap";
    on_a_network_of_its_own(name, || {
        for is_filtered in [false, true] {
            for interface in ["server", "any"] {
                let mut pair = Pair::new(interface, is_filtered);
                let mut wire = Pcap::from_device("client").and_then(Pcap::open).unwrap();
                for frame in frames() {
                    wire.sendpacket(frame).unwrap();
                }
                // On any, what leaves is heard, too.
                let count = if interface == "any" { 2 } else { 1 };
                pair.compare(interface, 0, count);
            }
            for interface in ["lo", "any"] {
                let mut pair = Pair::new(interface, is_filtered);
                for address in ["127.0.0.1", "[::1]"] {
                    let socket = UdpSocket::bind(format!("{address}:0")).unwrap();
                    for port in [7001, 7002, 7003, LAST_PORT] {
                        socket.send_to(b"x", format!("{address}:{port}")).unwrap();
                    }
                }
                pair.compare(interface, 0, 2);
            }
        }
    });
}

#[test]
fn in_a_tunnel_and_on_ppp_the_same_packets_are_heard_as_by_libpcap() {
    let name = "in_a_tunnel_and_on_ppp_the_same_packets_are_heard_as_by_libpcap";
    on_a_network_of_its_own(name, || {
        for is_filtered in [false, true] {
            // Libpcap has no header before packets of a tunnel, and a cooked one before those of PPP.
            for (hardware, header) in [(libc::ARPHRD_NONE, 16), (libc::ARPHRD_PPP, 0)] {
                // A child that another test is just starting may hold the last interface open for a moment.
                let name = format!("tun{hardware}{is_filtered}");
                let mut tunnel = tunnel(&name, hardware);
                let mut pair = Pair::new(&name, is_filtered);
                for packet in packets() {
                    tunnel.write_all(&datagram(&packet, &Shape::default()).0).unwrap();
                }
                pair.compare(&name, header, 1);
            }
        }
    });
}

/// A capture and one of libpcap on the same interface.
struct Pair {
    ours: Capture,
    theirs: Pcap<Active>,
    begin: i64,
}

impl Pair {
    fn new(interface: &str, is_filtered: bool) -> Self {
        let index = nix::net::if_::if_nametoindex(interface).unwrap_or(EVERY);
        let is_cooked = interface == "any" || interface.starts_with("tun");
        let framing = if is_cooked { Framing::Cooked } else { Framing::Ethernet };
        let (socket, blocks) = packet_socket::open(index, framing, 64).unwrap();
        let (number, name) = (CaptureNumber(0), interface.as_bytes().to_vec());
        let mut ours = Capture::new(NewCapture { number, name, framing, blocks }, socket).unwrap();
        let theirs = Pcap::from_device(interface).unwrap().immediate_mode(true);
        let theirs =
            theirs.snaplen(packet_socket::SNAPLEN.cast_signed()).precision(Precision::Nano);
        let mut theirs = theirs.open().unwrap().setnonblock().unwrap();
        if is_filtered {
            let config = knock_config::parse(DOORS.as_bytes()).config.unwrap();
            let doors = knock_config::doors(&config).unwrap();
            let addresses = ["192.0.2.1", "2001:db8::1", "127.0.0.1", "::1"];
            let listening = Listening::at(addresses.map(|address| address.parse().unwrap()));
            ours.listen_for(&doors, &listening);
            let has_types = theirs.get_datalink() != Linktype(12);
            let expression =
                if has_types { format!("{TAGGED} or {PACKETS}") } else { PACKETS.into() };
            theirs.filter(&expression, true).unwrap();
        }
        Self { ours, theirs, begin: now() }
    }

    /// Waits until both have heard the last packet this many times, and compares what they have heard.
    /// Of ours, a header of this length is left out.
    fn compare(&mut self, interface: &str, header: usize, last: usize) {
        let (mut ours, mut theirs): (Heard, Heard) = (Vec::new(), Vec::new());
        let begin = Instant::now();
        while !(is_complete(&ours, last) && is_complete(&theirs, last)) {
            assert!(begin.elapsed() < Duration::from_mins(1), "{interface}: {ours:?} {theirs:?}");
            self.ours.read(100, |frame| {
                let length = frame.length - u32::try_from(header).unwrap();
                ours.push((frame.stamp, length, frame.captured[header..].to_vec()));
            });
            while let Ok(packet) = self.theirs.next_packet() {
                let stamp = packet.header.ts.tv_sec * 1_000_000_000 + packet.header.ts.tv_usec;
                theirs.push((stamp, packet.header.len, packet.data.to_vec()));
            }
            thread::sleep(Duration::from_millis(1));
        }
        let end = now();
        for (stamp, ..) in &ours {
            assert!((self.begin..=end).contains(stamp), "{interface}: {stamp}");
        }
        assert!(ours.is_sorted_by_key(|(stamp, ..)| *stamp), "{interface}");
        let without_stamps = |heard: Heard| -> Vec<(u32, Vec<u8>)> {
            heard.into_iter().map(|(_, length, bytes)| (length, bytes)).collect()
        };
        assert_eq!(without_stamps(ours), without_stamps(theirs), "{interface}");
    }
}

/// Returns whether the packet to the last port was heard this many times.
fn is_complete(heard: &Heard, last: usize) -> bool {
    let mark = LAST_PORT.to_be_bytes();
    // After its destination port come the length, the checksum and at most one byte.
    let is_last = |bytes: &[u8]| [6, 7].iter().any(|from| bytes[bytes.len() - from..][..2] == mark);
    heard.iter().filter(|(_, _, bytes)| is_last(bytes)).count() >= last
}

/// Returns packets of many kinds, of which the last one goes to the last port.
fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for (src, dst) in [
        ("192.0.2.10", "192.0.2.1"),
        ("192.0.2.10", "192.0.2.3"),
        ("2001:db8::10", "2001:db8::1"),
        ("2001:db8::10", "2001:db8::3"),
    ] {
        for dport in [7001, 7002, 7003] {
            let tcp = |flags| Transport::Tcp { seq: Some(7), flags: Some(flags) };
            for transport in [tcp(SYN), tcp(0), Transport::Udp] {
                let (src, dst) = (src.parse().unwrap(), dst.parse().unwrap());
                packets.push(Packet { at_ns: 0, src, dst, sport: 40_000, dport, transport });
            }
        }
    }
    let (src, dst) = ("192.0.2.10".parse().unwrap(), "192.0.2.1".parse().unwrap());
    let transport = Transport::Udp;
    packets.push(Packet { at_ns: 0, src, dst, sport: 40_000, dport: LAST_PORT, transport });
    packets
}

/// Returns the packets as frames, with up to three VLAN tags, and the last one without.
fn frames() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let last = packets().len() - 1;
    for tags in [&[5, 6, 7][..], &[5, 6], &[5], &[0], &[]] {
        for (number, packet) in packets().iter().enumerate() {
            if number < last || tags.is_empty() {
                let shape = Shape { vlan: tags.to_vec(), ..Shape::default() };
                frames.push(shape.frame(packet, Link::Ethernet, false).0);
            }
        }
    }
    frames
}

/// Makes a tunnel interface of a type of hardware. Each write is a packet that arrives.
#[expect(unsafe_code, reason = "there is no safe way to ask the kernel for it")]
fn tunnel(name: &str, hardware: u16) -> File {
    let file = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
    let flags = i16::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap();
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    // SAFETY: the request is complete, and outlives the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
    // SAFETY: the argument of this one is a number.
    let done =
        unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETLINK, libc::c_ulong::from(hardware)) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
    run(&format!("ip link set {name} addrgenmode none || true; ip link set {name} up"));
    file
}

/// Runs a test in a thread with its own network, where what is sent to `client` arrives at `server`.
fn on_a_network_of_its_own(name: &str, test: impl FnOnce() + Send + 'static) {
    if !require(name, &["ip", "unshare"], Need::Namespaces) {
        return;
    }
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        run("ip link set lo up
            ip link add client type veth peer name server
            for device in client server; do
                ip link set $device addrgenmode none up
            done
            until ip -o link show server | grep -q 'state UP'; do sleep 0.01; done");
        test();
    });
    thread.join().unwrap();
}

fn run(script: &str) {
    let outcome = finish(Command::new("sh").args(["-ec", script]));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_nanos().try_into().unwrap()
}

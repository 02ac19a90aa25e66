//! Packets that no ordinary program sends.

use std::fs::File;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd as _;

use knock_tests::capture_builder::{Link, Shape, datagram};
use knock_tests::model::{Packet, SYN, Transport};
use pcap::{Active, Capture};

use super::Scene;

/// Sends whole frames into the client's end of the cable.
pub(crate) struct Injector(Capture<Active>);

impl Injector {
    /// Returns an injector, and sets the server's hardware address to the one to which frames go.
    pub(crate) fn new(scene: &Scene) -> Self {
        scene.server("ip link set server address 02:00:00:00:00:02");
        let open = || Capture::from_device("client").and_then(Capture::open).unwrap();
        Self(scene.cable.client.open(open))
    }

    /// Returns an injector that sends from one interface of the server to another.
    pub(crate) fn between(scene: &Scene, from: &'static str, to: &str) -> Self {
        scene.server(&format!("ip link set {to} address 02:00:00:00:00:02"));
        let open = move || Capture::from_device(from).and_then(Capture::open).unwrap();
        Self(scene.cable.server.open(open))
    }

    /// Sends a SYN to each port, with VLAN tags, the outermost first.
    pub(crate) fn knock(&mut self, source: &str, destination: &str, ports: &[u16], vlan: &[u16]) {
        for packet in syns(source, destination, ports) {
            let shape = Shape { vlan: vlan.to_vec(), ..Shape::default() };
            let (frame, _) = shape.frame(&packet, Link::Ethernet, false);
            self.0.sendpacket(frame).unwrap();
        }
    }

    /// Returns a frame with a datagram to the server.
    pub(crate) fn datagram(source: Ipv4Addr, port: u16, payload: &[u8]) -> Vec<u8> {
        let (src, dst) = (source.into(), Ipv4Addr::new(192, 0, 2, 1).into());
        let transport = Transport::Udp;
        let packet = Packet { at_ns: 0, src, dst, sport: 40_000, dport: port, transport };
        let shape = Shape { payload: payload.to_vec(), ..Shape::default() };
        shape.frame(&packet, Link::Ethernet, false).0
    }

    /// Sends a frame.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        self.0.sendpacket(frame).unwrap();
    }

    /// Sends a frame that passes every filter, because it has two VLAN tags, but is not a packet.
    pub(crate) fn send_what_is_no_packet(&mut self) {
        const FRAME: &[u8] =
            b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xa8\0\x01\x81\0\0\x02\x88\xccno packet at all";
        // Sending may fail while a buffer is full.
        let _ = self.0.sendpacket(FRAME);
    }
}

/// A tunnel interface, whose other end is this program.
pub(crate) struct Tunnel(File);

impl Tunnel {
    /// Makes the interface `tun0` on the server, with the addresses 203.0.113.1 and `2001:db8:7::1`.
    pub(crate) fn new(scene: &Scene) -> Self {
        scene.server("ip tuntap add dev tun0 mode tun");
        let tunnel = Self(scene.cable.server.open(|| attach("tun0")));
        scene.server(
            "ip address add 203.0.113.1/24 dev tun0
            ip address add 2001:db8:7::1/64 nodad dev tun0
            ip link set tun0 addrgenmode none up",
        );
        tunnel
    }

    /// Has a SYN to each port arrive.
    pub(crate) fn knock(&mut self, source: &str, destination: &str, ports: &[u16]) {
        for packet in syns(source, destination, ports) {
            let (datagram, _) = datagram(&packet, &Shape::default());
            self.0.write_all(&datagram).unwrap();
        }
    }
}

/// Returns a SYN to each port. None is a retransmission of another.
fn syns(source: &str, destination: &str, ports: &[u16]) -> Vec<Packet> {
    // A sequence number of 0 never counts as repeated.
    let transport = Transport::Tcp { seq: Some(0), flags: Some(SYN) };
    let (src, dst) = (source.parse().unwrap(), destination.parse().unwrap());
    let to = |&dport: &u16| Packet { at_ns: 0, src, dst, sport: 40_000, dport, transport };
    ports.iter().map(to).collect()
}

/// Opens the program's end of an interface. Each write to the file is a packet that arrives.
#[expect(unsafe_code, reason = "there is no safe way to ask the kernel for it")]
fn attach(name: &str) -> File {
    let file = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
    // Without IFF_NO_PI, the kernel would expect four more bytes before each packet.
    let flags = i16::try_from(libc::IFF_TUN | libc::IFF_NO_PI).unwrap();
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru { ifru_flags: flags },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    // SAFETY: the request is complete, and outlives the call.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    file
}

//! What honest clients send and get, as it leaves their interface and as it reaches that of the server.
//!
//! A knock that has not reached the server's interface cannot have been heard by any daemon; one that has
//! must be.

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSliceMut;
use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use knock_tests::live::{Namespace, recording_socket};
use nix::cmsg_space;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{SockFilter, SockRef};

use crate::world::World;

/// For how long packets are kept. A client is judged long before.
const KEPT: Duration = Duration::from_mins(2);

/// How much of a packet is looked at: all headers that matter.
const LENGTH_MAX: u32 = 128;

/// How much may wait to be looked at, in bytes: what honest clients send in minutes, so none of it is dropped.
const BUFFER: usize = 8 << 20;

/// Packets of the last minutes at both ends of the cable.
#[derive(Clone)]
pub(crate) struct Recorder {
    pub(crate) client: Seen,
    pub(crate) server: Seen,
}

/// Packets that were seen at one end.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<VecDeque<Packet>>>);

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// When the kernel saw it.
    pub(crate) at: SystemTime,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    pub(crate) content: Content,
}

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Udp { from: u16, to: u16 },
    Tcp { from: u16, to: u16, flags: Flags },
    Other,
}

/// Which flags of TCP are set, of those in [`FLAGS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags([bool; 4]);

const FLAGS: [&str; 4] = ["SYN", "ACK", "RST", "FIN"];

impl Recorder {
    /// Begins to record.
    pub(crate) fn start(world: &World) -> Self {
        Self {
            client: Seen::record(world.client(), "client"),
            server: Seen::record(world.server(), "server"),
        }
    }
}

impl Seen {
    fn record(namespace: &Namespace, interface: &'static str) -> Self {
        let socket = recording_socket(namespace, interface);
        SockRef::from(&socket).attach_filter(&not_forged()).unwrap();
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).unwrap();
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).unwrap();
        let seen = Self::default();
        let all = seen.clone();
        thread::spawn(move || all.take_from(&socket));
        seen
    }

    fn take_from(&self, socket: &OwnedFd) {
        let mut bytes = [0; 256];
        let mut control = cmsg_space!(TimeSpec);
        loop {
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let (socket, none) = (socket.as_raw_fd(), MsgFlags::empty());
            let received = match recvmsg::<()>(socket, &mut parts, Some(&mut control), none) {
                Ok(received) => received,
                // The link is down.
                Err(Errno::ENETDOWN | Errno::EINTR) => continue,
                Err(error) => panic!("cannot record packets: {error}"),
            };
            let stamp = received.cmsgs().unwrap().find_map(|one| {
                let ControlMessageOwned::ScmTimestampns(stamp) = one else { return None };
                Some(Duration::from(stamp))
            });
            let (at, length) = (UNIX_EPOCH + stamp.unwrap(), received.bytes);
            if let Some(packet) = Packet::read(at, &bytes[..length]) {
                self.add(packet);
            }
        }
    }

    fn add(&self, packet: Packet) {
        let mut all = self.0.lock().unwrap();
        let oldest = packet.at - KEPT;
        while all.front().is_some_and(|first| first.at < oldest) {
            all.pop_front();
        }
        all.push_back(packet);
    }

    /// Returns the packets from and to a client since some time, in order.
    pub(crate) fn of(&self, client: IpAddr, since: SystemTime) -> Vec<Packet> {
        let all = self.0.lock().unwrap();
        let is_meant = |one: &&Packet| [one.from, one.to].contains(&client) && one.at >= since;
        all.iter().filter(is_meant).cloned().collect()
    }
}

impl Packet {
    /// Reads a frame, whose end may be cut off. `None` for what is no IP.
    fn read(at: SystemTime, frame: &[u8]) -> Option<Self> {
        let packet = LaxSlicedPacket::from_ethernet(frame).ok()?;
        let (from, to) = match packet.net? {
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
        let content = match packet.transport {
            Some(TransportSlice::Udp(udp)) => {
                Content::Udp { from: udp.source_port(), to: udp.destination_port() }
            }
            Some(TransportSlice::Tcp(tcp)) => {
                let flags = Flags([tcp.syn(), tcp.ack(), tcp.rst(), tcp.fin()]);
                Content::Tcp { from: tcp.source_port(), to: tcp.destination_port(), flags }
            }
            _ => Content::Other,
        };
        Some(Self { at, from, to, content })
    }

    /// Returns the port at which it knocks, if it does.
    pub(crate) const fn knocks_at(&self) -> Option<u16> {
        match self.content {
            Content::Udp { to, .. } | Content::Tcp { to, flags: Flags([true, false, ..]), .. } => {
                Some(to)
            }
            Content::Tcp { .. } | Content::Other => None,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { from, to } => write!(out, "UDP {from} > {to}"),
            Self::Tcp { from, to, flags: Flags(flags) } => {
                write!(out, "TCP {from} > {to}")?;
                let mut set = FLAGS.iter().zip(flags).filter(|(_, is_set)| **is_set);
                set.try_for_each(|(name, _)| write!(out, " {name}"))
            }
            Self::Other => write!(out, "neither TCP nor UDP"),
        }
    }
}

/// Returns a program that drops what comes from forged addresses, 10.0.0.0/8 and `2001:db8:f::/48`.
fn not_forged() -> [SockFilter; 9] {
    // Load two bytes or one, compare and jump, return.
    let half = |at| SockFilter::new(0x28, 0, 0, at);
    let byte = |at| SockFilter::new(0x30, 0, 0, at);
    let is = |value, yes, no| SockFilter::new(0x15, yes, no, value);
    let pass = |length| SockFilter::new(0x06, 0, 0, length);
    [
        half(12),
        is(0x0800, 0, 2),
        byte(26),
        is(10, 4, 3),
        is(0x86dd, 0, 2),
        half(26),
        is(0x000f, 1, 0),
        pass(LENGTH_MAX),
        pass(0),
    ]
}

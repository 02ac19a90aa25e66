//! The captures, from which packets are read.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use knock_engine::filter::{self, Framing, Instruction};
use knock_engine::{Doors, LinkType, Listening};
use libc::{sockaddr_ll, tpacket2_hdr};

use super::ring::{Ring, RingPacket};
use crate::packet_socket;
use crate::wire::{CaptureNumber, NewCapture};

/// The mark of a VLAN tag where the kernel reports none: 802.1Q.
const TAG_TYPE: u16 = 0x8100;

/// Where a VLAN tag is in an Ethernet frame: after both addresses.
const TAG_AT: usize = 12;

/// A capture: an interface, or all, whose packets are read.
pub(crate) struct Capture {
    number: CaptureNumber,
    name: String,
    framing: Framing,
    socket: OwnedFd,
    ring: Ring,
    /// The present filter.
    filter: Vec<Instruction>,
    /// How many packets the kernel has dropped since the start, because the ring was full.
    dropped: u64,
    /// A frame that is put together from parts.
    assembled: Vec<u8>,
}

/// A frame as it was captured.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) link: LinkType,
    /// Nanoseconds since the epoch, by the clock of the machine.
    pub(crate) stamp: i64,
    /// The length on the wire.
    pub(crate) length: u32,
    pub(crate) captured: &'a [u8],
}

impl Capture {
    /// Takes a socket that the runner has opened.
    ///
    /// # Errors
    /// The error of mapping its ring.
    pub(crate) fn new(new: NewCapture, socket: OwnedFd) -> io::Result<Self> {
        let NewCapture { number, name, framing, blocks } = new;
        let name = String::from_utf8_lossy(&name).into_owned();
        let ring = Ring::map(socket.as_fd(), blocks)?;
        let assembled = Vec::new();
        Ok(Self { number, name, framing, socket, ring, filter: Vec::new(), dropped: 0, assembled })
    }

    pub(crate) const fn number(&self) -> CaptureNumber {
        self.number
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn link(&self) -> LinkType {
        link(self.framing)
    }

    /// Returns how many packets the ring has room for.
    pub(crate) const fn places(&self) -> usize {
        self.ring.places()
    }

    /// Has the kernel pass only packets that these doors may let through.
    ///
    /// If the kernel refuses a filter, a wider one takes its place; the engine checks every packet again
    /// anyway. No packet is lost meanwhile.
    pub(crate) fn listen_for(&mut self, doors: &Doors, listening: &Listening) {
        for program in filter::programs(doors, listening, self.framing) {
            if self.filter == program {
                return;
            }
            if packet_socket::attach_filter(self.socket.as_fd(), &program).is_ok() {
                self.filter = program;
                return;
            }
        }
        // Every program was refused, even the one that lets everything through. What is there stays, if
        // it does that, as it does before the first.
    }

    /// Reads up to `limit` packets, without waiting. Returns how many were read.
    pub(crate) fn read(&mut self, limit: usize, mut see: impl FnMut(Frame<'_>)) -> usize {
        let Self { framing, ring, assembled, .. } = self;
        let mut count = 0_usize;
        while count < limit {
            let read = ring.read(|packet| {
                if let Some(frame) = frame(*framing, packet, assembled) {
                    see(frame);
                }
            });
            if read.is_none() {
                break;
            }
            count = count.saturating_add(1);
        }
        count
    }

    /// Takes the error that is there after the interface went down: it must not keep this process awake.
    pub(crate) fn take_error(&self) {
        packet_socket::take_error(self.socket.as_fd());
    }

    /// Returns how many packets the kernel has dropped since the start, because the ring was full.
    pub(crate) fn dropped(&mut self) -> u64 {
        let more = u64::from(packet_socket::dropped(self.socket.as_fd()));
        self.dropped = self.dropped.saturating_add(more);
        self.dropped
    }
}

impl AsFd for Capture {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Returns the link type of the frames that are made of what is captured.
const fn link(framing: Framing) -> LinkType {
    match framing {
        Framing::Ethernet => LinkType::Ethernet,
        Framing::Cooked => LinkType::LinuxSll,
    }
}

/// Returns the frame of a packet. `None` for a packet that the machine sends to itself: it arrives, too.
fn frame<'a>(
    framing: Framing,
    packet: RingPacket<'a>,
    assembled: &'a mut Vec<u8>,
) -> Option<Frame<'a>> {
    let RingPacket { header, address, captured } = packet;
    if address.sll_pkttype == libc::PACKET_OUTGOING && address.sll_hatype == libc::ARPHRD_LOOPBACK {
        return None;
    }
    let nanos = i64::from(header.tp_sec).saturating_mul(1_000_000_000);
    let stamp = nanos.saturating_add(header.tp_nsec.into());
    let tag = tag(&header);
    let tag = tag.as_ref().map_or(&[][..], |tag| tag);
    let (captured, more) = match framing {
        Framing::Cooked => {
            cook(&address, tag, captured, assembled);
            (&assembled[..], 16_u32.saturating_add(if tag.is_empty() { 0 } else { 4 }))
        }
        Framing::Ethernet => match captured.split_at_checked(TAG_AT) {
            Some((addresses, rest)) if !tag.is_empty() => {
                assembled.clear();
                for part in [addresses, tag, rest] {
                    assembled.extend_from_slice(part);
                }
                (&assembled[..], 4)
            }
            Some(_) | None => (captured, 0),
        },
    };
    let length = header.tp_len.saturating_add(more);
    Some(Frame { link: link(framing), stamp, length, captured })
}

/// Returns the VLAN tag that the kernel has taken out of a frame.
fn tag(header: &tpacket2_hdr) -> Option<[u8; 4]> {
    let has = |bit| header.tp_status & bit != 0;
    // Old kernels do not set the bit, but pass on a tag other than 0.
    if !has(libc::TP_STATUS_VLAN_VALID) && header.tp_vlan_tci == 0 {
        return None;
    }
    let mark = if has(libc::TP_STATUS_VLAN_TPID_VALID) { header.tp_vlan_tpid } else { TAG_TYPE };
    let ([a, b], [c, d]) = (mark.to_be_bytes(), header.tp_vlan_tci.to_be_bytes());
    Some([a, b, c, d])
}

/// Puts a cooked header before a packet: that of [`LinkType::LinuxSll`].
fn cook(address: &sockaddr_ll, tag: &[u8], captured: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0, address.sll_pkttype]);
    out.extend_from_slice(&address.sll_hatype.to_be_bytes());
    out.extend_from_slice(&[0, address.sll_halen]);
    out.extend_from_slice(&address.sll_addr);
    out.extend_from_slice(tag);
    // The protocol is in network byte order already.
    out.extend_from_slice(&address.sll_protocol.to_ne_bytes());
    out.extend_from_slice(captured);
}

#[cfg(test)]
mod tests;

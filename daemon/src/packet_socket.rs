//! Packet sockets, on which the kernel passes on what arrives at an interface.
//!
//! The runner opens them, because that takes a privilege, and the sniffer reads them. Each has a ring: a
//! buffer that the kernel fills and that the reader maps, so a flood costs no system calls.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

use knock_engine::filter::{Framing, Instruction};
use libc::{c_int, sock_filter, sockaddr_ll, socklen_t};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// How much of each packet is captured, in bytes: enough for a signed packet after an IPv4 header with all options
/// and several VLAN tags, or after about 120 bytes of IPv6 extension headers. The less it is, the more
/// packets a ring has room for.
pub(crate) const SNAPLEN: u32 = 304;

/// The size of a place for a packet in a ring: what the kernel writes before it, and the packet.
pub(crate) const PLACE_BYTES: u32 = 80 + SNAPLEN;

/// The size of the blocks that a ring is made of. A place is always within one block.
pub(crate) const BLOCK_BYTES: u32 = 32 * 1024;

/// How many packets a block has room for.
pub(crate) const PLACES_PER_BLOCK: u32 = BLOCK_BYTES / PLACE_BYTES;

/// The smallest ring that is tried where memory is short: 128 KiB.
const BLOCKS_MIN: u32 = 4;

/// The number that stands for all interfaces.
pub(crate) const EVERY: u32 = 0;

/// Returns the framing for a type of hardware: an `ARPHRD_` of `linux/if_arp.h`.
pub(crate) const fn framing(hardware: u16) -> Framing {
    match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => Framing::Ethernet,
        _ => Framing::Cooked,
    }
}

/// Opens a socket that gets all packets of the interface with this number, or of all interfaces. The
/// ring has this many blocks; fewer, if the kernel lacks memory. Returns the socket and its size.
///
/// # Errors
/// `EPERM` without the capability `CAP_NET_RAW`, `ENODEV` if the interface is gone.
pub(crate) fn open(index: u32, framing: Framing, blocks: u32) -> io::Result<(OwnedFd, u32)> {
    let kind = match framing {
        Framing::Ethernet => SockType::Raw,
        Framing::Cooked => SockType::Datagram,
    };
    // Without a protocol, nothing arrives until the socket is bound.
    let socket = socket(AddressFamily::Packet, kind, SockFlag::SOCK_CLOEXEC, None)?;
    let version: c_int = V2;
    set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
    let blocks = make_ring(&socket, blocks)?;
    bind(&socket, index)?;
    Ok((socket, blocks))
}

/// Checks that this process may capture packets.
///
/// # Errors
/// `EPERM` without the capability `CAP_NET_RAW`.
pub(crate) fn check() -> io::Result<()> {
    socket(AddressFamily::Packet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    Ok(())
}

/// `TPACKET_V2` of `linux/if_packet.h`, the form of a ring that shows each packet at once.
const V2: c_int = 1;

fn make_ring(socket: &OwnedFd, mut blocks: u32) -> io::Result<u32> {
    loop {
        let ring = libc::tpacket_req {
            tp_block_size: BLOCK_BYTES,
            tp_block_nr: blocks,
            tp_frame_size: PLACE_BYTES,
            tp_frame_nr: blocks.saturating_mul(PLACES_PER_BLOCK),
        };
        match set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &ring) {
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) && blocks > BLOCKS_MIN => {
                blocks /= 2;
            }
            done => return done.map(|()| blocks),
        }
    }
}

fn bind(socket: &OwnedFd, index: u32) -> io::Result<()> {
    let address = address(index);
    let length = length_of::<sockaddr_ll>();
    #[expect(unsafe_code, reason = "no library binds packet sockets")]
    // SAFETY: the address is one of this length, and outlives the call.
    let done = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    result(done)
}

fn address(index: u32) -> sockaddr_ll {
    sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET).unwrap_or_default(),
        sll_protocol: u16::try_from(libc::ETH_P_ALL).unwrap_or_default().to_be(),
        sll_ifindex: i32::try_from(index).unwrap_or(-1),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

/// Returns the number of the interface to which a socket is bound; `None` if that is gone. Another one
/// may have its number by now.
pub(crate) fn bound_to(socket: BorrowedFd<'_>) -> Option<u32> {
    let mut address = address(0);
    let mut length = length_of::<sockaddr_ll>();
    #[expect(unsafe_code, reason = "no library reads the address of a packet socket")]
    // SAFETY: the kernel writes at most `length` bytes, and every value of them is an address.
    let done = unsafe {
        libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
    };
    result(done).ok()?;
    u32::try_from(address.sll_ifindex).ok()
}

/// Has the kernel pass on only packets that a program lets through. It takes the place of an earlier one
/// at once, and no packet is lost.
pub(crate) fn attach_filter(socket: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let in_c = |&Instruction { code, jt, jf, k }: &Instruction| sock_filter { code, jt, jf, k };
    let mut program: Vec<sock_filter> = program.iter().map(in_c).collect();
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: program.as_mut_ptr(),
    };
    set(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Returns how many packets were dropped since the last call, because the ring was full.
pub(crate) fn dropped(socket: BorrowedFd<'_>) -> u32 {
    let mut counts = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let read = get(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS, &mut counts);
    read.map_or(0, |()| counts.tp_drops)
}

/// Takes the error that the kernel has set when the interface went down or away. Until then, the socket
/// counts as readable.
pub(crate) fn take_error(socket: BorrowedFd<'_>) {
    let mut error: c_int = 0;
    // Reading it is all that matters.
    let _ = get(socket, libc::SOL_SOCKET, libc::SO_ERROR, &mut error);
}

fn set<T>(
    socket: &impl std::os::fd::AsFd,
    level: c_int,
    option: c_int,
    value: &T,
) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    let value: *const T = value;
    #[expect(unsafe_code, reason = "no library has these options")]
    // SAFETY: the kernel reads a value of this size, which outlives the call; so does what it refers to.
    let done = unsafe { libc::setsockopt(socket, level, option, value.cast(), length_of::<T>()) };
    result(done)
}

fn get<T>(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: &mut T) -> io::Result<()> {
    let (socket, value) = (socket.as_raw_fd(), &raw mut *value);
    let mut length = length_of::<T>();
    #[expect(unsafe_code, reason = "no library has these options")]
    // SAFETY: the kernel writes at most `length` bytes; the callers have types of integers only.
    let done = unsafe { libc::getsockopt(socket, level, option, value.cast(), &raw mut length) };
    result(done)
}

fn length_of<T>() -> socklen_t {
    socklen_t::try_from(size_of::<T>()).unwrap_or(socklen_t::MAX)
}

fn result(done: c_int) -> io::Result<()> {
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

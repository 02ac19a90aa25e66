//! The ring of a packet socket: memory that the kernel fills with packets.

use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use libc::{sockaddr_ll, tpacket2_hdr};

use crate::packet_socket::{BLOCK_BYTES, PLACE_BYTES, PLACES_PER_BLOCK, SNAPLEN};

/// A ring that is mapped into the memory of this process.
pub(super) struct Ring {
    memory: NonNull<u8>,
    bytes: usize,
    places: usize,
    /// The place where the next packet will be.
    next: usize,
}

/// A packet in a ring.
#[derive(Clone, Copy)]
pub(super) struct RingPacket<'a> {
    pub(super) header: tpacket2_hdr,
    pub(super) address: sockaddr_ll,
    pub(super) captured: &'a [u8],
}

/// Where the address is in a place.
const ADDRESS_AT: usize = size_of::<tpacket2_hdr>().next_multiple_of(16);

impl Ring {
    /// Maps the ring of a socket, which has this many blocks.
    pub(super) fn map(socket: BorrowedFd<'_>, blocks: u32) -> io::Result<Self> {
        let bytes = usize(blocks).saturating_mul(usize(BLOCK_BYTES));
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let socket = socket.as_raw_fd();
        #[expect(unsafe_code, reason = "the kernel shares this memory")]
        // SAFETY: the kernel chooses a free address.
        let memory =
            unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, socket, 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory = NonNull::new(memory.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { memory, bytes, places: usize(blocks.saturating_mul(PLACES_PER_BLOCK)), next: 0 })
    }

    /// Returns how many packets there is room for.
    pub(super) const fn places(&self) -> usize {
        self.places
    }

    /// Reads the next packet, if there is one, and returns the place to the kernel.
    pub(super) fn read<T>(&mut self, see: impl FnOnce(RingPacket<'_>) -> T) -> Option<T> {
        let place = self.place(self.next)?;
        let status = status_of(place);
        if status.load(Ordering::Acquire) & libc::TP_STATUS_USER == 0 {
            return None;
        }
        let seen = packet(place).map(see);
        status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        let next = self.next.saturating_add(1);
        self.next = if next == self.places { 0 } else { next };
        seen
    }

    /// Returns the address of a place.
    fn place(&self, number: usize) -> Option<NonNull<u8>> {
        let per_block = usize(PLACES_PER_BLOCK);
        let block = number.checked_div(per_block)?.checked_mul(usize(BLOCK_BYTES))?;
        let within = number.checked_rem(per_block)?.checked_mul(usize(PLACE_BYTES))?;
        let at = block.checked_add(within)?;
        if at.checked_add(usize(PLACE_BYTES))? > self.bytes {
            return None;
        }
        #[expect(unsafe_code, reason = "the kernel shares this memory")]
        // SAFETY: the whole place is within the mapped memory, as was just checked.
        Some(unsafe { self.memory.add(at) })
    }
}

/// Returns the word by which the kernel and this process pass a place to each other.
fn status_of<'a>(place: NonNull<u8>) -> &'a AtomicU32 {
    const { assert!(offset_of!(tpacket2_hdr, tp_status) == 0) };
    #[expect(unsafe_code, reason = "the kernel shares this memory")]
    // SAFETY: a place begins with this word, aligned to 16 bytes, which both sides change as a whole. The
    // caller, `Ring::read`, uses it while the ring is mapped.
    unsafe {
        AtomicU32::from_ptr(place.as_ptr().cast())
    }
}

/// Returns the packet in a place that the kernel has passed to this process.
fn packet<'a>(place: NonNull<u8>) -> Option<RingPacket<'a>> {
    #[expect(unsafe_code, reason = "the kernel shares this memory")]
    // SAFETY: the place has PLACE_BYTES bytes. The kernel has written the header and the address, and does
    // not touch them until it gets the place back. Both consist of integers only.
    let (header, address) = unsafe {
        let header: tpacket2_hdr = place.cast().read();
        (header, place.add(ADDRESS_AT).cast::<sockaddr_ll>().read())
    };
    let (at, length) = (usize::from(header.tp_mac), usize(header.tp_snaplen.min(SNAPLEN)));
    if at.checked_add(length)? > usize(PLACE_BYTES) {
        return None;
    }
    #[expect(unsafe_code, reason = "the kernel shares this memory")]
    // SAFETY: the bytes are within the place, and the kernel does not touch them meanwhile.
    let captured = unsafe { std::slice::from_raw_parts(place.add(at).as_ptr(), length) };
    Some(RingPacket { header, address, captured })
}

impl Drop for Ring {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the kernel shares this memory")]
        // SAFETY: the memory was mapped with this length, and no packet of it is borrowed any more.
        let _ = unsafe { libc::munmap(self.memory.as_ptr().cast(), self.bytes) };
    }
}

fn usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

//! Packets from forged addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use knock_tests::live::frame_socket;
use nix::sys::socket::{MsgFlags, send};

use crate::world::{SERVER, SERVER_6, SERVER_MAC, World};

/// How often a batch of them is sent.
const PERIOD: Duration = Duration::from_millis(10);

/// How many are sent at once at the most. The kernel has a queue for what arrives at the server, by default of 1,000
/// packets for each processor, and drops what finds no room, honest knocks among it.
const BATCH_MAX: u64 = 400;

/// A flood that goes on.
pub(crate) struct Flood {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Flood {
    /// Starts it. Packets are of all kinds that doors want: first knocks, and others of their sequences.
    pub(crate) fn start(world: &World, per_second: u32) -> Self {
        let socket = frame_socket(world.client(), "client");
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            let (mut done, mut sent) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                let due = begin.elapsed().as_millis() * u128::from(per_second) / 1_000;
                let due = u64::try_from(due).unwrap();
                // What is late after a pause of this machine is left out.
                let batch = (due - done).min(BATCH_MAX);
                for number in done..done + batch {
                    // Without effect while the link is down.
                    let _ = send(socket.as_raw_fd(), &frame(number), MsgFlags::empty());
                }
                (done, sent) = (due, sent + batch);
                thread::sleep(PERIOD);
            }
            sent
        });
        Self { is_over, thread }
    }

    /// Ends it, and returns how many packets there were.
    pub(crate) fn finish(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn frame(number: u64) -> Vec<u8> {
    // An odd factor makes another number of each, in no order.
    let mixed = u32::try_from(number & 0xff_ffff).unwrap().wrapping_mul(0x9e_79b1) & 0xff_ffff;
    let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 2], SERVER_MAC);
    let ip = if number.is_multiple_of(5) {
        let prefix = Ipv6Addr::new(0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 0).to_bits();
        let source = Ipv6Addr::from_bits(prefix | u128::from(mixed));
        ethernet.ipv6(source.octets(), SERVER_6.octets(), 64)
    } else {
        ethernet.ipv4(Ipv4Addr::from(0x0a00_0000 | mixed).octets(), SERVER, 64)
    };
    let mut frame = Vec::with_capacity(64);
    let done = match number % 8 {
        0 => ip.udp(40_000, 8_000).write(&mut frame, &[]),
        1..4 => ip.udp(40_000, 7_100).write(&mut frame, &[]),
        _ => ip.tcp(40_000, 7_000, mixed, 64_240).syn().write(&mut frame, &[]),
    };
    done.unwrap();
    frame
}

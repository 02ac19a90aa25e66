//! Filters in the real kernel, which removes VLAN tags from frames before it filters them.

use std::collections::BTreeSet;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use knock_engine::filter::{self, Framing};
use knock_engine::{Doors, Listening};
use knock_tests::boundary;
use knock_tests::generators::frames::{Frame, LinkKind, Wild, wild};
use knock_tests::process::finish;
use knock_tests::require::{Need, require};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, unshare};
use nix::unistd::Pid;
use pcap::{Active, Capture, Direction, Error, Linktype};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use socket2::{SockFilter, SockRef};

use super::{Filter, admits, filters, listening, seen};

/// How many doors and their frames are tried on each device.
const CASES: usize = 60;

/// A frame that passes every filter, because it has two VLAN tags, and is not a packet.
const LAST: &[u8] =
    b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xa8\0\x01\x81\0\0\x02\x88\xccthe last one";

#[test]
fn the_kernel_lets_the_same_packets_through() {
    if !require("the_kernel_lets_the_same_packets_through", &["ip", "unshare"], Need::Namespaces) {
        return;
    }
    on_a_wire_of_its_own(|| {
        for (device, link) in
            [("server", LinkKind::Ethernet), ("any", LinkKind::Sll), ("any", LinkKind::Sll2)]
        {
            let mut wire = Wire::new(device, link);
            let mut runner = TestRunner::deterministic();
            let strategy = wild();
            let drawn =
                std::iter::repeat_with(|| strategy.new_tree(&mut runner).unwrap().current());
            let mut arrived = 0;
            for wild in drawn.filter(|wild| wild.link == LinkKind::Ethernet).take(CASES) {
                arrived += wire.try_out(&wild);
            }
            println!("{arrived} frames arrived at {device}");
            assert!(arrived > CASES);
        }
    });
}

/// Runs a function in a thread with its own network, where what is sent to `client` arrives at `server`.
fn on_a_wire_of_its_own(test: impl FnOnce() + Send + 'static) {
    const WIRE: &str = "
        ip link add client type veth peer name server
        for device in client server; do
            echo 1 > /proc/sys/net/ipv6/conf/$device/disable_ipv6 || true
            ip link set $device up
        done
        until ip -o link show server | grep -q 'state UP'; do sleep 0.01; done";
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        // Frames that are sent on one processor arrive in order.
        let mut processor = CpuSet::new();
        processor.set(nix::sched::sched_getcpu().unwrap()).unwrap();
        sched_setaffinity(Pid::from_raw(0), &processor).unwrap();
        let outcome = finish(Command::new("sh").args(["-ec", WIRE]));
        assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
        test();
    });
    thread.join().unwrap();
}

struct Wire {
    client: Capture<Active>,
    server: Capture<Active>,
    link: LinkKind,
}

impl Wire {
    fn new(device: &str, link: LinkKind) -> Self {
        let open = |device: &str| {
            let capture = Capture::from_device(device).unwrap();
            // A shorter snapshot leaves space for more frames.
            let capture = capture.snaplen(512);
            capture.promisc(true).immediate_mode(true).open().unwrap().setnonblock().unwrap()
        };
        let (client, mut server) = (open("client"), open(device));
        server.set_datalink(Linktype(i32::from(link.dlt()))).unwrap();
        server.direction(Direction::In).unwrap();
        Self { client, server, link }
    }

    /// Sends frames, and returns how many arrived through the exact filter.
    fn try_out(&mut self, wild: &Wild) -> usize {
        let setting = &wild.setting;
        let doors = boundary::doors(&setting.doors);
        let listening = listening(setting);
        let is_ethernet = self.link == LinkKind::Ethernet;
        let framing = if is_ethernet { Framing::Ethernet } else { Framing::Cooked };
        if !self.set_filter(&doors, &listening, framing) {
            // Not even the last frame arrives.
            assert!(!wild.frames.iter().any(|frame| admits(&doors, &listening, 1, &frame.bytes)));
            return 0;
        }
        let mut distinct = BTreeSet::new();
        let frames = wild.frames.iter().filter(|frame| {
            is_heard(frame, self.link)
                && distinct.insert(after_link(LinkKind::Ethernet, &frame.bytes).to_vec())
        });
        let frames: Vec<&Frame> = frames.collect();
        for frame in &frames {
            self.client.sendpacket(&frame.bytes[..]).unwrap();
        }
        self.client.sendpacket(LAST).unwrap();
        let arrived = self.arrived();
        let arrived: BTreeSet<&[u8]> =
            arrived.iter().map(|frame| after_link(self.link, frame)).collect();
        let exact: Filter = filters(&doors, &listening, Framing::Ethernet).swap_remove(0);
        for frame in &frames {
            let ip = after_link(LinkKind::Ethernet, &frame.bytes);
            let passes = exact.passes(&seen(LinkKind::Ethernet, &frame.seen_by_kernel)[0]);
            assert_eq!(arrived.contains(ip), passes, "{:?}: {:?}", frame.bytes, exact.program);
            assert!(passes || !admits(&doors, &listening, 1, &frame.bytes));
        }
        arrived.len()
    }

    /// Has the kernel filter, by a program that lets the last frame through, too. Returns `false` if it lets
    /// nothing through at all, because no door can be knocked at.
    fn set_filter(&self, doors: &Doors, listening: &Listening, framing: Framing) -> bool {
        let program = filter::programs(doors, listening, framing).next().unwrap();
        let program: Vec<SockFilter> =
            program.iter().map(|one| SockFilter::new(one.code, one.jt, one.jf, one.k)).collect();
        SockRef::from(&self.server).attach_filter(&program).unwrap();
        program.len() > 1
    }

    /// Returns what arrives before the last frame.
    fn arrived(&mut self) -> Vec<Vec<u8>> {
        let begin = Instant::now();
        let mut frames = Vec::new();
        while begin.elapsed() < Duration::from_mins(1) {
            match self.server.next_packet() {
                Ok(packet) if packet.data.ends_with(b"the last one") => return frames,
                Ok(packet) => frames.push(packet.data.to_vec()),
                Err(Error::TimeoutExpired) => thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("{error}"),
            }
        }
        panic!("the last frame did not arrive: {:?}", self.server.stats());
    }
}

/// Returns whether a frame is sent and arrives whole, filter or no filter.
///
/// The kernel drops frames that end in a VLAN tag. For a frame with a second tag, it gives a cooked
/// capture the type after all tags, so that the second tag, which is still in the frame, cannot be
/// recognized.
fn is_heard(frame: &Frame, link: LinkKind) -> bool {
    let is_tagged_again =
        matches!(frame.seen_by_kernel.get(12..14), Some([0x81, 0] | [0x88, 0xa8]));
    frame.bytes.len() >= 20 && (link == LinkKind::Ethernet || !is_tagged_again)
}

/// Returns what follows the link header and all VLAN tags.
fn after_link(link: LinkKind, frame: &[u8]) -> &[u8] {
    let (type_at, mut at) = match link {
        LinkKind::Sll => (14, 16),
        LinkKind::Sll2 => (0, 20),
        LinkKind::Ethernet => (12, 14),
        LinkKind::Raw
        | LinkKind::Ipv4
        | LinkKind::Ipv6
        | LinkKind::Null
        | LinkKind::Loop
        | LinkKind::Ppp
        | LinkKind::PppHdlc => panic!("no device here is of this kind"),
    };
    let mut ether_type = &frame[type_at..type_at + 2];
    while matches!(ether_type, [0x81 | 0x91, 0] | [0x88, 0xa8]) && frame.len() >= at + 4 {
        ether_type = &frame[at + 2..at + 4];
        at += 4;
    }
    &frame[at..]
}

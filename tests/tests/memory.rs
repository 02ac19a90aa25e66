//! The engine allocates nothing for a packet, and no more than its limit allows.

#![cfg(test)]
#![allow(clippy::arithmetic_side_effects, reason = "an overflow in a test is how it fails")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;

use knock_compat::{Engine, Rules};
use knock_config as config;
use knock_engine::{
    Doors, Event, Limits, Listening, Packet, Port, TcpFlags, TcpHeader, Timestamp, Transport,
};
use knock_tests::drive;

/// Counts the allocations of the current thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(allocations: u64, bytes: i64) {
    ALLOCATIONS.with(|counter| counter.set(counter.get() + allocations));
    BYTES.with(|counter| counter.set(counter.get() + bytes));
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[expect(unsafe_code, reason = "an allocator is unsafe by nature; this one hands on to another")]
// SAFETY: Every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: The caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -signed(layout.size()));
        // SAFETY: The caller keeps the contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(1, signed(new_size) - signed(layout.size()));
        // SAFETY: The caller keeps the contract.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CONF: &[u8] = b"
[openSSH]
    sequence      = 7000,8000,9000
    seq_timeout   = 5
    tcpflags      = syn
    start_command = open %IP%
    stop_command  = close %IP%
[closeSSH]
    sequence      = 9000,8000,7000
    tcpflags      = syn
    command       = close %IP%
";

fn engine(limit: u32) -> Engine {
    let config = config::parse(CONF).config.unwrap();
    let doors = config.doors.into_iter().map(|door| door.door()).collect();
    let limits = Limits { attempts: NonZeroU32::new(limit).unwrap(), ..Limits::default() };
    Rules::Knock.engine(Doors::new(doors).unwrap(), Listening::everywhere(), &limits)
}

fn syn(client: u32, port: u16, sequence_number: u32) -> Event {
    let header = TcpHeader { sequence_number: Some(sequence_number), flags: Some(TcpFlags::SYN) };
    Event::Packet(Packet {
        source: Ipv4Addr::from_bits(client.wrapping_add(1).wrapping_mul(0x9e37_79b1) & 0x7fff_ffff)
            .into(),
        destination: IpAddr::V4(Ipv4Addr::LOCALHOST),
        source_port: Port(40_000),
        destination_port: Port(port),
        transport: Transport::Tcp(header),
    })
}

/// Hands an event over and returns how many effects it has.
fn handle(engine: &mut Engine, at_micros: i64, event: Event) -> usize {
    let mut effects = 0;
    drive::tell(engine, Timestamp::from_nanos(at_micros * 1000), event, |_, _| effects += 1);
    effects
}

/// Knocks, retransmissions, wrong knocks, unwanted packets, timeouts: one second of each client in turn.
fn traffic(engine: &mut Engine, clients: std::ops::Range<u32>) -> usize {
    let mut effects = 0;
    for client in clients {
        let at = i64::from(client) * 1000;
        let knocks = [(7000, 1), (7000, 1), (8000, 2), (8000, 2), (9000, 3), (9000, 3), (1, 4)];
        for (port, number) in knocks {
            effects += handle(engine, at, syn(client, port, number));
        }
        effects += handle(engine, at, syn(client | 0x4000_0000, 7000, 5));
        effects += handle(engine, at, syn(client | 0x2000_0000, 9000, 6));
        effects += handle(engine, at, syn(client | 0x2000_0000, 7000, 7));
    }
    effects
}

#[test]
fn a_packet_allocates_nothing_once_the_tables_are_as_large_as_the_traffic_needs() {
    let mut engine = engine(1_000_000);
    // Past all timeouts, so that the tables have reached their final size.
    traffic(&mut engine, 0..60_000);
    let before = ALLOCATIONS.with(Cell::get);
    let effects = traffic(&mut engine, 60_000..70_000);
    let allocated = ALLOCATIONS.with(Cell::get) - before;
    assert!(effects > 100_000, "only {effects} effects");
    assert_eq!(allocated, 0);
}

#[test]
fn an_attempt_takes_less_than_200_bytes() {
    const ATTEMPTS: u32 = 200_000;
    let before = BYTES.with(Cell::get);
    let mut engine = engine(ATTEMPTS);
    for client in 0..ATTEMPTS {
        handle(&mut engine, 0, syn(client, 7000, client));
    }
    assert_eq!(engine.live_attempts(), 200_000);
    let each = (BYTES.with(Cell::get) - before) / i64::from(ATTEMPTS);
    assert!((64..200).contains(&each), "{each} bytes for each attempt");
}

#[test]
fn at_the_limit_memory_grows_no_more() {
    let mut engine = engine(1000);
    let flood = |engine: &mut Engine, clients: std::ops::Range<u32>| {
        for client in clients {
            handle(engine, 0, syn(client, 7000, client));
            handle(engine, 0, syn(client, 8000, client));
            handle(engine, 0, syn(client, 9000, client | 1));
        }
    };
    flood(&mut engine, 0..20_000);
    let before = BYTES.with(Cell::get);
    flood(&mut engine, 20_000..100_000);
    assert_eq!(BYTES.with(Cell::get) - before, 0);
    let counts = engine.counts();
    assert!(counts.refused > 0 && counts.forgotten_knocks > 0, "{counts:?}");
    assert!(engine.live_attempts() <= 1000);
}

#[test]
fn a_jump_in_time_over_many_deadlines_takes_no_memory() {
    let mut engine = engine(1_000_000);
    for client in 0..100_000 {
        handle(&mut engine, 0, syn(client, 7000, client));
    }
    let before = BYTES.with(Cell::get);
    engine.handle(Timestamp::MAX, Event::DeadlineReached);
    let mut effects = 0;
    let mut peak = 0;
    while engine.poll_effect().is_some() {
        effects += 1;
        peak = peak.max(BYTES.with(Cell::get) - before);
    }
    assert_eq!(effects, 100_000);
    assert_eq!(peak, 0);
}

/// Returns the bytes that all clients take whose first knock is that of all doors.
fn bytes_of_clients(doors: u32) -> i64 {
    const CLIENTS: u32 = 300;
    let door = |number| format!("[d{number}]\nsequence = 7000,{},9000\n", number + 1);
    let text: String = (0..doors).map(door).collect();
    let config = config::parse(text.as_bytes()).config.unwrap();
    let doors = Doors::new(config.doors.into_iter().map(|door| door.door()).collect()).unwrap();
    let all = doors.len() * usize::try_from(CLIENTS).unwrap();
    let limits =
        Limits { attempts: NonZeroU32::new(2_000_000).unwrap(), hash_seed: 1, ..Limits::default() };
    let mut engine = Rules::Knock.engine(doors, Listening::everywhere(), &limits);
    let before = BYTES.with(Cell::get);
    for client in 0..CLIENTS {
        handle(&mut engine, 1, syn(client, 7000, client | 1));
    }
    assert_eq!(engine.live_attempts(), all);
    BYTES.with(Cell::get) - before
}

/// More attempts than there is space reserved for at the start: each door of a client must not take
/// memory of its own. The buffer for the effects of one packet has room for each door.
#[test]
fn doors_that_share_a_first_knock_take_no_memory_of_their_own() {
    let (one, many) = (bytes_of_clients(1), bytes_of_clients(4000));
    let buffers = 4096 * 64 * 2;
    assert!(many <= 3 * one + buffers, "{many} bytes, for one door {one}");
}

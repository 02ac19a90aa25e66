//! The engine alone: packets in, effects out.
//!
//! The packets are those of `scripts/bench-replay`, without a capture around them.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a benchmark may end at its first fault"
)]

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use knock_engine::{
    ANTICIPATED, CommandsEnd, Door, DoorName, DoorSequence, Doors, Engine, Event, FlagRule, Knock,
    Limits, Listening, Packet, Port, Protocol, Seconds, Sequence, TcpFlags, TcpHeader, Timestamp,
    Transport,
};

fn main() {
    divan::main();
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn knock(port: u16) -> Knock {
    Knock { port: Port(port), protocol: Protocol::Tcp }
}

fn door(name: &str, ports: [u16; 3]) -> Door {
    let sequence = Sequence::new(ports.map(knock).to_vec()).unwrap();
    Door {
        seq_timeout: Seconds::new(5).unwrap(),
        flags: FlagRule::default().want(TcpFlags::SYN),
        ..Door::new(DoorName::new(name.as_bytes()), DoorSequence::Fixed(sequence))
    }
}

fn engine_with(doors: Vec<Door>) -> Engine {
    Engine::new(Doors::new(doors).unwrap(), Listening::at([LOCAL]), &Limits::default())
}

fn engine() -> Engine {
    engine_with(vec![door("openSSH", [7000, 8000, 9000]), door("closeSSH", [9000, 8000, 7000])])
}

/// A SYN from the client of this number, whose addresses jump about as spoofed ones do.
fn syn(client: u32, port: u16) -> Packet {
    let header = TcpHeader { sequence_number: Some(client | 1), flags: Some(TcpFlags::SYN) };
    Packet {
        source: Ipv4Addr::from_bits(client.wrapping_add(1).wrapping_mul(0x9e37_79b1) & 0x7fff_ffff)
            .into(),
        destination: LOCAL,
        source_port: Port(40_000),
        destination_port: Port(port),
        transport: Transport::Tcp(header),
    }
}

/// Hands over packets a microsecond apart, several at a time, and answers commands at once.
fn play(engine: &mut Engine, packets: impl Iterator<Item = Packet>) -> u64 {
    let mut effects = 0;
    let mut stamped = (0..).step_by(1000).map(Timestamp::from_nanos).zip(packets);
    let mut batch = Vec::with_capacity(ANTICIPATED);
    loop {
        batch.extend(stamped.by_ref().take(ANTICIPATED));
        if batch.is_empty() {
            return effects;
        }
        engine.anticipate(batch.iter().map(|(_, packet)| packet));
        for (at, packet) in batch.drain(..) {
            effects += drive(engine, at, Event::Packet(packet));
        }
    }
}

fn drive(engine: &mut Engine, at: Timestamp, event: Event) -> u64 {
    let mut effects = 0;
    let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, _| {
        effects += 1;
        Ok::<(), Infallible>(())
    });
    effects
}

/// Every packet is the first knock of a new client.
#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 10)]
fn first_knocks(bencher: Bencher<'_, '_>, clients: u32) {
    bencher
        .counter(ItemsCount::new(clients))
        .with_inputs(engine)
        .bench_values(|mut engine| play(&mut engine, (0..clients).map(|client| syn(client, 7000))));
}

/// The same, and then all attempts time out.
#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 10)]
fn first_knocks_and_timeouts(bencher: Bencher<'_, '_>, clients: u32) {
    bencher.counter(ItemsCount::new(clients)).with_inputs(engine).bench_values(|mut engine| {
        let mut effects = play(&mut engine, (0..clients).map(|client| syn(client, 7000)));
        effects += drive(&mut engine, Timestamp::MAX, Event::DeadlineReached);
        effects
    });
}

/// Whole knocks of honest clients, with a given number of other attempts pending.
#[divan::bench(args = [0, 1_000, 1_000_000], sample_count = 10)]
fn openings_among_attempts(bencher: Bencher<'_, '_>, others: u32) {
    const OPENINGS: u32 = 10_000;
    let with_others = || {
        let mut engine = engine();
        play(&mut engine, (0..others).map(|client| syn(client, 7000)));
        engine
    };
    bencher.counter(ItemsCount::new(OPENINGS * 3)).with_inputs(with_others).bench_values(
        |mut engine| {
            let clients = (0..OPENINGS).map(|client| client | 0x4000_0000);
            let knocks =
                clients.flat_map(|client| [7000, 8000, 9000].map(|port| syn(client, port)));
            play(&mut engine, knocks)
        },
    );
}

/// Packets for no door.
#[divan::bench(sample_count = 10)]
fn other_traffic(bencher: Bencher<'_, '_>) {
    const PACKETS: u32 = 1_000_000;
    bencher.counter(ItemsCount::new(PACKETS)).with_inputs(engine).bench_values(|mut engine| {
        let port = |number: u32| u16::try_from(number % 6000).unwrap();
        black_box(play(&mut engine, (0..PACKETS).map(|number| syn(number, port(number)))))
    });
}

/// Knocks at doors that share their first knock: items are lines of the transcript, of which the first
/// knock and the timeouts print one for each door.
#[divan::bench(args = [1, 100, 1_000, 4_000], sample_count = 10)]
fn doors_that_share_a_first_knock(bencher: Bencher<'_, '_>, doors: u16) {
    const CLIENTS: u32 = 20;
    let shared =
        || engine_with((0..doors).map(|number| door("d", [7000, 10_000 + number, 9000])).collect());
    let run = |mut engine: Engine| {
        let knocks = (0..CLIENTS)
            .flat_map(|client| [7000, 10_000, 9000].map(|port| syn(client, port)))
            .chain((CLIENTS..2 * CLIENTS).map(|client| syn(client, 7000)));
        let mut effects = play(&mut engine, knocks);
        effects += drive(&mut engine, Timestamp::MAX, Event::DeadlineReached);
        effects
    };
    let lines = run(shared());
    bencher.counter(ItemsCount::new(lines)).with_inputs(shared).bench_values(run);
}

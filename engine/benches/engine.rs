//! The engine alone: packets in, effects out.
//!
//! The streams are those of `scripts/bench-replay`, without the capture around them.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "a benchmark may end at its first fault"
)]

use std::net::{IpAddr, Ipv4Addr};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use knock_engine::{
    CommandStatus, Commands, Door, DoorName, DoorSequence, Doors, Effect, Engine, Event, FlagRule,
    Knock, Limits, Listening, OnReknock, Packet, Port, Protocol, Seconds, Sequence, TcpFlags,
    TcpHeader, Timestamp, Transport,
};

fn main() {
    divan::main();
}

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn engine() -> Engine {
    let knock = |port| Knock { port: Port(port), protocol: Protocol::Tcp };
    let door = |name: &str, ports: [u16; 3]| Door {
        name: DoorName::new(name.as_bytes()),
        sequence: DoorSequence::Fixed(Sequence::new(ports.map(knock).to_vec()).unwrap()),
        seq_timeout: Seconds::new(5).unwrap(),
        flags: FlagRule::default().want(TcpFlags::SYN),
        target: None,
        commands: Commands::default(),
        cmd_timeout: Seconds::new(10).unwrap(),
        on_reknock: OnReknock::default(),
        seq_cooldown: None,
    };
    let doors = vec![door("openSSH", [7000, 8000, 9000]), door("closeSSH", [9000, 8000, 7000])];
    Engine::new(Doors::new(doors).unwrap(), Listening::at([LOCAL]), &Limits::default())
}

/// A SYN from the client of this number, whose addresses jump about as spoofed ones do.
fn syn(client: u32, port: u16) -> Packet {
    let header = TcpHeader { sequence_number: Some(client | 1), flags: Some(TcpFlags::SYN) };
    Packet {
        source: Ipv4Addr::from_bits(client.wrapping_mul(0x9e37_79b1)).into(),
        destination: LOCAL,
        source_port: Port(40_000),
        destination_port: Port(port),
        transport: Transport::Tcp(header),
    }
}

/// Hands packets over a microsecond apart, some at a time, and answers commands at once.
fn play(engine: &mut Engine, packets: impl Iterator<Item = Packet>) -> u64 {
    const AT_ONCE: usize = 16;
    let mut effects = 0;
    let mut stamped = (0..).step_by(1000).map(Timestamp::from_nanos).zip(packets);
    let mut batch = Vec::with_capacity(AT_ONCE);
    loop {
        batch.extend(stamped.by_ref().take(AT_ONCE));
        if batch.is_empty() {
            return effects;
        }
        for (_, packet) in &batch {
            engine.anticipate(packet);
        }
        for (at, packet) in batch.drain(..) {
            engine.handle(at, Event::Packet(packet));
            effects += drain(engine);
        }
    }
}

fn drain(engine: &mut Engine) -> u64 {
    let mut effects = 0;
    while let Some(timed) = engine.poll_effect() {
        effects += 1;
        if let Effect::RunCommand { run, .. } = timed.effect {
            let status = CommandStatus::SUCCESS;
            engine.handle(timed.at, Event::CommandEnded { run, status });
        }
    }
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
        engine.handle(Timestamp::MAX, Event::DeadlineReached);
        effects += drain(&mut engine);
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
            let clients = (0..OPENINGS).map(|client| client | 0x8000_0000);
            let knocks =
                clients.flat_map(|client| [7000, 8000, 9000].map(|port| syn(client, port)));
            play(&mut engine, knocks)
        },
    );
}

/// Packets that no door wants.
#[divan::bench(sample_count = 10)]
fn other_traffic(bencher: Bencher<'_, '_>) {
    const PACKETS: u32 = 1_000_000;
    bencher.counter(ItemsCount::new(PACKETS)).with_inputs(engine).bench_values(|mut engine| {
        let port = |number: u32| u16::try_from(number % 6000).unwrap();
        black_box(play(&mut engine, (0..PACKETS).map(|number| syn(number, port(number)))))
    });
}

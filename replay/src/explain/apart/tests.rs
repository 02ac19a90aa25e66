//! Tests of an observer that follows its engine.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use fastrand::Rng;
use knock_engine::{Event, Limits, Packet, Port, Transport};

use super::*;
use crate::args::Whom;
use crate::explain::Explainer;
use crate::session::names::PacketId;

/// What an observer was told, and what it saw, in words.
type Told = Vec<String>;

fn doors() -> Doors {
    let conf = b"[a]\nsequence = 1:udp,2:udp,3:udp\ncommand = x\nseq_timeout = 5\n\
        [b]\nsequence = 1:udp,3:udp\ncommand = x\nstop_command = y\ncmd_timeout = 2\n";
    let config = knock_config::parse(conf).config.unwrap();
    let doors = config.doors.iter().map(knock_config::DoorConfig::door).collect();
    Doors::new(doors).unwrap()
}

fn explainer(doors: &Doors) -> Explainer {
    let (listening, limits) = (Listening::everywhere(), Limits::default());
    Explainer::new(doors.clone(), listening, &limits, Whom::All).with_pairs(500)
}

/// Packets of many clients at once, of few again and again, changes of addresses, and much time without either.
fn inputs(rng: &mut Rng) -> Vec<Incoming> {
    let mut at = Timestamp::EPOCH;
    let mut input = |number: u64| {
        let wait = if rng.u8(..) == 0 { rng.i64(0..8_000_000_000) } else { rng.i64(0..1000) };
        at = Timestamp::from_nanos(at.as_nanos().saturating_add(wait));
        if rng.u8(..) < 2 {
            let all = [1, 2].map(|last| IpAddr::from([10, 0, 0, last]));
            let some = all.into_iter().filter(|_| rng.bool());
            return Incoming { at, what: What::Addresses(Listening::at(some)) };
        }
        let client = if rng.u8(..) < 64 { rng.u32(..6) } else { rng.u32(..) };
        let packet = Packet {
            source: Ipv4Addr::from_bits(0x0b00_0000 | client >> 8).into(),
            destination: [10, 0, 0, rng.u8(1..3)].into(),
            source_port: Port(9),
            destination_port: Port(*rng.choice(&[1, 1, 1, 2, 3, 9]).unwrap()),
            transport: Transport::Udp,
        };
        let id = PacketId { capture: 0, number };
        Incoming { at, what: What::Packet { id, vlan: None, event: Event::Packet(packet) } }
    };
    (1..=10_000).map(&mut input).collect()
}

/// Lets the observer be beside its engine.
fn beside(doors: &Doors, inputs: &[Incoming]) -> Told {
    let mut explainer = explainer(doors);
    let (mut told, mut seen) = (Vec::new(), Vec::new());
    for input in inputs.iter().chain(&[Incoming::time(Timestamp::MAX)]) {
        let listening = match &input.what {
            What::Addresses(listening) => listening.clone(),
            What::Packet { .. } | What::Unreadable { .. } | What::Time => {
                explainer.listening().clone()
            }
        };
        let see = |timed: &TimedEffect| seen.push(format!("{timed:?}"));
        explainer.step(input, see, &mut |pair, one| {
            told.push(format!("{pair} {one:?} {listening:?}"));
        });
    }
    told.extend(seen);
    told.push(format!("{:?} {:?}", explainer.counts(), explainer.totals()));
    told
}

/// Counts what is given to others.
struct Counted {
    given: usize,
    spare: Option<Vec<Incoming>>,
}

impl Company<Incoming> for Counted {
    fn begin(&mut self, piece: &Arc<Vec<Incoming>>) {
        self.given = self.given.saturating_add(piece.len());
    }

    fn happens(&mut self, _: usize, _: &TimedEffect) {}

    fn end(&mut self, piece: Arc<Vec<Incoming>>) {
        self.spare = Some(Arc::into_inner(piece).expect("a piece that the engine is done with"));
    }

    fn spare(&mut self) -> Vec<Incoming> {
        self.spare.take().unwrap_or_default()
    }
}

/// Lets the observer follow its engine, which gets pieces of this size.
fn apart(doors: &Doors, inputs: &[Incoming], size: usize) -> Told {
    let mut explainer = explainer(doors);
    let mut listening = Listening::everywhere();
    let (mut told, mut seen) = (Vec::new(), Vec::new());
    let (engine, observer) = explainer.parts();
    thread::scope(|scope| {
        let (mut engine_end, observer_end) = ends();
        scope.spawn(move || {
            for piece in inputs.chunks(size) {
                engine_end.play(engine, &mut piece.to_vec()).ok().unwrap();
            }
            engine_end.end(engine).ok().unwrap();
        });
        let mut company = Counted { given: 0, spare: None };
        let mut see = |timed: &TimedEffect| seen.push(format!("{timed:?}"));
        let follower = Follower::new(observer, doors, &mut listening);
        let result = follower.follow_all(
            &observer_end,
            &mut company,
            &mut see,
            &mut |pair, one, listening| {
                told.push(format!("{pair} {one:?} {listening:?}"));
                Ok(())
            },
        );
        assert!(result.is_ok());
        assert_eq!(company.given.checked_sub(1), Some(inputs.len()), "the last one is time");
    });
    told.extend(seen);
    told.push(format!("{:?} {:?}", explainer.counts(), explainer.totals()));
    told
}

#[test]
fn an_observer_on_another_thread_explains_the_same() {
    let doors = doors();
    for seed in 0..6 {
        let inputs = inputs(&mut Rng::with_seed(seed));
        let expected = beside(&doors, &inputs);
        for size in [1, 100, 1024, 20_000] {
            let told = apart(&doors, &inputs, size);
            let differs = expected.iter().zip(&told).position(|(one, other)| one != other);
            assert_eq!(differs, None, "seed {seed}, pieces of {size}");
            assert_eq!(expected.len(), told.len(), "seed {seed}, pieces of {size}");
        }
    }
}

/// So that the observer gets it piece by piece, however many attempts time out at once.
#[test]
fn what_one_input_does_is_in_parts_if_it_is_much() {
    let (doors, mut sizes) = (doors(), Vec::new());
    let inputs: Vec<Incoming> =
        (7..10).flat_map(|seed| inputs(&mut Rng::with_seed(seed))).collect();
    let first = |input: &&Incoming| {
        input.decoded().is_some_and(|packet| packet.destination_port == Port(1))
    };
    let inputs: Vec<Incoming> = inputs.iter().filter(first).cloned().collect();
    let mut explainer = explainer(&doors);
    let (engine, _) = explainer.parts();
    let inputs = inputs.into_iter().map(|input| Incoming { at: Timestamp::EPOCH, ..input });
    thread::scope(|scope| {
        let (mut engine_end, observer_end) = ends();
        scope.spawn(move || {
            engine_end.play(engine, &mut inputs.collect()).ok().unwrap();
            engine_end.end(engine).ok().unwrap();
        });
        sizes.extend(observer_end.parts.iter().map(|part| (part.effects.len(), part.is_last())));
    });
    assert!(sizes.iter().all(|&(effects, _)| effects <= EFFECTS), "{sizes:?}");
    let pieces = sizes.iter().filter(|(_, is_last)| *is_last).count();
    assert!(pieces == 2 && sizes.len() > 4, "{sizes:?}");
}

#[test]
fn an_engine_ends_when_nobody_follows_it() {
    let doors = doors();
    let mut explainer = explainer(&doors);
    let (mut engine_end, observer_end) = ends();
    drop(observer_end);
    let (engine, _) = explainer.parts();
    let mut inputs = inputs(&mut Rng::with_seed(8));
    assert!(engine_end.play(engine, &mut inputs).is_err());
}

/// The engine is far ahead then, and waits for room.
#[test]
fn the_first_error_of_whoever_gets_explanations_ends_all() {
    let doors = doors();
    let all: Vec<Incoming> = (7..20).flat_map(|seed| inputs(&mut Rng::with_seed(seed))).collect();
    let mut explainer = explainer(&doors);
    let mut listening = Listening::everywhere();
    let (engine, observer) = explainer.parts();
    let (mut taken, mut played) = (0, 0);
    thread::scope(|scope| {
        let (mut engine_end, observer_end) = ends();
        let thread = scope.spawn(move || {
            let mut pieces = all.chunks(1000);
            pieces.position(|piece| engine_end.play(engine, &mut piece.to_vec()).is_err())
        });
        let mut company = Counted { given: 0, spare: None };
        let follower = Follower::new(observer, &doors, &mut listening);
        let result =
            follower.follow_all(&observer_end, &mut company, &mut |_| {}, &mut |_, _, _| {
                taken += 1;
                if taken < 500 { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
            });
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        drop(observer_end);
        played = thread.join().unwrap().expect("an engine that does not go on for ever");
    });
    assert_eq!(taken, 500);
    assert!(played <= WAITING + 2, "{played} pieces");
}

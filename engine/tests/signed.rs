//! Signed packets: whom they open a door for, and why others open nothing.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::IpAddr;
use std::num::{NonZeroU8, NonZeroU32};

use knock_engine::{
    Admission, Admits, Command, CommandStatus, Commands, CommandsEnd, Door, DoorName, DoorSequence,
    Doors, Effect, Engine, Event, Knock, Limits, Listening, MarkId, OpenPorts, Packet, Port,
    PortRange, Protocol, Seconds, Sequence, SignedDoor, Signing, Sources, Timestamp, Transport,
    User, UserKey, Users,
};
use knock_signed::{Digest, Key, KeyId, Moment, PACKET_BYTES, PacketKey, Refusal, Verb};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const SECOND: i64 = 1_000_000_000;

/// Some time of day.
const BEGIN: i64 = 1_764_806_430 * SECOND;

const SERVER: &[u8] = b"home.example.com";
const PORT: Port = Port(62_201);

fn key(byte: u8) -> PacketKey {
    Key::take(&mut [byte; 32]).for_packets()
}

fn user(name: &str, byte: u8) -> UserKey {
    UserKey { user: User::new(name.as_bytes()), key: key(byte), doors: vec![], until: None }
}

fn door(name: &str, users: Users, admits: Admits) -> Door {
    let signed = Some(SignedDoor { users, admits });
    Door { signed, ..Door::new(DoorName::new(name.as_bytes()), DoorSequence::None) }
}

fn doors(doors: Vec<Door>, keys: Vec<UserKey>) -> Doors {
    let signing = Signing::new(PORT, SERVER, Signing::SKEW_DEFAULT, keys).unwrap();
    Doors::new(doors).unwrap().with_signing(signing)
}

fn engine(doors: Doors) -> Engine {
    Engine::new(doors, Listening::everywhere(), &Limits::default())
}

/// Returns what a right packet for the door SSH says at a time.
fn packet(at: i64) -> knock_signed::Packet {
    knock_signed::Packet {
        verb: Verb::Open,
        prefix: None,
        seconds: None,
        moment: Moment::from_nanos(at),
        admit: None,
        server: Digest::of_server(SERVER),
        door: Digest::of_door(b"SSH"),
    }
}

fn client(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn event(source: IpAddr, payload: [u8; PACKET_BYTES]) -> Event {
    let packet = Packet {
        source,
        destination: [10, 0, 0, 1].into(),
        source_port: Port(40_000),
        destination_port: PORT,
        transport: Transport::Udp,
    };
    Event::SignedPacket(packet, Box::new(payload))
}

/// Hands over an event. Returns its effects.
fn drive(engine: &mut Engine, at: i64, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    let at = Timestamp::from_nanos(at);
    let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, timed| {
        effects.push(timed.effect);
        Ok::<(), Infallible>(())
    });
    effects
}

/// Returns for whom a packet of a key opens a door of two users, alice and bob, or why it does not.
fn outcome(said: &knock_signed::Packet, byte: u8, admits: Admits) -> Result<IpAddr, Refusal> {
    outcome_at(said, byte, door("SSH", Users::Named(vec![User::new(b"alice")]), admits))
}

fn outcome_at(said: &knock_signed::Packet, byte: u8, door: Door) -> Result<IpAddr, Refusal> {
    let doors = doors(vec![door], vec![user("alice", 1), user("bob", 2)]);
    let mut engine = engine(doors).presuming_marks();
    let effects = drive(&mut engine, BEGIN, event(client(1), key(byte).seal(said, &[7; 24])));
    let is_outcome = |effect: &&Effect| !matches!(effect, Effect::MarkMoment { .. });
    match effects.iter().find(is_outcome) {
        Some(Effect::Opened { client, .. }) => Ok(*client),
        Some(Effect::NotSigned { why, .. }) => Err(*why),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_packet_opens_its_door_for_its_sender() {
    assert_eq!(outcome(&packet(BEGIN), 1, Admits::Source), Ok(client(1)));
}

#[test]
fn every_check_has_its_reason() {
    let right = packet(BEGIN);
    let of = |said: &knock_signed::Packet| outcome(said, 1, Admits::Source);
    assert_eq!(outcome(&right, 9, Admits::Source), Err(Refusal::HintUnknown));
    assert_eq!(outcome(&right, 2, Admits::Source), Err(Refusal::DoorForbidden));
    let other = knock_signed::Packet { door: Digest::of_door(b"ssh"), ..right };
    assert_eq!(of(&other), Err(Refusal::DoorUnknown));
    let other = knock_signed::Packet { server: Digest::of_server(b"other.example.com"), ..right };
    assert_eq!(of(&other), Err(Refusal::OtherServer));
    let wide = knock_signed::Packet { prefix: NonZeroU8::new(24), admit: Some(client(1)), ..right };
    assert_eq!(of(&wide), Err(Refusal::PrefixForbidden));
    let one = knock_signed::Packet { prefix: NonZeroU8::new(32), admit: Some(client(1)), ..right };
    assert_eq!(of(&one), Ok(client(1)));
}

#[test]
fn a_clock_may_be_wrong_by_a_minute() {
    for (by, opens) in [(-60, true), (60, true), (-61, false), (61, false)] {
        let said = packet(BEGIN + by * SECOND);
        let found = outcome(&said, 1, Admits::Source);
        let ahead = by * SECOND;
        let expected = if opens { Ok(client(1)) } else { Err(Refusal::ClockOff { ahead }) };
        assert_eq!(found, expected, "{by}");
    }
    assert_eq!(
        outcome(&packet(BEGIN + 200 * SECOND), 1, Admits::Source),
        Err(Refusal::HintUnknown)
    );
}

#[test]
fn the_address_that_a_door_opens_for_is_that_of_its_rule() {
    let named = |admit| knock_signed::Packet { admit, ..packet(BEGIN) };
    let of =
        |admits| [None, Some(client(1)), Some(client(2))].map(|to| outcome(&named(to), 1, admits));
    let differs = Err(Refusal::AddressMismatch);
    assert_eq!(of(Admits::Source), [Ok(client(1)), Ok(client(1)), differs]);
    assert_eq!(of(Admits::Packet), [Ok(client(1)), Ok(client(1)), Ok(client(2))]);
    assert_eq!(of(Admits::Both), [differs, Ok(client(1)), differs]);
    let multicast = named(Some([224, 0, 0, 1].into()));
    assert_eq!(outcome(&multicast, 1, Admits::Packet), Err(Refusal::AddressForbidden));
    let deny = vec![knock_engine::Prefix::host(client(2))];
    let sources = Sources::new(vec![], deny).unwrap();
    let door = Door { sources, ..door("SSH", Users::Any, Admits::Packet) };
    assert_eq!(
        outcome_at(&named(Some(client(2))), 1, door.clone()),
        Err(Refusal::AddressForbidden)
    );
    assert_eq!(outcome_at(&named(Some(client(3))), 1, door), Ok(client(3)));
}

#[test]
fn a_key_opens_only_its_doors_and_only_until_its_day() {
    let open = |key: UserKey, at: i64| {
        let all = doors(vec![door("SSH", Users::Any, Admits::Source)], vec![key]);
        let mut engine = engine(all).presuming_marks();
        let payload = self::key(1).seal(&packet(at), &[7; 24]);
        drive(&mut engine, at, event(client(1), payload))
    };
    let opens = |effects: Vec<Effect>| matches!(effects[1], Effect::Opened { .. });
    let why = |effects: Vec<Effect>| {
        let Effect::NotSigned { why, .. } = effects[0] else { panic!("{effects:?}") };
        why
    };
    let of = |name: &str| UserKey { doors: vec![DoorName::new(name.as_bytes())], ..user("a", 1) };
    assert!(opens(open(of("SSH"), BEGIN)));
    assert_eq!(why(open(of("web"), BEGIN)), Refusal::DoorForbidden);
    let until = UserKey { until: Some(Timestamp::from_nanos(BEGIN)), ..user("a", 1) };
    assert!(opens(open(until.clone(), BEGIN - 1)));
    assert_eq!(why(open(until, BEGIN)), Refusal::KeyExpired);
}

#[test]
fn a_door_is_open_for_as_long_as_wished_and_no_longer_than_it_allows() {
    for (wish, lasts) in [(None, 3600), (NonZeroU32::new(60), 60), (NonZeroU32::new(9000), 3600)] {
        let range = PortRange::new(Protocol::Tcp, Port(22), Port(22)).unwrap();
        let ports = OpenPorts::new(vec![range]).unwrap();
        let admission = Some(Admission { ports, lasts: Admission::DEFAULT_LASTS, max: None });
        let door = Door { admission, ..door("SSH", Users::Any, Admits::Source) };
        let mut engine = engine(doors(vec![door], vec![user("a", 1)])).presuming_marks();
        let said = knock_signed::Packet { seconds: wish, ..packet(BEGIN) };
        let effects = drive(&mut engine, BEGIN, event(client(1), key(1).seal(&said, &[7; 24])));
        let admitted = effects.iter().find_map(|effect| {
            let Effect::Admit { lasts, .. } = effect else { return None };
            Some(*lasts)
        });
        assert_eq!(admitted, Seconds::new(lasts), "{wish:?}");
    }
}

#[test]
fn a_packet_that_was_changed_opens_nothing() {
    let all = doors(vec![door("SSH", Users::Any, Admits::Source)], vec![user("a", 1)]);
    let mut engine = engine(all).presuming_marks();
    let right = key(1).seal(&packet(BEGIN), &[7; 24]);
    for bit in 0..PACKET_BYTES * 8 {
        let mut changed = right;
        changed[bit / 8] ^= 1 << (bit % 8);
        let effects = drive(&mut engine, BEGIN, event(client(1), changed));
        let is_refused = matches!(effects[..], [Effect::NotSigned { .. }]);
        assert!(is_refused, "{bit}: {effects:?}");
    }
    let effects = drive(&mut engine, BEGIN, event(client(1), right));
    assert!(matches!(effects[1], Effect::Opened { .. }), "{effects:?}");
}

#[test]
fn a_packet_to_the_port_of_signed_ones_may_be_a_knock_as_well() {
    let knock = Knock { port: PORT, protocol: Protocol::Udp };
    let sequence = DoorSequence::Fixed(Sequence::new(vec![knock, knock]).unwrap());
    let all = doors(
        vec![Door { sequence, ..door("SSH", Users::Any, Admits::Source) }],
        vec![user("a", 1)],
    );
    let mut engine = engine(all).presuming_marks();
    let garbage = event(client(1), [0; PACKET_BYTES]);
    let reached = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::StageReached { .. }))
    };
    assert!(reached(&drive(&mut engine, BEGIN, garbage)));
    // It is counted once.
    assert_eq!((engine.counts().admitted, engine.counts().not_signed), (1, 1));
}

#[test]
fn packets_that_may_be_signed_count_as_admitted() {
    let all = doors(vec![door("SSH", Users::Any, Admits::Source)], vec![user("a", 1)]);
    let mut engine = engine(all).presuming_marks();
    drive(&mut engine, BEGIN, event(client(1), [0; PACKET_BYTES]));
    drive(&mut engine, BEGIN, event(client(1), key(1).seal(&packet(BEGIN), &[7; 24])));
    let counts = engine.counts();
    assert_eq!((counts.admitted, counts.not_signed, counts.opened), (2, 1, 1));
}

#[test]
fn at_the_limit_a_packet_opens_nothing_and_may_be_sent_again() {
    let door = |name| {
        let start = Some(Command::new(b"open"));
        Door {
            commands: Commands { start, ..Commands::default() },
            ..door(name, Users::Any, Admits::Source)
        }
    };
    let all = doors(vec![door("SSH"), door("web")], vec![user("a", 1)]);
    let one = NonZeroU32::new(1).unwrap();
    let limits =
        Limits { leases: one, leases_of_door: one, starts_of_door: one, ..Limits::default() };
    let mut engine = Engine::new(all, Listening::everywhere(), &limits);
    let mut handle = |event: Event| {
        let mut effects = Vec::new();
        let at = Timestamp::from_nanos(BEGIN);
        let Ok(()) = engine.drive(at, event, CommandsEnd::Later, |_, timed| {
            effects.push(timed.effect);
            Ok::<(), Infallible>(())
        });
        effects
    };
    let first = key(1).seal(&packet(BEGIN), &[7; 24]);
    let second = key(1).seal(&packet(BEGIN + 1), &[8; 24]);
    let marked = handle(event(client(1), first));
    let [Effect::MarkMoment { mark, .. }] = marked[..] else { panic!("{marked:?}") };
    // While the first waits for the disk, its command runs, and it is done.
    let refused = |effects: &[Effect]| matches!(effects, [Effect::OpeningRefused { .. }]);
    assert!(refused(&handle(event(client(2), second))));
    let opened = handle(Event::Marked { mark, is_marked: true });
    let [Effect::Opened { .. }, Effect::RunCommand { run, .. }] = opened[..] else {
        panic!("{opened:?}")
    };
    assert!(refused(&handle(event(client(2), second))));
    handle(Event::CommandEnded { run, status: CommandStatus::SUCCESS });
    let again = handle(event(client(2), second));
    assert!(matches!(again[..], [Effect::MarkMoment { .. }]), "{again:?}");
}

/// What happens next.
#[derive(Clone, Debug)]
enum Happening {
    /// A client with a key makes a packet, and it arrives, or the attacker keeps it back.
    Knock {
        user: u8,
        admit: bool,
        arrives: bool,
    },
    /// The attacker sends a packet that it has seen, with the address of a client or its own.
    Repeat {
        back: usize,
        client: u8,
    },
    /// The same, changed.
    Forge {
        back: usize,
        client: u8,
        bit: usize,
    },
    Wait {
        seconds: i64,
    },
    /// The clock of the server is set.
    SetClock {
        by_s: i64,
    },
    /// The runner answers the oldest mark.
    Answer {
        is_marked: bool,
    },
    Reload {
        version: u8,
    },
    /// The process with the engine is killed. The runner has so many of its last messages.
    Kill {
        arrived: usize,
    },
    /// The daemon has lost its file.
    Lose,
}

fn happening() -> impl Strategy<Value = Happening> {
    let client = 1..=3_u8;
    prop_oneof![
        6 => (1..=2_u8, any::<bool>(), prop::bool::weighted(0.7))
            .prop_map(|(user, admit, arrives)| Happening::Knock { user, admit, arrives }),
        6 => (0..20_usize, client.clone())
            .prop_map(|(back, client)| Happening::Repeat { back, client }),
        2 => (0..20_usize, client, 0..PACKET_BYTES * 8)
            .prop_map(|(back, client, bit)| Happening::Forge { back, client, bit }),
        3 => select(vec![1, 5, 30, 61, 130]).prop_map(|seconds| Happening::Wait { seconds }),
        1 => select(vec![-7200, -130, -61, -1, 1, 61, 7200])
            .prop_map(|by_s| Happening::SetClock { by_s }),
        6 => prop::bool::weighted(0.85).prop_map(|is_marked| Happening::Answer { is_marked }),
        1 => (0..3_u8).prop_map(|version| Happening::Reload { version }),
        2 => (0..3_usize).prop_map(|arrived| Happening::Kill { arrived }),
        1 => Just(Happening::Lose),
    ]
}

/// Returns what an administrator may make of the doors and keys: with the second version the key of the second user is
/// revoked, with the third its place is another one.
fn version(number: u8, floor: Moment, disk: &[(KeyId, Moment)]) -> Doors {
    let keys = match number {
        0 => vec![user("one", 1), user("two", 2)],
        1 => vec![user("one", 1)],
        _ => vec![user("two", 2), user("one", 1)],
    };
    let signing = Signing::new(PORT, SERVER, Signing::SKEW_DEFAULT, keys).unwrap();
    let signing = signing.with_moments(floor, disk.iter().copied());
    let all = vec![
        door("SSH", Users::Any, Admits::Both),
        door("web", Users::Named(vec![User::new(b"two")]), Admits::Source),
    ];
    Doors::new(all).unwrap().with_signing(signing)
}

/// A packet that a client with a key has made.
#[derive(Clone, Copy, Debug)]
struct Made {
    key: KeyId,
    said: knock_signed::Packet,
    source: IpAddr,
    bytes: [u8; PACKET_BYTES],
}

/// Whatever happens, a packet opens a door once at most, in its time, and the door SSH only for the client that has made
/// it.
struct World {
    version: u8,
    engine: Engine,
    now: i64,
    clock_ahead: i64,
    began_ahead: i64,
    /// The latest time of day at which anything has happened, or for which a packet was accepted.
    latest: i64,
    asked: Vec<(MarkId, IpAddr, KeyId, Moment)>,
    disk: Vec<(KeyId, Moment)>,
    floor: Moment,
    made: Vec<Made>,
    opened: BTreeSet<(KeyId, Moment)>,
}

impl World {
    fn new() -> Self {
        Self {
            version: 0,
            engine: engine(version(0, Moment(0), &[])),
            now: BEGIN,
            clock_ahead: 0,
            began_ahead: 0,
            latest: BEGIN,
            asked: Vec::new(),
            disk: Vec::new(),
            floor: Moment(0),
            made: Vec::new(),
            opened: BTreeSet::new(),
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Knock { user, admit, arrives } => {
                // No client uses a moment twice.
                self.now += 1;
                let source = client(user);
                let name: &[u8] = if admit { b"SSH" } else { b"web" };
                let said = knock_signed::Packet {
                    admit: admit.then_some(source),
                    door: Digest::of_door(name),
                    ..packet(self.now)
                };
                let nonce = [u8::try_from(self.made.len() % 256).unwrap(); 24];
                let bytes = key(user).seal(&said, &nonce);
                self.made.push(Made { key: key(user).id(), said, source, bytes });
                if arrives {
                    self.send(source, bytes);
                }
            }
            Happening::Repeat { back, client: from } => {
                if let Some(made) = self.made.iter().rev().nth(back).copied() {
                    self.send(client(from), made.bytes);
                }
            }
            Happening::Forge { back, client: from, bit } => {
                if let Some(made) = self.made.iter().rev().nth(back).copied() {
                    let mut bytes = made.bytes;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    let asked = self.asked.len();
                    self.send(client(from), bytes);
                    assert_eq!(self.asked.len(), asked, "a forged packet is accepted");
                }
            }
            Happening::Wait { seconds } => self.now += seconds * SECOND,
            Happening::SetClock { by_s } => {
                self.clock_ahead += by_s * SECOND;
                let ahead = self.clock_ahead - self.began_ahead;
                self.hand_over(Event::ClockSet { ahead });
            }
            Happening::Answer { is_marked } => self.answer(is_marked),
            Happening::Reload { version: number } => {
                self.version = number;
                let doors = version(number, Moment(0), &[]);
                self.hand_over(Event::Reloaded(Box::new(doors)));
            }
            Happening::Kill { arrived } => {
                let arrived = self.asked.drain(..).take(arrived);
                self.disk.extend(arrived.map(|(_, _, key, moment)| (key, moment)));
                self.restart();
            }
            // Whoever loses the file while its clock is behind, its own of before or that of a client, cannot know what was
            // accepted for later than now.
            Happening::Lose if self.time_of_day() < self.latest => {}
            Happening::Lose => {
                self.asked.clear();
                self.disk.clear();
                self.floor = Moment::from_nanos(self.time_of_day()).max(self.floor);
                self.restart();
            }
        }
    }

    fn time_of_day(&self) -> i64 {
        self.now + self.clock_ahead
    }

    fn restart(&mut self) {
        self.engine = engine(version(self.version, self.floor, &self.disk));
        self.began_ahead = self.clock_ahead;
    }

    fn send(&mut self, source: IpAddr, bytes: [u8; PACKET_BYTES]) {
        self.hand_over(event(source, bytes));
    }

    fn answer(&mut self, is_marked: bool) {
        if self.asked.is_empty() {
            return;
        }
        let (mark, client, key, moment) = self.asked.remove(0);
        self.latest = self.latest.max(i64::try_from(moment.0).unwrap());
        self.disk.push((key, moment));
        let effects = self.hand_over(Event::Marked { mark, is_marked });
        let opens = |effect: &Effect| matches!(*effect, Effect::Opened { client: one, .. } if one == client);
        assert_eq!(effects.iter().any(opens), is_marked, "{effects:?}");
        if is_marked {
            assert!(self.opened.insert((key, moment)), "{moment:?} of {key:?} has opened twice");
        }
    }

    fn hand_over(&mut self, event: Event) -> Vec<Effect> {
        self.latest = self.latest.max(self.time_of_day());
        let is_answer = matches!(event, Event::Marked { .. });
        let effects = drive(&mut self.engine, self.now + self.began_ahead, event);
        for effect in &effects {
            if let Effect::MarkMoment { mark, client, door, key, moment, closes: _ } = *effect {
                let doors = self.engine.doors();
                let key = doors.signing().unwrap().key(key).unwrap().key.id();
                let moment = Moment(moment);
                self.check(client, &doors.door(door).name.clone(), key, moment);
                self.asked.push((mark, client, key, moment));
            }
            let opens = matches!(effect, Effect::Opened { .. });
            assert!(is_answer || !opens, "{effect:?} without a mark");
        }
        effects
    }

    fn check(&self, client: IpAddr, door: &DoorName, key: KeyId, moment: Moment) {
        let is_it = |made: &&Made| made.key == key && made.said.moment == moment;
        let made = self.made.iter().find(is_it).expect("a client with the key has made it");
        assert_eq!(Digest::of_door(door.as_bytes()), made.said.door);
        assert!(door.as_bytes() == b"web" || client == made.source, "SSH is relayed to {client}");
        let off = i128::from(moment.0) - i128::from(self.time_of_day());
        assert!(off.abs() <= 60_000_000_000, "{off} ns off");
        assert!(!self.opened.contains(&(key, moment)), "{moment:?} again");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_packet_opens_once_and_in_its_time(all in vec(happening(), 1..60)) {
        let mut world = World::new();
        for happening in &all {
            world.happen(happening);
        }
        // Later, a client with a key gets in.
        while !world.asked.is_empty() {
            world.answer(true);
        }
        world.now += 100_000 * SECOND;
        world.clock_ahead = 0;
        let ahead = world.clock_ahead - world.began_ahead;
        world.hand_over(Event::ClockSet { ahead });
        world.happen(&Happening::Knock { user: 1, admit: true, arrives: true });
        world.answer(true);
        let last = world.made.last().unwrap();
        prop_assert!(world.opened.contains(&(last.key, last.said.moment)));
    }
}

//! Derived sequences in a world in which everything goes wrong: an attacker sees every packet and repeats them at will,
//! also with the address of others; the clock of the server is set; the configuration is reloaded; marks fail; and the
//! process with the engine is killed between any two events, or the whole daemon is.
//!
//! Whatever happens, what a client has sent opens a door once at most, and only in its time.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;

use knock_engine::{
    CommandsEnd, DoorId, Effect, Engine, Event, Limits, Listening, MarkId, PeriodOfDoor, Timestamp,
};
use knock_tests::boundary;
use knock_tests::model::{Derived, Door, Knock, Packet, Protocol, SYN, Sequences, Transport};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{BEGIN, SECOND};

/// What happens next.
#[derive(Clone, Debug)]
enum Happening {
    /// A client with the key knocks. Its clock is so many seconds wrong.
    Knock { client: u8, door: usize, wrong_s: i64, knocks: usize },
    /// The attacker repeats some of what it has seen, with the addresses it came from or with one of its own.
    Repeat { back: usize, count: usize, as_itself: bool },
    /// The attacker sends a packet with the address of a client.
    Spoil { client: u8, port: u16 },
    /// Time passes.
    Wait { seconds: i64 },
    /// The clock of the server is set.
    SetClock { by_s: i64 },
    /// The runner answers the oldest marks that were asked for. Some cannot be written.
    Answer { count: usize, is_marked: bool },
    /// The configuration is read again.
    Reload { version: usize },
    /// The process with the engine is killed. The runner has so many of its last messages.
    Kill { arrived: usize },
}

fn happening() -> impl Strategy<Value = Happening> {
    let client = 1..=3_u8;
    let knock = (client.clone(), 0..2_usize, select(vec![0, 0, 0, 20, -20, 70, -70]), 3..=5_usize);
    prop_oneof![
        6 => knock.prop_map(|(client, door, wrong_s, knocks)| {
            Happening::Knock { client, door, wrong_s, knocks }
        }),
        5 => (0..40_usize, 1..15_usize, any::<bool>())
            .prop_map(|(back, count, as_itself)| Happening::Repeat { back, count, as_itself }),
        1 => (client, 20_000..60_000_u16).prop_map(|(client, port)| Happening::Spoil { client, port }),
        3 => select(vec![1, 5, 30, 61, 130]).prop_map(|seconds| Happening::Wait { seconds }),
        2 => select(vec![-7200, -130, -61, -30, -1, 1, 30, 61, 7200])
            .prop_map(|by_s| Happening::SetClock { by_s }),
        6 => (1..4_usize, prop::bool::weighted(0.85))
            .prop_map(|(count, is_marked)| Happening::Answer { count, is_marked }),
        2 => (0..4_usize).prop_map(|version| Happening::Reload { version }),
        2 => (0..3_usize).prop_map(|arrived| Happening::Kill { arrived }),
    ]
}

fn derived(key: u8) -> Derived {
    let ports = (20_000, 59_999);
    Derived { key: [key; 32], knocks: 5, ports, protocol: Protocol::Tcp, period_s: 60 }
}

fn door(name: &str, key: u8) -> Door {
    Door { wanted: SYN, ..Door::new(name, Sequences::Derived(derived(key))) }
}

/// Returns what an administrator may make of the doors.
fn version(number: usize) -> Vec<Door> {
    let (ssh, web) = (door("SSH", 1), door("web", 2));
    match number {
        0 => vec![ssh, web],
        1 => vec![web, ssh],
        // They are other doors then, with the same sequences.
        2 => vec![Door { seq_timeout_s: 7, ..ssh }, Door { seq_timeout_s: 9, ..web }],
        _ => vec![web],
    }
}

/// A mark that the engine has asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    mark: MarkId,
    client: IpAddr,
    door: DoorId,
    used: PeriodOfDoor,
}

struct World {
    doors: Vec<Door>,
    engine: Engine,
    /// The true time.
    now_ns: i64,
    /// How far the clock of the server is ahead of it.
    clock_ahead_ns: i64,
    /// The same at the start of the engine: its times run steadily from there.
    began_ahead_ns: i64,
    asked: VecDeque<Asked>,
    /// What the runner has written down.
    disk: Vec<(PeriodOfDoor, Option<IpAddr>)>,
    /// All packets so far.
    seen: Vec<Packet>,
    sent: u16,
    /// The sequences that clients with the key have sent, and of which period: name of the door, number.
    known: BTreeSet<(Vec<u8>, u64)>,
    opened: BTreeSet<(PeriodOfDoor, IpAddr)>,
    /// The latest time that the clock of the server has shown.
    latest_ns: i64,
}

impl World {
    fn new() -> Self {
        Self {
            doors: version(0),
            engine: engine(&version(0), &[]),
            now_ns: BEGIN,
            clock_ahead_ns: 0,
            began_ahead_ns: 0,
            asked: VecDeque::new(),
            disk: Vec::new(),
            seen: Vec::new(),
            sent: 0,
            known: BTreeSet::new(),
            opened: BTreeSet::new(),
            latest_ns: BEGIN,
        }
    }

    /// Returns the time of the engine: that of day when it began, and steady from there.
    fn engine_ns(&self) -> i64 {
        self.now_ns + self.began_ahead_ns
    }

    fn time_of_day_ns(&self) -> i64 {
        self.now_ns + self.clock_ahead_ns
    }

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::Knock { client, door, wrong_s, knocks } => {
                self.knock([192, 0, 2, client].into(), door, wrong_s, knocks);
            }
            Happening::Repeat { back, count, as_itself } => {
                let begin = self.seen.len().saturating_sub(back + 1);
                let again: Vec<Packet> = self.seen[begin..].iter().take(count).copied().collect();
                for packet in again {
                    let src = if as_itself { [198, 51, 100, 9].into() } else { packet.src };
                    self.send(src, packet.knock());
                }
            }
            Happening::Spoil { client, port } => {
                self.send([192, 0, 2, client].into(), Knock::tcp(port));
            }
            Happening::Wait { seconds } => self.now_ns += seconds * SECOND,
            Happening::SetClock { by_s } => self.set_clock(by_s),
            Happening::Answer { count, is_marked } => {
                for _ in 0..count {
                    self.answer(is_marked);
                }
            }
            Happening::Reload { version: number } => {
                self.doors = version(number);
                let doors = boundary::doors(&self.doors);
                self.hand_over(Event::Reloaded(Box::new(doors)));
                // The runner has doors with the same ids; the names are enough here.
            }
            Happening::Kill { arrived } => {
                for asked in std::mem::take(&mut self.asked).into_iter().take(arrived) {
                    self.disk.push((asked.used, Some(asked.client)));
                }
                self.engine = engine(&self.doors, &self.disk);
                self.began_ahead_ns = self.clock_ahead_ns;
            }
        }
        self.latest_ns = self.latest_ns.max(self.time_of_day_ns());
    }

    fn set_clock(&mut self, by_s: i64) {
        self.clock_ahead_ns += by_s * SECOND;
        let ahead = self.clock_ahead_ns - self.began_ahead_ns;
        self.hand_over(Event::ClockSet { ahead });
    }

    fn knock(&mut self, client: IpAddr, door: usize, wrong_s: i64, knocks: usize) {
        let Some(door) = self.doors.get(door).cloned() else { return };
        let Sequences::Derived(derived) = &door.sequences else { unreachable!() };
        let period = derived.period(self.now_ns + wrong_s * SECOND);
        if knocks == 5 {
            self.known.insert((door.name.clone(), period));
        }
        for knock in derived.sequence(&door.name, period).into_iter().take(knocks) {
            self.send(client, knock);
            self.now_ns += SECOND / 10;
        }
    }

    fn send(&mut self, src: IpAddr, knock: Knock) {
        self.sent += 1;
        let packet = Packet {
            at_ns: self.engine_ns(),
            src,
            dst: [10, 0, 0, 1].into(),
            sport: 1024 + self.sent,
            dport: knock.port,
            transport: Transport::Tcp { seq: Some(self.sent.into()), flags: Some(SYN) },
        };
        self.seen.push(packet);
        self.hand_over(Event::Packet(boundary::packet(&packet)));
    }

    /// The runner answers the oldest mark.
    fn answer(&mut self, is_marked: bool) {
        let Some(Asked { mark, client, door, used }) = self.asked.pop_front() else { return };
        // Whether it could be written or not, the runner knows of it.
        self.disk.push((used, Some(client)));
        let effects = self.hand_over(Event::Marked { mark, is_marked });
        let opened = effects.contains(&Effect::Opened { client, door });
        assert_eq!(opened, is_marked, "{effects:?}");
        if opened {
            assert!(self.opened.insert((used, client)), "{used:?} has opened for {client} twice");
        }
    }

    /// Hands over an event, and checks what the engine asks for. Returns its effects.
    fn hand_over(&mut self, event: Event) -> Vec<Effect> {
        let at = Timestamp::from_nanos(self.engine_ns());
        let mut effects = Vec::new();
        let is_answer = matches!(event, Event::Marked { .. });
        let Ok(()) = self.engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, timed| {
            effects.push(timed.effect);
            Ok::<(), Infallible>(())
        });
        for effect in &effects {
            if let Effect::MarkPeriod { mark, client, door, sequence, period } = *effect {
                let used = PeriodOfDoor { sequence, period };
                self.check_asked(client, door, used);
                self.asked.push_back(Asked { mark, client, door, used });
            }
            let opens = matches!(effect, Effect::Opened { .. });
            assert!(is_answer || !opens, "{effect:?} without a mark");
        }
        effects
    }

    /// A sequence was accepted: a client with the key has sent it, its time has come and is not over, and it has opened
    /// nothing for this client yet.
    fn check_asked(&self, client: IpAddr, door: DoorId, used: PeriodOfDoor) {
        let door = self.engine.doors().door(door);
        let is_known = self.known.contains(&(door.name.as_bytes().to_vec(), used.period.into()));
        assert!(is_known, "{used:?} at {} was made by nobody", door.name);
        let now = derived(0).period(self.time_of_day_ns());
        assert!(now.abs_diff(used.period.into()) <= 1, "{used:?} in {now}");
        assert!(!self.opened.contains(&(used, client)), "{used:?} for {client} again");
    }

    /// Whatever was before, some periods later a client with the key gets in.
    fn check_not_locked_out(&mut self) {
        while !self.asked.is_empty() {
            self.answer(true);
        }
        self.now_ns += 100 * SECOND;
        // A time that neither the server nor a client has ever had.
        let later_ns = self.latest_ns.max(self.time_of_day_ns()) + 600 * SECOND;
        self.set_clock((later_ns - self.time_of_day_ns()) / SECOND);
        let before = self.opened.len();
        self.knock([192, 0, 2, 77].into(), 0, self.clock_ahead_ns / SECOND, 5);
        self.answer(true);
        assert_eq!(self.opened.len(), before + 1, "a client with the key does not get in");
    }
}

fn engine(doors: &[Door], used: &[(PeriodOfDoor, Option<IpAddr>)]) -> Engine {
    let doors = boundary::doors(doors).with_used_periods(used.iter().copied());
    Engine::new(doors, Listening::everywhere(), &Limits::default())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_a_sequence_opens_once_and_in_its_time(all in vec(happening(), 1..60)) {
        let mut world = World::new();
        for happening in &all {
            world.happen(happening);
        }
        world.check_not_locked_out();
    }
}

#[test]
fn a_sequence_stays_used_over_a_restart_and_a_clock_that_is_set_back() {
    let knock = Happening::Knock { client: 1, door: 0, wrong_s: 0, knocks: 5 };
    let repeat = Happening::Repeat { back: 4, count: 5, as_itself: false };
    let answer = Happening::Answer { count: 1, is_marked: true };
    let between = [
        Happening::Kill { arrived: 0 },
        Happening::Reload { version: 2 },
        Happening::Wait { seconds: 5 },
    ];
    for happening in between {
        let mut world = World::new();
        for happening in [&knock, &answer, &happening, &repeat, &answer] {
            world.happen(happening);
        }
        assert_eq!(world.opened.len(), 1, "{happening:?}");
    }
    // Another client has the server forget the first one's use, which its clock makes valid again.
    let mut world = World::new();
    let other = Happening::Knock { client: 2, door: 0, wrong_s: 0, knocks: 5 };
    let [wait, back] = [Happening::Wait { seconds: 300 }, Happening::SetClock { by_s: -300 }];
    for happening in [&knock, &answer, &wait, &other, &answer, &back] {
        world.happen(happening);
    }
    assert_eq!(world.opened.len(), 2);
    world.happen(&Happening::Repeat { back: 9, count: 5, as_itself: false });
    world.happen(&answer);
    assert_eq!(world.opened.len(), 2);
}

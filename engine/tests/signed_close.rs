//! Signed packets that ask to close a door before its time is over.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

use std::convert::Infallible;
use std::net::IpAddr;

use knock_engine::{
    Admission, Admits, Command, CommandStatus, Commands, CommandsEnd, Door, DoorName, DoorSequence,
    Doors, Effect, Engine, Event, Limits, Listening, MarkId, OnReknock, OpenPorts, Packet, Phase,
    Port, PortRange, Protocol, RunId, Seconds, SignedDoor, Signing, Timestamp, Transport, User,
    UserKey, Users,
};
use knock_signed::{Digest, Key, Moment, PACKET_BYTES, PacketKey, Refusal, Verb};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const SECOND: i64 = 1_000_000_000;
const BEGIN: i64 = 1_764_806_430 * SECOND;
const SERVER: &[u8] = b"home.example.com";
const PORT: Port = Port(62_201);

/// `cmd_timeout` of the doors, and how long they admit.
const OPEN_SECONDS: u32 = 100;

fn key(byte: u8) -> PacketKey {
    Key::take(&mut [byte; 32]).for_packets()
}

fn client(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

/// Returns a door of alice that a command opens and another closes.
fn with_commands(on_reknock: OnReknock) -> Door {
    let command = |text: &str| Some(Command::new(text.as_bytes()));
    let commands =
        Commands { start: command("open"), stop: command("close"), ..Commands::default() };
    Door {
        signed: Some(SignedDoor {
            users: Users::Named(vec![User::new(b"alice")]),
            admits: Admits::Packet,
        }),
        commands,
        on_reknock,
        cmd_timeout: Seconds::new(OPEN_SECONDS).unwrap(),
        ..Door::new(DoorName::new(b"SSH"), DoorSequence::None)
    }
}

/// Returns a door of alice that admits to a port.
fn with_ports() -> Door {
    let ports = vec![PortRange::new(Protocol::Tcp, Port(22), Port(22)).unwrap()];
    let admission = Admission {
        ports: OpenPorts::new(ports).unwrap(),
        lasts: Seconds::new(OPEN_SECONDS).unwrap(),
        max: None,
    };
    Door {
        commands: Commands::default(),
        admission: Some(admission),
        ..with_commands(OnReknock::Extend)
    }
}

/// Returns a door, and the keys of alice and bob.
fn doors(door: Door) -> Doors {
    let user = |name: &[u8], byte| UserKey {
        user: User::new(name),
        key: key(byte),
        doors: vec![],
        until: None,
    };
    let keys = vec![user(b"alice", 1), user(b"bob", 2)];
    let signing = Signing::new(PORT, SERVER, Signing::SKEW_DEFAULT, keys).unwrap();
    Doors::new(vec![door]).unwrap().with_signing(signing)
}

/// A server with a door, users alice and bob, and what it has done.
struct Server {
    engine: Engine,
    now: i64,
    moment: i64,
    /// The commands that run.
    running: Vec<RunId>,
    marks: Vec<MarkId>,
    effects: Vec<Effect>,
}

impl Server {
    fn new(door: Door) -> Self {
        Self {
            engine: Engine::new(doors(door), Listening::everywhere(), &Limits::default()),
            now: BEGIN,
            moment: BEGIN,
            running: vec![],
            marks: vec![],
            effects: vec![],
        }
    }

    fn take(&mut self, event: Event) {
        let (running, marks, effects) = (&mut self.running, &mut self.marks, &mut self.effects);
        let at = Timestamp::from_nanos(self.now);
        let Ok(()) = self.engine.drive(at, event, CommandsEnd::Later, |_, timed| {
            if let Effect::RunCommand { run, .. } = timed.effect {
                running.push(run);
            } else if let Effect::MarkMoment { mark, .. } = timed.effect {
                marks.push(mark);
            }
            effects.push(timed.effect);
            Ok::<(), Infallible>(())
        });
    }

    /// A packet of a key for a client arrives.
    fn packet(&mut self, byte: u8, verb: Verb, admit: IpAddr) -> [u8; PACKET_BYTES] {
        self.moment = self.now.max(self.moment + 1);
        let said = knock_signed::Packet {
            verb,
            prefix: None,
            seconds: None,
            moment: Moment::from_nanos(self.moment),
            admit: Some(admit),
            server: Digest::of_server(SERVER),
            door: Digest::of_door(b"SSH"),
        };
        let payload = key(byte).seal(&said, &[7; 24]);
        self.bytes(payload);
        payload
    }

    fn bytes(&mut self, payload: [u8; PACKET_BYTES]) {
        let packet = Packet {
            source: client(9),
            destination: [10, 0, 0, 1].into(),
            source_port: Port(40_000),
            destination_port: PORT,
            transport: Transport::Udp,
        };
        self.take(Event::SignedPacket(packet, Box::new(payload)));
    }

    fn mark(&mut self) {
        for mark in std::mem::take(&mut self.marks) {
            self.take(Event::Marked { mark, is_marked: true });
        }
    }

    /// The oldest command that runs ends.
    fn end_command(&mut self) {
        if !self.running.is_empty() {
            let run = self.running.remove(0);
            self.take(Event::CommandEnded { run, status: CommandStatus::SUCCESS });
        }
    }

    fn open(&mut self, client: IpAddr) {
        self.packet(1, Verb::Open, client);
        self.mark();
    }

    fn close(&mut self, client: IpAddr) {
        self.packet(1, Verb::Close, client);
    }

    fn reload(&mut self, door: Door) {
        self.take(Event::Reloaded(Box::new(doors(door))));
    }

    fn wait(&mut self, seconds: i64) {
        self.now += seconds * SECOND;
        self.take(Event::DeadlineReached);
    }

    fn happened(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Returns the lines of what has happened since.
    fn lines(&mut self) -> Vec<String> {
        let effects = self.happened();
        let line = |effect: &Effect| {
            let mut text = Vec::new();
            knock_engine::transcript::write(effect, self.engine.doors(), &mut text);
            String::from_utf8(text).unwrap()
        };
        effects.iter().map(line).collect()
    }
}

#[test]
fn an_admission_ends_at_once_and_only_that_of_the_client() {
    let mut server = Server::new(with_ports());
    server.open(client(1));
    server.open(client(2));
    server.happened();
    server.wait(10);
    server.close(client(1));
    let asked = "192.0.2.1: SSH: signed packet of alice";
    let lines = ["192.0.2.1: SSH: closing, as asked", "SSH: 192.0.2.1: admission ended"];
    assert_eq!(server.lines(), [asked, lines[0], lines[1]]);
    // The other one keeps its time, and nothing ends twice.
    server.wait(100);
    assert_eq!(server.lines(), ["SSH: 192.0.2.2: admission ended"]);
    server.open(client(1));
    assert!(server.lines().contains(&"192.0.2.1: SSH: OPEN SESAME".to_owned()));
}

#[test]
fn the_stop_commands_of_all_openings_run_at_once_and_no_second_time() {
    for on_reknock in [OnReknock::Extend, OnReknock::Separate] {
        let mut server = Server::new(with_commands(on_reknock));
        for _ in 0..2 {
            server.open(client(1));
            server.end_command();
            server.wait(5);
        }
        server.happened();
        server.close(client(1));
        server.end_command();
        server.end_command();
        let stop = "SSH: running command: close";
        let asked = "192.0.2.1: SSH: signed packet of alice";
        assert_eq!(server.lines(), [asked, "192.0.2.1: SSH: closing, as asked", stop, stop]);
        // The next opening has its own time again.
        server.wait(1);
        server.open(client(1));
        server.end_command();
        server.happened();
        server.wait(i64::from(OPEN_SECONDS) - 1);
        assert_eq!(server.lines(), [""; 0], "{on_reknock:?}");
        server.wait(1);
        assert_eq!(server.lines(), ["192.0.2.1: SSH: command timeout", stop], "{on_reknock:?}");
        server.end_command();
        server.wait(1000);
        assert_eq!(server.lines(), [""; 0], "{on_reknock:?}");
    }
}

#[test]
fn who_opens_the_door_again_while_it_closes_has_the_whole_time() {
    let mut server = Server::new(with_commands(OnReknock::Extend));
    server.open(client(1));
    server.end_command();
    server.close(client(1));
    server.open(client(1));
    server.end_command();
    server.end_command();
    server.happened();
    server.wait(i64::from(OPEN_SECONDS) - 1);
    assert_eq!(server.lines(), [""; 0]);
    server.wait(1);
    let timeout = "192.0.2.1: SSH: command timeout";
    assert_eq!(server.lines(), [timeout, "SSH: running command: close"]);
}

#[test]
fn a_start_command_that_runs_is_followed_by_its_stop_command() {
    let mut server = Server::new(with_commands(OnReknock::Extend));
    server.open(client(1));
    server.close(client(1));
    server.happened();
    server.end_command();
    assert_eq!(server.lines(), ["SSH: running command: close"]);
    // Who opens the door again after that wants it open.
    let mut server = Server::new(with_commands(OnReknock::Extend));
    server.open(client(1));
    server.close(client(1));
    server.open(client(1));
    server.happened();
    server.end_command();
    server.end_command();
    let lines = ["SSH: running command: close", "SSH: running command: open"];
    assert_eq!(server.lines(), lines);
}

#[test]
fn an_opening_that_waits_for_its_mark_is_given_up() {
    let mut server = Server::new(with_commands(OnReknock::Extend));
    server.packet(1, Verb::Open, client(1));
    server.packet(1, Verb::Open, client(2));
    server.close(client(1));
    server.happened();
    server.mark();
    let open = "192.0.2.2: SSH: OPEN SESAME";
    assert_eq!(server.lines(), [open, "SSH: running command: open"]);
}

#[test]
fn a_door_is_closed_without_a_wait_for_the_disk() {
    let mut server = Server::new(with_ports());
    server.open(client(1));
    server.happened();
    server.close(client(1));
    let mark = server.marks.pop().unwrap();
    assert!(server.happened().contains(&Effect::AdmissionEnded {
        client: client(1),
        door: server.engine.doors().in_order().next().unwrap().0,
    }));
    server.take(Event::Marked { mark, is_marked: false });
    assert_eq!(server.happened(), []);
}

#[test]
fn only_who_may_open_the_door_closes_it_and_only_once() {
    let mut server = Server::new(with_ports());
    let first = server.packet(1, Verb::Close, client(1));
    server.open(client(1));
    server.happened();
    server.packet(2, Verb::Close, client(1));
    server.bytes(first);
    let why = |effect: &Effect| {
        let Effect::NotSigned { why, .. } = *effect else { panic!("{effect:?}") };
        why
    };
    let whys: Vec<Refusal> = server.happened().iter().map(why).collect();
    assert_eq!(whys, [Refusal::DoorForbidden, Refusal::MomentUsed]);
}

/// Whoever opens a door after closing it wants it open, however long the first start command takes.
#[test]
fn who_opens_the_door_again_while_it_is_opened_and_is_to_close_has_it_open() {
    for on_reknock in [OnReknock::Extend, OnReknock::Separate, OnReknock::Ignore] {
        for openings in 1..=2 {
            let mut server = Server::new(with_commands(on_reknock));
            for _ in 0..openings {
                server.open(client(1));
            }
            server.close(client(1));
            server.open(client(1));
            while !server.running.is_empty() {
                server.end_command();
            }
            let phase = |effect: &Effect| {
                let Effect::RunCommand { phase, .. } = *effect else { return None };
                Some(phase)
            };
            let phases: Vec<Phase> = server.happened().iter().filter_map(phase).collect();
            let expected = [Phase::Start, Phase::Stop, Phase::Start];
            assert_eq!(phases, expected, "{on_reknock:?}, {openings} openings");
            server.wait(i64::from(OPEN_SECONDS));
            server.end_command();
            assert_eq!(count(&server.happened(), client(1), Phase::Stop), 1, "{on_reknock:?}");
            assert_eq!(server.engine.poll_deadline(), None);
        }
    }
}

#[test]
fn what_opened_before_a_reload_that_has_changed_the_door_closes_too() {
    for door in [with_commands(OnReknock::Extend), with_ports()] {
        let mut server = Server::new(door.clone());
        server.open(client(1));
        server.end_command();
        let changed = Door { seq_timeout: Seconds::new(7).unwrap(), ..door };
        server.reload(changed);
        server.open(client(2));
        server.end_command();
        server.happened();
        server.close(client(1));
        let ended = server.lines();
        let is_end = |line: &&String| {
            ["SSH: running command: close", "SSH: 192.0.2.1: admission ended"].contains(&&***line)
        };
        assert_eq!(ended.iter().filter(is_end).count(), 1, "{ended:?}");
        server.end_command();
        server.close(client(2));
        server.end_command();
        assert_eq!(server.engine.poll_deadline(), None);
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Open(u8),
    Close(u8),
    Mark,
    EndCommand,
    Wait(i64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let client = 1..=2_u8;
    prop_oneof![
        4 => client.clone().prop_map(Happening::Open),
        3 => client.prop_map(Happening::Close),
        4 => Just(Happening::Mark),
        4 => Just(Happening::EndCommand),
        2 => select(vec![0, 1, 50, 100]).prop_map(Happening::Wait),
    ]
}

fn count(effects: &[Effect], whom: IpAddr, of: Phase) -> usize {
    let is = |effect: &&Effect| matches!(effect, Effect::RunCommand { client, phase, .. } if (*client, *phase) == (whom, of));
    effects.iter().filter(is).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// Whatever happened before, a client that closes the door and does nothing else has nothing open when the commands
    /// have ended, every start command has had one stop command, and nothing is left to be due.
    #[test]
    fn after_a_close_nothing_is_open(
        happenings in vec(happening(), 0..40),
        has_commands in any::<bool>(),
        on_reknock in select(vec![OnReknock::Extend, OnReknock::Separate, OnReknock::Ignore]),
    ) {
        let door = if has_commands { with_commands(on_reknock) } else { with_ports() };
        let mut server = Server::new(Door { on_reknock, ..door });
        for happening in happenings {
            match happening {
                Happening::Open(last) => drop(server.packet(1, Verb::Open, client(last))),
                Happening::Close(last) => server.close(client(last)),
                Happening::Mark => server.mark(),
                Happening::EndCommand => server.end_command(),
                Happening::Wait(seconds) => server.wait(seconds),
            }
            for whom in [client(1), client(2)] {
                let stops = count(&server.effects, whom, Phase::Stop);
                prop_assert!(stops <= count(&server.effects, whom, Phase::Start));
            }
        }
        for whom in [client(1), client(2)] {
            server.close(whom);
        }
        server.mark();
        while !server.running.is_empty() {
            server.end_command();
        }
        for whom in [client(1), client(2)] {
            let [starts, stops] =
                [Phase::Start, Phase::Stop].map(|phase| count(&server.effects, whom, phase));
            prop_assert_eq!(starts, stops);
            let is_of = |effect: &&Effect| effect.client() == Some(whom);
            let last = server.effects.iter().filter(is_of).rev().find_map(|effect| {
                let is_admitted = matches!(effect, Effect::Admit { .. });
                (is_admitted || matches!(effect, Effect::AdmissionEnded { .. })).then_some(is_admitted)
            });
            prop_assert_ne!(last, Some(true));
        }
        prop_assert_eq!(server.engine.poll_deadline(), None);
    }
}

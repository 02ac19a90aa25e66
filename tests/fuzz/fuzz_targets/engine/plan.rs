//! The meaning of an input: doors, limits, and events.
//!
//! Everything is drawn from few values, with a byte for each choice, so that clients meet at doors and
//! mutations stay small.

use std::net::IpAddr;
use std::num::NonZeroU32;

use knock_compat::{Difference, Rules};
use knock_engine::{CommandStatus, Listening};
use knock_tests::boundary;
use knock_tests::model::{
    ACK, Admission, Door, FIN, Knock, OnReknock, Packet, Protocol, RST, SYN, Sequences, Transport,
};
use libfuzzer_sys::arbitrary::{Result, Unstructured};

const SECOND_NS: i64 = 1_000_000_000;

/// Which destinations count.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) local: Option<Vec<IpAddr>>,
    pub(crate) ipv4_only: bool,
}

impl Place {
    pub(crate) fn listening(&self) -> Listening {
        boundary::listening(self.local.as_deref(), self.ipv4_only)
    }
}

/// How the engine is driven.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) rules: Rules,
    /// Other rules, under which the transcript must be the same.
    pub(crate) other_rules: Option<Rules>,
    /// The limit of attempts, which may be reached unless it is [`Plan::PLENTY`].
    pub(crate) limit: NonZeroU32,
    pub(crate) hash_seed: u64,
    /// Whether the driver waits for each deadline, and commands take time. Otherwise it hands over events
    /// whatever is due before them, and commands end at once.
    pub(crate) is_live: bool,
    pub(crate) start_ns: i64,
    pub(crate) doors: Vec<Door>,
    pub(crate) place: Place,
    /// How long commands run and how they end, in turn and then from the start again.
    pub(crate) ends: [(i64, CommandStatus); 4],
}

impl Plan {
    /// A limit that nothing reaches: there are at most 18 doors, and 200 packets to open them.
    pub(crate) const PLENTY: NonZeroU32 = NonZeroU32::new(8192).unwrap();

    pub(crate) fn draw(bytes: &mut Unstructured<'_>) -> Result<Self> {
        let mode: u8 = bytes.arbitrary()?;
        let limit =
            if mode & 0b1100 == 0b1100 { u32::from(mode >> 5) + 1 } else { Self::PLENTY.get() };
        // The rule sets between the two have no limit.
        let (rules, other_rules) = match mode & 3 {
            0 | 1 => (Rules::Knock, None),
            2 => (Rules::Knock, Difference::ALL.last().copied().map(Rules::FixedUpTo)),
            _ => (Rules::Knockd08, None),
        };
        // These are for replays, where commands end at once.
        let is_live = mode & 0x10 != 0;
        let other_rules = other_rules.filter(|_| limit == Self::PLENTY.get() && !is_live);
        let start_ns = [0, 1_700_000_000 * SECOND_NS, i64::MIN, i64::MAX - 20 * SECOND_NS];
        Ok(Self {
            rules,
            other_rules,
            limit: NonZeroU32::new(limit).unwrap_or(Self::PLENTY),
            hash_seed: u64::from(bytes.arbitrary::<u8>()?),
            is_live,
            start_ns: pick(bytes, &start_ns)?,
            place: place(bytes)?,
            ends: [end(bytes)?, end(bytes)?, end(bytes)?, end(bytes)?],
            doors: doors(bytes)?,
        })
    }
}

impl Plan {
    /// Returns whether the program with these rules would start.
    pub(crate) fn starts(&self) -> bool {
        let doors = boundary::doors(&self.doors);
        self.rules.refusal(&doors, &self.place.listening()).is_none()
    }
}

/// An event.
#[derive(Clone)]
pub(crate) enum Happening {
    Packet(Packet),
    Wait,
    Move(Place),
    /// A configuration of current doors, by index, and of new ones.
    Reload {
        kept: Vec<u8>,
        new: Vec<Door>,
    },
    /// An end that was handed over is handed over again.
    EndAgain(u8),
}

impl Happening {
    /// Draws an event and the time before it; the packet is stamped later.
    pub(crate) fn draw(bytes: &mut Unstructured<'_>) -> Result<(i64, Self)> {
        let kind: u8 = bytes.arbitrary()?;
        let wait_ns = wait(kind >> 4);
        let happening = match kind & 15 {
            0..=10 => Self::Packet(packet(bytes)?),
            11 | 12 => Self::Wait,
            13 => Self::Move(place(bytes)?),
            14 => Self::Reload { kept: few(bytes, Unstructured::arbitrary)?, new: doors(bytes)? },
            _ => Self::EndAgain(bytes.arbitrary()?),
        };
        Ok((wait_ns, happening))
    }
}

fn wait(choice: u8) -> i64 {
    match choice {
        0..=5 => 0,
        6 => 1,
        7 => SECOND_NS / 2,
        8 => SECOND_NS,
        9 => 5 * SECOND_NS - 1,
        10 => 5 * SECOND_NS,
        11 => 10 * SECOND_NS,
        12 => -SECOND_NS,
        13 => 3600 * SECOND_NS,
        14 => i64::MAX / 3,
        _ => -i64::MAX / 3,
    }
}

fn packet(bytes: &mut Unstructured<'_>) -> Result<Packet> {
    let clients = [
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
        "2001:db8::a",
        "2001:db8::b",
        "::ffff:192.0.2.1",
        "::1.2.3.4",
    ];
    let ends: u8 = bytes.arbitrary()?;
    let what: u8 = bytes.arbitrary()?;
    let header: u8 = bytes.arbitrary()?;
    let Knock { port, protocol } = knock(what);
    let flags = [Some(SYN), Some(SYN | ACK), Some(ACK), Some(FIN), Some(0), None];
    let transport = match protocol {
        knock_tests::model::Protocol::Udp => Transport::Udp,
        knock_tests::model::Protocol::Tcp => Transport::Tcp {
            seq: [None, Some(0), Some(7), Some(8)][usize::from(header >> 1 & 3)],
            flags: flags[usize::from(what >> 4) % flags.len()],
        },
    };
    Ok(Packet {
        at_ns: 0,
        src: address(clients[usize::from(ends & 15) % clients.len()]),
        dst: address(DESTINATIONS[usize::from(ends >> 4) % DESTINATIONS.len()]),
        sport: 40_000 + u16::from(header & 1),
        dport: port,
        transport,
    })
}

const DESTINATIONS: [&str; 4] = ["10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2"];

fn knock(choice: u8) -> Knock {
    let port = 1 + u16::from(choice & 3);
    if choice & 0b1100 == 0b1100 { Knock::udp(port) } else { Knock::tcp(port) }
}

fn place(bytes: &mut Unstructured<'_>) -> Result<Place> {
    let choice: u8 = bytes.arbitrary()?;
    let is_local = |(at, _): &(usize, &&str)| choice >> at & 1 == 1;
    let local = DESTINATIONS.iter().enumerate().filter(is_local).map(|(_, one)| address(one));
    let local = local.collect();
    Ok(Place { local: (choice & 0x20 != 0).then_some(local), ipv4_only: choice & 0xc0 == 0xc0 })
}

fn end(bytes: &mut Unstructured<'_>) -> Result<(i64, CommandStatus)> {
    let choice: u8 = bytes.arbitrary()?;
    let status = if choice & 3 == 3 { choice } else { 0 };
    Ok((wait(choice >> 4).max(0), CommandStatus(status)))
}

fn doors(bytes: &mut Unstructured<'_>) -> Result<Vec<Door>> {
    let count: u8 = bytes.arbitrary()?;
    let mut doors: Vec<Door> =
        (0..count & 3).map(|_| door(bytes)).collect::<Result<Vec<Door>>>()?;
    if let Some(door) = doors.last().cloned() {
        for _ in 0..count >> 4 {
            doors.push(relative(bytes, &door)?);
        }
    }
    Ok(doors)
}

/// Draws a door whose sequence begins like that of another one, and which hears other packets or times
/// out at another time only sometimes.
fn relative(bytes: &mut Unstructured<'_>, door: &Door) -> Result<Door> {
    let what: u8 = bytes.arbitrary()?;
    let more: u8 = bytes.arbitrary()?;
    let line = door.sequences.current().unwrap_or_default();
    let common = match what & 3 {
        0 => line.len().div_ceil(2),
        _ => line.len(),
    };
    let mut knocks = line.get(..common).unwrap_or_default().to_vec();
    knocks
        .extend([knock(more & 15), knock(more >> 4)].into_iter().take(usize::from(what >> 2 & 3)));
    if knocks.is_empty() {
        knocks.push(knock(more));
    }
    let is_one_time = what >> 4 == 15;
    let sequences = if is_one_time {
        Sequences::OneTime(vec![knocks.clone(), knocks])
    } else {
        Sequences::Fixed(knocks)
    };
    let mut relative = Door { sequences, ..door.clone() };
    match what >> 4 {
        11 => relative.seq_timeout_s = 5,
        12 => relative.target = Some(address(DESTINATIONS[0])),
        13 => (relative.wanted, relative.refused) = (SYN, ACK),
        14 => relative.name = b"d".to_vec(),
        _ => {}
    }
    Ok(relative)
}

fn door(bytes: &mut Unstructured<'_>) -> Result<Door> {
    let name: u8 = bytes.arbitrary()?;
    let sequences = if name & 4 == 0 {
        let mut knocks = sequence(bytes)?;
        knocks.push(knock(name >> 3));
        Sequences::Fixed(knocks)
    } else {
        let line = |bytes: &mut Unstructured<'_>| {
            let mut knocks = sequence(bytes)?;
            knocks.push(knock(name >> 3));
            Ok(knocks)
        };
        Sequences::OneTime(few(bytes, line)?)
    };
    let times: u8 = bytes.arbitrary()?;
    let commands: u8 = bytes.arbitrary()?;
    let rest: u8 = bytes.arbitrary()?;
    let reknock: u8 = if rest & 8 == 0 { 0 } else { bytes.arbitrary()? };
    let limits: u8 = if rest & 8 == 0 { 0 } else { bytes.arbitrary()? };
    let command = |choice: u8, text: &str| match choice & 3 {
        0 => None,
        1 => Some(Vec::new()),
        _ => Some(text.as_bytes().to_vec()),
    };
    let (wanted, refused) =
        [(0, 0), (0, 0), (SYN, 0), (SYN, ACK), (0, SYN), (FIN, 0), (0, RST), (ACK, SYN)]
            [usize::from(rest & 7)];
    let target = DESTINATIONS.get(usize::from(rest >> 4)).map(|text| address(text));
    Ok(Door {
        name: [b"a", b"b", b"c", b"\xff"][usize::from(name & 3)].to_vec(),
        sequences,
        seq_timeout_s: seconds(times),
        cmd_timeout_s: if times & 8 == 0 { seconds(times >> 4) } else { 0 },
        admission: admission(times, commands),
        on_reknock: match reknock & 3 {
            0 | 1 => OnReknock::Extend,
            2 => OnReknock::Separate,
            _ => OnReknock::Ignore,
        },
        seq_cooldown_s: (reknock & 4 != 0).then(|| seconds(reknock >> 3)),
        allow: prefixes(limits >> 4),
        deny: prefixes(limits >> 6),
        openings_per_minute: [None, Some(1), Some(2), None][usize::from(limits & 3)],
        client_openings_per_minute: [None, Some(1), None, Some(3)][usize::from(limits >> 2 & 3)],
        wanted,
        refused,
        target,
        start: command(commands, "open %IP%"),
        start_6: command(commands >> 2, "open6 %IP%IP%"),
        stop: command(commands >> 4, "shut %IP%"),
        stop_6: command(commands >> 6, "shut6"),
    })
}

fn sequence(bytes: &mut Unstructured<'_>) -> Result<Vec<Knock>> {
    few(bytes, |bytes| bytes.arbitrary().map(knock))
}

/// Draws up to three.
fn few<'a, T>(
    bytes: &mut Unstructured<'a>,
    mut one: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count: u8 = bytes.arbitrary()?;
    (0..count & 3).map(|_| one(bytes)).collect()
}

fn pick<T: Copy, const N: usize>(bytes: &mut Unstructured<'_>, from: &[T; N]) -> Result<T> {
    let choice: u8 = bytes.arbitrary()?;
    Ok(from[usize::from(choice) % N])
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("the addresses here are well-formed")
}

fn seconds(choice: u8) -> u32 {
    [1, 5, 25, 10, 3600, 2_147_483_647, 2, 4][usize::from(choice & 7)]
}

/// Returns prefixes with some of the clients.
fn prefixes(choice: u8) -> Vec<(IpAddr, u8)> {
    let one = |text, length| vec![(address(text), length)];
    match choice & 3 {
        0 | 1 => Vec::new(),
        2 => one("0.0.0.0", 1),
        _ => one("::", 0),
    }
}

/// Returns what a door lets its clients reach.
fn admission(times: u8, rest: u8) -> Option<Admission> {
    let lasts_s = seconds(times >> 4);
    let max_s = (rest & 1 != 0).then(|| (lasts_s + u32::from(rest >> 5)).min(2_147_483_647));
    let ports = vec![(Protocol::Tcp, 22, 22)];
    (times & 3 == 3).then_some(Admission { ports, lasts_s, max_s })
}

//! Doors that are related to one another.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::address;
use crate::model::{
    ACK, Admission, Door, FIN, Knock, OnReknock, PSH, Protocol, RST, SYN, Sequences, URG,
};

/// The most doors of a case.
pub(super) const DOORS_MAX: usize = 5;

/// The most knocks of a sequence.
const KNOCKS_MAX: usize = 32;

/// The ports that doors name: few, so that doors share them.
const PORTS: [u16; 8] = [7000, 8000, 9000, 7001, 22, 443, 1, 65_535];

/// Draws one to five doors.
pub fn doors() -> impl Strategy<Value = Vec<Door>> {
    vec(door_plan(), 1..=DOORS_MAX).prop_map(|plans| {
        let mut doors: Vec<Door> = Vec::new();
        for plan in &plans {
            doors.push(plan.door(&doors));
        }
        doors
    })
}

/// Draws a knock at one of the ports that doors name.
pub fn knock() -> impl Strategy<Value = Knock> {
    (select(&PORTS[..]), prop::bool::weighted(0.25))
        .prop_map(|(port, udp)| if udp { Knock::udp(port) } else { Knock::tcp(port) })
}

#[derive(Clone, Debug)]
struct DoorPlan {
    name: NamePlan,
    sequence: SequencePlan,
    /// If not empty, the door has one-time sequences, these after the first.
    one_time: Option<Vec<SequencePlan>>,
    seq_timeout_s: u32,
    flags: (u8, u8),
    target: Option<IpAddr>,
    commands: CommandPlan,
    reknock: (OnReknock, Option<u32>),
    admission: Option<Admission>,
    limits: LimitPlan,
    /// Whether the door hears the same packets as the one before, and times out at the same time.
    is_alike: bool,
}

fn door_plan() -> impl Strategy<Value = DoorPlan> {
    let seq_timeout_s = prop_oneof![6 => 1..=15_u32, 1 => Just(25)];
    (
        name_plan(),
        sequence_plan(),
        option::weighted(0.2, vec(sequence_plan(), 0..=3)),
        seq_timeout_s,
        flags(),
        option::weighted(0.15, target()),
        command_plan(),
        (reknock(), option::weighted(0.2, admission()), limit_plan(), prop::bool::weighted(0.3)),
    )
        .prop_map(
            |(name, sequence, one_time, seq_timeout_s, flags, target, commands, rest)| {
                let (reknock, admission, limits, is_alike) = rest;
                DoorPlan {
                    name,
                    sequence,
                    one_time,
                    seq_timeout_s,
                    flags,
                    target,
                    commands,
                    reknock,
                    admission,
                    limits,
                    is_alike,
                }
            },
        )
}

impl DoorPlan {
    fn door(&self, earlier: &[Door]) -> Door {
        let first = self.sequence.knocks(earlier);
        let sequences = match &self.one_time {
            None => Sequences::Fixed(first),
            Some(rest) => {
                let rest = rest.iter().map(|plan| plan.knocks(earlier));
                Sequences::OneTime(std::iter::once(first).chain(rest).collect())
            }
        };
        let CommandPlan { start, start_6, stop, stop_6, cmd_timeout_s } = self.commands.clone();
        let (on_reknock, seq_cooldown_s) = self.reknock;
        let (wanted, refused) = self.flags;
        let name = match earlier.last() {
            Some(door) if self.name.is_shared => String::from_utf8_lossy(&door.name).into_owned(),
            _ => unused_name(self.name.wish, earlier),
        };
        let alike = earlier.last().filter(|_| self.is_alike);
        let (wanted, refused) = alike.map_or((wanted, refused), |one| (one.wanted, one.refused));
        Door {
            seq_timeout_s: alike.map_or(self.seq_timeout_s, |one| one.seq_timeout_s),
            wanted,
            refused,
            target: alike.map_or(self.target, |one| one.target),
            start,
            start_6,
            stop,
            stop_6,
            cmd_timeout_s,
            admission: self.admission.clone(),
            on_reknock,
            seq_cooldown_s,
            allow: self.limits.allow.clone(),
            deny: self.limits.deny.clone(),
            openings_per_minute: self.limits.openings,
            client_openings_per_minute: self.limits.client_openings,
            ..Door::new(&name, sequences)
        }
    }
}

/// The names of doors.
const NAMES: [&str; 16] = [
    "openSSH",
    "closeSSH",
    "web",
    "a",
    "door 1",
    "x-y_z.0",
    "vpn #2",
    "k=v",
    "50%",
    "%s%d%n",
    "%IP%",
    "T\u{fc}r",
    "Options",
    "OPTIONS ",
    "opt[ion]s",
    "]",
];

/// The lengths of long names, in bytes: knockd 0.8 keeps 127 of them.
const LONG_NAMES: [usize; 5] = [126, 127, 128, 140, 253];

#[derive(Clone, Copy, Debug)]
struct NamePlan {
    wish: usize,
    /// Whether the door has the name of the one before.
    is_shared: bool,
}

fn name_plan() -> impl Strategy<Value = NamePlan> {
    let wish = prop_oneof![20 => 0..NAMES.len(), 1 => NAMES.len()..NAMES.len() + LONG_NAMES.len()];
    (wish, prop::bool::weighted(0.04)).prop_map(|(wish, is_shared)| NamePlan { wish, is_shared })
}

fn unused_name(wish: usize, earlier: &[Door]) -> String {
    let long = LONG_NAMES.iter().map(|length| "n".repeat(*length));
    let names: Vec<String> = NAMES.iter().map(|&name| name.to_owned()).chain(long).collect();
    let mut in_turn = names.iter().cycle().skip(wish);
    in_turn
        .find(|name| earlier.iter().all(|door| door.name != name.as_bytes()))
        .expect("there are more names than doors")
        .clone()
}

/// How a sequence comes from that of an earlier door.
#[derive(Clone, Copy, Debug)]
enum Relation {
    None,
    Same,
    Prefix,
    Longer,
    Reversed,
    Rotated,
    SameFirst,
}

#[derive(Clone, Debug)]
struct SequencePlan {
    relation: Relation,
    base: usize,
    own: Vec<Knock>,
    /// A knock of the sequence that comes twice in a row.
    doubled: Option<Index>,
}

fn sequence_plan() -> impl Strategy<Value = SequencePlan> {
    let relation = prop_oneof![
        5 => Just(Relation::None),
        1 => Just(Relation::Same),
        2 => Just(Relation::Prefix),
        2 => Just(Relation::Longer),
        2 => Just(Relation::Reversed),
        1 => Just(Relation::Rotated),
        2 => Just(Relation::SameFirst),
    ];
    let own = prop_oneof![
        30 => vec(knock(), 1..=4),
        1 => vec(knock(), KNOCKS_MAX),
    ];
    (relation, 0..DOORS_MAX, own, option::weighted(0.12, any::<Index>()))
        .prop_map(|(relation, base, own, doubled)| SequencePlan { relation, base, own, doubled })
}

impl SequencePlan {
    fn knocks(&self, earlier: &[Door]) -> Vec<Knock> {
        let base = if earlier.is_empty() {
            &self.own[..]
        } else {
            earlier[self.base % earlier.len()].sequences.current().expect("none is used")
        };
        let mut knocks = match self.relation {
            Relation::None => self.own.clone(),
            Relation::Same => base.to_vec(),
            Relation::Prefix => base[..base.len().div_ceil(2)].to_vec(),
            Relation::Longer => [base, &self.own].concat(),
            Relation::Reversed => base.iter().rev().copied().collect(),
            Relation::Rotated => [&base[1..], &base[..1]].concat(),
            Relation::SameFirst => [&base[..1], &self.own].concat(),
        };
        if let Some(doubled) = self.doubled {
            let at = doubled.index(knocks.len());
            knocks.insert(at, knocks[at]);
        }
        knocks.truncate(KNOCKS_MAX);
        knocks
    }
}

/// Draws wanted and refused flag bits.
fn flags() -> impl Strategy<Value = (u8, u8)> {
    let any_three = (subsequence(vec![SYN, ACK, FIN, RST, PSH, URG], 1..=3), 0..8_u8).prop_map(
        |(bits, refusals)| {
            let mut flags = (0, 0);
            for (at, bit) in bits.into_iter().enumerate() {
                let side = if refusals >> at & 1 == 1 { &mut flags.1 } else { &mut flags.0 };
                *side |= bit;
            }
            flags
        },
    );
    prop_oneof![
        4 => Just((0, 0)),
        4 => Just((SYN, 0)),
        2 => Just((SYN, ACK)),
        3 => Just((0, ACK)),
        2 => any_three,
    ]
}

fn target() -> impl Strategy<Value = IpAddr> {
    select(vec!["198.51.100.7", "10.0.0.1", "2001:db8:ffff::7", "2001:db8::1"]).prop_map(address)
}

/// Who may knock at a door, and how often it opens in a minute.
#[derive(Clone, Debug)]
struct LimitPlan {
    allow: Vec<(IpAddr, u8)>,
    deny: Vec<(IpAddr, u8)>,
    openings: Option<u16>,
    client_openings: Option<u16>,
}

fn limit_plan() -> impl Strategy<Value = LimitPlan> {
    (
        option::weighted(0.08, vec(prefix(), 1..=3)),
        option::weighted(0.12, vec(prefix(), 1..=3)),
        option::weighted(0.12, 1..=3_u16),
        option::weighted(0.12, 1..=2_u16),
    )
        .prop_map(|(allow, deny, openings, client_openings)| LimitPlan {
            allow: allow.unwrap_or_default(),
            deny: deny.unwrap_or_default(),
            openings,
            client_openings,
        })
}

/// Draws a prefix with some of the clients.
fn prefix() -> impl Strategy<Value = (IpAddr, u8)> {
    let all = [
        ("0.0.0.0", 0),
        ("::", 0),
        ("192.0.2.0", 24),
        ("192.0.2.0", 25),
        ("192.0.2.1", 32),
        ("203.0.113.8", 31),
        ("10.0.0.0", 8),
        ("2001:db8::", 32),
        ("2001:db8:1::", 64),
        ("2001:db8:1::1", 128),
        ("fe80::", 10),
    ];
    select(all.to_vec()).prop_map(|(first, length)| (address(first), length))
}

fn admission() -> impl Strategy<Value = Admission> {
    let ports = vec![(Protocol::Tcp, 22, 22), (Protocol::Udp, 5000, 5010)];
    (1..=20_u32, option::weighted(0.5, 0..=20_u32)).prop_map(move |(lasts_s, more_s)| {
        let max_s = more_s.map(|more_s| lasts_s + more_s);
        Admission { ports: ports.clone(), lasts_s, max_s }
    })
}

/// `On_Reknock` and `Seq_Cooldown`.
fn reknock() -> impl Strategy<Value = (OnReknock, Option<u32>)> {
    let on_reknock = prop_oneof![
        4 => Just(OnReknock::Extend),
        1 => Just(OnReknock::Separate),
        1 => Just(OnReknock::Ignore),
    ];
    (on_reknock, option::weighted(0.15, 1..=20_u32))
}

#[derive(Clone, Debug)]
struct CommandPlan {
    start: Option<Vec<u8>>,
    start_6: Option<Vec<u8>>,
    stop: Option<Vec<u8>>,
    stop_6: Option<Vec<u8>>,
    cmd_timeout_s: u32,
}

fn command_plan() -> impl Strategy<Value = CommandPlan> {
    let cmd_timeout_s = prop_oneof![2 => Just(10_u32), 1 => Just(0), 5 => 1..=30_u32];
    (
        option::weighted(0.85, command("add")),
        option::weighted(0.2, command("add6")),
        option::weighted(0.6, command("del")),
        option::weighted(0.15, command("del6")),
        cmd_timeout_s,
    )
        .prop_map(|(start, start_6, stop, stop_6, cmd_timeout_s)| CommandPlan {
            start,
            start_6,
            stop,
            stop_6,
            cmd_timeout_s,
        })
}

fn command(verb: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let texts: Vec<Vec<u8>> = [
        "echo VERB %IP%",
        "/sbin/iptables -A INPUT -s %IP% -p tcp --dport 22 -j ACCEPT # VERB",
        "echo VERB",
        "logger \"VERB %IP% %IP%\"",
        "%IP%IP% %ip% %IP %%IP%% VERB = \\ ' VERB",
        "%IP%",
    ]
    .iter()
    .map(|text| text.replace("VERB", verb).into_bytes())
    .collect();
    let verb = verb.to_owned();
    prop_oneof![
        90 => select(texts),
        10 => Just(vec![]),
        3 => (4_093..4_099_usize, select(vec![9, 10, 11, 13]))
            .prop_map(move |(length, address)| long_command(&verb, length, address)),
    ]
}

/// Returns a command with this many bytes if the address of the client takes `address` of them.
/// knockd 0.8 runs no command of more than 4,095 bytes.
fn long_command(verb: &str, length: usize, address: usize) -> Vec<u8> {
    /// Few enough that the line of the configuration stays below 4,096 bytes.
    const TOKENS: usize = 40;
    let mut command = format!("echo {verb}{} ", " %IP%".repeat(TOKENS)).into_bytes();
    let growth = TOKENS * address.saturating_sub("%IP%".len());
    command.resize(length - growth, b'x');
    command
}

//! One visit of a client to a door: correct or with a deviation.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::doors::DOORS_MAX;
use super::traffic::{CLIENT_COUNT, START_NS, route};
use super::{Resolution, address, knock};
use crate::model::{
    ACK, CWR, Door, ECE, FIN, Knock, PSH, Packet, Protocol, RST, SYN, Setting, Transport,
};

#[derive(Clone, Debug)]
pub(super) struct HonestRun {
    start_ms: i64,
    client: usize,
    six: bool,
    destination: usize,
    /// Which door, modulo the number of doors: fewer doors keep the first ones in place.
    door: usize,
    /// The times from each packet to the next, repeated as needed.
    gaps_ms: Vec<i64>,
    ports: SourcePorts,
    flags: Flags,
    deed: Deed,
    /// Which knock of the sequence is affected.
    at: Index,
}

#[derive(Clone, Copy, Debug)]
enum SourcePorts {
    /// A new one for each knock, as a kernel gives them.
    Fresh,
    /// Always the same, as some tools use.
    Same,
}

#[derive(Clone, Copy, Debug)]
enum Flags {
    /// As few as satisfy the door.
    Plain,
    /// Others as well, where the door allows them: SYN with ECN, a handshake's answer, anything.
    With(u8),
}

/// How a packet is repeated.
#[derive(Clone, Copy, Debug)]
enum Again {
    /// The same packet.
    Same,
    /// The same but for the source port.
    OtherPort,
    /// The same but for the sequence number.
    OtherNumber,
    /// The same but for the flags, which lack SYN.
    WithoutSyn,
}

#[derive(Clone, Debug)]
enum Deed {
    /// Knocks in some order, the correct one first.
    Knocks(Order),
    /// The whole sequence, with something else before one knock or instead of it.
    Intruded { intrusion: Intrusion, instead: bool },
    /// The whole sequence, one knock sent again after this many milliseconds, more than once.
    Retransmission { again: Again, after_ms: i64, times: usize },
    /// The whole sequence with sequence number 0 everywhere, one knock sent again.
    NumberZero,
    /// The whole sequence, then the last knock again: near the time when it is forgotten, or at once.
    LastAgain { again: Again, after: Moment },
    /// The whole sequence, then a first knock near the time when the stop command is due.
    BackAtStop { ticks: i64 },
    /// The last knock near the timeout of the attempt or, if `whole`, near the timeout in whole seconds,
    /// as knockd 0.8 counts.
    Edge { ticks: i64, whole: bool },
    /// The whole sequence, with our answer after each knock.
    Answered,
}

#[derive(Clone, Debug)]
enum Order {
    /// The whole sequence.
    Honest,
    /// Two knocks are swapped.
    Swapped(Index),
    /// Only the first knocks.
    Partial,
    /// The first knocks, then all.
    Restart,
    /// All, then all again.
    Twice,
    /// Alternating with the sequence of another door.
    With(usize),
    /// Any knocks.
    Any(Vec<Knock>),
}

#[derive(Clone, Copy, Debug)]
enum Intrusion {
    /// Another knock, perhaps at another door.
    Wrong(Knock),
    /// The knock with the other protocol.
    OtherProtocol,
    /// A port that no door names.
    Unnamed,
    /// The knock with flags that the door does not accept.
    BadFlags,
    /// The knock to another destination.
    BadDestination,
    /// The knock itself, in a new packet.
    Doubled,
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    Soon(i64),
    /// This many ticks after the opening is forgotten.
    Forgotten(i64),
}

pub(super) fn honest_run() -> impl Strategy<Value = HonestRun> {
    let gap_ms = prop_oneof![
        3 => 1..300_i64,
        1 => Just(0),
        1 => Just(1_000),
        1 => 300..2_000_i64,
    ];
    let client = prop_oneof![4 => 0..2_usize, 1 => 2..6_usize, 1 => 6..CLIENT_COUNT];
    let ports = prop_oneof![3 => Just(SourcePorts::Fresh), 1 => Just(SourcePorts::Same)];
    let odd_flags =
        select(vec![SYN | ECE | CWR, SYN | ACK, ACK, RST, FIN | ACK, PSH | ACK, 0, 0x3f]);
    let flags = prop_oneof![6 => Just(Flags::Plain), 1 => odd_flags.prop_map(Flags::With)];
    (
        prop_oneof![2 => Just(0), 12 => 0..40_000_i64, 1 => 60_000..120_000_i64],
        client,
        prop::bool::weighted(0.25),
        0..3_usize,
        0..DOORS_MAX,
        vec(gap_ms, 1..=4),
        ports,
        flags,
        deed(),
        any::<Index>(),
    )
        .prop_map(
            |(start_ms, client, six, destination, door, gaps_ms, ports, flags, deed, at)| {
                HonestRun {
                    start_ms,
                    client,
                    six,
                    destination,
                    door,
                    gaps_ms,
                    ports,
                    flags,
                    deed,
                    at,
                }
            },
        )
}

fn deed() -> impl Strategy<Value = Deed> {
    let ticks = || prop_oneof![3 => -1..=1_i64, 1 => -1_000_000..=1_000_000_i64];
    let again = || {
        prop_oneof![
            5 => Just(Again::Same),
            1 => Just(Again::OtherPort),
            1 => Just(Again::OtherNumber),
            1 => Just(Again::WithoutSyn),
        ]
    };
    let moment = prop_oneof![
        2 => (0..3_000_i64).prop_map(Moment::Soon),
        1 => ticks().prop_map(Moment::Forgotten),
    ];
    let after_ms = prop_oneof![2 => Just(1_000_i64), 1 => 0..3_000_i64];
    let retransmission = (again(), after_ms, 1..=3_usize)
        .prop_map(|(again, after_ms, times)| Deed::Retransmission { again, after_ms, times });
    let intruded = (intrusion(), prop::bool::weighted(0.3))
        .prop_map(|(intrusion, instead)| Deed::Intruded { intrusion, instead });
    prop_oneof![
        14 => order().prop_map(Deed::Knocks),
        7 => retransmission,
        7 => intruded,
        1 => Just(Deed::NumberZero),
        3 => (again(), moment).prop_map(|(again, after)| Deed::LastAgain { again, after }),
        1 => ticks().prop_map(|ticks| Deed::BackAtStop { ticks }),
        4 => (ticks(), any::<bool>()).prop_map(|(ticks, whole)| Deed::Edge { ticks, whole }),
        1 => Just(Deed::Answered),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        6 => Just(Order::Honest),
        1 => any::<Index>().prop_map(Order::Swapped),
        2 => Just(Order::Partial),
        2 => Just(Order::Restart),
        1 => Just(Order::Twice),
        2 => (0..DOORS_MAX).prop_map(Order::With),
        1 => vec(knock(), 2..10).prop_map(Order::Any),
    ]
}

fn intrusion() -> impl Strategy<Value = Intrusion> {
    prop_oneof![
        2 => knock().prop_map(Intrusion::Wrong),
        1 => Just(Intrusion::OtherProtocol),
        1 => Just(Intrusion::Unnamed),
        1 => Just(Intrusion::BadFlags),
        1 => Just(Intrusion::BadDestination),
        1 => Just(Intrusion::Doubled),
    ]
}

impl HonestRun {
    pub(super) fn start_ms(&self) -> i64 {
        self.start_ms
    }

    pub(super) fn door_index(&self, setting: &Setting) -> usize {
        self.door % setting.doors.len()
    }

    /// Makes the packets of the visit. `fresh` is the number of packets before, from which source ports
    /// and sequence numbers come.
    pub(super) fn packets(
        &self,
        setting: &Setting,
        door: &Door,
        sequence: &[Knock],
        fresh: usize,
        resolution: Resolution,
    ) -> Vec<Packet> {
        let mut walk = Walk {
            visit: self,
            setting,
            door,
            fresh,
            now_ns: START_NS + self.start_ms * 1_000_000,
            packets: vec![],
        };
        walk.perform(sequence, resolution.tick_ns());
        walk.packets
    }
}

/// A visit in progress.
struct Walk<'a> {
    visit: &'a HonestRun,
    setting: &'a Setting,
    door: &'a Door,
    fresh: usize,
    now_ns: i64,
    packets: Vec<Packet>,
}

impl Walk<'_> {
    fn perform(&mut self, sequence: &[Knock], tick_ns: i64) {
        let at = self.visit.at.index(sequence.len());
        match &self.visit.deed {
            Deed::Knocks(order) => self.knock_all(&self.in_order(order, sequence, at)),
            Deed::Intruded { intrusion, instead } => {
                self.knock_all(&sequence[..at]);
                self.intrude(*intrusion, sequence[at]);
                self.knock_all(&sequence[at + usize::from(*instead)..]);
            }
            Deed::Retransmission { again, after_ms, times } => {
                self.knock_all(&sequence[..=at]);
                for _ in 0..*times {
                    self.again(*again, self.packets[at].at_ns + after_ms * 1_000_000);
                }
                self.knock_all(&sequence[at + 1..]);
            }
            Deed::NumberZero => {
                self.knock_all(&sequence[..=at]);
                self.again(Again::Same, self.now_ns);
                self.knock_all(&sequence[at + 1..]);
                for packet in &mut self.packets {
                    if let Transport::Tcp { seq, .. } = &mut packet.transport {
                        *seq = Some(0);
                    }
                }
            }
            Deed::LastAgain { again, after } => {
                self.knock_all(sequence);
                let wait_ns = match after {
                    Moment::Soon(ms) => ms * 1_000_000,
                    Moment::Forgotten(ticks) => {
                        seconds_ns(self.door.seq_timeout_s) + ticks * tick_ns
                    }
                };
                self.again(*again, self.packets[sequence.len() - 1].at_ns + wait_ns);
            }
            Deed::BackAtStop { ticks } => {
                self.knock_all(sequence);
                self.now_ns = self.packets[sequence.len() - 1].at_ns
                    + seconds_ns(self.door.cmd_timeout_s)
                    + ticks * tick_ns;
                self.knock_all(&sequence[..1]);
            }
            Deed::Edge { ticks, whole } => {
                let (first, last) = (&sequence[..1], &sequence[sequence.len() - 1..]);
                self.knock_all(first);
                let first_ns = self.packets[0].at_ns;
                let from_ns = if *whole { first_ns - first_ns % seconds_ns(1) } else { first_ns };
                let limit_ns = from_ns + seconds_ns(self.door.seq_timeout_s) + ticks * tick_ns;
                self.knock_all(&sequence[1..sequence.len().max(2) - 1]);
                self.now_ns = limit_ns;
                self.knock_all(last);
            }
            Deed::Answered => {
                for knock in sequence {
                    self.knock_all(&[*knock]);
                    self.answer();
                }
            }
        }
    }

    fn in_order(&self, order: &Order, sequence: &[Knock], at: usize) -> Vec<Knock> {
        match order {
            Order::Honest => sequence.to_vec(),
            Order::Swapped(with) => {
                let mut swapped = sequence.to_vec();
                swapped.swap(at, with.index(sequence.len()));
                swapped
            }
            Order::Partial => sequence[..=at].to_vec(),
            Order::Restart => [&sequence[..=at], sequence].concat(),
            Order::Twice => [sequence, sequence].concat(),
            Order::With(other) => {
                let other = &self.setting.doors[other % self.setting.doors.len()];
                let other = other.sequences.current().expect("none is used");
                let steps = 0..sequence.len().max(other.len());
                let in_turn = steps.flat_map(|step| [sequence.get(step), other.get(step)]);
                in_turn.flatten().copied().collect()
            }
            Order::Any(knocks) => knocks.clone(),
        }
    }

    fn intrude(&mut self, intrusion: Intrusion, knock: Knock) {
        let Knock { port, protocol } = knock;
        self.knock_all(&[match (intrusion, protocol) {
            (Intrusion::Wrong(knock), _) => knock,
            (Intrusion::OtherProtocol, Protocol::Tcp) => Knock::udp(port),
            (Intrusion::OtherProtocol, Protocol::Udp) => Knock::tcp(port),
            (Intrusion::Unnamed, _) => Knock::tcp(31_337),
            (Intrusion::BadFlags | Intrusion::BadDestination | Intrusion::Doubled, _) => knock,
        }]);
        let Some(packet) = self.packets.last_mut() else { return };
        match (intrusion, &mut packet.transport) {
            (Intrusion::BadFlags, Transport::Tcp { flags: Some(flags), .. }) => {
                // The lowest bit that the door asks for, or SYN, is inverted.
                let asked = self.door.wanted | self.door.refused;
                *flags ^= if asked == 0 { SYN } else { asked & asked.wrapping_neg() };
            }
            (Intrusion::BadDestination, _) => {
                let six = packet.dst.is_ipv6();
                packet.dst = address(if six { "2001:db8:dead::1" } else { "198.51.100.99" });
            }
            _ => {}
        }
    }

    fn knock_all(&mut self, knocks: &[Knock]) {
        for knock in knocks {
            let packet = self.fresh_packet(*knock);
            self.send(packet);
        }
    }

    fn send(&mut self, packet: Packet) {
        self.packets.push(packet);
        let gaps = &self.visit.gaps_ms;
        self.now_ns += gaps[(self.packets.len() - 1) % gaps.len()] * 1_000_000;
    }

    fn fresh_packet(&self, knock: Knock) -> Packet {
        let HonestRun { client, six, destination, .. } = *self.visit;
        let (src, dst) = route(self.setting, self.door, client, six, destination);
        let number = self.fresh + self.packets.len();
        let count = u16::try_from(number).unwrap_or(u16::MAX);
        let sport = match self.visit.ports {
            SourcePorts::Fresh => 40_000_u16.saturating_add(count),
            SourcePorts::Same => 1_024,
        };
        let transport = match knock.protocol {
            Protocol::Tcp => Transport::Tcp {
                seq: Some(0x8000_0000 + u32::from(count) * 0x101),
                flags: Some(self.flags()),
            },
            Protocol::Udp => Transport::Udp,
        };
        Packet { at_ns: self.now_ns, src, dst, sport, dport: knock.port, transport }
    }

    fn flags(&self) -> u8 {
        let wish = match self.visit.flags {
            Flags::Plain => SYN,
            Flags::With(bits) => bits,
        };
        (wish | self.door.wanted) & !self.door.refused
    }

    /// Sends the last packet once more.
    fn again(&mut self, how: Again, at_ns: i64) {
        let Some(last) = self.packets.last().copied() else { return };
        let mut packet = last;
        packet.at_ns = at_ns.max(last.at_ns);
        match (how, &mut packet.transport) {
            (Again::OtherPort, _) => packet.sport ^= 1,
            (Again::OtherNumber, Transport::Tcp { seq, .. }) => *seq = seq.map(|seq| seq + 1),
            (Again::WithoutSyn, Transport::Tcp { flags, .. }) => {
                *flags = flags.map(|flags| flags & !SYN);
            }
            (Again::Same, _) | (Again::OtherNumber | Again::WithoutSyn, Transport::Udp) => {}
        }
        self.now_ns = self.now_ns.max(packet.at_ns);
        self.send(packet);
    }

    /// Sends the answer of the destination to the last packet.
    fn answer(&mut self) {
        let Some(last) = self.packets.last().copied() else { return };
        let transport = Transport::Tcp { seq: Some(0), flags: Some(RST | ACK) };
        let Packet { src, dst, sport, dport, .. } = last;
        let answer = Packet { src: dst, dst: src, sport: dport, dport: sport, transport, ..last };
        self.send(answer);
    }
}

fn seconds_ns(seconds: u32) -> i64 {
    i64::from(seconds) * 1_000_000_000
}

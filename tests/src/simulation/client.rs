//! Clients, and what each kind does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::place::{Addresses, FIRST_PORT, LAST_PORT, knock};
use super::queue::Path;
use super::rng::Rng;
use super::tally::Tally;
use crate::model::{ACK, Door, FIN, Knock, Packet, Protocol, RST, SYN, Transport};

pub(super) const SECOND: i64 = 1_000_000_000;
pub(super) const MILLI: i64 = 1_000_000;

/// The kind of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Knocks at one door according to the rules.
    Honest,
    /// Takes too long.
    Late,
    /// Sends every knock twice, unchanged.
    Repeating,
    /// Knocks at random ports of doors.
    Fumbling,
    /// Sends with the addresses of others.
    Spoofing,
    /// Tries all ports.
    Scanning,
    /// Comes from a new address each time.
    Flooding,
}

/// A client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) kind: Kind,
    pub(super) address: IpAddr,
    pub(super) path: Path,
    /// The source port and sequence number of the next packet, so that no two look the same.
    fresh: u32,
}

/// A packet, and how long after the turn of the client it leaves.
pub(super) type Departure = (i64, Packet);

/// A run through a door's sequence.
pub(super) struct HonestRun {
    /// The index of the door in the configuration.
    pub(super) door: usize,
    /// For each knock: the packet, and its repeats.
    pub(super) knocks: Vec<Vec<Departure>>,
}

/// What a client knows.
pub(super) struct Sight<'a> {
    pub(super) doors: &'a [Door],
    pub(super) addresses: &'a Addresses,
    /// The addresses of all clients.
    pub(super) clients: &'a [IpAddr],
}

impl Client {
    /// Makes the client with this number; its address is no other's.
    pub(super) fn new(number: u32, rng: &mut Rng) -> Self {
        let kinds = [
            (40, Kind::Honest),
            (15, Kind::Late),
            (12, Kind::Repeating),
            (20, Kind::Fumbling),
            (8, Kind::Spoofing),
            (4, Kind::Scanning),
            (1, Kind::Flooding),
        ];
        let kind = rng.weighted(&kinds);
        let address = if rng.percent(25) { ipv6(number) } else { ipv4(0xc612_0000 + number) };
        let steady = matches!(kind, Kind::Honest | Kind::Repeating | Kind::Late);
        let path =
            if rng.percent(if steady { 70 } else { 20 }) { Path::Steady } else { Path::Wild };
        Self { kind, address, path, fresh: rng.number() }
    }

    /// Returns how long the client waits from one turn to the next.
    pub(super) fn pause(&self, rng: &mut Rng) -> i64 {
        match self.kind {
            Kind::Honest | Kind::Repeating | Kind::Late => rng.between(20 * SECOND, 200 * SECOND),
            Kind::Fumbling => rng.between(SECOND / 10, 60 * SECOND),
            Kind::Spoofing => rng.between(SECOND, 60 * SECOND),
            Kind::Scanning | Kind::Flooding => rng.between(60 * SECOND, 400 * SECOND),
        }
    }

    /// Returns a visit to a door that the client can open, if its kind makes visits.
    pub(super) fn visit(&mut self, rng: &mut Rng, sight: &Sight<'_>) -> Option<HonestRun> {
        let is_visitor = matches!(self.kind, Kind::Honest | Kind::Repeating);
        if !is_visitor || sight.doors.is_empty() {
            return None;
        }
        let at = rng.below(sight.doors.len());
        let door = &sight.doors[at];
        let sequence = door.sequences.current()?.to_vec();
        let timeout_ns = i64::from(door.seq_timeout_s) * SECOND;
        let mut left_ns = timeout_ns - 1;
        let mut knocks: Vec<Vec<Departure>> = Vec::new();
        let mut at_ns = 0;
        for (place, knock) in sequence.iter().enumerate() {
            let dst = sight.addresses.for_knock(rng, self.address, door)?;
            let flags = Some(right_flags(rng, door));
            let packet = self.packet(rng, dst, *knock, flags);
            if place > 0 {
                let last = place + 1 == sequence.len();
                let gap_ns = if last && rng.percent(10) {
                    left_ns
                } else {
                    rng.between(0, (left_ns / 4).clamp(0, 2 * SECOND))
                };
                left_ns -= gap_ns;
                at_ns += gap_ns;
            }
            let again = if self.kind == Kind::Repeating { rng.between(1, 2) } else { 0 };
            let repeats = (0..again).map(|time| (at_ns + time * rng.between(0, SECOND), packet));
            knocks.push(std::iter::once((at_ns, packet)).chain(repeats).collect());
        }
        Some(HonestRun { door: at, knocks })
    }

    /// Returns what a client of any other kind sends.
    pub(super) fn act(
        &mut self,
        rng: &mut Rng,
        sight: &Sight<'_>,
        tally: &mut Tally,
    ) -> Vec<Departure> {
        match self.kind {
            Kind::Honest | Kind::Repeating => Vec::new(),
            Kind::Late => self.come_late(rng, sight, tally),
            Kind::Fumbling => (0..rng.between(1, 6)).map(|_| self.fumble(rng, sight)).collect(),
            Kind::Spoofing => self.spoof(rng, sight, tally),
            Kind::Scanning => self.scan(rng, tally),
            Kind::Flooding => self.flood(rng, sight, tally),
        }
    }

    fn come_late(&mut self, rng: &mut Rng, sight: &Sight<'_>, tally: &mut Tally) -> Vec<Departure> {
        let door = rng.pick(sight.doors);
        let knocks = door.sequences.current().unwrap_or_default().to_vec();
        let late_ns = i64::from(door.seq_timeout_s) * SECOND + rng.pick(&[0, 1, SECOND]);
        let slow = rng.below(knocks.len().max(1));
        let mut at_ns = 0;
        let mut out = Vec::new();
        for (place, &knock) in knocks.iter().enumerate() {
            let Some(dst) = sight.addresses.for_knock(rng, self.address, &door) else { break };
            if place > 0 {
                at_ns += if place == slow { late_ns } else { rng.between(0, SECOND) };
                tally.late += 1;
            }
            let flags = Some(right_flags(rng, &door));
            out.push((at_ns, self.packet(rng, dst, knock, flags)));
        }
        out
    }

    fn fumble(&mut self, rng: &mut Rng, sight: &Sight<'_>) -> Departure {
        let at_ns = rng.between(0, 6 * SECOND);
        (at_ns, self.any_packet(rng, sight))
    }

    fn any_packet(&mut self, rng: &mut Rng, sight: &Sight<'_>) -> Packet {
        let door = rng.pick(sight.doors);
        let named = door.sequences.current().unwrap_or_default();
        let knock = match rng.between(0, 3) {
            0 if !named.is_empty() => named[0],
            1 | 2 if !named.is_empty() => rng.pick(named),
            _ => knock(rng),
        };
        let flags = if rng.percent(75) {
            Some(right_flags(rng, &door))
        } else {
            rng.pick(&[Some(SYN), Some(SYN | ACK), Some(ACK), Some(FIN), Some(RST), Some(0), None])
        };
        let dst = sight.addresses.for_knock(rng, self.address, &door);
        let strays = rng.percent(10);
        let dst = dst.filter(|_| !strays);
        let dst = dst.unwrap_or_else(|| Addresses::anywhere(rng, self.address));
        self.packet(rng, dst, knock, flags)
    }

    fn spoof(&mut self, rng: &mut Rng, sight: &Sight<'_>, tally: &mut Tally) -> Vec<Departure> {
        let own = self.address;
        let mut out = Vec::new();
        for _ in 0..rng.between(1, 8) {
            self.address = rng.pick(sight.clients);
            out.push(self.fumble(rng, sight));
            tally.spoofed += 1;
        }
        self.address = own;
        out
    }

    fn scan(&mut self, rng: &mut Rng, tally: &mut Tally) -> Vec<Departure> {
        let mut ports: Vec<u16> = (FIRST_PORT - 3..=LAST_PORT + 3).collect();
        match rng.between(0, 2) {
            0 => {}
            1 => ports.reverse(),
            _ => {
                for _ in 0..20 {
                    let (one, other) = (rng.below(ports.len()), rng.below(ports.len()));
                    ports.swap(one, other);
                }
            }
        }
        let dst = Addresses::anywhere(rng, self.address);
        let gap_ns = rng.between(0, 50 * MILLI);
        tally.scanned += u64::try_from(ports.len()).expect("few ports");
        let mut at_ns = 0;
        let mut probe = |port| {
            at_ns += gap_ns;
            (at_ns, self.packet(rng, dst, Knock::tcp(port), Some(SYN)))
        };
        ports.into_iter().map(&mut probe).collect()
    }

    /// Every packet has an address that was not used before.
    fn flood(&mut self, rng: &mut Rng, sight: &Sight<'_>, tally: &mut Tally) -> Vec<Departure> {
        let own = self.address;
        let count = rng.pick(&[60, 200, 600]);
        let mut out = Vec::new();
        for number in 0..count {
            let fresh = self.fresh % 0x0100_0000 + number;
            self.address =
                if own.is_ipv6() { ipv6(fresh + 0x1_0000) } else { ipv4(0xac00_0000 + fresh) };
            let mut packet = self.any_packet(rng, sight);
            let door = rng.pick(sight.doors);
            if let Some(knocks) = door.sequences.current() {
                let flags = Some(right_flags(rng, &door));
                packet = self.packet(rng, packet.dst, knocks[0], flags);
            }
            out.push((i64::from(number) * rng.between(0, 3 * MILLI), packet));
            tally.flooded += 1;
        }
        self.address = own;
        out
    }

    fn packet(&mut self, rng: &mut Rng, dst: IpAddr, knock: Knock, flags: Option<u8>) -> Packet {
        self.fresh = self.fresh.wrapping_add(1);
        let sport = u16::try_from(1024 + self.fresh % 60_000).expect("it is below 61,024");
        let seq = match rng.between(0, 9) {
            0 => Some(0),
            1 if flags.is_none() => None,
            _ => Some(self.fresh.max(1)),
        };
        let transport = match knock.protocol {
            Protocol::Tcp => Transport::Tcp { seq, flags },
            Protocol::Udp => Transport::Udp,
        };
        Packet { at_ns: 0, src: self.address, dst, sport, dport: knock.port, transport }
    }
}

/// Returns flags that a door asks for.
fn right_flags(rng: &mut Rng, door: &Door) -> u8 {
    let usual = SYN & !door.refused;
    let extra = rng.pick(&[0, 0, 0, 0x40, ACK]) & !door.refused;
    door.wanted | usual | extra
}

fn ipv4(bits: u32) -> IpAddr {
    Ipv4Addr::from_bits(bits).into()
}

fn ipv6(number: u32) -> IpAddr {
    Ipv6Addr::from_bits((0x2001_0db8_00c1 << 80) + u128::from(number)).into()
}

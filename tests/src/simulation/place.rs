//! Addresses, ports and doors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::rng::Rng;
use crate::model::{ACK, Admission, Door, FIN, Knock, OnReknock, Protocol, RST, SYN, Sequences};

/// Addresses that the host may have.
const HERE: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1)),
];

/// An address that counts only as a target.
const BEHIND: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 9, 9, 9));

/// The ports of sequences; no door uses those around them.
pub(super) const FIRST_PORT: u16 = 7001;
pub(super) const LAST_PORT: u16 = 7007;

/// The most doors of a configuration that is edited.
const DOORS: usize = 12;

/// The local addresses, and whether IPv6 is ignored.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    pub(super) local: Option<Vec<IpAddr>>,
    pub(super) ipv4_only: bool,
}

impl Addresses {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let local = match rng.between(0, 9) {
            0 | 1 => None,
            2 => Some(vec![HERE[0]]),
            3 => Some(vec![HERE[1], HERE[2]]),
            4 => Some(vec![HERE[2], HERE[3]]),
            _ => Some(HERE.to_vec()),
        };
        Self { local, ipv4_only: rng.percent(5) }
    }

    /// Returns whether a destination counts for a door.
    pub(super) fn belongs(&self, dst: IpAddr, door: &Door) -> bool {
        let here = match (door.target, &self.local) {
            (Some(target), _) => target == dst,
            (None, Some(local)) => local.contains(&dst),
            (None, None) => true,
        };
        here && !(self.ipv4_only && dst.is_ipv6())
    }

    /// Returns a destination that counts for a door and that the client can send to.
    pub(super) fn for_knock(&self, rng: &mut Rng, client: IpAddr, door: &Door) -> Option<IpAddr> {
        let mut all = HERE.to_vec();
        all.push(BEHIND);
        all.retain(|&dst| dst.is_ipv6() == client.is_ipv6() && self.belongs(dst, door));
        if all.is_empty() { None } else { Some(rng.pick(&all)) }
    }

    /// Returns any destination that the client can send to.
    pub(super) fn anywhere(rng: &mut Rng, client: IpAddr) -> IpAddr {
        match (client.is_ipv6(), rng.percent(80)) {
            (false, true) => HERE[0],
            (false, false) => rng.pick(&[HERE[1], BEHIND]),
            (true, true) => HERE[2],
            (true, false) => HERE[3],
        }
    }
}

/// Makes doors, each of which may vary those before.
pub(super) struct Joiner {
    made: u32,
    /// The sequences to vary.
    theme: Vec<Knock>,
}

impl Joiner {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let theme = (0..rng.between(2, 5)).map(|_| knock(rng)).collect();
        Self { made: 0, theme }
    }

    pub(super) fn doors(&mut self, rng: &mut Rng) -> Vec<Door> {
        let mut doors: Vec<Door> = Vec::new();
        for _ in 0..rng.between(1, 6) {
            let twin = doors.last().filter(|_| rng.percent(8)).cloned();
            doors.push(twin.unwrap_or_else(|| self.door(rng)));
        }
        if rng.percent(30) {
            let relatives = self.relatives(rng, &doors);
            doors.extend(relatives);
        }
        doors
    }

    /// Makes many doors whose sequences begin like that of an earlier one.
    fn relatives(&mut self, rng: &mut Rng, doors: &[Door]) -> Vec<Door> {
        let first = rng.pick(doors);
        // Unless all its one-time sequences are used.
        let Some(common) = first.sequences.current().map(<[Knock]>::to_vec) else {
            return Vec::new();
        };
        let count = rng.between(2, 9);
        let make = |_| {
            let fresh = self.door(rng);
            let mut knocks = common.clone();
            knocks.truncate(rng.pick(&[1, 2, 2, 3, 3]));
            knocks.extend((0..rng.between(1, 3)).map(|_| knock(rng)));
            if rng.percent(15) {
                knocks.insert(1, knocks[0]);
            }
            let is_one_time = rng.percent(5);
            let sequences = if is_one_time {
                Sequences::OneTime(vec![knocks.clone(), knocks])
            } else {
                Sequences::Fixed(knocks)
            };
            // Most hear the same packets and time out at the same time.
            let Door { seq_timeout_s, target, wanted, refused, allow, deny, .. } = first.clone();
            let alike =
                Door { sequences, seq_timeout_s, wanted, refused, target, allow, deny, ..fresh };
            if rng.percent(15) { self.change(rng, &alike) } else { alike }
        };
        (0..count).map(make).collect()
    }

    /// Changes the doors as an administrator may before a reload.
    pub(super) fn edit(&mut self, rng: &mut Rng, doors: &[Door]) -> Vec<Door> {
        let mut edited = Vec::new();
        for door in doors {
            match rng.between(0, 19) {
                0..=2 => {}
                3..=6 => edited.push(self.change(rng, door)),
                7 => edited.extend([door.clone(), door.clone()]),
                8 => edited.extend(self.relatives(rng, std::slice::from_ref(door))),
                _ => edited.push(door.clone()),
            }
        }
        while edited.is_empty() || rng.percent(25) {
            edited.insert(rng.below(edited.len() + 1), self.door(rng));
        }
        edited.truncate(DOORS);
        if rng.percent(20) {
            edited.reverse();
        }
        edited
    }

    fn change(&mut self, rng: &mut Rng, door: &Door) -> Door {
        let fresh = self.door(rng);
        let door = door.clone();
        match rng.between(0, 9) {
            9 => Door { allow: fresh.allow, deny: fresh.deny, ..door },
            8 => Door {
                openings_per_minute: fresh.openings_per_minute,
                client_openings_per_minute: fresh.client_openings_per_minute,
                ..door
            },
            7 => Door { admission: fresh.admission, ..door },
            6 => {
                Door { on_reknock: fresh.on_reknock, seq_cooldown_s: fresh.seq_cooldown_s, ..door }
            }
            0 => Door { sequences: fresh.sequences, ..door },
            1 => Door { seq_timeout_s: fresh.seq_timeout_s, ..door },
            2 => Door { cmd_timeout_s: fresh.cmd_timeout_s, ..door },
            3 => Door { stop: fresh.stop, ..door },
            4 => Door { target: fresh.target, ..door },
            _ => Door { wanted: fresh.wanted, refused: fresh.refused, ..door },
        }
    }

    fn door(&mut self, rng: &mut Rng) -> Door {
        self.made += 1;
        let number = self.made;
        let sequences = if rng.percent(15) {
            Sequences::OneTime((0..rng.between(1, 8)).map(|_| self.sequence(rng)).collect())
        } else {
            Sequences::Fixed(self.sequence(rng))
        };
        let flags = [(35, (0, 0)), (35, (SYN, 0)), (20, (SYN, ACK)), (5, (FIN, 0)), (5, (0, RST))];
        let (wanted, refused) = rng.weighted(&flags);
        let timeouts = [(2, 0), (10, 1), (25, 5), (25, 10), (25, 15), (10, 25)];
        let target = rng.weighted(&[(85, None), (5, Some(HERE[0])), (10, Some(BEHIND))]);
        let mut command = |chance, word: &str| {
            let text = format!("{word} {number} %IP%").into_bytes();
            let given = rng.percent(chance);
            given.then(|| if rng.percent(5) { Vec::new() } else { text })
        };
        let (start, stop) = (command(80, "open"), command(80, "close"));
        let (start_6, stop_6) = (command(20, "open6"), command(20, "close6"));
        Door {
            seq_timeout_s: rng.weighted(&timeouts),
            wanted,
            refused,
            target,
            start,
            start_6,
            stop,
            stop_6,
            cmd_timeout_s: rng.pick(&[0, 1, 5, 10, 40]),
            admission: admission(rng),
            on_reknock: rng.weighted(&[
                (60, OnReknock::Extend),
                (25, OnReknock::Separate),
                (15, OnReknock::Ignore),
            ]),
            seq_cooldown_s: rng.weighted(&[(85, None), (10, Some(7)), (5, Some(30))]),
            allow: prefixes(rng, 8),
            deny: prefixes(rng, 12),
            openings_per_minute: rng.weighted(&[(80, None), (10, Some(2)), (10, Some(5))]),
            client_openings_per_minute: rng.weighted(&[(80, None), (15, Some(1)), (5, Some(2))]),
            ..Door::new(&format!("door{number}"), sequences)
        }
    }

    fn sequence(&self, rng: &mut Rng) -> Vec<Knock> {
        let mut knocks = self.theme.clone();
        match rng.between(0, 9) {
            0 | 1 => {}
            2 => knocks.reverse(),
            3 => knocks.truncate(rng.below(knocks.len()) + 1),
            4 => knocks.push(knock(rng)),
            5 => knocks.insert(0, knocks[0]),
            6 => knocks.truncate(1),
            7 => *knocks.last_mut().expect("a theme has knocks") = knock(rng),
            _ => knocks = (0..rng.between(2, 6)).map(|_| knock(rng)).collect(),
        }
        knocks
    }
}

/// Returns prefixes with some of the clients, mostly none at all.
fn prefixes(rng: &mut Rng, chance: i64) -> Vec<(IpAddr, u8)> {
    let v4 = |last: u8| IpAddr::V4(Ipv4Addr::new(198, 18, 0, last));
    let all_v4 = (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
    let all_v6 = (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0);
    let all = [(v4(0), 16), (v4(0), 30), (v4(2), 31), (v4(5), 32), (v4(8), 29), all_v4, all_v6];
    if !rng.percent(chance) {
        return Vec::new();
    }
    (0..rng.between(1, 3)).map(|_| rng.pick(&all)).collect()
}

fn admission(rng: &mut Rng) -> Option<Admission> {
    let lasts_s = rng.pick(&[1, 3, 10, 60]);
    let max_s = rng.weighted(&[(50, None), (25, Some(lasts_s)), (25, Some(lasts_s + 5))]);
    let ports = vec![(Protocol::Tcp, 22, 22), (Protocol::Udp, 5000, 5010)];
    rng.percent(30).then_some(Admission { ports, lasts_s, max_s })
}

pub(super) fn knock(rng: &mut Rng) -> Knock {
    let port = rng.port(FIRST_PORT, LAST_PORT);
    if rng.percent(20) { Knock::udp(port) } else { Knock::tcp(port) }
}

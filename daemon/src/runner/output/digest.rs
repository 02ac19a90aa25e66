//! What the log says of a flood: the first lines about stages and timeouts in a second, and one line
//! about all others.
//!
//! Anyone can make such lines, with forged packets and as many as the network takes. A line for each would
//! fill the disk, and hide who got in.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use knock_engine::{DoorId, Stage, address};

/// How long lines are counted before they are summarised.
const PERIOD: Duration = Duration::from_secs(1);

/// How many lines of one kind are logged in a period.
const LINES_MAX: u32 = 100;

/// The same, while the period before had more than that.
const LINES_MAX_IN_A_FLOOD: u32 = 10;

/// How many clients are distinguished in a period.
const CLIENTS_MAX: usize = 65_536;

/// A step of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::runner) struct Step {
    pub(in crate::runner) client: IpAddr,
    pub(in crate::runner) door: DoorId,
    pub(in crate::runner) stage: Stage,
    /// Whether the attempt timed out at that stage, and did not reach it.
    pub(in crate::runner) is_timeout: bool,
}

/// Decides which lines about steps are logged, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Digest {
    /// When the present period ends.
    end: Option<Instant>,
    /// How many lines were logged in this period: of first knocks, which anyone can make, and of others.
    logged: [u32; 2],
    /// Whether the last period had lines that were not logged.
    is_flood: bool,
    summary: Option<Summary>,
}

impl Digest {
    /// Returns whether the line about a step is logged. If not, it is counted.
    pub(super) fn admits(&mut self, step: &Step, door: &[u8], now: Instant) -> bool {
        if self.end.is_none() {
            self.end = now.checked_add(PERIOD);
        }
        let max = if self.is_flood { LINES_MAX_IN_A_FLOOD } else { LINES_MAX };
        let [first, later] = &mut self.logged;
        // Forged first knocks do not hide those who know more of a sequence.
        let logged = if step.stage == Stage::FIRST { first } else { later };
        if *logged < max {
            *logged = logged.saturating_add(1);
            return true;
        }
        self.summary.get_or_insert_with(|| Summary::new(door)).add(step);
        false
    }

    /// Returns when a period ends in which there were lines.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.end
    }

    /// Begins a new period if the present one has ended, or at once. Returns the line about the lines
    /// that were not logged.
    pub(super) fn take(&mut self, now: Option<Instant>) -> Option<String> {
        if now.is_some_and(|now| self.end.is_none_or(|end| now < end)) {
            return None;
        }
        let summary = self.summary.take();
        self.is_flood = summary.is_some();
        self.logged = [0; 2];
        // The period after a flood is one even if it is quiet.
        self.end = now.filter(|_| self.is_flood).and_then(|now| now.checked_add(PERIOD));
        summary.map(Summary::text)
    }
}

/// What is known of lines that were not logged.
#[derive(Debug)]
struct Summary {
    lines: u64,
    stages: BTreeMap<Stage, u64>,
    timeouts: u64,
    clients: HashSet<IpAddr>,
    /// Whether there were more clients than are distinguished.
    has_more_clients: bool,
    v4: Option<Prefix>,
    v6: Option<Prefix>,
    doors: BTreeSet<DoorId>,
    /// The name of the first of them.
    door_name: Vec<u8>,
}

impl Summary {
    fn new(door_name: &[u8]) -> Self {
        Self {
            lines: 0,
            stages: BTreeMap::new(),
            timeouts: 0,
            clients: HashSet::new(),
            has_more_clients: false,
            v4: None,
            v6: None,
            doors: BTreeSet::new(),
            door_name: door_name.to_vec(),
        }
    }

    fn add(&mut self, step: &Step) {
        self.lines = self.lines.saturating_add(1);
        let count = if step.is_timeout {
            &mut self.timeouts
        } else {
            self.stages.entry(step.stage).or_default()
        };
        *count = count.saturating_add(1);
        if self.clients.len() < CLIENTS_MAX {
            self.clients.insert(step.client);
        } else if !self.clients.contains(&step.client) {
            self.has_more_clients = true;
        }
        let (prefix, one) = match step.client {
            IpAddr::V4(client) => (&mut self.v4, Prefix::of_v4(client)),
            IpAddr::V6(client) => (&mut self.v6, Prefix::of_v6(client)),
        };
        *prefix = Some(prefix.map_or(one, |prefix| prefix.with(one)));
        self.doors.insert(step.door);
    }

    fn text(self) -> String {
        let mut text = format!("knockd: flood: {} more lines in 1 s, ", self.lines);
        let more = if self.has_more_clients { "more than" } else { "about" };
        match self.clients.len() {
            1 if !self.has_more_clients => text.push_str("about 1 client in "),
            count => {
                // Writing to a string cannot fail.
                let _ = write!(text, "{more} {count} clients in ");
            }
        }
        let v4 = self.v4.map(|prefix| prefix.text(4));
        let prefixes = v4.into_iter().chain(self.v6.map(|prefix| prefix.text(6)));
        text.push_str(&prefixes.collect::<Vec<_>>().join(" and "));
        let others = match self.doors.len().saturating_sub(1) {
            0 => String::new(),
            1 => " and 1 other door".to_owned(),
            others => format!(" and {others} other doors"),
        };
        let _ = write!(text, ", at \"{}\"{others}: ", String::from_utf8_lossy(&self.door_name));
        let stages =
            self.stages.iter().map(|(stage, count)| format!("{count} Stage {}", stage.get()));
        let timeouts = (self.timeouts > 0).then(|| format!("{} sequence timeout", self.timeouts));
        text.push_str(&stages.chain(timeouts).collect::<Vec<_>>().join(", "));
        text
    }
}

/// The bits that all addresses of a family begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Prefix {
    /// The bits of the first address, from the most significant one on.
    bits: u128,
    length: u32,
}

impl Prefix {
    fn of_v4(address: Ipv4Addr) -> Self {
        Self { bits: u128::from(address.to_bits()) << 96, length: 32 }
    }

    const fn of_v6(address: Ipv6Addr) -> Self {
        Self { bits: address.to_bits(), length: 128 }
    }

    /// Returns what both begin with.
    fn with(self, other: Self) -> Self {
        let same = (self.bits ^ other.bits).leading_zeros();
        Self { length: self.length.min(other.length).min(same), ..self }
    }

    fn text(self, family: u8) -> String {
        let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.length)).unwrap_or(0);
        let bits = self.bits & mask;
        let first = if family == 4 {
            IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(bits >> 96).unwrap_or(0)))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        };
        let mut text = Vec::new();
        address::write(first, &mut text);
        format!("{}/{}", String::from_utf8_lossy(&text), self.length)
    }
}

#[cfg(test)]
mod tests {
    use knock_config as config;

    use super::*;

    fn doors() -> Vec<DoorId> {
        let text = b"[a]\nsequence = 1,2\n[b]\nsequence = 3,4\n";
        let config = config::parse(text).config.unwrap();
        config::doors(&config).unwrap().in_order().map(|(id, _)| id).collect()
    }

    fn step(client: &str, door: DoorId, stage: u8) -> Step {
        let (client, stage) = (client.parse().unwrap(), Stage::new(stage).unwrap());
        Step { client, door, stage, is_timeout: false }
    }

    #[test]
    fn a_few_lines_are_logged_and_many_are_counted() {
        let (mut digest, now, door) = (Digest::default(), Instant::now(), doors()[0]);
        let admitted = (0..250).filter(|number| {
            digest.admits(&step(&format!("10.0.{}.7", number % 4), door, 1), b"a", now)
        });
        assert_eq!(admitted.count(), 100);
        assert_eq!(digest.take(Some(now)), None);
        let expected = "knockd: flood: 150 more lines in 1 s, about 4 clients in 10.0.0.0/22, at \"a\": 150 Stage 1";
        assert_eq!(digest.take(Some(now + PERIOD)).as_deref(), Some(expected));
        // While it lasts, fewer are logged; after a quiet period, as many as before.
        for (is_quiet, expected) in [(false, 10), (true, 100)] {
            if is_quiet {
                digest.take(None);
                digest.take(None);
            }
            let one = step("10.0.0.1", door, 1);
            assert_eq!((0..250).filter(|_| digest.admits(&one, b"a", now)).count(), expected);
        }
    }

    #[test]
    fn stages_timeouts_families_and_doors_are_distinguished() {
        let (mut digest, now, doors) = (Digest::default(), Instant::now(), doors());
        for _ in 0..100 {
            digest.admits(&step("192.0.2.1", doors[0], 1), b"a", now);
        }
        // A later stage has lines of its own.
        assert!(digest.admits(&step("192.0.2.1", doors[0], 2), b"a", now));
        for (client, door) in [("192.0.2.1", 0), ("2001:db8::1", 1), ("2001:db8::2", 1)] {
            let one = step(client, doors[door], 1);
            assert!(!digest.admits(&one, b"a", now));
            assert!(!digest.admits(&Step { is_timeout: true, ..one }, b"a", now));
        }
        let expected = "knockd: flood: 6 more lines in 1 s, about 3 clients in 192.0.2.1/32 and \
                        2001:db8::/126, at \"a\" and 1 other door: 3 Stage 1, 3 sequence timeout";
        assert_eq!(digest.take(None).as_deref(), Some(expected));
        assert_eq!((digest.take(None), digest.due()), (None, None));
    }

    #[test]
    fn clients_are_counted_up_to_a_limit() {
        let (mut digest, now, door) = (Digest::default(), Instant::now(), doors()[0]);
        for number in 0..100_000_u32 {
            let client = Ipv4Addr::from_bits(number).to_string();
            digest.admits(&step(&client, door, 1), b"a", now);
        }
        let text = digest.take(None).unwrap();
        let expected = "knockd: flood: 99900 more lines in 1 s, more than 65536 clients in \
                        0.0.0.0/15, at \"a\": 99900 Stage 1";
        assert_eq!(text, expected);
    }
}

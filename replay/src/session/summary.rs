//! The summary on standard error.

use std::fmt::Write as _;

use knock_capture::Passed;
use knock_compat::{Reason, Undecodable};
use knock_engine::address;
use knock_engine::{Counts, Listening, Timestamp};
use serde::{Deserialize, Serialize};

use crate::args::TimeFormat;
use crate::output::time::{span, stamp, utc};
use crate::output::words::number;

/// What the packets of the captures were, in numbers.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    packets: u64,
    undecodable: [u64; Reason::COUNT],
    /// The times of the first packet and of the latest.
    times: Option<(Timestamp, Timestamp)>,
    backwards: u64,
}

/// Where the local addresses come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressSource {
    /// From the command line.
    Given,
    /// From what a capture says about its interfaces.
    Named,
    /// From nowhere: every destination counts.
    Unknown,
}

/// The summary for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    packets: u64,
    admitted: u64,
    undecodable: Vec<UndecodableCount>,
    attempts: u64,
    opened: u64,
    timed_out: u64,
    voided: u64,
    retransmissions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// Absent if every destination counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    local: Option<Vec<String>>,
    warnings: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UndecodableCount {
    reason: String,
    packets: u64,
}

impl Totals {
    /// Returns the totals of two parts of the clients: what is about packets is the same in all parts, what is about
    /// attempts is the sum. `None` if they are not parts of one replay.
    pub(crate) fn with_part(self, other: &Self) -> Option<Self> {
        let sum = |one: u64, other: u64| one.saturating_add(other);
        let merged = Self {
            attempts: sum(self.attempts, other.attempts),
            opened: sum(self.opened, other.opened),
            timed_out: sum(self.timed_out, other.timed_out),
            voided: sum(self.voided, other.voided),
            retransmissions: sum(self.retransmissions, other.retransmissions),
            ..self
        };
        let Self { attempts, opened, timed_out, voided, retransmissions, .. } = merged;
        let other = Self { attempts, opened, timed_out, voided, retransmissions, ..other.clone() };
        (merged == other).then_some(merged)
    }
}

impl Tally {
    pub(crate) fn packet(&mut self, at: Timestamp) {
        self.packets = self.packets.saturating_add(1);
        match &mut self.times {
            None => self.times = Some((at, at)),
            Some((_, latest)) if at < *latest => self.backwards = self.backwards.saturating_add(1),
            Some((_, latest)) => *latest = at,
        }
    }

    /// Counts packets that were passed over, none of which was the first.
    pub(crate) fn passed(&mut self, passed: &Passed) {
        self.packets = self.packets.saturating_add(passed.packets);
        self.backwards = self.backwards.saturating_add(passed.backwards);
        if let (Some((_, latest)), Some(later)) = (&mut self.times, passed.latest) {
            *latest = later.max(*latest);
        }
    }

    /// Returns the times of the first packet and of the latest.
    pub(crate) const fn times(&self) -> Option<(Timestamp, Timestamp)> {
        self.times
    }

    /// Returns how many packets there were.
    pub(crate) const fn packets(&self) -> u64 {
        self.packets
    }

    /// Returns in how many packets no port can be read.
    pub(crate) fn undecodable_packets(&self) -> u64 {
        self.undecodable.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    /// Returns how many packets may have been knocks and could not be read: cut, damaged, or of a link type that
    /// is not known.
    pub(crate) fn unreadable_packets(&self) -> u64 {
        let is_hidden = |reason: Reason| {
            reason.is_damage()
                || reason == Reason::UnknownTo08
                || reason == Reason::Common(knock_engine::Reason::LinkType)
        };
        let counts = Reason::all().zip(self.undecodable);
        let hidden = counts.filter(|(reason, _)| is_hidden(*reason));
        hidden.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }

    pub(crate) fn undecodable(&mut self, why: Undecodable) {
        if let Some(count) = self.undecodable.get_mut(why.reason().index()) {
            *count = count.saturating_add(1);
        }
    }

    /// Returns the lines of the summary.
    pub(crate) fn lines(
        &self,
        counts: Counts,
        listening: &Listening,
        source: AddressSource,
    ) -> Vec<String> {
        let mut lines = vec![self.packet_line(counts), attempt_line(counts)];
        lines.extend(self.time_line());
        lines.push(address_line(listening, source));
        lines.extend(self.warning_lines(counts));
        lines
    }

    /// Returns what is worth a warning, for programs.
    pub(crate) fn warnings(&self, counts: Counts) -> Vec<String> {
        let plain = |line: String| line.trim_start_matches("warning: ").to_owned();
        self.warning_lines(counts).into_iter().map(plain).collect()
    }

    /// Returns the summary for programs.
    pub(crate) fn totals(
        &self,
        counts: Counts,
        listening: &Listening,
        source: AddressSource,
    ) -> Totals {
        let undecodable = Reason::all().zip(self.undecodable).filter(|(_, count)| *count > 0);
        let local = listening.local().filter(|_| source != AddressSource::Unknown);
        Totals {
            packets: self.packets,
            admitted: counts.admitted,
            undecodable: undecodable
                .map(|(reason, packets)| UndecodableCount { reason: reason.to_string(), packets })
                .collect(),
            attempts: counts.attempts,
            opened: counts.opened,
            timed_out: counts.timed_out,
            voided: counts.voided,
            retransmissions: counts.retransmissions,
            first: self.times.map(|(first, _)| utc(first)),
            last: self.times.map(|(_, latest)| utc(latest)),
            local: local.map(|local| local.iter().map(|&address| address::text(address)).collect()),
            warnings: self.warnings(counts),
        }
    }

    fn packet_line(&self, counts: Counts) -> String {
        let mut line = format!(
            "{}, {} admitted, ",
            number(self.packets, "packet read", "packets read"),
            counts.admitted
        );
        let total: u64 = self.undecodable.iter().sum();
        let _ = write!(line, "{total} undecodable");
        let reasons = Reason::all().zip(self.undecodable).filter(|(_, count)| *count > 0);
        let reasons: Vec<_> = reasons.map(|(reason, count)| format!("{count} {reason}")).collect();
        if !reasons.is_empty() {
            let _ = write!(line, " ({})", reasons.join(", "));
        }
        line
    }

    fn time_line(&self) -> Option<String> {
        let (first, latest) = self.times?;
        let utc = |at| stamp(TimeFormat::Utc, at, at);
        Some(format!("from {} to {}: {} s", utc(first), utc(latest), span(first, latest)))
    }

    /// Returns what is worth a warning.
    pub(crate) fn warning_lines(&self, counts: Counts) -> Vec<String> {
        let mut lines = Vec::new();
        let mut warn = |count: u64, one: &str, many: &str, rest: &str| {
            if count > 0 {
                lines.push(format!("warning: {} {rest}", number(count, one, many)));
            }
        };
        warn(
            self.backwards,
            "packet is",
            "packets are",
            "stamped earlier than one before; taken as coming at the latest time seen",
        );
        let limit = "at the limit of --max-attempts";
        let evicted = format!("evicted for others {limit}");
        warn(counts.evicted, "attempt was", "attempts were", &evicted);
        let forgotten = format!("forgotten early {limit}: a retransmission may have counted");
        warn(counts.forgotten_knocks, "opening was", "openings were", &forgotten);
        let forgotten = format!("forgotten early {limit}: an opening may have counted");
        warn(counts.forgotten_cooldowns, "cooldown was", "cooldowns were", &forgotten);
        let forgotten =
            format!("no longer counted {limit}: an opening may have exceeded its door's limit");
        warn(counts.forgotten_openings, "opening was", "openings were", &forgotten);
        let not_begun = format!("not begun {limit}; knockd 0.8 would have begun it");
        warn(counts.not_begun, "attempt was", "attempts were", &not_begun);
        let refused = format!("refused {limit}");
        warn(counts.refused, "opening was", "openings were", &refused);
        lines.extend(self.hint(counts).map(str::to_owned));
        lines
    }

    /// Returns what may be amiss if no packet was for a door.
    fn hint(&self, counts: Counts) -> Option<&'static str> {
        let undecodable: u64 = self.undecodable.iter().sum();
        if counts.admitted > 0 {
            None
        } else if self.packets == 0 {
            Some("warning: there were no packets to replay")
        } else if self.undecodable.get(Reason::UnknownTo08.index()) == Some(&self.packets) {
            Some(
                "warning: knockd 0.8 cannot read any of the packets: it starts only on Ethernet, \
                 Linux cooked (version 1) and raw IP, and knows no IPv6 on the latter two",
            )
        } else if undecodable == self.packets {
            Some(
                "warning: no packet was TCP or UDP that can be read; were they cut short \
                 (tcpdump -s)?",
            )
        } else {
            Some(
                "warning: no packet was for any door; check the ports, tcpflags, targets and \
                 local addresses",
            )
        }
    }
}

fn attempt_line(counts: Counts) -> String {
    format!(
        "{}, {}, {} timed out, {} void, {} ignored",
        number(counts.attempts, "attempt", "attempts"),
        number(counts.opened, "open", "opens"),
        counts.timed_out,
        counts.voided,
        number(counts.retransmissions, "retransmission", "retransmissions"),
    )
}

/// Returns which destinations count, and who says so.
pub(crate) fn address_line(listening: &Listening, source: AddressSource) -> String {
    let list = || {
        let addresses = listening.local().unwrap_or_default();
        addresses.iter().map(|&address| address::text(address)).collect::<Vec<_>>().join(", ")
    };
    match source {
        AddressSource::Given => format!("local addresses: {}", list()),
        AddressSource::Named => format!("local addresses, as the capture names them: {}", list()),
        AddressSource::Unknown => "local addresses unknown: every destination counted (name them \
                                   with --local ADDR)"
            .to_owned(),
    }
}

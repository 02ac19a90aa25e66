//! How near a client came, in words.

use knock_engine::Stage;
use knock_engine::address;

use super::miss::{Cause, Miss, Nearest};
use super::places::ConfigLine;
use super::terms::{flags, ordinal, seconds, source_refusal, times, unreadable};
use super::words::Words;

impl Cause {
    /// Returns what kept clients from going on after `stage`, in the words that fit all of them.
    pub(crate) fn summary(self, stage: Stage) -> String {
        let knock = format!("the {} knock", ordinal(stage));
        match self {
            Self::Late => format!("{knock} came too late"),
            Self::Refused => {
                "all knocks came, but too many commands and open doors were pending".to_owned()
            }
            Self::OtherFlags => format!("{knock} had other TCP flags"),
            Self::OtherDestination => format!("{knock} went to another address"),
            Self::OtherSource => "allow and deny do not let them knock".to_owned(),
            Self::OtherProtocol => format!("{knock} came by the wrong protocol"),
            Self::Unreadable => format!("a packet without a port came instead of {knock}"),
            Self::OtherPort => format!("a packet to another port came instead of {knock}"),
            Self::Repeat => format!("an earlier knock came again instead of {knock}"),
            Self::Wrong => format!("wrong order: another knock came instead of {knock}"),
            Self::Silence => format!("{knock} did not come in time"),
            Self::Evicted => "evicted for another attempt at the limit".to_owned(),
            Self::SequenceChanged => "another client used the one-time sequence".to_owned(),
            Self::DoorChanged => "the door was changed".to_owned(),
            Self::NoFirst => "a later knock came without the first".to_owned(),
            Self::NotSigned(cause) => cause.summary().to_owned(),
        }
    }
}

impl Words<'_> {
    /// Returns how near a client came to opening a door.
    #[must_use]
    pub fn nearest(&self, nearest: &Nearest) -> String {
        let client = address::text(nearest.client);
        let opened = (nearest.openings > 0)
            .then(|| format!("opened for {client} {}", times(nearest.openings)));
        if nearest.misses.is_empty() || (opened.is_some() && nearest.stage == Stage::NONE) {
            return opened.unwrap_or_else(|| {
                format!("{client} sent nothing but what counted elsewhere, or repeats")
            });
        }
        let clauses = self.clauses(nearest);
        if nearest.misses.iter().all(|miss| matches!(miss.cause, Cause::NotSigned(_))) {
            return format!("{client} did not get in; {clauses}");
        }
        if nearest.stage == Stage::NONE {
            return format!("{client} made no first knock; {clauses}");
        }
        let failed = format!(
            "came to stage {} of {} {}; {clauses}",
            nearest.stage.get(),
            nearest.of,
            times(nearest.times())
        );
        match opened {
            Some(opened) => format!("{opened}, and {failed}"),
            None => format!("{client} {failed}"),
        }
    }

    /// Returns the lines of the configuration that decided most often.
    #[must_use]
    pub fn nearest_lines(&self, nearest: &Nearest) -> Vec<ConfigLine> {
        let Nearest { door, sequence_line, .. } = *nearest;
        let is_open = nearest.openings > 0;
        let Some(miss) = nearest.misses.first() else { return Vec::new() };
        if is_open && nearest.stage == Stage::NONE {
            return Vec::new();
        }
        match miss.cause {
            Cause::Late | Cause::Silence => self.seq_timeout(door),
            Cause::OtherFlags => self.places.flags(door),
            Cause::OtherDestination if self.is_unheard_ipv6(miss.packet) => Vec::new(),
            Cause::OtherDestination => self.target(door),
            Cause::OtherSource => self.sources(door, nearest.client),
            Cause::OtherProtocol
            | Cause::OtherPort
            | Cause::Repeat
            | Cause::Wrong
            | Cause::NoFirst => self.places.sequence(door, sequence_line),
            Cause::Refused
            | Cause::NotSigned(_)
            | Cause::Unreadable
            | Cause::Evicted
            | Cause::SequenceChanged
            | Cause::DoorChanged => Vec::new(),
        }
    }

    fn clauses(&self, nearest: &Nearest) -> String {
        match &nearest.misses[..] {
            [one] if one.times == 1 => self.clause(one, nearest),
            [one] if nearest.stage > Stage::NONE => {
                format!("each time {}", self.clause(one, nearest))
            }
            several => {
                let clause =
                    |one: &Miss| format!("{} {}", times(one.times), self.clause(one, nearest));
                several.iter().map(clause).collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn clause(&self, miss: &Miss, nearest: &Nearest) -> String {
        let knock = format!("the {} knock", ordinal(nearest.stage));
        let expected = miss.expected.map_or(String::new(), |expected| expected.to_string());
        let seen = miss.packet.and_then(|seen| seen.knock);
        let got = seen.map_or("another packet".to_owned(), |got| got.to_string());
        let door = self.doors.door(nearest.door);
        match miss.cause {
            Cause::Late => self.late(miss, nearest, &knock),
            Cause::Refused => "too many commands and open doors were pending".to_owned(),
            Cause::OtherFlags => {
                let flags = flags(door.flags, miss.packet.and_then(|seen| seen.flags));
                format!("{knock} had other TCP flags {}", self.example(miss, &flags))
            }
            Cause::OtherDestination if self.is_unheard_ipv6(miss.packet) => {
                let packet = self.example(miss, "");
                format!("{knock} was IPv6, which does not count with --only-ip-v4 {packet}")
            }
            Cause::OtherDestination => {
                let to = miss.packet.and_then(|seen| seen.destination).map(address::text);
                let to = format!("to {}", to.unwrap_or_default());
                format!("{knock} did not go to our address {}", self.example(miss, &to))
            }
            Cause::OtherSource => {
                let why = door.sources.refusal(nearest.client).map(source_refusal);
                let packet = self.example(miss, "");
                format!("{knock} was not heard: {} {packet}", why.unwrap_or_default())
            }
            Cause::OtherProtocol => {
                let detail = format!("{got}, not {expected}");
                format!("{knock} came by the wrong protocol {}", self.example(miss, &detail))
            }
            Cause::Unreadable => {
                let why = miss.why.map(unreadable).unwrap_or_default();
                let packet = self.example(miss, &why);
                format!("a packet without a port came instead of {knock}, {expected} {packet}")
            }
            Cause::OtherPort | Cause::Wrong => {
                let packet = self.example(miss, &got);
                format!("a packet to another port came instead of {knock}, {expected} {packet}")
            }
            Cause::Repeat => {
                let packet = self.example(miss, "");
                format!("{got} came again instead of {knock}, {expected} {packet}")
            }
            Cause::Silence => {
                let timeout = door.seq_timeout.get();
                format!("{knock}, {expected}, did not come within {timeout} s")
            }
            Cause::Evicted => "it was evicted for another attempt at the limit".to_owned(),
            Cause::SequenceChanged => "another client used the one-time sequence".to_owned(),
            Cause::DoorChanged => "the door was changed".to_owned(),
            Cause::NotSigned(_) => {
                let fault = miss.signed.map(|fault| self.signed_fault(fault)).unwrap_or_default();
                format!("{fault} {}", self.example(miss, ""))
            }
            Cause::NoFirst => {
                let packet = self.example(miss, &got);
                format!("a later knock came without the first, {expected} {packet}")
            }
        }
    }

    fn late(&self, miss: &Miss, nearest: &Nearest, knock: &str) -> String {
        let timeout = self.doors.door(nearest.door).seq_timeout.get();
        let by = miss.late_nanos.map_or_else(String::new, lateness);
        let advice = enough(miss.needed_seconds);
        format!("{knock} came after {timeout} s, {by} too late{advice}")
    }

    /// Returns the first packet of a miss with what is special in it, and how many more there were.
    fn example(&self, miss: &Miss, detail: &str) -> String {
        let packet = miss.packet.map(|seen| self.captures.packet(seen.id)).unwrap_or_default();
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        match miss.times.saturating_sub(1) {
            0 => format!("({packet}{detail})"),
            more => format!("({packet}{detail}, and {more} more)"),
        }
    }
}

/// Returns the least and the most lateness as text.
pub(crate) fn lateness((least, most): (u64, u64)) -> String {
    if least < most {
        format!("{} to {} s", seconds(least), seconds(most))
    } else {
        format!("{} s", seconds(least))
    }
}

/// Returns which `seq_timeout` would have been enough, in seconds, if it is one to be advised.
pub(crate) fn enough(needed: u64) -> String {
    /// The longest that is worth advising.
    const MOST: u64 = 3600;
    if needed <= MOST {
        format!("; seq_timeout = {needed} would have been enough")
    } else {
        String::new()
    }
}

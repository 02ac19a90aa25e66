//! Counters of what happened in a run.

use std::fmt;

macro_rules! tally {
    ($($name:ident: $text:literal,)*) => {
        /// How often each thing happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $(#[doc = $text] pub $name: u64,)*
        }

        impl Tally {
            /// Returns each number with what it counts.
            #[must_use]
            pub fn entries(&self) -> Vec<(&'static str, u64)> {
                vec![$(($text, self.$name),)*]
            }

            /// Adds the numbers of another run.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }
    };
}

tally! {
    runs: "runs",
    packets: "packets delivered",
    admitted: "packets admitted",
    lost: "packets lost",
    duplicated: "packets duplicated",
    overtaken: "packets overtaken by a later one",
    spoofed: "packets with another's address",
    scanned: "packets of scans",
    flooded: "packets of floods",
    late: "knocks made too late on purpose",
    repeated: "knocks sent again",
    clock_back: "clock steps backwards",
    clock_forward: "clock steps forwards",
    clamped: "packets stamped before an earlier packet",
    reloads: "reloads",
    doors_kept: "doors kept by a reload",
    doors_ended: "doors ended by a reload",
    reloads_in_attempts: "reloads while attempts were live",
    leases_orphaned: "leases of doors that a reload ended",
    addresses: "changes of the local addresses",
    honest: "honest visits that could not fail",
    openings: "openings",
    attempts: "attempts",
    timed_out: "attempts timed out",
    voided: "attempts void",
    voided_often: "clients voided again and again",
    retransmissions: "retransmissions ignored",
    evicted: "attempts evicted at the limit",
    forgotten: "openings forgotten at the limit",
    refused: "openings refused at the limit",
    leases: "leases closed",
    leases_at_once: "leases with a command timeout of 0",
    failed: "commands that failed",
    hung: "commands that hung",
    queued: "start commands that waited for another",
    stops_waited: "stop commands that waited for another",
    extended: "openings that extended another",
    merged: "openings merged with one that waits",
    ignored: "openings ignored",
    admissions_ended: "admissions that ended",
    admissions_renewed: "admissions that were renewed",
    admissions_lost: "admissions that the driver lost",
    cooldowns_forgotten: "cooldowns forgotten at the limit",
    openings_forgotten: "openings that no longer counted, at the limit",
    client_limits: "openings ignored at the limit of a client",
    door_limits: "openings ignored at the limit of a door",
    answered_twice: "commands that ended twice",
    sequences_used: "one-time sequences used",
    sequences_not_marked: "one-time sequences that could not be marked",
    sequences_passed: "one-time sequences marked while the next was knocked at",
    doors_disabled: "doors out of one-time sequences",
    deadlines: "deadlines that the driver woke for",
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (text, number) in self.entries() {
            writeln!(f, "{number:>12} {text}")?;
        }
        Ok(())
    }
}

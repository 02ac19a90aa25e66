//! Totals since the start, for the control socket.

use std::collections::BTreeMap;

use super::Runner;
use super::refused::Refused;
use crate::wire::Loss;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Total {
    Openings,
    AcceptedSigned,
    StartCommands,
    StopCommands,
    FailedCommands,
    Reloads,
    RejectedReloads,
}

impl Total {
    const ALL: [Self; 7] = [
        Self::Openings,
        Self::AcceptedSigned,
        Self::StartCommands,
        Self::StopCommands,
        Self::FailedCommands,
        Self::Reloads,
        Self::RejectedReloads,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Openings => "openings",
            Self::AcceptedSigned => "accepted_signed_packets",
            Self::StartCommands => "start_commands",
            Self::StopCommands => "stop_commands",
            Self::FailedCommands => "failed_commands",
            Self::Reloads => "reloads",
            Self::RejectedReloads => "rejected_reloads",
        }
    }
}

const fn name_of_loss(loss: Loss) -> &'static str {
    match loss {
        Loss::Packets => "lost_packets",
        Loss::Attempts => "evicted_attempts",
        Loss::Knocks => "forgotten_knocks",
        Loss::Lines => "lost_lines",
        Loss::Recorded => "unrecorded_packets",
        Loss::Openings => "refused_openings",
    }
}

fn name_of_refusal(why: &str) -> String {
    format!("refused_signed_packets_{}", why.replace('-', "_"))
}

/// The totals.
#[derive(Debug, Default)]
pub(super) struct Totals {
    counts: BTreeMap<Total, u64>,
    /// Signed packets that open nothing.
    pub(super) refused: Refused,
}

impl Totals {
    /// Counts one more.
    pub(super) fn add(&mut self, total: Total) {
        let count = self.counts.entry(total).or_default();
        *count = count.saturating_add(1);
    }
}

impl Runner {
    /// Returns all totals by name.
    pub(super) fn totals(&self) -> BTreeMap<String, u64> {
        let own = Total::ALL.map(|one| (one.name(), self.totals.counts.get(&one).copied()));
        let lost = Loss::ALL.map(|loss| (name_of_loss(loss), self.losses.total(loss)));
        let all = own.into_iter().chain(lost);
        let all = all.map(|(name, count)| (name.to_owned(), count.unwrap_or(0)));
        let refused = self.totals.refused.totals();
        all.chain(refused.map(|(why, count)| (name_of_refusal(why), count))).collect()
    }
}

//! What was lost, and when that is reported.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Runner;
use super::output::Kind;
use crate::wire::Loss;

/// How often more losses of one kind are reported.
const LOSSES_EVERY: Duration = Duration::from_mins(1);

/// How many of each kind were lost, and reported.
#[derive(Debug, Default)]
pub(super) struct Losses {
    counts: BTreeMap<Loss, Count>,
}

#[derive(Debug, Default)]
struct Count {
    /// By the processes before the present one that reads packets.
    before: u64,
    lost: u64,
    reported: u64,
    /// When more may be reported.
    next: Option<Instant>,
}

impl Losses {
    /// Sets how many the present process that reads packets has lost.
    pub(super) fn set(&mut self, loss: Loss, count: u64) {
        let all = self.counts.entry(loss).or_default();
        all.lost = all.before.saturating_add(count);
    }

    /// Notes that another process reads packets from now on, and begins to count.
    pub(super) fn lose_sniffer(&mut self) {
        for all in self.counts.values_mut() {
            all.before = all.lost;
        }
    }

    /// Returns how many were lost since the start, if any were.
    pub(super) fn total(&self, loss: Loss) -> Option<u64> {
        self.counts.get(&loss).map(|count| count.lost)
    }

    /// Returns when there is something to report.
    pub(super) fn due(&self) -> Option<Instant> {
        let unreported = self.counts.values().filter(|count| count.lost > count.reported);
        unreported.filter_map(|count| count.next).min()
    }

    /// Returns what is to be reported now: at once the first time, and then once in a while.
    fn take(&mut self, is_last: bool) -> Vec<(Loss, u64)> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (&loss, count) in &mut self.counts {
            let is_due = is_last || count.next.is_none_or(|next| next <= now);
            if count.lost > count.reported && is_due {
                count.reported = count.lost;
                count.next = now.checked_add(LOSSES_EVERY);
                due.push((loss, count.lost));
            }
        }
        due
    }
}

impl Runner {
    /// Reports what was lost, if that is due or if it is the last time.
    pub(super) fn report_losses(&mut self, is_last: bool) {
        for (loss, count) in self.losses.take(is_last) {
            let text = match loss {
                Loss::Packets => format!(
                    "{count} packets were lost since the start, because they came faster than knockd \
                     could read them: some knocks may have been missed"
                ),
                Loss::Attempts => format!(
                    "{count} attempts were evicted since the start, at the limit of {} \
                     (--max-attempts): their clients must knock again",
                    self.args.max_attempts
                ),
                Loss::Knocks => format!(
                    "{count} knocks were forgotten early since the start, at the limit of {} \
                     (--max-attempts): a TCP retransmission of one may count as a knock",
                    self.args.max_attempts
                ),
                Loss::Lines => format!(
                    "{count} log lines were lost since the start, because they could not be written \
                     fast enough"
                ),
                Loss::Openings => format!(
                    "{count} openings were refused since the start, because their doors were busy: too \
                     many start commands were running or waiting, or too many doors were open"
                ),
                Loss::Recorded => format!(
                    "{count} packets were not recorded since the start, because the file of --record \
                     cannot be written: restart knockd to record again"
                ),
            };
            self.output.text(Kind::Notice, format!("knockd: warning: {text}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_stays_counted_when_another_process_reads_packets() {
        let mut losses = Losses::default();
        losses.set(Loss::Packets, 5);
        losses.set(Loss::Packets, 7);
        losses.lose_sniffer();
        assert_eq!(losses.total(Loss::Packets), Some(7));
        losses.set(Loss::Packets, 2);
        losses.set(Loss::Lines, 1);
        losses.lose_sniffer();
        losses.set(Loss::Packets, 1);
        let totals = [Loss::Packets, Loss::Lines, Loss::Knocks].map(|loss| losses.total(loss));
        assert_eq!(totals, [Some(10), Some(1), None]);
        assert_eq!(losses.take(true), [(Loss::Packets, 10), (Loss::Lines, 1)]);
    }
}

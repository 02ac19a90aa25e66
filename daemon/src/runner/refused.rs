//! How many signed packets were refused since the start, for the control socket.

use std::collections::BTreeMap;

use knock_signed::Refusal;

use crate::wire::COUNTED;

/// How many were refused, by the names of the reasons.
#[derive(Debug, Default)]
pub(super) struct Refused(BTreeMap<&'static str, Count>);

#[derive(Debug, Default)]
struct Count {
    /// By the processes before the present one that reads packets.
    before: u64,
    all: u64,
}

impl Refused {
    /// Sets how many the present process that reads packets has refused for a reason.
    pub(super) fn set(&mut self, why: Refusal, count: u64) {
        let of_reason = self.0.entry(why.name()).or_default();
        of_reason.all = of_reason.before.saturating_add(count);
    }

    /// Notes that another process reads packets from now on, and begins to count.
    pub(super) fn lose_sniffer(&mut self) {
        for of_reason in self.0.values_mut() {
            of_reason.before = of_reason.all;
        }
    }

    /// Returns all reasons by their names, and how many packets were refused for each.
    pub(super) fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> {
        COUNTED.into_iter().map(|why| {
            let name = why.name();
            (name, self.0.get(name).map_or(0, |of_reason| of_reason.all))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_process_goes_on_with_the_counts() {
        let mut refused = Refused::default();
        refused.set(Refusal::Forged, 7);
        refused.set(Refusal::ClockOff { ahead: 5 }, 1);
        refused.lose_sniffer();
        refused.set(Refusal::Forged, 2);
        let totals: BTreeMap<_, _> = refused.totals().collect();
        assert_eq!(totals.len(), COUNTED.len());
        let some = ["not-authentic", "clock-off", "moment-used"].map(|name| totals[name]);
        assert_eq!(some, [9, 1, 0]);
    }
}

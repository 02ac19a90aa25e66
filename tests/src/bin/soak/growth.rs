//! Whether a process grows.

use std::fmt;
use std::time::Duration;

use crate::figures::Look;

/// The processes of a look, in order.
pub(crate) const PROCESSES: [&str; 2] = ["runner", "sniffer"];

/// In a run of this length, lists have been full and memory has its size before the second half begins.
const LONG: Duration = Duration::from_mins(10);

/// By how much a process may be larger than ever in the first half of a long run or a short one, in KiB.
const MORE_MAX: u64 = 256;
const MORE_MAX_SOON: u64 = 1_024;

/// Returns whether the memory of its own that a process had at these times has stopped growing.
///
/// A program that leaks nothing grows, too: until its lists, such as that of the last log lines, have been full once,
/// and until its allocator has seen the largest configuration at the worst moment, when something that stays is put
/// above it. The allocator keeps that memory, and sometimes returns it, in steps of some hundred KiB. So what was first
/// and what is last may differ either way. But a leak goes on: then every look in the last quarter shows more than any in
/// the first half. Where a process does not grow, the least of the last quarter is hardly ever above the most of the
/// first half. In half an hour, with five minutes from the one to the other, a leak of 51 KiB a minute is found, which is
/// 870 bytes for each honest client, or a byte for every sixth forged packet.
pub(crate) fn is_over(looks: &[(Duration, u64)]) -> bool {
    let (first, rest) = looks.split_at(looks.len() / 2);
    let last = &rest[rest.len() / 2..];
    let ([begin, ..], Some(end)) = (first, last.last()) else { return false };
    let is_long = end.0.saturating_sub(begin.0) >= LONG;
    let more_max = if is_long { MORE_MAX } else { MORE_MAX_SOON };
    let peak = first.iter().map(|(_, memory)| memory).max();
    let low = last.iter().map(|(_, memory)| memory).min();
    peak.zip(low).is_some_and(|(peak, low)| *low <= peak + more_max)
}

/// Prints the memory of all processes at all times.
pub(crate) fn print(looks: &[Look], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(out, "\nmemory in KiB, the least of ten samples")?;
    writeln!(
        out,
        "  {:>5}  {:7}  {:>6}  heap  arenas  stacks  program  shared",
        "at s", "", "all"
    )?;
    for look in looks {
        for (name, process) in PROCESSES.iter().zip(&look.processes) {
            let memory = process.memory;
            writeln!(
                out,
                "  {:5}  {name:7}  {:6}  {:4}  {:6}  {:6}  {:7}  {:6}",
                look.at.as_secs(),
                memory.all(),
                memory.heap,
                memory.arenas,
                memory.stacks,
                memory.files,
                memory.shared
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_over_every_minute(own: &[u64]) -> bool {
        let at = |minute: usize| Duration::from_mins(minute.try_into().unwrap());
        let looks: Vec<_> =
            own.iter().enumerate().map(|(minute, own)| (at(minute), *own)).collect();
        is_over(&looks)
    }

    #[test]
    fn steps_are_no_leak_and_what_goes_on_is_one() {
        let steps = |minute: u64| 2_000 + [0, 376, 12, 400][usize::try_from(minute % 4).unwrap()];
        let filling = |minute: u64| 2_000 + 60 * minute.min(8);
        let leak = |minute: u64| steps(minute) + 120 * minute;
        let own = |memory: &dyn Fn(u64) -> u64| (0..20).map(memory).collect::<Vec<_>>();
        assert!(is_over_every_minute(&own(&steps)));
        assert!(is_over_every_minute(&own(&filling)));
        assert!(!is_over_every_minute(&own(&leak)));
        assert!(!is_over_every_minute(&own(&|minute| 2_000 + 60 * minute)));
        // In a few minutes a small leak looks like a step.
        assert!(is_over_every_minute(&own(&leak)[..8]));
        assert!(!is_over_every_minute(&own(&|minute| 2_000 + 400 * minute)[..8]));
        assert!(!is_over_every_minute(&[]));
    }
}

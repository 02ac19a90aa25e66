//! What is to be said of packets that are not explained.

use knock_engine::Reason;

use super::Whom;
use super::observer::Totals;
use super::terms::unreadable;
use super::words::Words;
use crate::output::words::number;

/// Returns what is to be said of packets that are not explained.
pub(crate) fn remarks(totals: &Totals, whom: Whom, words: &Words<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    if totals.explained == 0 && totals.left_out == 0 {
        let of = match whom {
            Whom::All => String::new(),
            Whom::Network(_) => format!(" of {whom}"),
        };
        lines.push(format!("no packet{of} concerned any door"));
    }
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            lines.push(format!("{} {what}", number(count, "packet", "packets")));
        }
    };
    say(totals.strays, "in all to ports of no door");
    say(totals.of_others, "of other clients");
    say(
        totals.left_out,
        "of further clients not explained; name one of them to see it (--client CLIENT)",
    );
    for (reason, &count) in Reason::ALL.iter().zip(&totals.unreadable) {
        say(count, &format!("{reason}"));
    }
    for &(id, why) in &totals.unreadable_first {
        lines.push(format!("  {}: {}", words.captures.packet(id), unreadable(why)));
    }
    lines
}

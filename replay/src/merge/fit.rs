//! Whether shards belong together.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use knock_engine::Limits;

use super::file::ShardSummary;
use crate::output::words::listed;
use crate::session::summary::Totals;
use crate::shard::{AtLimit, Peaks, RunFacts};

/// How many missing shards are named.
const NAMED_MAX: usize = 10;

/// Returns the totals of all shards, each with the name of its file, or why they do not belong together.
pub(super) fn fit(summaries: &[(String, ShardSummary)]) -> Result<Totals, String> {
    let Some((first_name, first)) = summaries.first() else {
        return Err("there is nothing to merge".to_owned());
    };
    let (of, run) = (first.shard.of, &first.shard.run);
    let mut files = BTreeMap::new();
    let mut peaks = Peaks::default();
    for (name, ShardSummary { shard: part, .. }) in summaries {
        if part.of != of {
            let other = part.of;
            return Err(format!(
                "{first_name} is one of {of} shards, and {name} one of {other}: merge takes all shards of \
                 one replay"
            ));
        }
        if let Some(other) = files.insert(part.number, name) {
            let number = part.number;
            return Err(format!(
                "{other} and {name} are both shard {number} of {of}: leave one out"
            ));
        }
        if let Some(difference) = difference(run, &part.run) {
            return Err(not_of_one(first_name, name, &difference));
        }
        peaks = peaks.beside(part.peaks);
    }
    missing(of, &files)?;
    // What a shard did at a limit is not what a replay of all clients does.
    check_limits(peaks, run.max_attempts)?;
    summaries.iter().skip(1).try_fold(first.totals.clone(), |totals, (name, part)| {
        let difference = "their packets, local addresses or warnings differ";
        totals.with_part(&part.totals).ok_or_else(|| not_of_one(first_name, name, difference))
    })
}

fn not_of_one(first: &str, other: &str, difference: &str) -> String {
    format!("{first} and {other} are not of one replay: {difference}; replay one of them again")
}

fn difference(run: &RunFacts, other: &RunFacts) -> Option<String> {
    let RunFacts { program, captures, configuration, max_attempts, verbose } = other;
    Some(if run.program != *program {
        format!("versions {} and {program} of the program", run.program)
    } else if run.captures != *captures {
        "their captures have other names, or are in another order".to_owned()
    } else if run.configuration != *configuration {
        "their configurations differ".to_owned()
    } else if run.max_attempts != *max_attempts {
        format!("'--max-attempts {}' and '--max-attempts {max_attempts}'", run.max_attempts)
    } else if run.verbose != *verbose {
        "only one has '--verbose'".to_owned()
    } else {
        return None;
    })
}

/// Makes sure that all shards are there.
fn missing(of: u32, files: &BTreeMap<u32, &String>) -> Result<(), String> {
    let mut missing = (1..=of).filter(|number| !files.contains_key(number));
    let mut shards: Vec<String> =
        missing.by_ref().take(NAMED_MAX).map(|number| number.to_string()).collect();
    let more = missing.count();
    if more > 0 {
        shards.push(format!("{more} more"));
    }
    match &shards[..] {
        [] => Ok(()),
        [one] => Err(format!("shard {one} of {of} is missing: name its output as well")),
        _ => {
            let shards = listed(&shards);
            Err(format!("shards {shards} of {of} are missing: name their outputs as well"))
        }
    }
}

/// Makes sure that no limit was reached: at a limit, one client matters to another.
fn check_limits(peaks: Peaks, max_attempts: u32) -> Result<(), String> {
    let attempts = NonZeroU32::new(max_attempts).unwrap_or(NonZeroU32::MIN);
    let limits = Limits::with_attempts(attempts);
    let Some(AtLimit { what, most, is_of_attempts }) = peaks.at_limit(&limits) else {
        return Ok(());
    };
    let way_out = if is_of_attempts {
        format!("replay all shards again with '--max-attempts' above {most}")
    } else {
        "replay without '--shard'".to_owned()
    };
    Err(format!(
        "there may have been {most} {what} at once, which may be at a limit, where one client matters to \
         another: {way_out}"
    ))
}

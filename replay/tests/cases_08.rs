//! Every small case of `testdata/knockd-0.8`, before our rule sets and before the real knockd.
//!
//! `KNOCK_UPDATE=1` writes into the files of the cases what comes of them, instead of failing.

#![cfg(test)]

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use knock_tests::cases_08::{self, Case, Found, Outcome, Who};
use knock_tests::oracle::Oracle;

#[test]
fn the_rule_sets_do_what_every_case_says() {
    hold(&[Who::Knockd08, Who::Knock], |case, who| {
        cases_08::replay(case, Path::new(env!("CARGO_BIN_EXE_knock-replay")), who)
    });
}

#[test]
fn the_real_knockd_does_what_every_case_says() {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(oracle) = Oracle::required_by("the study of knockd 0.8", cache) else { return };
    hold(&[Who::Real], |case, _| cases_08::judge(case, &oracle));
}

static FILES: Mutex<()> = Mutex::new(());

/// Holds cases to what comes of them.
fn hold(whose: &[Who], find: impl Fn(&Case, Who) -> Found) {
    // Who writes the files must not meet another who does.
    let _alone = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut cases = cases_08::all();
    assert!(cases.len() >= 200, "only {} cases were found", cases.len());
    let is_update = std::env::var_os("KNOCK_UPDATE").is_some();
    let mut faults = Vec::new();
    for case in &mut cases {
        let found: Vec<(Who, Found)> = whose.iter().map(|who| (*who, find(case, *who))).collect();
        if is_update {
            for (who, found) in &found {
                update(case, *who, found);
            }
            merge(case);
            sort(case);
        }
        faults.extend(found.iter().filter_map(|(who, found)| found.fault(case, *who)));
    }
    if is_update {
        write(&cases);
    }
    let count = faults.len();
    assert!(count == 0, "{count} outcomes are not as the cases say:\n\n{}", faults.join("\n\n"));
}

/// Puts what was found into a case.
fn update(case: &mut Case, who: Who, found: &Found) {
    if let Some(both) = case.part("both").filter(|_| who != Who::Real).map(<[u8]>::to_vec) {
        *case = without(case, "both");
        set(case, Who::Knockd08.name(), both.clone());
        set(case, Who::Knock.name(), both);
    }
    let given = case.outcome(who).unwrap_or_default();
    if given.then_chance {
        return;
    }
    let mut errors = given.errors;
    errors.retain(|error| found.errors.contains(error));
    if errors.is_empty() && found.end.is_some() {
        let is_telling = |line: &&str| who == Who::Real || line.contains("error: ");
        errors.extend(found.errors.lines().find(is_telling).map(str::to_owned));
    }
    let (transcript, usage) = found.transcript();
    let end = found.end.clone();
    let outcome = Outcome { end, usage, errors, transcript, then_chance: false };
    if let Some(sequences) = &found.sequences
        && (who == Who::Real || found.end.is_none())
    {
        let part = format!("sequences.txt after {}", who.name());
        *case = without(case, &part);
        if case.sequences_in_the_end(who) != Some(sequences) {
            set(case, &part, sequences.clone());
        }
    }
    *case = without(case, who.name());
    if who == Who::Real || !outcome.errors.is_empty() || found.fault(case, who).is_some() {
        set(case, who.name(), outcome.to_string().into_bytes());
    }
}

fn set(case: &mut Case, name: &str, text: Vec<u8>) {
    match case.parts.iter_mut().find(|(other, _)| other == name) {
        Some((_, old)) => *old = text,
        None => case.parts.push((name.to_owned(), text)),
    }
}

fn without(case: &Case, name: &str) -> Case {
    let parts = case.parts.iter().filter(|(other, _)| other != name).cloned().collect();
    Case { parts, ..case.clone() }
}

/// Makes one part of two that say the same.
fn merge(case: &mut Case) {
    let [one, other] = [Who::Knockd08, Who::Knock].map(|who| case.part(who.name()));
    if let (Some(one), true) = (one, one == other) {
        let both = one.to_vec();
        *case = without(&without(case, Who::Knockd08.name()), Who::Knock.name());
        case.parts.push(("both".into(), both));
    }
}

/// Puts the parts of a case in order: what there is to replay, then what comes of it.
fn sort(case: &mut Case) {
    const OUTCOMES: [&str; 7] = [
        "knockd 0.8",
        "sequences.txt after knockd 0.8",
        "knockd-0.8",
        "sequences.txt after knockd-0.8",
        "both",
        "knock",
        "sequences.txt after knock",
    ];
    case.parts.sort_by_key(|(name, _)| OUTCOMES.iter().position(|other| name == other));
}

fn write(cases: &[Case]) {
    for file in cases_08::files() {
        let old = fs::read_to_string(&file).unwrap();
        let head = old.split("\n== ").next().unwrap();
        let mut texts = vec![head.to_owned()];
        texts.extend(cases.iter().filter(|case| case.file == file).map(Case::to_string));
        fs::write(&file, texts.join("\n")).unwrap();
    }
}

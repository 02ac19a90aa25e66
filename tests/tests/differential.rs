//! The rule set `knockd-0.8` against the real knockd 0.8.

#![cfg(test)]

use std::path::Path;
use std::time::Instant;

use knock_tests::arb::knockd_08::{self, Case};
use knock_tests::oracle::{End, Oracle};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

#[test]
fn try_it() {
    let oracle = Oracle::required_by("x", Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let mut runner = TestRunner::deterministic();
    let strategy = knockd_08::case();
    let (mut gen_time, mut run_time) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    let mut ends: std::collections::BTreeMap<String, usize> = Default::default();
    let out = std::env::var("DUMP").ok();
    for number in 0..std::env::var("N").map_or(500, |n| n.parse().unwrap()) {
        let start = Instant::now();
        let case: Case = strategy.new_tree(&mut runner).unwrap().current();
        gen_time += start.elapsed();
        let start = Instant::now();
        let temp = TempDir::new().unwrap();
        let folder = match &out {
            Some(out) => {
                let f = Path::new(out).join(format!("{number}"));
                std::fs::create_dir_all(&f).unwrap();
                f
            }
            None => temp.path().to_owned(),
        };
        case.write_to(&folder).unwrap();
        let verdict = oracle.run(&case.oracle_run(&folder));
        if out.is_some() {
            std::fs::write(folder.join("stdout"), &verdict.output).unwrap();
            std::fs::write(folder.join("stderr"), &verdict.errors).unwrap();
            let local: Vec<String> = case.local().iter().map(|a| a.to_string()).collect();
            std::fs::write(
                folder.join("meta"),
                format!(
                    "{}\n{}\n{}\n{}",
                    local.join(","),
                    case.options().join(" "),
                    case.reload.is_some(),
                    verdict.end
                ),
            )
            .unwrap();
        }
        run_time += start.elapsed();
        let mut what = verdict.end.to_string();
        if let End::Status(status) = verdict.end {
            if status != 0 {
                what.push_str(&verdict.errors);
            }
        }
        *ends.entry(what).or_default() += 1;
        for line in String::from_utf8_lossy(&verdict.output).lines() {
            for kind in
                ["Stage", "OPEN", "running", "command timeout", "sequence timeout", "re-reading"]
            {
                if line.contains(kind) {
                    *ends.entry(kind.into()).or_default() += 1;
                }
            }
        }
    }
    eprintln!("{gen_time:?} {run_time:?} {ends:#?}");
}

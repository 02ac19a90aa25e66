//! The rule set `knockd-0.8` against the real knockd 0.8, without tolerance.
//!
//! `scripts/differential` runs more cases, or those of a seed, through the variables below.

#![cfg(test)]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use knock_tests::arb::knockd_08::{self, Case};
use knock_tests::differential::judge;
use knock_tests::oracle::Oracle;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};
use tempfile::TempDir;

/// How many cases there are if `KNOCK_DIFFERENTIAL_COUNT` does not say otherwise.
const COUNT: u32 = 5_000;

/// How many threads share them.
const THREADS: u32 = 2;

/// Where failing cases are kept, to be tried first from then on.
const REGRESSIONS: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/differential.txt");

#[test]
fn the_real_knockd_prints_the_same_bytes() {
    let Some(oracle) = oracle("the comparison with the real knockd") else { return };
    let count = number("KNOCK_DIFFERENTIAL_COUNT").map_or(COUNT, |count| {
        u32::try_from(count).expect("KNOCK_DIFFERENTIAL_COUNT is below 2^32")
    });
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("KNOCK_DIFFERENTIAL_SEED").unwrap_or(since_epoch.as_secs());
    let progress = Progress::new(count);
    let failures: Vec<String> = thread::scope(|scope| {
        let compare = |thread: u32| {
            let (oracle, progress) = (&oracle, &progress);
            let share = count / THREADS + u32::from(thread < count % THREADS);
            scope.spawn(move || compare(oracle, seed, thread, share, progress))
        };
        let threads: Vec<_> = (0..THREADS).map(compare).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    progress.say(&format!("{count} cases of seed {seed}: no difference"));
}

/// Compares the share of a thread.
fn compare(
    oracle: &Oracle,
    seed: u64,
    thread: u32,
    share: u32,
    progress: &Progress,
) -> Result<(), String> {
    let config = Config {
        cases: share,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 4_096,
        max_shrink_time: u32::try_from(Duration::from_mins(2).as_millis()).unwrap(),
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&thread.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let result = runner.run(&knockd_08::case(), |case| {
        if progress.is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        let folder = TempDir::new().unwrap();
        let judged = judge(oracle, &case, folder.path());
        progress.count();
        judged.map(drop).map_err(|difference| TestCaseError::fail(difference.to_string()))
    });
    if result.is_err() {
        progress.is_over.store(true, Ordering::Relaxed);
    }
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, case)) => {
            let folder = keep(oracle, &case);
            let mut report = String::new();
            writeln!(report, "seed {seed}, thread {thread}: {reason}").unwrap();
            writeln!(report, "the case, made small, is in {}", folder.display()).unwrap();
            Err(report)
        }
        Err(TestError::Abort(reason)) => Err(format!("seed {seed}: {reason}")),
    }
}

/// Writes the files of a failing case, both transcripts, and what to run.
fn keep(oracle: &Oracle, case: &Case) -> PathBuf {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::Builder::new().prefix("difference-").tempdir_in(parent).unwrap().keep();
    let _ = judge(oracle, case, &folder);
    // The real knockd has marked the sequences that it used.
    case.write_to(&folder).unwrap();
    let local = case.local().iter().map(|local| format!(" --local {local}"));
    let options = case.options().into_iter().map(|option| format!(" {option}"));
    let options: Vec<String> = local.chain(options).collect();
    let (capture, options) = (case.capture.file_name(), options.concat());
    let mut text = format!("knock-replay --rules knockd-0.8 -c knockd.conf {capture}{options}\n");
    if let Some(reload) = &case.reload {
        let frames = reload.frames_before;
        writeln!(text, "the configuration is read again after {frames} frames").unwrap();
    }
    fs::write(folder.join("command"), text).unwrap();
    folder
}

/// How far both threads are.
struct Progress {
    done: AtomicU32,
    /// Whether a thread has found a difference, so that the other need not go on.
    is_over: AtomicBool,
    count: u32,
    start: Instant,
}

impl Progress {
    /// Long runs say how far they are.
    const LONG: u32 = 10_000;

    fn new(count: u32) -> Self {
        Self {
            done: AtomicU32::new(0),
            is_over: AtomicBool::new(false),
            count,
            start: Instant::now(),
        }
    }

    fn count(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if self.count >= Self::LONG && done.is_multiple_of(1_000) {
            self.say(&format!("{done} of {} cases", self.count));
        }
    }

    fn say(&self, text: &str) {
        // Not eprintln, which nobody sees of a test that passes.
        let _ = writeln!(io::stderr(), "{:>6} s: {text}", self.start.elapsed().as_secs());
    }
}

fn oracle(name: &str) -> Option<Oracle> {
    Oracle::required_by(name, Path::new(env!("CARGO_TARGET_TMPDIR")))
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

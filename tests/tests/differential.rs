//! Compares the rule set `knockd-0.8` with the real knockd 0.8, without tolerance.
//!
//! `scripts/differential` runs more cases, or those of a seed, through the variables below.

#![cfg(test)]

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, fs, thread};

use knock_tests::capture_builder;
use knock_tests::differential::{Agreement, judge};
use knock_tests::generators::Conf;
use knock_tests::generators::knockd_08::{self, Case};
use knock_tests::model::Setting;
use knock_tests::oracle::{End, Oracle};
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};
use tempfile::TempDir;

/// How many cases there are by default; `KNOCK_DIFFERENTIAL_COUNT` changes it.
const COUNT: u32 = 5_000;

/// How many threads share them.
const THREADS: u32 = 2;

/// Where failing cases are stored; later runs try them first.
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
    // Print the seed first, so that it is known even if the run is killed.
    progress.say(&format!("{count} cases of seed {seed}"));
    let failures: Vec<String> = thread::scope(|scope| {
        let compare = |_| scope.spawn(|| compare_batches(&oracle, seed, &progress));
        let threads: Vec<_> = (0..THREADS).map(compare).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let done = progress.done.load(Ordering::Relaxed);
    assert!(done >= count, "only {done} of {count} cases were compared");
    progress.say(&format!("{count} cases of seed {seed}: no difference"));
}

#[test]
fn both_end_where_the_next_one_time_sequence_leaves_nothing_to_hear() {
    let Some(oracle) = oracle("the comparison of a refused filter") else { return };
    // UDP is heard for a target of any family, but TCP with flags is not.
    let conf = "[a]\none_time_sequences = once\ntcpflags = syn\ntarget = 2001:db8::7\n";
    let knocks = "0 2001:db8::1 > [2001:db8::7]:1 udp\n1 2001:db8::1 > [2001:db8::7]:1 udp\n";
    let agreement = judge_fixed(&oracle, conf, &[("once", " 1:udp\n 2,3\n")], knocks);
    assert!(agreement.played.ended);
    assert_eq!(agreement.verdict.end, End::Status(1));
}

#[test]
fn without_a_filter_both_go_by_the_ip_header_whatever_the_ethernet_type_says() {
    let Some(oracle) = oracle("the comparison without a filter") else { return };
    let case = |ether_type: [u8; 2]| {
        let conf = "[a]\nsequence = 1\ntarget = 192.0.2.7\n";
        let mut case = fixed(conf, &[], "0 192.0.2.1 > 192.0.2.7:1 tcp\n");
        case.setting.local = Some(vec!["2001:db8::1".parse().unwrap()]);
        case.setting.ipv4_only = true;
        case.capture.records[0].data[12..14].copy_from_slice(&ether_type);
        case
    };
    let opened = |case: &Case| {
        let folder = TempDir::new().unwrap();
        judge(&oracle, case, folder.path()).unwrap().played.counts.opened
    };
    assert_eq!(
        [[0x08, 0x00], [0x86, 0xdd], [0x08, 0x06]].map(|kind| opened(&case(kind))),
        [1, 1, 0]
    );
}

/// Compares a case written by hand, for a host with the address 10.0.0.1.
fn judge_fixed(oracle: &Oracle, conf: &str, files: &[(&str, &str)], knocks: &str) -> Agreement {
    let folder = TempDir::new().unwrap();
    judge(oracle, &fixed(conf, files, knocks), folder.path()).unwrap()
}

fn fixed(conf: &str, files: &[(&str, &str)], knocks: &str) -> Case {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec()));
    Case {
        setting: Setting {
            doors: vec![],
            local: Some(vec!["10.0.0.1".parse().unwrap()]),
            ipv4_only: false,
        },
        conf: Conf { text: conf.into(), sequence_files: files.collect() },
        reload: None,
        capture: capture_builder::knocks::parse(Path::new("knocks.txt"), knocks).unwrap(),
    }
}

/// Compares batches until none is left or one differs.
fn compare_batches(oracle: &Oracle, seed: u64, progress: &Progress) -> Result<(), String> {
    while let Some((batch, cases)) = progress.next_batch() {
        let compared = compare(oracle, seed, batch, cases, progress);
        if compared.is_err() {
            // The other thread need not go on.
            progress.batches.store(u32::MAX, Ordering::Relaxed);
            return compared;
        }
    }
    Ok(())
}

/// Compares the cases of a batch, which `seed` and `batch` determine.
fn compare(
    oracle: &Oracle,
    seed: u64,
    batch: u32,
    cases: u32,
    progress: &Progress,
) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 4_096,
        max_shrink_time: u32::try_from(Duration::from_mins(2).as_millis()).unwrap(),
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..12].copy_from_slice(&batch.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, random);
    let result = runner.run(&knockd_08::case(), |case| {
        let folder = TempDir::new().unwrap();
        let judged = judge(oracle, &case, folder.path());
        progress.count();
        judged.map(drop).map_err(|difference| TestCaseError::fail(difference.to_string()))
    });
    match result {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, case)) => {
            let folder = keep(oracle, &case);
            let mut report = String::new();
            writeln!(report, "seed {seed}, batch {batch}: {reason}").unwrap();
            writeln!(report, "the reduced case is in {}", folder.display()).unwrap();
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

/// The progress of both threads.
struct Progress {
    /// How many batches were begun.
    batches: AtomicU32,
    /// How many cases were compared.
    done: AtomicU32,
    /// How many cases to compare.
    count: u32,
    start: Instant,
}

impl Progress {
    /// How many cases are in a batch.
    const BATCH: u32 = 250;

    /// Runs with at least this many cases print their progress.
    const LONG: u32 = 10_000;

    fn new(count: u32) -> Self {
        let (batches, done) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { batches, done, count, start: Instant::now() }
    }

    /// Returns the number of the next batch and of the cases in it, if there is one.
    fn next_batch(&self) -> Option<(u32, u32)> {
        let batch = self.batches.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |batch| {
            (batch < self.count.div_ceil(Self::BATCH)).then(|| batch.saturating_add(1))
        });
        let batch = batch.ok()?;
        let before = batch.saturating_mul(Self::BATCH);
        Some((batch, self.count.saturating_sub(before).min(Self::BATCH)))
    }

    fn count(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if self.count >= Self::LONG && done.is_multiple_of(1_000) {
            self.say(&format!("{done} of {} cases", self.count));
        }
    }

    fn say(&self, text: &str) {
        // Not eprintln, because the harness hides it for a test that passes.
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

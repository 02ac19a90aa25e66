//! Compares the rule set `knockd-0.8` with the real knockd 0.8: for the same case, both must print the
//! same bytes.
//!
//! Two things differ between a live run and one of the [`oracle`](crate::oracle). They are compared in
//! another way, not ignored:
//!
//! - *Stop commands.* The oracle does not sleep, so it prints the stop command after its start
//!   command. The engine prints it when it is due. Before the comparison each stop command is moved
//!   after the start command of its client and door, first to first, and checked to have been due
//!   exactly `cmd_timeout` after it.
//! - *Crashes.* knockd 0.8 crashes when the last one-time sequence of a file is used up. Up to there
//!   its output is compared. On a host without an IPv4 address it does not crash at once but goes on
//!   with freed memory; there only the lines up to that moment are compared.
//!
//! The default rules differ on purpose, but each line that differs must be due to a difference with a
//! number in `docs/differences.md`.

mod play;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::Path;

use knock_replay::Exit;

pub use self::play::{Played, differences};
use crate::generators::knockd_08::Case;
use crate::in_process::{Run, knock_replay, knock_replay_in};
use crate::oracle::{End, Oracle, Verdict};

/// SIGABRT, with which glibc ends a program that frees memory twice.
const ABORT: i32 = 6;

/// The rule set did the same as the real knockd, and every difference to knock has a known reason.
#[derive(Debug)]
pub struct Agreement {
    /// What the engine did.
    pub played: Played,
    /// What the real knockd did.
    pub verdict: Verdict,
    /// Why knock differs; `None` if that was not checked.
    pub differences: Option<BTreeSet<knock_compat::Difference>>,
}

/// A difference between what was expected and what was found.
#[derive(Debug)]
pub struct Difference {
    /// What differs.
    pub what: &'static str,
    /// What the real knockd did, or its consequence.
    pub expected: Vec<u8>,
    /// What the rule set did.
    pub found: Vec<u8>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut expected = self.expected.split_inclusive(|byte| *byte == b'\n');
        let mut found = self.found.split_inclusive(|byte| *byte == b'\n');
        let mut number = 1;
        loop {
            let (one, other) = (expected.next(), found.next());
            if one != other || one.is_none() {
                let show = |line: Option<&[u8]>| {
                    line.map_or("(nothing)".into(), |line| line.escape_ascii().to_string())
                };
                return write!(
                    f,
                    "{}: line {number}: knockd 0.8: {}, the rule set: {}",
                    self.what,
                    show(one),
                    show(other)
                );
            }
            number += 1;
        }
    }
}

/// Compares a case. The folder must be empty; afterwards it has the files of the case, and the
/// transcripts as `expected` and `found`.
///
/// # Errors
/// The first difference.
///
/// # Panics
/// If the oracle or the file system fails.
pub fn judge(oracle: &Oracle, case: &Case, folder: &Path) -> Result<Agreement, Difference> {
    case.write_to(folder).expect("there is room for the files");
    // This comes before the real knockd marks the sequences that it uses.
    let replayed = case.reload.is_none().then(|| replay(case, folder));
    let run = case.oracle_run(folder);
    let verdict = oracle.run(&run);
    let played = play::play(case);
    fs::write(folder.join("expected"), &verdict.output).expect("there is room");
    fs::write(folder.join("found"), &played.as_oracle).expect("there is room");
    compare(case, folder, &played, &verdict, replayed.as_ref())?;
    let differences = play::differences(case).transpose().map_err(|line| Difference {
        what: "a line that knock and knockd 0.8 do not both print, for no known reason",
        expected: vec![],
        found: line.text,
    })?;
    Ok(Agreement { played, verdict, differences })
}

fn compare(
    case: &Case,
    folder: &Path,
    played: &Played,
    verdict: &Verdict,
    replayed: Option<&Run>,
) -> Result<(), Difference> {
    let has_ipv4 = case.local().iter().any(std::net::IpAddr::is_ipv4);
    let wrecked = played.crashed && !has_ipv4;
    let expected_end = if played.refused || played.ended {
        End::Status(1)
    } else if played.crashed {
        End::Signal(ABORT)
    } else {
        End::Status(0)
    };
    let output = if wrecked {
        verdict.output.get(..played.as_oracle.len()).unwrap_or(&verdict.output)
    } else {
        &verdict.output
    };
    same("the transcript", output, &played.as_oracle)?;
    if !wrecked {
        let (end, expected_end) = (verdict.end.to_string(), expected_end.to_string());
        same("the end", end.as_bytes(), expected_end.as_bytes())?;
        for (name, text) in &played.files {
            let written = fs::read(folder.join(name)).expect("it was written here");
            same("a file of one-time sequences", &written, text)?;
        }
    }
    same("the time of a stop command", b"", &played.late)?;
    if let Some(Run { exit, output, errors }) = replayed {
        let expected = if played.refused { Exit::Config } else { Exit::Done };
        let says_why = errors.contains("knockd 0.8 would not start");
        let expected = format!("{expected:?}, says that it would not start: {}", played.refused);
        let found = format!("{exit:?}, says that it would not start: {says_why}");
        same("the end of knock-replay", expected.as_bytes(), found.as_bytes())?;
        same("the transcript of knock-replay", &played.live, output)?;
    }
    Ok(())
}

fn same(what: &'static str, expected: &[u8], found: &[u8]) -> Result<(), Difference> {
    if expected == found {
        return Ok(());
    }
    Err(Difference { what, expected: expected.into(), found: found.into() })
}

fn replay(case: &Case, folder: &Path) -> Run {
    let path = |name: &str| folder.join(name).into_os_string();
    let mut args: Vec<OsString> = ["--rules", "knockd-0.8", "--config"].map(OsString::from).into();
    args.extend([path(Case::CONF), path(&case.capture.file_name())]);
    for address in case.local() {
        args.extend(["--local".into(), address.to_string().into()]);
    }
    args.extend(case.options().into_iter().map(OsString::from));
    // Nothing but these files is named relative to a folder.
    if case.conf.sequence_files.is_empty() {
        knock_replay(args)
    } else {
        knock_replay_in(folder, args)
    }
}

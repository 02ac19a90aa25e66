//! Runs cases with the real program.

use super::Case;
use super::case_runner::{CAPTURE, CaseRunner, Found};
use super::play::{self, CONF};
use crate::oracle::{End, Oracle, Reload, Run, Verdict};

/// Runs the real program on a case.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn judge(case: &Case, oracle: &Oracle) -> Found {
    judge_by(case, |run| oracle.run(run))
}

/// Runs the real program on a case, on the interface that the configuration names; the line "listening
/// on ..." is part of the output.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn judge_on_configured_interface(case: &Case, oracle: &Oracle) -> Found {
    judge_by(case, |run| oracle.run_on_configured_interface(run))
}

fn judge_by(case: &Case, judge: impl FnOnce(&Run) -> Verdict) -> Found {
    let desk = CaseRunner::new(case);
    let (local, args, _) = play::arguments(case);
    let reload = case.reload().map(|reload| {
        desk.write("new.conf", reload.conf);
        let renames = vec![("new.conf".to_owned(), CONF.to_owned())];
        Reload { frames_before: reload.packets_before, renames }
    });
    let verdict = judge(&Run {
        folder: desk.path().into(),
        conf: CONF.into(),
        capture: CAPTURE.into(),
        local,
        args: args.then(|| "-4".to_owned()).into_iter().collect(),
        hosts: case.hosts(),
        reloads: reload.into_iter().collect(),
    });
    Found {
        end: (verdict.end != End::Status(0)).then(|| verdict.end.to_string()),
        output: verdict.output,
        errors: verdict.errors,
        sequences: desk.sequences(),
    }
}

//! Cases before the real program.

use super::Case;
use super::desk::{CAPTURE, Desk, Found};
use super::play::{self, CONF};
use crate::oracle::{End, Oracle, Reload, Run};

/// Runs the real program on a case.
///
/// # Panics
/// If it cannot be run.
#[must_use]
pub fn judge(case: &Case, oracle: &Oracle) -> Found {
    let desk = Desk::new(case);
    let (local, args, _) = play::arguments(case);
    let reload = case.reload().map(|reload| {
        desk.write("new.conf", reload.conf);
        let renames = vec![("new.conf".to_owned(), CONF.to_owned())];
        Reload { frames_before: reload.packets_before, renames }
    });
    let verdict = oracle.run(&Run {
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

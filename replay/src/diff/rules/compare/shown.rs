//! Effects that a rule set shows.

use knock_compat::TimedEffect;
use knock_engine::{Doors, Effect, EffectKind};

use crate::diff::rules::lines::{LineAt, Lines};

/// Returns whether an effect may have a line in the transcript, or on standard error.
pub(super) const fn is_shown(TimedEffect { effect, .. }: &TimedEffect) -> bool {
    !matches!(effect, Effect::Note(_) | Effect::MarkOneTime { .. } | Effect::MarkPeriod { .. })
}

/// Returns whether rule sets with doors of the same names and commands show the same, one after another: then
/// no line need be written to see that.
pub(super) fn are_same(ones: &[TimedEffect], others: &[TimedEffect]) -> bool {
    ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| is_same(one, other))
}

fn is_same(one: &TimedEffect, other: &TimedEffect) -> bool {
    // The number of a run is in no line.
    let without_run = |timed: &TimedEffect| {
        let Effect::RunCommand { run: _, client, door, phase } = timed.effect else { return None };
        Some((timed.at, client, door, phase))
    };
    let command = without_run(one);
    if command.is_some() { command == without_run(other) } else { one == other }
}

/// Returns whether one of them may have a line on standard error.
pub(super) fn may_have_messages(effects: &[TimedEffect]) -> bool {
    let is_in_the_transcript = |timed: &TimedEffect| {
        matches!(
            timed.effect.kind(),
            EffectKind::StageReached
                | EffectKind::SequenceTimedOut
                | EffectKind::Opened
                | EffectKind::Admitted
                | EffectKind::AdmissionEnded
                | EffectKind::StartCommand
                | EffectKind::StopCommand
                | EffectKind::CommandTimedOut
        )
    };
    !effects.iter().all(is_in_the_transcript)
}

/// Replaces lines by those of effects. `message` gets each that belongs on standard error.
pub(super) fn write(
    effects: &[TimedEffect],
    doors: &Doors,
    lines: &mut Lines,
    mut message: impl FnMut(LineAt<'_>),
) {
    lines.clear();
    for &timed in effects {
        lines.add(doors, timed, &mut message);
    }
}

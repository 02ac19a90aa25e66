//! Drives an engine as a replay does: every command succeeds at the moment it starts.

use std::convert::Infallible;

use knock_compat::{Effect, Engine, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{CommandsEnd, Event, Timestamp};

/// Hands an event to the engine and each effect, with the engine as it then is, to `take`.
pub fn tell(
    engine: &mut Engine,
    at: Timestamp,
    event: Event,
    mut take: impl FnMut(&Engine, TimedEffect),
) {
    let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |engine, timed| {
        take(engine, timed);
        Ok::<(), Infallible>(())
    });
}

/// Returns the line of an effect, without its end; `None` if it is not in the transcript.
#[must_use]
pub fn line(engine: &Engine, effect: &Effect) -> Option<String> {
    let mut text = Vec::new();
    let channel = transcript::write(effect, engine.doors(), &mut text);
    (channel == Channel::Transcript).then(|| String::from_utf8_lossy(&text).into_owned())
}

//! Driving an engine as a replay does: every command ends, with success, at the moment it starts.

use knock_compat::{Effect, Engine, TimedEffect};
use knock_engine::transcript::{self, Channel};
use knock_engine::{CommandStatus, Event, Timestamp};

/// Tells the engine of an event and gives each effect, with the engine as it then is, to `take`.
pub fn tell(
    engine: &mut Engine,
    at: Timestamp,
    event: Event,
    mut take: impl FnMut(&Engine, TimedEffect),
) {
    engine.handle(at, event);
    while let Some(timed) = engine.poll_effect() {
        take(engine, timed);
        if let Effect::RunCommand { run, .. } = timed.effect {
            engine.handle(timed.at, Event::CommandEnded { run, status: CommandStatus::SUCCESS });
        }
    }
}

/// Returns the line of an effect, without its end; `None` if it is not in the transcript.
#[must_use]
pub fn line(engine: &Engine, effect: &Effect) -> Option<String> {
    let mut text = Vec::new();
    let channel = transcript::write(effect, engine.doors(), &mut text);
    (channel == Channel::Transcript).then(|| String::from_utf8_lossy(&text).into_owned())
}

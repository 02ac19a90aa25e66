//! An engine by the rules of knockd 0.8 on a thread of its own: it need not be waited for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use knock_compat::Engine;
use knock_config::text::ThreadFault;
use knock_engine::{CommandsEnd, DoorId, EffectKind, OwnEffect, TimedEffect};

use super::input::Input;
use crate::session::drive::anticipating_each;
use crate::session::threads;

/// An opening of a door, by one of the inputs of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opening {
    /// Which input, from 0.
    pub(super) place: usize,
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
}

impl Opening {
    /// Returns the opening that an effect is.
    pub(super) fn of<X: OwnEffect>(place: usize, timed: &TimedEffect<X>) -> Option<Self> {
        let effect = &timed.effect;
        if effect.kind() != EffectKind::Opened {
            return None;
        }
        Some(Self { place, client: effect.client()?, door: effect.door()? })
    }
}

/// The openings of a piece, in the order of what made them happen.
#[derive(Debug, Default)]
pub(super) struct PieceOpenings {
    pub(super) by_knockd_08: Vec<Opening>,
    pub(super) by_knock: Vec<Opening>,
}

/// The thread.
#[derive(Debug)]
pub(super) struct Aside<'scope> {
    inputs: SyncSender<Arc<Vec<Input>>>,
    openings: Receiver<Vec<Opening>>,
    /// The pieces that the thread has not answered yet, and what knock opened by each.
    by_knock: VecDeque<(Arc<Vec<Input>>, Vec<Opening>)>,
    /// Lists that are used up, to be filled again.
    spare: Vec<Vec<Input>>,
    /// How long the last piece was: the next one is as long, most often.
    length: usize,
    /// The thread; `None` when it is found to have ended.
    thread: Option<ScopedJoinHandle<'scope, ()>>,
}

impl<'scope> Aside<'scope> {
    /// How many pieces wait for the thread: enough for it to lag behind while others have the processors, some 4 MB.
    const WAITING: usize = 8;

    /// Begins to run.
    ///
    /// # Errors
    /// Why there is no thread.
    pub(super) fn begin(
        scope: &'scope Scope<'scope, '_>,
        mut engine: Engine,
    ) -> Result<Self, ThreadFault> {
        Self::begin_with(scope, move |piece| play(&mut engine, piece))
    }

    /// Begins to run with what makes openings of a piece.
    fn begin_with(
        scope: &'scope Scope<'scope, '_>,
        mut play: impl FnMut(&[Input]) -> Vec<Opening> + Send + 'scope,
    ) -> Result<Self, ThreadFault> {
        let (inputs, pieces) = sync_channel::<Arc<Vec<Input>>>(Self::WAITING);
        let (answer, openings) = channel();
        let thread = threads::start(scope, move || {
            for piece in pieces {
                let opened = play(&piece);
                // When there is an answer, the piece is given back.
                drop(piece);
                // Nobody waits for an answer after an error.
                if answer.send(opened).is_err() {
                    return;
                }
            }
        })?;
        let (by_knock, spare, thread) = (VecDeque::new(), Vec::new(), Some(thread));
        Ok(Self { inputs, openings, by_knock, spare, length: 0, thread })
    }

    /// Hands over what knock is going to have. If the thread has panicked, so does this: without its answers, all that is
    /// read would be kept until the end.
    pub(super) fn hand_over(&mut self, piece: Arc<Vec<Input>>) {
        if self.inputs.send(piece).is_err()
            && let Some(thread) = self.thread.take()
        {
            thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    }

    /// Takes what knock has made of a piece after it was handed over.
    pub(super) fn by_knock(&mut self, piece: Arc<Vec<Input>>, openings: Vec<Opening>) {
        self.length = piece.len();
        self.by_knock.push_back((piece, openings));
    }

    /// Returns a list to be filled again, if there is one: a new one would have to be fetched from memory.
    pub(super) fn spare(&mut self) -> Vec<Input> {
        self.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.length))
    }

    /// Returns the openings of a piece if there is an answer.
    pub(super) fn answered(&mut self) -> Option<PieceOpenings> {
        let by_knockd_08 = self.openings.try_recv().ok()?;
        let (piece, by_knock) = self.by_knock.pop_front()?;
        self.spare.extend(Arc::into_inner(piece));
        Some(PieceOpenings { by_knockd_08, by_knock })
    }

    /// Ends the thread, and returns the openings of the pieces that are left.
    pub(super) fn end(self) -> impl Iterator<Item = PieceOpenings> {
        let Self { inputs, openings, by_knock, spare: _, length: _, thread: _ } = self;
        drop(inputs);
        let pieces = by_knock.into_iter().zip(openings);
        pieces.map(|((_, by_knock), by_knockd_08)| PieceOpenings { by_knockd_08, by_knock })
    }
}

/// Lets knockd 0.8 have a piece, and returns what it opens.
fn play(engine: &mut Engine, piece: &[Input]) -> Vec<Opening> {
    let mut opened = Vec::new();
    let anticipate = |engine: &Engine, next: &[Input]| {
        engine.anticipate(next.iter().filter_map(Input::seen_by_knockd_08));
    };
    let Ok(()) = anticipating_each(engine, piece, anticipate, |engine, place, input| {
        let (at, event) = input.as_knockd_08();
        engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, timed| {
            opened.extend(Opening::of(place, &timed));
            Ok::<(), Infallible>(())
        })
    });
    opened
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::thread;

    use knock_engine::Timestamp;

    use super::*;
    use crate::explain::company::Given;

    /// What was handed over before it panics is all that is kept.
    #[test]
    fn a_panic_of_the_thread_ends_the_run_at_the_next_piece() {
        let mut handed_over = 0;
        let ended = catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|scope| {
                let mut aside = Aside::begin_with(scope, |_| panic!("on purpose")).unwrap();
                for _ in 0..100 {
                    let piece = Arc::new(vec![Input::time(Timestamp::EPOCH)]);
                    aside.hand_over(Arc::clone(&piece));
                    aside.by_knock(piece, Vec::new());
                    handed_over += 1;
                }
            });
        }));
        assert!(handed_over <= Aside::WAITING + 1, "{handed_over}");
        assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"on purpose"));
    }
}

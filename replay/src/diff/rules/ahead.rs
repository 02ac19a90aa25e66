//! Knock at work on a thread of its own, ahead of the rule sets that are compared with it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use knock_config::text::ThreadFault;

use super::compare::{Done, Knock};
use super::input::Input;
use crate::session::drive::anticipating_each;
use crate::session::threads;

/// The thread, and what it has done.
pub(super) struct Ahead {
    pieces: Sender<Arc<Vec<Input>>>,
    done: Receiver<Done>,
    /// Lists that are used up, to be filled again.
    used: Sender<Done>,
    /// What knock has got, and what is not compared yet.
    given: VecDeque<Arc<Vec<Input>>>,
}

impl Ahead {
    /// Begins to work.
    ///
    /// # Errors
    /// Why there is no thread.
    pub(super) fn begin<'scope>(
        scope: &'scope Scope<'scope, '_>,
        knock: &'scope mut Knock,
    ) -> Result<Self, ThreadFault> {
        let (pieces, to_do) = channel();
        let (out, done) = channel();
        let (used, to_fill) = channel();
        threads::start(scope, move || work(knock, &to_do, &out, &to_fill))?;
        Ok(Self { pieces, done, used, given: VecDeque::new() })
    }

    /// Hands over some of the input.
    pub(super) fn give(&mut self, piece: Vec<Input>) {
        let piece = Arc::new(piece);
        // If the thread has ended, it has panicked, which shows when it is joined.
        let _ = self.pieces.send(Arc::clone(&piece));
        self.given.push_back(piece);
    }

    /// Returns how many pieces are not compared yet.
    pub(super) fn waiting(&self) -> usize {
        self.given.len()
    }

    /// Returns the first piece that is not compared yet, with what knock has done with it. Waits for that.
    pub(super) fn next(&mut self) -> Option<(Arc<Vec<Input>>, Done)> {
        let piece = self.given.pop_front()?;
        Some((piece, self.done.recv().unwrap_or_default()))
    }

    /// Takes a piece that is compared. Returns the list, to be filled again.
    pub(super) fn take_back(&self, piece: Arc<Vec<Input>>, done: Done) -> Vec<Input> {
        let _ = self.used.send(done);
        Arc::into_inner(piece).unwrap_or_default()
    }
}

fn work(
    knock: &mut Knock,
    pieces: &Receiver<Arc<Vec<Input>>>,
    out: &Sender<Done>,
    to_fill: &Receiver<Done>,
) {
    for piece in pieces {
        let mut done = to_fill.try_recv().unwrap_or_default();
        done.clear();
        let anticipate = |knock: &Knock, next: &[Input]| {
            knock.anticipate(next.iter().map(|input| &input.seen));
        };
        let Ok(()) = anticipating_each(knock, &piece, anticipate, |knock, _, input| {
            knock.handle(input.at, &input.seen, &mut done);
            Ok::<(), Infallible>(())
        });
        // Whoever reads can fill it again once the piece is compared.
        drop(piece);
        if out.send(done).is_err() {
            return;
        }
    }
}

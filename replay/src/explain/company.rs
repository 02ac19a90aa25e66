//! Who else gets what an engine and its observer get.

use std::sync::Arc;

use knock_engine::{TimedEffect, Timestamp};

use crate::session::incoming::Incoming;

/// Something that is read, for an engine by the rules of knock and perhaps for others.
pub(super) trait Given: Send + Sync {
    /// Returns it as knock sees it.
    fn as_knock(&self) -> &Incoming;

    /// Nothing but time.
    fn time(at: Timestamp) -> Self;
}

impl Given for Incoming {
    fn as_knock(&self) -> &Incoming {
        self
    }

    fn time(at: Timestamp) -> Self {
        Self::time(at)
    }
}

/// Who else gets what is read, piece by piece, and hears what knock makes of it.
pub(super) trait Company<T> {
    /// This piece is next.
    fn begin(&mut self, piece: &Arc<Vec<T>>);

    /// An input of the piece, at this place, makes something happen.
    fn happens(&mut self, place: usize, timed: &TimedEffect);

    /// Knock is done with the piece.
    fn end(&mut self, piece: Arc<Vec<T>>);

    /// Returns a list to be filled, one that nobody needs any more if there is one: another would have to be fetched
    /// from memory.
    fn spare(&mut self) -> Vec<T>;
}

/// Nobody else.
pub(super) struct Nobody<T> {
    spare: Option<Vec<T>>,
}

impl<T> Nobody<T> {
    pub(super) const fn new() -> Self {
        Self { spare: None }
    }
}

impl<T> Company<T> for Nobody<T> {
    fn begin(&mut self, _: &Arc<Vec<T>>) {}

    fn happens(&mut self, _: usize, _: &TimedEffect) {}

    fn end(&mut self, piece: Arc<Vec<T>>) {
        self.spare = Arc::into_inner(piece);
    }

    fn spare(&mut self) -> Vec<T> {
        self.spare.take().unwrap_or_default()
    }
}

//! Both configurations at work.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use knock_config::text::ThreadFault;
use knock_engine::{Limits, Timestamp};

use super::Outcome;
use super::event::Names;
use super::input::{BothSights, Input};
use super::side::Side;
use super::step::{Step, StepTime, Trigger};
use super::twins::Comparer;
use super::worker::Worker;
use crate::session::load::Configuration;
use crate::session::names::CaptureNames;
use crate::session::read_ahead::ReadAhead;
use crate::session::reader::Reader;

/// Both configurations, before anything happens.
pub(super) struct Both {
    old: Side,
    new: Side,
    names: Names,
    captures: CaptureNames,
}

/// How many pieces of the input the sides may have at a time: so far may one be ahead of the other.
const PIECES: usize = 4;

impl Both {
    pub(super) fn new(
        limits: Limits,
        old: Configuration,
        new: Configuration,
        reader: &Reader,
    ) -> Self {
        let mut names = Names::default();
        let mut side = |Configuration { name, doors, places }| {
            let by_index = names.take(&doors);
            Side::new(name, (doors, places), by_index, reader.listening(), &limits)
        };
        let (old, new) = (side(old), side(new));
        Self { old, new, names, captures: reader.names() }
    }

    /// Lets both do what they do on all packets. A thread reads, each side has one, and this one compares.
    ///
    /// # Errors
    /// Why a side has no thread. Nothing was compared.
    pub(super) fn play(self, reader: &mut Reader) -> Result<Outcome, ThreadFault> {
        // A cause can be a packet to any port.
        reader.begin(None);
        let Self { mut old, mut new, names, captures } = self;
        let sights = BothSights::new(old.sight(), new.sight());
        let mut comparer = Comparer::new(&old.doors, &new.doors, names.all());
        let start = thread::scope(|scope| {
            let old = Worker::begin(scope, &mut old.explainer, &old.doors, Input::as_old)?;
            let new = Worker::begin(scope, &mut new.explainer, &new.doors, Input::as_new)?;
            // Last: one that waits for packets could not be ended.
            let mut ahead = ReadAhead::begin(scope, reader, sights);
            let mut pieces = Pieces { old, new, given: VecDeque::new(), spare: Vec::new() };
            let start = pieces.compare_all(&mut ahead, &mut comparer);
            ahead.end();
            Ok(start)
        })?;
        let (unmatched, divergences) = comparer.finish();
        let (changes, left_out) = unmatched.paired();
        let start = start.unwrap_or(Timestamp::EPOCH);
        Ok(Outcome { old, new, names, captures, start, divergences, changes, left_out })
    }
}

/// The input on its way through both sides.
struct Pieces {
    old: Worker,
    new: Worker,
    /// What both sides have got, and what is not compared yet.
    given: VecDeque<Arc<Vec<Input>>>,
    /// A list that is used up, to be filled again.
    spare: Vec<Input>,
}

impl Pieces {
    /// Lets both sides handle all of the input, and what is due after it. Returns when it begins.
    fn compare_all(
        &mut self,
        ahead: &mut ReadAhead<'_, Input>,
        comparer: &mut Comparer<'_>,
    ) -> Option<Timestamp> {
        let mut start = None;
        let mut is_more = true;
        loop {
            while is_more && self.given.len() < PIECES {
                let mut piece = std::mem::take(&mut self.spare);
                ahead.next(&mut piece);
                is_more = !piece.is_empty();
                start = start.or(piece.first().map(Input::at));
                if is_more {
                    self.give(piece);
                }
            }
            let Some(piece) = self.given.pop_front() else { break };
            self.compare(&piece, comparer);
            // Both sides are done with it.
            self.spare = Arc::into_inner(piece).unwrap_or_default();
        }
        self.old.end();
        self.new.end();
        self.compare(&[], comparer);
        start
    }

    fn give(&mut self, piece: Vec<Input>) {
        let piece = Arc::new(piece);
        self.old.give(Arc::clone(&piece));
        self.new.give(Arc::clone(&piece));
        self.given.push_back(piece);
    }

    /// Compares what both do on a piece, step by step.
    fn compare(&mut self, piece: &[Input], comparer: &mut Comparer<'_>) {
        let Self { old, new, .. } = self;
        let (mut old_time, mut new_time) = (old.next_time(), new.next_time());
        loop {
            if let (Some(olds), Some(news)) = (old.untaken(), new.untaken())
                && old_time.is_some()
                && new_time.is_some()
                && comparer.are_same(olds, news)
            {
                old.skip();
                new.skip();
                (old_time, new_time) = (old.next_time(), new.next_time());
                continue;
            }
            let (order, time) = match (old_time, new_time) {
                (Some(old), Some(new)) => (old.cmp(&new), old.min(new)),
                (Some(old), None) => (Ordering::Less, old),
                (None, Some(new)) => (Ordering::Greater, new),
                (None, None) => break,
            };
            let StepTime { place, trigger } = time;
            let input = piece.get(place).filter(|_| trigger == Trigger::Input);
            let packet = input.and_then(Input::frame);
            let old_step = if order.is_le() { old.step() } else { Step::default() };
            let new_step = if order.is_ge() { new.step() } else { Step::default() };
            comparer.take(old_step, new_step, packet);
            if order.is_le() {
                old.advance();
                old_time = old.next_time();
            }
            if order.is_ge() {
                new.advance();
                new_time = new.next_time();
            }
        }
        old.next_piece();
        new.next_piece();
    }
}

//! An engine by the rules of knockd 0.8 on a thread of its own: it need not be waited for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::Scope;

use knock_compat::Engine;
use knock_engine::{CommandsEnd, DoorId, EffectKind, Event, OwnEffect, TimedEffect, Timestamp};

/// An opening of a door, by one of the inputs of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Opening {
    /// Which input, from 0.
    pub(super) place: usize,
    pub(super) client: IpAddr,
    pub(super) door: DoorId,
}

impl Opening {
    /// Returns the opening that an effect is.
    pub(in super::super) fn of<X: OwnEffect>(place: usize, timed: &TimedEffect<X>) -> Option<Self> {
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
pub(in super::super) struct Aside {
    inputs: SyncSender<Vec<(Timestamp, Event)>>,
    openings: Receiver<Vec<Opening>>,
    /// What knock opened by the pieces that the thread has not answered yet.
    by_knock: VecDeque<Vec<Opening>>,
}

impl Aside {
    /// How many pieces wait for the thread.
    const WAITING: usize = 4;

    pub(super) fn begin<'scope>(scope: &'scope Scope<'scope, '_>, mut engine: Engine) -> Self {
        let (inputs, pieces) = sync_channel::<Vec<(Timestamp, Event)>>(Self::WAITING);
        let (answer, openings) = channel();
        scope.spawn(move || {
            for piece in pieces {
                // Nobody waits for an answer after an error.
                if answer.send(play(&mut engine, piece)).is_err() {
                    return;
                }
            }
        });
        Self { inputs, openings, by_knock: VecDeque::new() }
    }

    /// Hands over what knock is going to have, as knockd 0.8 sees it.
    pub(in super::super) fn hand_over(&mut self, piece: Vec<(Timestamp, Event)>) {
        // If the thread is gone, it has panicked, and its scope says so.
        let _ = self.inputs.send(piece);
    }

    /// Takes what knock has made of a piece after it was handed over.
    pub(in super::super) fn by_knock(&mut self, openings: Vec<Opening>) {
        self.by_knock.push_back(openings);
    }

    /// Returns the openings of a piece if there is an answer.
    pub(super) fn answered(&mut self) -> Option<PieceOpenings> {
        let by_knockd_08 = self.openings.try_recv().ok()?;
        Some(PieceOpenings {
            by_knockd_08,
            by_knock: self.by_knock.pop_front().unwrap_or_default(),
        })
    }

    /// Ends the thread, and returns the openings of the pieces that are left.
    pub(super) fn end(self) -> impl Iterator<Item = PieceOpenings> {
        let Self { inputs, openings, by_knock } = self;
        drop(inputs);
        let pieces = by_knock.into_iter().zip(openings);
        pieces.map(|(by_knock, by_knockd_08)| PieceOpenings { by_knockd_08, by_knock })
    }
}

/// Lets knockd 0.8 have a piece, and returns what it opens.
fn play(engine: &mut Engine, piece: Vec<(Timestamp, Event)>) -> Vec<Opening> {
    let mut opened = Vec::new();
    for (place, (at, event)) in piece.into_iter().enumerate() {
        let Ok(()) = engine.drive(at, event, CommandsEnd::SUCCEEDED, |_, timed| {
            opened.extend(Opening::of(place, &timed));
            Ok::<(), Infallible>(())
        });
    }
    opened
}

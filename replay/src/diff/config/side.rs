//! One of the two configurations.

use knock_compat::Sight;
use knock_engine::{DoorId, Doors, Limits, Listening};

use super::event::{Named, VisibleEvent};
use crate::explain::{Explainer, Explanation, Places, Whom, Words};
use crate::session::incoming::Incoming;
use crate::session::names::CaptureNames;

/// A configuration at work.
#[derive(Debug)]
pub(super) struct Side {
    /// The name of its file, fit to be printed.
    pub(super) name: String,
    explainer: Explainer,
    /// The doors as they were in the beginning: their names and commands stay.
    doors: Doors,
    places: Places,
    /// By [`DoorId::index`].
    named: Vec<Named>,
}

impl Side {
    pub(super) fn new(
        name: String,
        (doors, places): (Doors, Places),
        named: Vec<Named>,
        listening: Listening,
        limits: &Limits,
    ) -> Self {
        let explainer = Explainer::new(doors.clone(), listening, limits, Whom::All);
        Self { name, explainer, doors, places, named }
    }

    pub(super) const fn explainer(&self) -> &Explainer {
        &self.explainer
    }

    /// Returns how it sees frames.
    pub(super) fn sight(&self) -> Sight {
        Sight::of_knock(self.explainer.doors())
    }

    pub(super) fn words<'a>(&'a self, captures: &'a CaptureNames) -> Words<'a> {
        let listening = self.explainer.listening();
        Words { doors: &self.doors, listening, places: &self.places, captures }
    }

    /// Returns the door of a name that both configurations share.
    pub(super) fn door(&self, named: Named) -> Option<DoorId> {
        let index = self.named.iter().position(|one| *one == named)?;
        self.doors.with_index(index)
    }

    /// Handles an input and appends its visible effects to `events`. `tell` gets the explanations.
    pub(super) fn step(
        &mut self,
        incoming: Incoming,
        events: &mut Vec<VisibleEvent>,
        mut tell: impl FnMut(Named, &Explanation),
    ) {
        let Self { explainer, named, doors, .. } = self;
        let named = |door: DoorId| named.get(door.index()).copied();
        let mut tell = |one: &Explanation| {
            if let Some(door) = named(one.door) {
                tell(door, one);
            }
        };
        let packet = incoming.frame();
        let take = |timed| events.extend(VisibleEvent::new(timed, packet, doors, named));
        explainer.step(incoming, take, &mut tell);
    }
}

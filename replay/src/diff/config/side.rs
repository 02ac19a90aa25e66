//! One of the two configurations.

use knock_engine::Undecodable;
use knock_engine::{DoorId, Doors, Limits, Listening, Timestamp};

use super::event::{Event, Named};
use crate::explain::{Explainer, Explanation, Places, Whom, Words};
use crate::session::reader::{CaptureNames, Next, PacketId};

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

/// What happens next, under both.
pub(super) enum Step<'a> {
    Captured(Next<'a>),
    /// Nothing but time.
    Time,
}

impl Side {
    pub(super) fn new(
        name: String,
        (doors, places): (Doors, Places),
        named: Vec<Named>,
        listening: Listening,
        limits: &Limits,
    ) -> Self {
        let explainer = Explainer::new(doors.clone(), listening, limits, Whom::All).with_effects();
        Self { name, explainer, doors, places, named }
    }

    pub(super) const fn explainer(&self) -> &Explainer {
        &self.explainer
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

    /// Lets something happen, and appends to `events` what shows outside. `tell` gets what is explained.
    pub(super) fn step(
        &mut self,
        at: Timestamp,
        step: &Step<'_>,
        events: &mut Vec<Event>,
        mut tell: impl FnMut(Named, &Explanation),
    ) -> Result<(), Undecodable> {
        let Self { explainer, named, doors, .. } = self;
        let named = |door: DoorId| named.get(door.index()).copied();
        let mut tell = |one: &Explanation| {
            if let Some(door) = named(one.door) {
                tell(door, one);
            }
        };
        let mut packet: Option<PacketId> = None;
        let decoded = match step {
            Step::Captured(Next::Frame(link, frame, id)) => {
                packet = Some(*id);
                explainer.frame(at, *link, frame, *id, &mut tell)
            }
            Step::Captured(Next::Addresses(listening)) => {
                explainer.addresses(at, listening.clone(), &mut tell);
                Ok(())
            }
            Step::Time => {
                explainer.time(at, &mut tell);
                Ok(())
            }
        };
        let effects = explainer.take_effects();
        events.extend(effects.filter_map(|timed| Event::new(timed, packet, doors, named)));
        decoded
    }
}

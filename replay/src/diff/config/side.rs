//! One of the two configurations.

use knock_compat::Sight;
use knock_engine::{Door, DoorId, Doors, Limits, Listening};

use super::event::Named;
use crate::explain::{Explainer, Places, Whom, Words};
use crate::session::names::CaptureNames;

/// A configuration at work.
#[derive(Debug)]
pub(super) struct Side {
    /// The name of its file, fit to be printed.
    pub(super) name: String,
    pub(super) explainer: Explainer,
    pub(super) doors: SideDoors,
    places: Places,
}

/// The doors of a configuration as they were in the beginning: their names, commands and ports stay.
#[derive(Debug)]
pub(super) struct SideDoors {
    doors: Doors,
    /// By [`DoorId::index`].
    named: Vec<Named>,
    /// By [`Named::index`].
    ids: Vec<Option<DoorId>>,
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
        Self { name, explainer, doors: SideDoors::new(doors, named), places }
    }

    /// Returns how it sees frames.
    pub(super) fn sight(&self) -> Sight {
        Sight::of_knock(self.explainer.doors())
    }

    pub(super) fn words<'a>(&'a self, captures: &'a CaptureNames) -> Words<'a> {
        let listening = self.explainer.listening();
        Words { doors: &self.doors.doors, listening, places: &self.places, captures }
    }
}

impl SideDoors {
    pub(super) fn new(doors: Doors, named: Vec<Named>) -> Self {
        let count = named.iter().map(|one| one.index().saturating_add(1)).max().unwrap_or(0);
        let mut ids = vec![None; count];
        for (index, one) in named.iter().enumerate() {
            if let Some(id) = ids.get_mut(one.index()) {
                *id = doors.with_index(index);
            }
        }
        Self { doors, named, ids }
    }

    /// Returns what a door is called under both configurations.
    pub(super) fn named(&self, door: DoorId) -> Option<Named> {
        self.named.get(door.index()).copied()
    }

    /// Returns the door of a name that both configurations share.
    pub(super) fn id(&self, named: Named) -> Option<DoorId> {
        self.ids.get(named.index()).copied().flatten()
    }

    /// Returns the door of a name.
    pub(super) fn door(&self, named: Named) -> Option<&Door> {
        self.id(named).map(|id| self.doors.door(id))
    }
}

//! What is compared.

use std::collections::HashMap;
use std::net::IpAddr;

use knock_engine::{Door, DoorId, DoorName, Doors, Phase, Timestamp};
use knock_engine::{Effect, EffectKind, TimedEffect};

use crate::session::names::PacketId;

/// Something that doors do and that shows outside: stages are only on the way to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// The door opened.
    Opened,
    /// The door stayed shut at the limit.
    Refused,
    /// The client may reach these ports for so many seconds.
    Admitted(String, u32),
    /// It may not any more.
    AdmissionEnded,
    /// This command would run when the door opens.
    StartCommand(Vec<u8>),
    /// The attempt took too long.
    SequenceTimedOut,
    /// The door closes.
    CommandTimedOut,
    /// This command would run when the door closes.
    StopCommand(Vec<u8>),
}

/// What something is, but for the texts that follow from the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum EventKind {
    Opened,
    Refused,
    Admitted,
    AdmissionEnded,
    StartCommand,
    SequenceTimedOut,
    CommandTimedOut,
    StopCommand,
}

impl EventKind {
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] = [
        Self::Opened,
        Self::Refused,
        Self::Admitted,
        Self::AdmissionEnded,
        Self::StartCommand,
        Self::SequenceTimedOut,
        Self::CommandTimedOut,
        Self::StopCommand,
    ];

    /// Returns a number of its own, below 16.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::Opened => 0,
            Self::Refused => 1,
            Self::Admitted => 2,
            Self::AdmissionEnded => 3,
            Self::StartCommand => 4,
            Self::SequenceTimedOut => 5,
            Self::CommandTimedOut => 6,
            Self::StopCommand => 7,
        }
    }

    /// Returns what an effect shows outside; `None` if it is only on the way, or why something did not
    /// happen.
    fn of(effect: &Effect) -> Option<Self> {
        const SHOWN: [(EffectKind, EventKind); 7] = [
            (EffectKind::Opened, EventKind::Opened),
            (EffectKind::StartCommand, EventKind::StartCommand),
            (EffectKind::CommandTimedOut, EventKind::CommandTimedOut),
            (EffectKind::StopCommand, EventKind::StopCommand),
            (EffectKind::Admitted, EventKind::Admitted),
            (EffectKind::AdmissionEnded, EventKind::AdmissionEnded),
            (EffectKind::OpeningRefused, EventKind::Refused),
        ];
        // Of these there are most.
        if matches!(effect, Effect::StageReached { .. }) {
            return None;
        }
        if matches!(effect, Effect::SequenceTimedOut { .. }) {
            return Some(Self::SequenceTimedOut);
        }
        let kind = effect.kind();
        SHOWN.into_iter().find(|(shown, _)| *shown == kind).map(|(_, what)| what)
    }
}

impl What {
    pub(super) const fn kind(&self) -> EventKind {
        match self {
            Self::Opened => EventKind::Opened,
            Self::Refused => EventKind::Refused,
            Self::Admitted(..) => EventKind::Admitted,
            Self::AdmissionEnded => EventKind::AdmissionEnded,
            Self::StartCommand(_) => EventKind::StartCommand,
            Self::SequenceTimedOut => EventKind::SequenceTimedOut,
            Self::CommandTimedOut => EventKind::CommandTimedOut,
            Self::StopCommand(_) => EventKind::StopCommand,
        }
    }

    /// Returns the command, if it is one, and when it runs.
    pub(super) fn command(&self) -> Option<(Phase, &[u8])> {
        match self {
            Self::StartCommand(text) => Some((Phase::Start, text)),
            Self::StopCommand(text) => Some((Phase::Stop, text)),
            Self::Opened
            | Self::Refused
            | Self::Admitted(..)
            | Self::AdmissionEnded
            | Self::SequenceTimedOut
            | Self::CommandTimedOut => None,
        }
    }
}

/// A door of either configuration, known by its name: the number in [`Names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(test, derive(Default))]
pub(super) struct Named(usize);

impl Named {
    #[cfg(test)]
    pub(super) const fn new(index: usize) -> Self {
        Self(index)
    }

    /// Returns the number, from 0.
    pub(super) const fn index(self) -> usize {
        self.0
    }
}

/// The doors of both configurations, those of the same name taken for the same.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By name, and by the number of earlier doors with the same name.
    numbers: HashMap<(DoorName, usize), Named>,
    /// In the order of the configurations.
    names: Vec<DoorName>,
}

impl Names {
    /// Takes the doors of a configuration. Returns them by [`DoorId::index`].
    pub(super) fn take(&mut self, doors: &Doors) -> Vec<Named> {
        let mut seen: HashMap<&DoorName, usize> = HashMap::new();
        let mut taken = Vec::new();
        for (_, door) in doors.in_order() {
            let nth = seen.entry(&door.name).or_default();
            let next = Named(self.names.len());
            let number = *self.numbers.entry((door.name.clone(), *nth)).or_insert(next);
            if number == next {
                self.names.push(door.name.clone());
            }
            *nth = nth.saturating_add(1);
            taken.push(number);
        }
        taken
    }

    /// Returns all of them.
    pub(super) fn all(&self) -> impl Iterator<Item = Named> + use<> {
        (0..self.names.len()).map(Named)
    }

    pub(super) fn name(&self, door: Named) -> &[u8] {
        self.names.get(door.0).map(DoorName::as_bytes).unwrap_or_default()
    }
}

/// What is the same under both configurations if it happens at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) client: IpAddr,
    pub(super) door: Named,
    pub(super) what: What,
}

/// When something happened, and the packet that made it happen; `None` if time did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) packet: Option<PacketId>,
}

/// Something that happened under one of the configurations.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VisibleEvent {
    pub(super) key: Key,
    pub(super) moment: Moment,
}

/// What an event is, but for the texts that follow from the door, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct EventId {
    pub(super) client: IpAddr,
    pub(super) door: Named,
    pub(super) kind: EventKind,
}

impl VisibleEvent {
    pub(super) const fn id(&self) -> EventId {
        let Key { client, door, ref what } = self.key;
        EventId { client, door, kind: what.kind() }
    }
}

/// The same in little space, as long as it may have a twin: without the texts that follow from the door, and
/// without the packet, which is that of the step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CompactEvent {
    pub(super) at: Timestamp,
    pub(super) id: EventId,
    /// For how many seconds the client is admitted; 0 if it is something else.
    lasts: u32,
    /// Whether time made it happen.
    is_due: bool,
}

impl CompactEvent {
    #[cfg(test)]
    pub(super) const fn due(at: Timestamp, id: EventId, lasts: u32) -> Self {
        Self { at, id, lasts, is_due: true }
    }

    /// Makes an event of an effect, if it is to be compared.
    pub(super) fn new(
        TimedEffect { at, effect }: &TimedEffect,
        named: impl FnOnce(DoorId) -> Option<Named>,
    ) -> Option<Self> {
        let kind = EventKind::of(effect)?;
        let door = named(effect.door()?)?;
        let lasts = if let Effect::Admit { lasts, .. } = effect { lasts.get() } else { 0 };
        let id = EventId { client: effect.client()?, door, kind };
        Some(Self { at: *at, id, lasts, is_due: effect.is_due() })
    }

    /// Returns whether an event of the other side is the same at the same time, if the texts are.
    pub(super) fn is_twin_of(&self, other: &Self) -> bool {
        let key = |one: &Self| (one.at, one.id, one.lasts);
        key(self) == key(other)
    }

    /// Returns whether it has a text that follows from the door.
    pub(super) const fn has_text(&self) -> bool {
        matches!(
            self.id.kind,
            EventKind::Admitted | EventKind::StartCommand | EventKind::StopCommand
        )
    }

    /// Returns the whole event, with the packet of the step and the texts of the door.
    pub(super) fn whole(&self, packet: Option<PacketId>, door: Option<&Door>) -> VisibleEvent {
        let Self { at, id: EventId { client, door: named, kind }, lasts, is_due } = *self;
        let command = |phase| {
            let mut text = Vec::new();
            if let Some(command) = door.and_then(|door| door.commands.of(phase, client)) {
                command.expand(client, &mut text);
            }
            text
        };
        let ports = || {
            let admission = door.and_then(|door| door.admission.as_ref());
            admission.map_or_else(String::new, |one| one.ports.to_string())
        };
        let what = match kind {
            EventKind::Opened => What::Opened,
            EventKind::Refused => What::Refused,
            EventKind::Admitted => What::Admitted(ports(), lasts),
            EventKind::AdmissionEnded => What::AdmissionEnded,
            EventKind::StartCommand => What::StartCommand(command(Phase::Start)),
            EventKind::SequenceTimedOut => What::SequenceTimedOut,
            EventKind::CommandTimedOut => What::CommandTimedOut,
            EventKind::StopCommand => What::StopCommand(command(Phase::Stop)),
        };
        let moment = Moment { at, packet: packet.filter(|_| !is_due) };
        VisibleEvent { key: Key { client, door: named, what }, moment }
    }
}

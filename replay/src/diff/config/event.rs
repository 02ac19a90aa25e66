//! What is compared.

use std::collections::HashMap;
use std::net::IpAddr;

use knock_engine::{DoorId, DoorName, Doors, Phase, Timestamp};
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

impl What {
    /// Returns what an effect shows outside; `None` if it is only on the way, or why something did not
    /// happen.
    fn of(effect: &Effect, doors: &Doors) -> Option<Self> {
        const SHOWN: [(EffectKind, What); 5] = [
            (EffectKind::Opened, What::Opened),
            (EffectKind::OpeningRefused, What::Refused),
            (EffectKind::SequenceTimedOut, What::SequenceTimedOut),
            (EffectKind::CommandTimedOut, What::CommandTimedOut),
            (EffectKind::AdmissionEnded, What::AdmissionEnded),
        ];
        if let Effect::RunCommand { client, door, phase, .. } = *effect {
            let mut text = Vec::new();
            if let Some(command) = doors.door(door).commands.of(phase, client) {
                command.expand(client, &mut text);
            }
            return Some(match phase {
                Phase::Start => Self::StartCommand(text),
                Phase::Stop => Self::StopCommand(text),
            });
        }
        if let Effect::Admit { door, lasts, .. } = *effect {
            let admission = doors.door(door).admission.as_ref();
            let ports = admission.map_or_else(String::new, |one| one.ports.to_string());
            return Some(Self::Admitted(ports, lasts.get()));
        }
        let kind = effect.kind();
        SHOWN.into_iter().find(|(shown, _)| *shown == kind).map(|(_, what)| what)
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

impl VisibleEvent {
    /// Makes an event of an effect, if it is to be compared.
    pub(super) fn new(
        TimedEffect { at, effect }: TimedEffect,
        packet: Option<PacketId>,
        doors: &Doors,
        named: impl FnOnce(DoorId) -> Option<Named>,
    ) -> Option<Self> {
        let what = What::of(&effect, doors)?;
        let door = named(effect.door()?)?;
        let key = Key { client: effect.client()?, door, what };
        Some(Self { key, moment: Moment { at, packet: packet.filter(|_| !effect.is_due()) } })
    }
}

//! What has happened that has to do with assertions, within limits.

use std::net::IpAddr;
use std::time::Duration;

use knock_compat::{Effect, Rules};
use knock_engine::{Commands, DoorId, Doors, OpenPorts, Packet, Phase, Stage};

use super::claim::{Assertion, Claim, Which};
use super::facts::{Admitted, Closing, Facts, Furthest, Moment, NAMED, Opening, Run};
use super::networks::Networks;
use super::subjects::{Comers, Packets, Subjects};
use super::under_way::{Attempts, OpenDoors};
use crate::explain::Whom;
use crate::output::time::nanos;
use crate::session::drive::Played;
use crate::session::names::PacketId;

/// The assertions about the same doors and clients, and what is common to them.
#[derive(Debug, Default)]
struct Subject {
    /// The places of the assertions.
    cases: Vec<usize>,
    /// The time of attempts is limited.
    is_timed: bool,
    /// The doors must not open.
    is_unwanted: bool,
    furthest: Option<Furthest>,
}

/// Why the beginning of an attempt is remembered.
#[derive(Clone, Copy, Debug, Default)]
struct Followed {
    is_timed: bool,
    is_unwanted: bool,
}

impl Followed {
    const fn add(&mut self, subject: &Subject) {
        self.is_timed |= subject.is_timed;
        self.is_unwanted |= subject.is_unwanted;
    }
}

/// All that has happened that has to do with assertions.
#[derive(Debug)]
pub(super) struct Evidence {
    rules: Rules,
    cases: Vec<(Claim, Facts)>,
    subjects: Subjects,
    /// What is known of each of the subjects, by their numbers.
    of_subject: Vec<Subject>,
    of_commands: Vec<usize>,
    of_admissions: Networks,
    comers: Comers,
    /// Of each place among the comers, whose attempts are followed at all doors.
    followed: Vec<Followed>,
    /// The first knocks of attempts whose time is limited.
    timed: Attempts,
    /// Those of attempts at doors that must not open.
    unwanted: Attempts,
    open: OpenDoors,
    needs_openings: bool,
    /// The first packet that was admitted.
    pub(super) admitted: Option<PacketId>,
    /// How many commands have run.
    pub(super) runs: u64,
    text: Vec<u8>,
}

impl Evidence {
    pub(super) fn new<'a>(
        assertions: impl Iterator<Item = &'a Assertion>,
        rules: Rules,
        doors: &Doors,
    ) -> Self {
        let claims: Vec<&Claim> = assertions.map(|assertion| &assertion.claim).collect();
        let which = || claims.iter().filter_map(|claim| claim.which());
        let subjects = Subjects::new(which(), doors);
        let admissions = claims.iter().zip(0..).filter_map(|(claim, place)| {
            if let Claim::Admits { whom, .. } = claim { Some((*whom, place)) } else { None }
        });
        let mut evidence = Self {
            rules,
            of_subject: std::iter::repeat_with(Subject::default).take(subjects.len()).collect(),
            comers: Comers::new(subjects.places()),
            followed: vec![Followed::default(); subjects.places()],
            subjects,
            of_commands: Vec::new(),
            of_admissions: Networks::new(admissions),
            cases: Vec::new(),
            timed: Attempts::default(),
            unwanted: Attempts::default(),
            open: OpenDoors::default(),
            needs_openings: false,
            admitted: None,
            runs: 0,
            text: Vec::new(),
        };
        for (place, claim) in claims.into_iter().enumerate() {
            evidence.add(place, claim);
        }
        evidence.follow();
        evidence
    }

    /// Finds out whose attempts are followed at all doors.
    fn follow(&mut self) {
        let Self { subjects, of_subject, followed, .. } = self;
        for (place, followed) in followed.iter_mut().enumerate() {
            let about = subjects.of_all_doors(place).filter_map(|number| of_subject.get(number));
            about.for_each(|subject| followed.add(subject));
        }
    }

    fn add(&mut self, place: usize, claim: &Claim) {
        self.cases.push((claim.clone(), Facts::default()));
        self.needs_openings |= matches!(claim, Claim::Closes { .. } | Claim::Runs { .. });
        if matches!(claim, Claim::Runs { .. }) {
            self.of_commands.push(place);
        }
        let number = claim.which().and_then(|which| self.subjects.number(which));
        let subject = number.and_then(|number| self.of_subject.get_mut(number));
        let Some(subject) = subject else { return };
        subject.cases.push(place);
        subject.is_timed |= matches!(claim, Claim::Opens { within: Some(_), .. });
        subject.is_unwanted |= matches!(claim, Claim::StaysShut { .. });
    }

    /// Returns what has to do with the assertion at a place.
    pub(super) fn facts(&self, place: usize) -> Option<&Facts> {
        self.cases.get(place).map(|(_, facts)| facts)
    }

    /// Returns which packets came from those whom an assertion is about.
    pub(super) fn packets(&self, whom: Whom) -> Packets {
        self.subjects.packets(whom, &self.comers)
    }

    /// Returns how far an attempt came; not known by the rules of knock, where an observer knows more.
    pub(super) fn furthest(&self, which: &Which) -> Option<Furthest> {
        let number = self.subjects.number(which)?;
        self.of_subject.get(number)?.furthest
    }

    /// Returns what assertions are about.
    pub(super) const fn subjects(&self) -> &Subjects {
        &self.subjects
    }

    /// Takes a packet that could be read.
    pub(super) fn packet(&mut self, id: PacketId, packet: &Packet) {
        let place = self.subjects.comes(packet.source);
        self.comers.packet(place, id, packet);
    }

    /// Takes something that happens.
    pub(super) fn effect(&mut self, played: &Played<'_>) {
        let Played { timed, packet, doors, .. } = *played;
        let moment = Moment { at: timed.at, packet };
        let effect = timed.effect;
        let (Some(client), Some(door)) = (effect.client(), effect.door()) else { return };
        let mut began = None;
        if effect.kind().ends_attempt() {
            let timed = self.timed.end(client, door);
            began = timed.or(self.unwanted.end(client, door));
        }
        if let Effect::StageReached { stage, .. } = effect {
            if stage == Stage::FIRST {
                self.begin(client, door, moment);
            }
            if self.rules != Rules::Knock {
                self.stage(Furthest { stage, client, door, packet });
            }
        } else if let Effect::Opened { .. } = effect {
            self.opened(Opening { client, door, at: timed.at, packet, began });
        } else if let Effect::RunCommand { phase, .. } = effect {
            self.ran(doors, (client, door), phase, moment);
        } else if let Effect::Admit { lasts, .. } = effect {
            self.let_in(doors, Admitted { client, door, lasts, packet }, moment);
        } else if let Effect::AdmissionEnded { .. } = effect {
            let opened = self.open.end_admission(client, door);
            self.closed(Closing { client, door, at: timed.at, opened });
        } else if let Effect::Closing { .. } = effect {
            for opened in self.open.all(client, door) {
                self.closed(Closing { client, door, at: timed.at, opened });
            }
        } else if let Effect::CommandTimedOut { .. } = effect {
            let opened = self.open.oldest(client, door);
            self.closed(Closing { client, door, at: timed.at, opened });
        }
    }

    /// Returns the places of the assertions that are about a client at a door.
    fn about(&self, client: IpAddr, door: DoorId) -> Vec<usize> {
        let subjects = self.subjects.of(client, door);
        let cases = subjects.filter_map(|number| self.of_subject.get(number));
        cases.flat_map(|subject| &subject.cases).copied().collect()
    }

    /// An attempt begins, which may have to do with several assertions.
    fn begin(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        let Self { subjects, of_subject, followed, .. } = self;
        let mut followed = followed.get(subjects.place(client)).copied().unwrap_or_default();
        for number in subjects.of_door(client, door) {
            of_subject.get(number).into_iter().for_each(|subject| followed.add(subject));
        }
        if followed.is_timed {
            self.timed.begin(client, door, moment);
        }
        if followed.is_unwanted {
            self.unwanted.begin(client, door, moment);
        }
    }

    fn stage(&mut self, reached: Furthest) {
        let Self { subjects, of_subject, .. } = self;
        for number in subjects.of(reached.client, reached.door) {
            let Some(Subject { furthest, .. }) = of_subject.get_mut(number) else { continue };
            if furthest.is_none_or(|furthest| furthest.stage < reached.stage) {
                *furthest = Some(reached);
            }
        }
    }

    fn opened(&mut self, opening: Opening) {
        for place in self.about(opening.client, opening.door) {
            let Some((claim, facts)) = self.cases.get_mut(place) else { continue };
            if facts.openings.len() < NAMED {
                facts.openings.push(opening);
            }
            if matches!(claim, Claim::Closes { .. }) {
                continue;
            }
            facts.count = facts.count.saturating_add(1);
            let Claim::Opens { within: Some(within), .. } = claim else { continue };
            let Some(began) = opening.began else {
                facts.is_uncertain = true;
                continue;
            };
            let took = nanos(began.at, opening.at);
            if u128::from(took) <= within.as_nanos() {
                facts.in_time = facts.in_time.saturating_add(1);
            }
            if facts.fastest.is_none_or(|(fastest, _)| took < fastest) {
                facts.fastest = Some((took, opening));
            }
        }
    }

    fn ran(
        &mut self,
        doors: &Doors,
        (client, door): (IpAddr, DoorId),
        phase: Phase,
        moment: Moment,
    ) {
        self.runs = self.runs.saturating_add(1);
        if !self.needs_openings {
            return;
        }
        let commands = &doors.door(door).commands;
        let opened = match phase {
            Phase::Start => {
                if self.closes_again(commands, client) {
                    self.open.remember(client, door, moment);
                }
                Some(moment)
            }
            Phase::Stop => {
                let opened = self.open.oldest(client, door);
                self.open.forget(client, door);
                opened
            }
        };
        let Self { cases, text, of_commands, .. } = self;
        text.clear();
        if let Some(command) = commands.of(phase, client) {
            command.expand(client, text);
        }
        let run = Run { phase, at: moment.at, opened };
        for &place in of_commands.iter() {
            if let Some((Claim::Runs { command, .. }, facts)) = cases.get_mut(place) {
                facts.ran(command, text, run);
            }
        }
    }

    fn let_in(&mut self, doors: &Doors, admitted: Admitted, moment: Moment) {
        let Self { cases, of_admissions, open, needs_openings, .. } = self;
        if *needs_openings {
            open.let_in(admitted.client, admitted.door, moment);
        }
        let opened = doors.door(admitted.door).admission.as_ref().map(|one| &one.ports);
        for place in of_admissions.of(admitted.client) {
            let Some((Claim::Admits { ports, lasts, .. }, facts)) = cases.get_mut(place) else {
                continue;
            };
            let are_open = |wanted: &OpenPorts| opened.is_some_and(|opened| opened.contain(wanted));
            let are_right = ports.as_ref().is_none_or(are_open);
            let seconds = Duration::from_secs(admitted.lasts.get().into());
            if are_right && lasts.is_none_or(|lasts| lasts == seconds) {
                facts.count = facts.count.saturating_add(1);
            }
            if facts.admitted.len() < NAMED {
                facts.admitted.push(admitted);
            }
        }
    }

    /// Returns whether a door closes again for a client.
    fn closes_again(&self, commands: &Commands, client: IpAddr) -> bool {
        if self.rules == Rules::Knock {
            return commands.of(Phase::Stop, client).is_some();
        }
        // knockd 0.8 waits for an empty command, too, and runs it (case `e-empty-stop`).
        let for_ipv6 = commands.stop_6.as_ref().filter(|_| client.is_ipv6());
        for_ipv6.or(commands.stop.as_ref()).is_some()
    }

    fn closed(&mut self, closing: Closing) {
        for place in self.about(closing.client, closing.door) {
            let Some((Claim::Closes { after, .. }, facts)) = self.cases.get_mut(place) else {
                continue;
            };
            facts.count = facts.count.saturating_add(1);
            if facts.closings.len() < NAMED {
                facts.closings.push(closing);
            }
            let Some(after) = after else { continue };
            match closing.opened {
                Some(opened) if u128::from(nanos(opened.at, closing.at)) == after.as_nanos() => {
                    facts.in_time = facts.in_time.saturating_add(1);
                }
                Some(_) => {}
                None => facts.is_uncertain = true,
            }
        }
    }
}

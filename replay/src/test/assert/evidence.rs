//! What has happened that has to do with assertions, within limits.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use knock_compat::{Effect, Rules};
use knock_engine::{Commands, DoorId, Doors, OpenPorts, Packet, Phase, Stage};

use super::claim::{Assertion, Claim, Meant, Which};
use super::facts::{Admitted, Closing, Facts, Furthest, Moment, NAMED, Opening, Run};
use crate::explain::Whom;
use crate::output::time::nanos;
use crate::session::drive::Played;
use crate::session::names::PacketId;

/// How many attempts that are under way, and how many open doors, are remembered at once.
pub(super) const FOLLOWED: usize = 100_000;

/// The places of assertions, found by whom they are about.
#[derive(Clone, Debug, Default)]
struct Places {
    /// Those about one client.
    of_client: HashMap<IpAddr, Vec<usize>>,
    /// Those about networks, or everybody.
    of_many: Vec<usize>,
}

impl Places {
    fn add(&mut self, place: usize, whom: Whom) {
        match whom {
            Whom::Network(one) if one.prefix_len() == one.max_prefix_len() => {
                self.of_client.entry(one.addr()).or_default().push(place);
            }
            Whom::Network(_) | Whom::All => self.of_many.push(place),
        }
    }

    /// Returns those that may be about a client.
    fn about(&self, client: IpAddr) -> impl Iterator<Item = usize> {
        let of_client = self.of_client.get(&client).into_iter().flatten();
        of_client.chain(&self.of_many).copied()
    }
}

/// The first knocks of attempts that are under way, of at most [`FOLLOWED`].
#[derive(Debug, Default)]
struct Attempts(HashMap<(IpAddr, DoorId), Moment>);

impl Attempts {
    fn begin(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        let Self(attempts) = self;
        if attempts.len() < FOLLOWED {
            attempts.insert((client, door), moment);
        } else {
            // Facts about an earlier attempt must not be reported for this one.
            attempts.remove(&(client, door));
        }
    }

    /// Returns when an attempt began that ends.
    fn end(&mut self, client: IpAddr, door: DoorId) -> Option<Moment> {
        self.0.remove(&(client, door))
    }
}

/// All that has happened that has to do with assertions.
#[derive(Debug)]
pub(super) struct Evidence {
    rules: Rules,
    cases: Vec<(Claim, Facts)>,
    /// The assertions about each door, by [`DoorId::index`]; about all doors; and about commands.
    of_door: Vec<Places>,
    of_any: Places,
    of_commands: Vec<usize>,
    of_admissions: Vec<usize>,
    /// Those whose report says what packets there were.
    of_packets: Places,
    /// The first knocks of attempts whose time is limited.
    timed: Attempts,
    /// Those of attempts at doors that must not open.
    unwanted: Attempts,
    /// The openings of doors that are to close again, the oldest first.
    open: HashMap<(IpAddr, DoorId), VecDeque<Moment>>,
    open_count: usize,
    /// When clients were let in that still are, of at most [`FOLLOWED`].
    let_in: HashMap<(IpAddr, DoorId), Moment>,
    /// Some opening could not be remembered.
    has_lost_openings: bool,
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
        let mut evidence = Self {
            rules,
            cases: Vec::new(),
            of_door: vec![Places::default(); doors.len()],
            of_any: Places::default(),
            of_commands: Vec::new(),
            of_admissions: Vec::new(),
            let_in: HashMap::new(),
            of_packets: Places::default(),
            timed: Attempts::default(),
            unwanted: Attempts::default(),
            open: HashMap::new(),
            open_count: 0,
            has_lost_openings: false,
            needs_openings: false,
            admitted: None,
            runs: 0,
            text: Vec::new(),
        };
        for (place, Assertion { claim, .. }) in assertions.enumerate() {
            evidence.cases.push((claim.clone(), Facts::default()));
            match claim {
                Claim::Opens { which, .. }
                | Claim::OpensTimes { which, .. }
                | Claim::StaysShut { which } => {
                    evidence.of_packets.add(place, which.whom);
                    evidence.of_doors(place, which);
                }
                Claim::Closes { which, .. } => {
                    evidence.needs_openings = true;
                    evidence.of_doors(place, which);
                }
                Claim::Admits { .. } => evidence.of_admissions.push(place),
                Claim::Runs { .. } => {
                    evidence.needs_openings = true;
                    evidence.of_commands.push(place);
                }
                Claim::NothingAdmitted => {}
            }
        }
        evidence
    }

    fn of_doors(&mut self, place: usize, which: &Which) {
        match &which.doors {
            Meant::Any => self.of_any.add(place, which.whom),
            Meant::Named(_, doors) => {
                for door in doors {
                    if let Some(places) = self.of_door.get_mut(door.index()) {
                        places.add(place, which.whom);
                    }
                }
            }
        }
    }

    /// Returns what has to do with the assertion at a place.
    pub(super) fn facts(&self, place: usize) -> Option<&Facts> {
        self.cases.get(place).map(|(_, facts)| facts)
    }

    /// Takes a packet that could be read.
    pub(super) fn packet(&mut self, id: PacketId, packet: &Packet) {
        let Self { cases, of_packets, .. } = self;
        for place in of_packets.about(packet.source) {
            let Some((claim, facts)) = cases.get_mut(place) else { continue };
            if claim.which().is_some_and(|which| which.whom.contains(packet.source)) {
                facts.packets = facts.packets.saturating_add(1);
                facts.first_packet.get_or_insert((id, packet.knock()));
            }
        }
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
            self.stage(Furthest { stage, client, door, packet });
        } else if let Effect::Opened { .. } = effect {
            self.opened(Opening { client, door, at: timed.at, packet, began });
        } else if let Effect::RunCommand { phase, .. } = effect {
            self.ran(doors, (client, door), phase, moment);
        } else if let Effect::Admit { lasts, .. } = effect {
            self.let_in(doors, Admitted { client, door, lasts, packet }, moment);
        } else if let Effect::AdmissionEnded { .. } = effect {
            let opened = self.let_in.remove(&(client, door));
            self.closed(Closing { client, door, at: timed.at, opened });
        } else if let Effect::CommandTimedOut { .. } = effect {
            let opened = self.oldest(client, door);
            self.closed(Closing { client, door, at: timed.at, opened });
        }
    }

    /// Returns the places of the assertions that are about a client at a door.
    fn about(&self, client: IpAddr, door: DoorId) -> impl Iterator<Item = usize> {
        let of_door = self.of_door.get(door.index()).map(|places| places.about(client));
        let is_meant = move |place: &usize| {
            let which = self.cases.get(*place).and_then(|(claim, _)| claim.which());
            which.is_some_and(|which| which.contains(door, client))
        };
        of_door.into_iter().flatten().chain(self.of_any.about(client)).filter(is_meant)
    }

    /// An attempt begins, which may have to do with several assertions.
    fn begin(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        let claims = self.about(client, door).filter_map(|place| self.cases.get(place));
        let (mut is_timed, mut is_unwanted) = (false, false);
        for (claim, _) in claims {
            is_timed |= matches!(claim, Claim::Opens { within: Some(_), .. });
            is_unwanted |= matches!(claim, Claim::StaysShut { .. });
        }
        if is_timed {
            self.timed.begin(client, door, moment);
        }
        if is_unwanted {
            self.unwanted.begin(client, door, moment);
        }
    }

    fn stage(&mut self, reached: Furthest) {
        let places: Vec<usize> = self.about(reached.client, reached.door).collect();
        for place in places {
            let Some((_, facts)) = self.cases.get_mut(place) else { continue };
            if facts.furthest.is_none_or(|furthest| furthest.stage < reached.stage) {
                facts.furthest = Some(reached);
            }
        }
    }

    fn opened(&mut self, opening: Opening) {
        let places: Vec<usize> = self.about(opening.client, opening.door).collect();
        for place in places {
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

    /// Returns when the door was opened for the client that closes first.
    fn oldest(&mut self, client: IpAddr, door: DoorId) -> Option<Moment> {
        let openings = self.open.get(&(client, door))?;
        if self.has_lost_openings { None } else { openings.front().copied() }
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
                    self.remember(client, door, moment);
                }
                Some(moment)
            }
            Phase::Stop => {
                let opened = self.oldest(client, door);
                self.forget(client, door);
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
        let Self { cases, of_admissions, let_in, needs_openings, .. } = self;
        if *needs_openings && let_in.len() < FOLLOWED {
            let_in.entry((admitted.client, admitted.door)).or_insert(moment);
        }
        let opened = doors.door(admitted.door).admission.as_ref().map(|one| &one.ports);
        for &place in of_admissions.iter() {
            let Some((Claim::Admits { whom, ports, lasts }, facts)) = cases.get_mut(place) else {
                continue;
            };
            if !whom.contains(admitted.client) {
                continue;
            }
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

    /// Remembers that a door is open, as long as few enough are.
    fn remember(&mut self, client: IpAddr, door: DoorId, moment: Moment) {
        if self.open_count < FOLLOWED {
            self.open_count = self.open_count.saturating_add(1);
            self.open.entry((client, door)).or_default().push_back(moment);
        } else {
            self.has_lost_openings = true;
        }
    }

    /// Forgets the oldest opening of a door.
    fn forget(&mut self, client: IpAddr, door: DoorId) {
        let Some(openings) = self.open.get_mut(&(client, door)) else { return };
        if openings.pop_front().is_some() {
            self.open_count = self.open_count.saturating_sub(1);
        }
        if openings.is_empty() {
            self.open.remove(&(client, door));
        }
    }

    fn closed(&mut self, closing: Closing) {
        let places: Vec<usize> = self.about(closing.client, closing.door).collect();
        for place in places {
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

//! What an engine does, explained door by door as it happens.

mod of_signed;
mod silent;
mod totals;
mod turn;

use std::collections::VecDeque;
use std::net::IpAddr;

use knock_compat::Undecodable;
use knock_engine::{
    DoorId, Doors, Effect, Hearing, Listening, NotSigned, Note, OwnEffect, Packet, Seconds, Stage,
    TimedEffect, Timestamp,
};

pub use self::totals::Totals;
pub(crate) use self::turn::Turn;

use self::totals::count_one;
use self::turn::{DoorHearing, Outcome, sequence_of};
use super::Whom;
use super::change::{self, Change, Handled, Stray};
use super::clients::Clients;
use super::explanation::{Explanation, Seen};
use super::hints::Hints;
use super::miss::{Nearest, Standing};
use super::signed::SignedPackets;
use super::track::Arrival;
use crate::session::incoming::{Incoming, What};
use crate::session::unwanted::SomeClients;
use knock_signed::Refusal;

/// Watches an engine by the rules of knock, and explains what becomes of each packet.
///
/// Every verdict is the engine's: its effects and notes, and where it is silent, what the filter of the
/// door made of the packet. What is remembered besides only adds what the engine forgets: which packet
/// was the last knock, and what a knock is too late for.
///
/// For each event: [`Observer::comes`] before the engine gets it,
/// [`Observer::effect`] for each effect, then [`Observer::end`].
#[derive(Debug)]
pub(crate) struct Observer {
    whom: Whom,
    /// Of these only those who are among these, too.
    only: Option<SomeClients>,
    /// The most pairs of client and door that are followed.
    pairs: usize,
    now: Timestamp,
    clients: Clients,
    totals: Totals,
    /// The last packets to ports of no door that look like knocks.
    strays: VecDeque<Stray>,
    /// What the doors that name the port of the packet make of it.
    heard: Vec<DoorHearing>,
    /// Those that have said something of the packet.
    spoken: Vec<DoorId>,
    signed: SignedPackets,
}

const EVERYWHERE: Listening = Listening::everywhere();

/// Who gets explanations, each with the number of its pair of client and door: in the order in which they came, from 0.
pub(crate) type Tell<'a> = dyn FnMut(u32, &Explanation) + 'a;

impl Observer {
    /// How many clients at doors are followed.
    pub(crate) const PAIRS: usize = 20_000;
    /// How many of the last packets to ports of no door are remembered.
    const STRAYS: usize = 256;

    /// Makes an observer of the packets of some clients.
    pub(crate) fn new(whom: Whom) -> Self {
        Self {
            whom,
            only: None,
            pairs: Self::PAIRS,
            now: Timestamp::MIN,
            clients: Clients::default(),
            totals: Totals::default(),
            strays: VecDeque::new(),
            heard: Vec::new(),
            spoken: Vec::new(),
            signed: SignedPackets::new(),
        }
    }

    /// Returns the same with another limit than [`Observer::PAIRS`].
    pub(crate) fn with_pairs(self, pairs: usize) -> Self {
        Self { pairs, ..self }
    }

    /// Returns the same for those only who are among these clients, too.
    pub(crate) fn only(self, clients: SomeClients) -> Self {
        Self { only: Some(clients), ..self }
    }

    /// Returns whether the knocks of a client are explained.
    fn is_explained(&self, client: IpAddr) -> bool {
        self.whom.contains(client) && self.only.as_ref().is_none_or(|only| only.contains(client))
    }

    /// Returns whose knocks are explained.
    pub(crate) const fn whom(&self) -> Whom {
        self.whom
    }

    /// Returns how many packets there were.
    pub(crate) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Returns how near each client came to opening each door it had to do with, in the order in
    /// which the clients came.
    pub(crate) fn nearest(&self) -> impl Iterator<Item = Nearest> {
        self.clients.iter().map(|one| one.nearest())
    }

    /// Returns what a client at a door came to, in short. `place` is that among all pairs, if they came in this order.
    pub(crate) fn standing(&self, place: u32, client: IpAddr, door: DoorId) -> Option<Standing> {
        self.clients.standing(place, client, door)
    }

    /// Returns how near a client came to opening a door.
    pub(crate) fn nearest_at(&self, client: IpAddr, door: DoorId) -> Option<Nearest> {
        self.clients.nearest_at(client, door)
    }

    /// Returns what may help clients that did not open a door.
    pub(super) fn hints(&self, doors: &Doors) -> Hints {
        Hints::of(&self.clients, doors)
    }

    /// Returns how many packets a client sent to ports of no door, since it first had to do with one.
    pub(crate) fn strays_of(&self, client: IpAddr) -> u64 {
        self.clients.strays_of(client)
    }

    /// Takes a look at a packet that comes soon.
    pub(crate) fn anticipate(&self, packet: &Packet) {
        self.clients.anticipate(packet.source);
    }

    /// Takes what the engine is going to get, its turn, and the doors and local addresses as they are before that.
    pub(crate) fn comes(
        &mut self,
        incoming: &Incoming,
        turn: &mut Turn,
        doors: &Doors,
        listening: &Listening,
    ) {
        match &incoming.what {
            What::Packet { id, vlan, event } => {
                self.signed.look_away();
                match event.packet() {
                    Some(packet) if self.is_explained(packet.source) => {
                        self.heard.clear();
                        self.spoken.clear();
                        self.signed.look_at(event, doors, listening);
                        let seen = Seen::new(*id, packet, *vlan);
                        turn.handled = Some(Handled { packet: *packet, seen });
                        turn.is_crowded_out = !self.signed.is_meant()
                            && self.clients.crowds_out(packet.source, self.pairs);
                        if !turn.is_crowded_out {
                            self.hear(packet, doors, listening);
                        }
                    }
                    Some(_) | None => {
                        self.heard.clear();
                        count_one(&mut self.totals.of_others);
                    }
                }
            }
            What::Unreadable { id, vlan, source, why } => {
                self.signed.look_away();
                // Only knockd 0.8 finds no port for other reasons, and it has no observer.
                let Undecodable::Common(why) = *why else { return };
                let seen = Seen::unreadable(*id, *vlan);
                turn.unreadable = Some((*source, seen, why));
            }
            What::Addresses(_) | What::Time => {}
        }
    }

    /// Takes note of what doors make of a packet, as they are before it.
    fn hear(&mut self, packet: &Packet, doors: &Doors, listening: &Listening) {
        self.heard.extend(doors.hearing(listening, packet).map(|(door, hearing)| {
            let sequence = sequence_of(doors.door(door));
            DoorHearing { door, hearing, sequence }
        }));
    }

    /// Ends an event after all its effects: explains what the engine did not report.
    pub(crate) fn end(&mut self, turn: &mut Turn, doors: &Doors, tell: &mut Tell<'_>) {
        if turn.is_crowded_out {
            self.end_crowded_out(turn, doors);
        } else {
            self.end_followed(turn, doors, tell);
        }
    }

    /// Ends a packet of a client that is not followed.
    fn end_crowded_out(&mut self, turn: &Turn, doors: &Doors) {
        self.now = self.now.max(turn.at);
        let Some(handled) = &turn.handled else { return };
        // Whether a door names the port depends on no address.
        let is_named = || doors.hearing(&EVERYWHERE, &handled.packet).next().is_some();
        if turn.outcome.left_out || is_named() {
            count_one(&mut self.totals.left_out);
        } else {
            self.stray(handled);
        }
    }

    fn end_followed(&mut self, turn: &mut Turn, doors: &Doors, tell: &mut Tell<'_>) {
        // To the engine it is a packet to a port of no door, and that it is not.
        let is_heard = self.heard.iter().any(|one| one.hearing == Hearing::Heard);
        if self.signed.is_too_short_or_long && !is_heard {
            let why = NotSigned { why: Refusal::Length, key: None };
            self.not_signed(turn.at, why, turn, doors, tell);
        }
        let Turn { at, frame: _, handled, is_crowded_out: _, unreadable, outcome } = turn;
        self.now = self.now.max(*at);
        if let Some(handled) = handled {
            for place in 0..self.heard.len() {
                let Some(&heard) = self.heard.get(place) else { break };
                if !self.spoken.contains(&heard.door) {
                    self.silent(heard, handled, outcome, doors, tell);
                }
            }
            if !outcome.repeats {
                if !self.signed.is_told {
                    self.elsewhere(handled, outcome, tell);
                }
                self.arrive(handled);
            }
            self.account(handled, outcome);
        }
        if let Some((client, seen, why)) = *unreadable {
            self.unreadable(client, seen, why, tell);
        }
    }

    /// Remembers a packet at the doors that heard it.
    fn arrive(&mut self, handled: &Handled) {
        let Self { heard, clients, now, .. } = self;
        let arrival = Arrival { at: *now, knock: handled.packet.knock() };
        for one in heard.iter().filter(|one| one.hearing == Hearing::Heard) {
            if let Some(track) = clients.get_mut(handled.packet.source, one.door) {
                track.arrive(arrival);
            }
        }
    }

    /// Counts a packet.
    fn account(&mut self, handled: &Handled, outcome: &Outcome) {
        if outcome.told {
            count_one(&mut self.totals.explained);
        } else if outcome.left_out {
            count_one(&mut self.totals.left_out);
        } else {
            self.stray(handled);
        }
    }

    /// Counts and remembers a packet to a port of no door.
    fn stray(&mut self, handled: &Handled) {
        let client = handled.packet.source;
        count_one(&mut self.totals.strays);
        if let Some(knock) = handled.seen.knock
            && handled.seen.looks_like_a_knock()
        {
            if self.strays.len() >= Self::STRAYS {
                self.strays.pop_front();
            }
            let (at, id) = (self.now, handled.seen.id);
            self.strays.push_back(Stray { client, at, id, knock });
        }
        self.clients.count_stray(client);
    }

    /// Explains an effect.
    #[inline]
    pub(crate) fn effect<X: OwnEffect>(
        &mut self,
        timed: &TimedEffect<X>,
        turn: &mut Turn,
        doors: &Doors,
        tell: &mut Tell<'_>,
    ) {
        self.now = self.now.max(timed.at);
        if let Effect::StageReached { client, .. } | Effect::SequenceTimedOut { client, .. } =
            timed.effect
            && self.clients.crowds_out(client, self.pairs)
        {
            let is_of_sender =
                || turn.handled.as_ref().is_some_and(|one| one.packet.source == client);
            turn.outcome.left_out |= !timed.effect.is_due() && is_of_sender();
        } else {
            self.effect_at_door(timed, turn, doors, tell);
        }
    }

    /// Explains an effect that is about a client that is followed, or can be.
    fn effect_at_door<X: OwnEffect>(
        &mut self,
        timed: &TimedEffect<X>,
        turn: &mut Turn,
        doors: &Doors,
        tell: &mut Tell<'_>,
    ) {
        if let Effect::NotSigned { why, key, .. } = timed.effect {
            self.not_signed(timed.at, NotSigned { why, key }, turn, doors, tell);
            return;
        }
        self.done_by_signed(timed, turn, doors, tell);
        let Turn { frame, handled, outcome, .. } = turn;
        outcome.repeats |= matches!(timed.effect, Effect::Note(Note::Retransmission { .. }));
        let sender = handled.as_ref().map(|handled| handled.packet.source);
        let Some((client, door)) = change::about(&timed.effect, sender) else { return };
        if !self.is_explained(client) {
            return;
        }
        if let Effect::Closing { client, .. } = timed.effect {
            outcome.closes_for = Some(client);
        }
        // What is due comes before what the packet does.
        let closed_by = frame.filter(|_| outcome.closes_for == Some(client));
        // Time and the packets of others make things happen, too.
        let is_by_time = timed.effect.is_due() && closed_by.is_none();
        let handled = handled.as_ref().filter(|_| sender == Some(client) && !is_by_time);
        if self.clients.crowds_out(client, self.pairs) {
            outcome.left_out |= handled.is_some();
            return;
        }
        if handled.is_some() {
            self.spoken.push(door);
        }
        if let Effect::StageReached { stage, .. } = timed.effect {
            outcome.counted_at = outcome.counted_at.or(Some(door));
            outcome.advanced = outcome.advanced.or((stage > Stage::FIRST).then_some(door));
        }
        let because_of = self.because_of(door);
        let Self { clients, heard, .. } = self;
        let Some(track) = clients.follow(client, door, self.pairs) else {
            outcome.left_out |= handled.is_some();
            return;
        };
        let heard = heard.iter().find(|heard| heard.door == door).filter(|_| handled.is_some());
        if let Some(heard) = heard {
            track.look_at(heard.sequence);
        }
        let asked_by = frame.filter(|_| asks_for(&timed.effect, outcome.asks_for, doors));
        let door_now = doors.door(door);
        let change = Change { timed, handled, door: door_now, closed_by, asked_by, because_of };
        let Some((attempt, verdict)) = change.make(track) else { return };
        outcome.told |= handled.is_some();
        if handled.is_some() {
            track.last = Some(timed.at);
        }
        let (of, sequence_line) = track.sequence;
        let packet = handled.map(|handled| handled.seen);
        let at = timed.at;
        let one = Explanation { at, client, door, attempt, packet, of, sequence_line, verdict };
        tell(track.number, &one);
    }
}

/// Returns whether it is a packet's wish how long a client is admitted, and not what the door says.
fn asks_for<X>(effect: &Effect<X>, wish: Option<Seconds>, doors: &Doors) -> bool {
    let Effect::Admit { door, lasts, .. } = *effect else { return false };
    let usual = doors.door(door).admission.as_ref().map(|admission| admission.lasts);
    wish == Some(lasts) && usual != Some(lasts)
}

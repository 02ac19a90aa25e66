//! The rule set `knockd-0.8`: what Debian's knockd 0.8 does, fault for fault.
//!
//! Kept naive, and in the order in which the daemon does things, so that it can be read beside the
//! cases of `testdata/knockd-0.8`, whose names stand in brackets. It serves replay, never the live
//! daemon.
//!
//! It differs from the real program only where that crashes, reads memory it should not, or would
//! take memory without bound; `docs/differences.md` lists these places.

mod attempts;
mod children;
mod filter;

use alloc::vec::Vec;
use core::net::IpAddr;

pub(super) use self::attempts::{Attempt, Attempts, Serial};
pub(super) use self::children::{Child, Children, too_long};
pub use self::filter::Refusal;
pub(crate) use self::filter::is_filtered;
pub(super) use self::filter::{Family, Filter, refusal};
use super::{RuleSet, Site};
use crate::command::Phase;
use crate::door::{Door, Stage};
use crate::doors::DoorId;
use crate::effect::{CommandStatus, Deadline, Effect, Note, RunId};
use crate::limits::Limits;
use crate::packet::{Packet, TcpFlags, TcpHeader, Transport};
use crate::time::Timestamp;

/// The longest name that it keeps whole, in bytes (`f-name-127`).
pub(crate) const NAME_BYTES: usize = 127;

/// The rule set and all it remembers.
#[derive(Debug)]
pub(crate) struct Knockd08Rules {
    attempts: Attempts,
    filter: Filter,
    children: Children,
    /// The most attempts, and the most children. The real program has no limit.
    limit: usize,
    /// The daemon has ended. Its children have not.
    is_dead: bool,
}

impl Knockd08Rules {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            attempts: Attempts::default(),
            filter: Filter::default(),
            children: Children::default(),
            limit: usize::try_from(limits.attempts.get()).unwrap_or(usize::MAX),
            is_dead: false,
        }
    }

    /// Finished, failed and expired attempts leave the list. If the oldest does, all are
    /// forgotten (`i-headloss-complete` and those beside it).
    fn sweep(&mut self, at: Timestamp, stamp: Timestamp, site: &mut Site) {
        let oldest = self.attempts.oldest();
        let mut is_oldest_gone = false;
        for serial in self.attempts.suspects(stamp) {
            let Some(attempt) = self.attempts.get(serial) else { continue };
            let Attempt { client, door, .. } = *attempt;
            if let Some(stage) = unfinished(attempt, site.doors.door(door)) {
                if attempt.expires > stamp {
                    continue;
                }
                site.counts.timed_out = site.counts.timed_out.saturating_add(1);
                site.emit(at, Effect::SequenceTimedOut { client, door, stage });
            }
            self.attempts.remove(serial);
            is_oldest_gone |= oldest == Some(serial);
        }
        if is_oldest_gone {
            self.attempts.forget_all();
        }
    }

    /// Every attempt of the client whose door listens on the destination is handled for itself.
    fn known_client(
        &mut self,
        at: Timestamp,
        packet: &Packet,
        serials: &[Serial],
        site: &mut Site,
    ) {
        for &serial in serials {
            let Some(attempt) = self.attempts.get(serial) else { continue };
            let (id, client) = (attempt.door, attempt.client);
            let door = site.doors.door(id);
            let Some(stage) = attempt.stage else { continue };
            if !has_flags(door, packet) {
                site.emit(at, Effect::Note(Note::OtherFlags { client, door: id, stage }));
                continue;
            }
            let wanted = door.sequence().and_then(|sequence| sequence.after(stage));
            if wanted == Some(packet.knock()) {
                self.advance(at, serial, site);
            } else {
                self.attempts.fail(serial);
                site.counts.voided = site.counts.voided.saturating_add(1);
                let note = Note::Voided { client, door: id, stage, knock: packet.knock() };
                site.emit(at, Effect::Note(note));
            }
            if self.is_dead {
                return;
            }
        }
    }

    /// A client without such an attempt begins one at each door whose first knock this is.
    fn new_client(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site) {
        let starting: Vec<DoorId> = site.doors.starting_with(packet.knock()).into();
        for id in starting {
            let door = site.doors.door(id);
            if !has_flags(door, packet) || !listens(door, packet.destination, site) {
                continue;
            }
            if self.attempts.len() >= self.limit {
                site.counts.not_begun = site.counts.not_begun.saturating_add(1);
                continue;
            }
            let (client, stage) = (packet.source, Some(Stage::NONE));
            let expires = stamp.whole_second().saturating_add(door.seq_timeout);
            let serial = Serial(self.children.serial());
            self.attempts.add(serial, Attempt { client, door: id, stage, expires });
            site.counts.attempts = site.counts.attempts.saturating_add(1);
            self.advance(at, serial, site);
            if self.is_dead {
                return;
            }
        }
    }

    fn advance(&mut self, at: Timestamp, serial: Serial, site: &mut Site) {
        let Some(attempt) = self.attempts.advance(serial) else { return };
        let Attempt { client, door: id, stage: Some(stage), .. } = attempt else { return };
        site.emit(at, Effect::StageReached { client, door: id, stage });
        let door = site.doors.door(id);
        if door.sequence().is_some_and(|sequence| !sequence.is_complete_at(stage)) {
            return;
        }
        self.attempts.suspect(serial);
        site.counts.opened = site.counts.opened.saturating_add(1);
        site.emit(at, Effect::Opened { client, door: id });
        self.fork(at, client, id, site);
        self.use_up_sequence(at, id, site);
    }

    /// A child runs the commands, if there is a start command and neither is too long.
    fn fork(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site) {
        let door = site.doors.door(id);
        if door.commands.start_for(client).is_none() {
            return;
        }
        if let Some(phase) = too_long(door, client) {
            site.emit(at, Effect::CommandTooLong { client, door: id, phase });
            return;
        }
        if self.children.len() >= self.limit {
            site.counts.refused = site.counts.refused.saturating_add(1);
            site.emit(at, Effect::OpeningRefused { client, door: id });
            return;
        }
        self.children.run(at, Child { client, door: id, phase: Phase::Start }, site);
    }

    /// The next line becomes the sequence at once. Attempts keep their stage in it
    /// (`g-longer-next-sequence`, `g-others-keep-their-stage`). Without a next line the daemon ends
    /// (`g-exhausted-crash`), and so it does if the filter that is set for the next line rejects all
    /// packets (`g-next-sequence-cannot-be-heard`).
    fn use_up_sequence(&mut self, at: Timestamp, id: DoorId, site: &mut Site) {
        let Some(before) = site.doors.door(id).sequence().cloned() else { return };
        let Some(used) = site.doors.use_up_sequence(id) else { return };
        self.filter.keep_first_sequence(id, before);
        self.attempts.suspect_all_at(id);
        let mark = Effect::MarkOneTime { door: id, line: used.number, offset: used.offset };
        site.emit(at, mark);
        if site.doors.door(id).sequence().is_none() {
            self.is_dead = true;
            self.attempts.forget_all();
            site.emit(at, Effect::Crashed { door: id });
        } else if self.filter.rejects_all(&site.doors, &site.listening) {
            self.is_dead = true;
            self.attempts.forget_all();
            site.emit(at, Effect::FilterRefused { door: id });
        }
    }
}

impl RuleSet for Knockd08Rules {
    fn anticipate(&self, _: &Packet) {}

    fn packet(&mut self, at: Timestamp, stamp: Timestamp, packet: &Packet, site: &mut Site) {
        if self.is_dead || !self.filter.passes(packet, site) {
            return;
        }
        site.counts.admitted = site.counts.admitted.saturating_add(1);
        self.sweep(at, stamp, site);
        let mine: Vec<Serial> = self
            .attempts
            .of(packet.source)
            .filter(|(_, attempt)| listens(site.doors.door(attempt.door), packet.destination, site))
            .map(|(serial, _)| serial)
            .collect();
        if mine.is_empty() {
            self.new_client(at, stamp, packet, site);
        } else {
            self.known_client(at, packet, &mine, site);
        }
    }

    fn command_ended(&mut self, at: Timestamp, run: RunId, status: CommandStatus, site: &mut Site) {
        let runs_empty = true;
        self.children.ended(at, run, status, runs_empty, site);
    }

    fn due(&self) -> Option<Timestamp> {
        self.children.next().map(|(at, _)| at)
    }

    fn deadline(&self) -> Option<Deadline> {
        self.children.deadline()
    }

    fn fire(&mut self, site: &mut Site) {
        self.children.fire(site);
    }

    /// A reload forgets all attempts, whatever has changed (`h-reload-with-another-configuration`).
    fn doors_leave(&mut self, _: Timestamp, _: &[DoorId], _: &mut Site) {
        self.attempts.forget_all();
        self.filter = Filter::default();
    }

    fn held(&self, hold: &mut dyn FnMut(DoorId)) {
        self.children.doors().for_each(hold);
    }

    fn live_attempts(&self) -> usize {
        self.attempts.len()
    }
}

/// Returns the stage of an attempt that has neither failed nor made all knocks of its door.
pub(super) fn unfinished(attempt: &Attempt, door: &Door) -> Option<Stage> {
    let stage = attempt.stage?;
    door.sequence().is_some_and(|sequence| !sequence.is_complete_at(stage)).then_some(stage)
}

/// The destination is compared with the text of the target (`a-target-is-literal-text`).
fn listens(door: &Door, destination: IpAddr, site: &Site) -> bool {
    match door.target {
        Some(target) => target.address == destination && target.is_as_printed,
        None => site.listening.belongs(destination, None),
    }
}

/// Flags that were not captured are read as none set, where the real program reads whatever is in
/// memory there.
pub(super) fn has_flags(door: &Door, packet: &Packet) -> bool {
    let transport = match packet.transport {
        Transport::Tcp(TcpHeader { flags: None, sequence_number }) => {
            Transport::Tcp(TcpHeader { flags: Some(TcpFlags::default()), sequence_number })
        }
        as_captured @ (Transport::Tcp(_) | Transport::Udp) => as_captured,
    };
    door.flags.is_satisfied_by(transport)
}

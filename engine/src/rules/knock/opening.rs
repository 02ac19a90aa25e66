//! What follows a complete sequence: the door opens, commands run, and the door closes.

use alloc::vec::Vec;
use core::net::IpAddr;

use super::admissions::{Admitted, Plan};
use super::due::Slot;
use super::leases::{Ended, Lease};
use super::{KnockRules, Site};
use crate::admission::Admission;
use crate::command::Phase;
use crate::door::OnReknock;
use crate::doors::{Begun, DoorId};
use crate::effect::{Effect, Obstacle, Skip};
use crate::run::{CommandStatus, RunId};
use crate::time::{Seconds, Timestamp};
use crate::used_periods::{PeriodOfDoor, PeriodUse};

impl KnockRules {
    /// A client has completed a sequence of a door.
    pub(super) fn open<X>(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        site: &mut Site<X>,
    ) {
        self.open_for(at, (client, id, None), site);
    }

    /// A client has a right to be let in by a door, for as long as it has wished at most.
    pub(super) fn open_for<X>(
        &mut self,
        at: Timestamp,
        (client, id, wish): (IpAddr, DoorId, Option<Seconds>),
        site: &mut Site<X>,
    ) {
        let asked = (client, id, wish);
        if let Some((why, again)) = self.skips(at, asked, site) {
            let count = match why {
                Skip::Merged => &mut site.counts.merged,
                Skip::AlreadyOpen
                | Skip::Cooldown
                | Skip::AtMax
                | Skip::ClientLimit
                | Skip::DoorLimit => &mut site.counts.ignored,
                Skip::PeriodUsed => &mut site.counts.repeated,
            };
            *count = count.saturating_add(1);
            site.emit(at, Effect::OpeningSkipped { client, door: id, why, again });
            return;
        }
        let door = site.doors.door(id);
        // One that waits for its turn runs once for all openings until then.
        let runs_command =
            door.commands.start_for(client).is_some() && !self.start_waits(client, id);
        let plan = self.plan(at, asked, site);
        let is_new = matches!(plan, Some(Plan::Begin(_)));
        let beside = self.marks.len().saturating_add((runs_command && is_new).into());
        if (runs_command || is_new) && !self.leases.has_room(id, beside) {
            Self::refuse(at, client, id, site);
            return;
        }
        site.counts.opened = site.counts.opened.saturating_add(1);
        site.emit(at, Effect::Opened { client, door: id });
        self.begin_cooldown(at, client, id, site);
        self.count_opening(at, client, id, site);
        if let Some(plan) = plan {
            self.admit(at, client, id, plan, site);
        }
        if runs_command {
            let slot = self.leases.open(client, id);
            self.go_on(at, slot, site);
        }
    }

    /// A client has made a derived sequence. If it is the first time in this period, the door opens when that is
    /// written down.
    pub(super) fn open_in_period<X>(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        begun: Begun,
        site: &mut Site<X>,
    ) {
        let door = begun.door;
        match site.doors.use_up_period(begun, client, self.limit) {
            Some(PeriodUse::First(_)) if site.presumes_marks => self.open(at, client, door, site),
            Some(PeriodUse::First(used)) => {
                let mark = self.marks.ask();
                self.marks.wait(mark, (client, door, None));
                let PeriodOfDoor { sequence, period } = used;
                site.emit(at, Effect::MarkPeriod { mark, client, door, sequence, period });
            }
            Some(PeriodUse::Repeated { again }) => {
                let why = Skip::PeriodUsed;
                site.counts.repeated = site.counts.repeated.saturating_add(1);
                site.emit(at, Effect::OpeningSkipped { client, door, why, again });
            }
            Some(PeriodUse::Full) => Self::refuse(at, client, door, site),
            None => {}
        }
    }

    /// Returns whether the limits leave no room for an opening of a door, after those that wait for a mark.
    pub(super) fn is_full(&self, id: DoorId) -> bool {
        !self.leases.has_room(id, self.marks.len())
    }

    /// Leaves a door shut at the limit.
    pub(super) fn refuse<X>(at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site<X>) {
        site.counts.refused = site.counts.refused.saturating_add(1);
        site.emit(at, Effect::OpeningRefused { client, door: id, why: Obstacle::Limit });
    }

    /// Returns why an opening changes nothing, if it does not, and whether that was said before.
    fn skips<X>(
        &mut self,
        at: Timestamp,
        (client, id, wish): (IpAddr, DoorId, Option<Seconds>),
        site: &Site<X>,
    ) -> Option<(Skip, bool)> {
        self.cooldowns.forget_due(at);
        if let Some(is_first) = self.cooldowns.say_skip(client, id) {
            return Some((Skip::Cooldown, !is_first));
        }
        if let Some(skip) = self.skips_at_open_door(at, (client, id, wish), site) {
            return Some(skip);
        }
        self.recent.forget_due(at);
        let (why, is_first) = self.recent.say_skip(client, id, site.doors.door(id))?;
        Some((why, !is_first))
    }

    /// The same for what an earlier opening of the client has done that is not over.
    fn skips_at_open_door<X>(
        &mut self,
        at: Timestamp,
        (client, id, wish): (IpAddr, DoorId, Option<Seconds>),
        site: &Site<X>,
    ) -> Option<(Skip, bool)> {
        let admitted = self.admissions.find(client, id);
        let slot = self.leases.find(client, id);
        if site.doors.door(id).on_reknock == OnReknock::Ignore {
            let open = slot.filter(|&slot| self.leases.get(slot).is_some_and(Lease::is_open));
            if admitted.is_none() && open.is_none() {
                return None;
            }
            let said = [
                admitted.is_some_and(|slot| !self.admissions.say_skip(slot)),
                open.is_some_and(|slot| !self.leases.say_skip(slot)),
            ];
            return Some((Skip::AlreadyOpen, said.contains(&true)));
        }
        if let Some(admitted) = admitted
            && matches!(self.plan(at, (client, id, wish), site), Some(Plan::Keep))
        {
            return Some((Skip::AtMax, !self.admissions.say_skip(admitted)));
        }
        // An admission is renewed by every opening, whatever its command waits for.
        let merges = site.doors.door(id).admission.is_none() && self.start_waits(client, id);
        let slot = slot.filter(|_| merges)?;
        Some((Skip::Merged, !self.leases.say_skip(slot)))
    }

    /// Returns whether a start command of a client at a door waits for its turn.
    fn start_waits(&self, client: IpAddr, id: DoorId) -> bool {
        let lease = self.leases.find(client, id).and_then(|slot| self.leases.get(slot));
        lease.is_some_and(Lease::start_waits)
    }

    /// Returns what an opening does for the admission of a client, if the door admits clients.
    fn plan<X>(
        &self,
        at: Timestamp,
        (client, id, wish): (IpAddr, DoorId, Option<Seconds>),
        site: &Site<X>,
    ) -> Option<Plan> {
        let Admission { ports: _, lasts, max } = site.doors.door(id).admission.as_ref()?;
        let lasts = wish.map_or(*lasts, |wish| wish.min(*lasts));
        Some(self.admissions.plan((client, id), (lasts, *max), at))
    }

    fn admit<X>(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        plan: Plan,
        site: &mut Site<X>,
    ) {
        let lasts = match plan {
            Plan::Begin(lasts) => {
                let due = self.end_of_admission(at, lasts);
                self.admissions.begin(client, id, at, due);
                self.leases.begin_admission(id);
                lasts
            }
            Plan::Renew(slot, lasts) => {
                let due = self.end_of_admission(at, lasts);
                self.admissions.renew(slot, due);
                lasts
            }
            Plan::Keep => return,
        };
        site.emit(at, Effect::Admit { client, door: id, lasts });
    }

    /// The time of an admission is over.
    pub(super) fn end_admission<X>(&mut self, slot: Slot, site: &mut Site<X>) {
        let (at, _) = self.admissions.due(slot);
        self.shut_out(at, slot, site);
    }

    /// A client has a right to close a door before its time is over, and uses it. What a start command that runs is about
    /// to open is closed as soon as that has ended. What opened before a reload that has changed the door is closed, too.
    pub(super) fn close_for<X>(
        &mut self,
        at: Timestamp,
        client: IpAddr,
        id: DoorId,
        site: &mut Site<X>,
    ) {
        site.emit(at, Effect::Closing { client, door: id });
        let all: Vec<DoorId> = site.doors.namesakes(id).collect();
        for id in all {
            self.marks.cancel(client, id);
            if let Some(slot) = self.admissions.find(client, id) {
                self.shut_out(at, slot, site);
            }
            if let Some(slot) = self.leases.find(client, id) {
                self.leases.close(slot);
                self.go_on(at, slot, site);
            }
        }
    }

    fn shut_out<X>(&mut self, at: Timestamp, slot: Slot, site: &mut Site<X>) {
        let Admitted { client, door, .. } = self.admissions.end(slot);
        self.leases.settle(door);
        site.emit(at, Effect::AdmissionEnded { client, door });
    }

    fn begin_cooldown<X>(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site<X>) {
        let Some(seconds) = site.doors.door(id).seq_cooldown else { return };
        let due = self.due_after(at, seconds);
        if self.cooldowns.begin(client, id, due, self.limit) {
            site.counts.forgotten_cooldowns = site.counts.forgotten_cooldowns.saturating_add(1);
        }
    }

    fn count_opening<X>(&mut self, at: Timestamp, client: IpAddr, id: DoorId, site: &mut Site<X>) {
        if self.recent.add(at, client, id, site.doors.door(id), self.limit) {
            site.counts.forgotten_openings = site.counts.forgotten_openings.saturating_add(1);
        }
    }

    /// A command has ended, if it was running.
    pub(super) fn end_command<X>(
        &mut self,
        at: Timestamp,
        run: RunId,
        status: CommandStatus,
        site: &mut Site<X>,
    ) {
        let Some((slot, ended)) = self.leases.ended(run) else { return };
        let Ended { client, door: id, phase, is_to_close } = ended;
        if status != CommandStatus::SUCCESS {
            site.emit(at, Effect::CommandFailed { door: id, status });
        }
        let door = site.doors.door(id);
        if phase == Phase::Stop || door.commands.stop_for(client).is_none() {
            self.leases.settle(id);
        } else if is_to_close {
            self.leases.stop_early(slot);
        } else {
            self.leases.owe_stop(slot);
            if door.on_reknock == OnReknock::Separate {
                let due = self.due_after(at, door.cmd_timeout);
                self.leases.set_own_deadline(slot, due);
            }
        }
        self.go_on(at, slot, site);
    }

    /// The time has come for one or all stop commands of a lease.
    pub(super) fn close<X>(&mut self, deadline: Slot, site: &mut Site<X>) {
        let (at, _) = self.leases.due(deadline);
        let (slot, lease) = self.leases.expire(deadline);
        let Some(lease) = lease else { return };
        if site.doors.door(lease.door).on_reknock == OnReknock::Separate {
            site.emit(at, Effect::CommandTimedOut { client: lease.client, door: lease.door });
        }
        self.go_on(at, slot, site);
    }

    /// Begins what is next for a lease: a command, the wait for its deadline, or nothing any more.
    fn go_on<X>(&mut self, at: Timestamp, slot: Slot, site: &mut Site<X>) {
        let Some(&lease) = self.leases.get(slot) else { return };
        let (client, id) = (lease.client, lease.door);
        let door = site.doors.door(id);
        let is_separate = door.on_reknock == OnReknock::Separate;
        if let Some((run, phase)) = self.leases.begin_next(slot) {
            if phase == Phase::Stop && !is_separate && !lease.is_early() {
                site.emit(at, Effect::CommandTimedOut { client, door: id });
            }
            site.emit(at, Effect::RunCommand { run, client, door: id, phase });
        } else if !is_separate && self.leases.lacks_deadline(slot) {
            let due = self.due_after(at, door.cmd_timeout);
            self.leases.set_common_deadline(slot, due);
        } else {
            self.leases.end_if_over(slot);
        }
    }
}

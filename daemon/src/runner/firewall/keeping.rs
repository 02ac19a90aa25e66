//! The ruleset stays as it was made: others may flush it, and a reload may change it.

use std::fmt;
use std::time::{Duration, Instant};

use knock_engine::{Doors, PortRange};
use knock_firewall::{Condition, Error, Firewall, Refusal};

use super::first_guard::FirstGuard;
use super::{Gate, Wanted, present, wanted, without};
use crate::exit::Exit;
use crate::runner::Runner;
use crate::runner::output::Kind;
use crate::runner::start::{Failure, failure};
use crate::settings::Settings;

/// The least time between two restorations: another program may undo each.
const PAUSE: Duration = Duration::from_millis(200);

/// The time after which a restoration that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

impl Runner {
    /// Makes the ruleset at the start.
    pub(in crate::runner) fn start_firewall(&mut self) -> Result<(), Failure> {
        let Some(wanted) = self.wanted_firewall() else {
            return Ok(());
        };
        let failed = |why: &Error| failure(&format_args!("cannot open ports: {why}"));
        let Wanted { ruleset, ports, refusal } = wanted;
        let guards = ruleset.is_guard() && refusal != Refusal::CountOnly;
        let mut kernel = Firewall::connect(ruleset).map_err(|why| failed(&why))?;
        let first = guards.then(|| FirstGuard::new(&self.settings));
        if let Some(first) = &first {
            let why = self.shuts_out(first, &mut kernel, &ports).map_err(|why| failed(&why))?;
            if let Some(why) = why {
                return Err(Failure { exit: Exit::WouldShutOut, ..failure(&why) });
            }
        }
        let opened = Gate::open(kernel, (ports, refusal));
        let (gate, grants) = opened.map_err(|why| failed(&why))?;
        if let Some(first) = first {
            first.remember();
        }
        self.gate = Some(gate);
        self.take_grants(&grants);
        Ok(())
    }

    /// Returns why a reload must not begin to guard ports, if so.
    pub(in crate::runner) fn reload_shuts_out(
        &self,
        settings: &Settings,
        doors: &Doors,
    ) -> Option<String> {
        let mode = (settings.firewall.as_ref(), settings.guard);
        let wanted =
            wanted(mode, doors, self.args.guard_dry_run).filter(|_| self.gate.is_none())?;
        if !wanted.ruleset.is_guard() || wanted.refusal == Refusal::CountOnly {
            return None;
        }
        // What is wrong in the kernel is reported by the attempt to guard.
        let mut kernel = Firewall::connect(wanted.ruleset).ok()?;
        self.shuts_out(&FirstGuard::new(settings), &mut kernel, &wanted.ports).ok()?
    }

    /// Returns why a first guard is refused, if it is.
    fn shuts_out(
        &self,
        first: &FirstGuard,
        kernel: &mut Firewall,
        ports: &[PortRange],
    ) -> Result<Option<String>, Error> {
        if self.args.force {
            return Ok(None);
        }
        let is_there = kernel.condition()? != Condition::Missing;
        Ok(first.check(is_there, ports, &self.local).err())
    }

    /// Says what is guarded and who is admitted, once.
    pub(in crate::runner) fn say_firewall(&mut self) {
        let Some(gate) = self.gate.as_mut().filter(|gate| !gate.is_said) else { return };
        gate.is_said = true;
        if gate.kernel.ruleset().is_guard() {
            let ports = gate.ports.clone();
            let gate_refuses = gate.refusal != Refusal::CountOnly;
            self.say_guarded();
            if gate_refuses {
                self.warn_of_connections(&ports);
            }
        }
        let count = self.admissions.len();
        if count > 0 {
            let clients = if count == 1 { "client is" } else { "clients are" };
            let text = format!("{count} {clients} still admitted since before the start");
            self.output.text(Kind::Opening, text);
        }
    }

    fn say_guarded(&mut self) {
        let Some(gate) = &self.gate else { return };
        let list: Vec<String> = gate.ports.iter().map(ToString::to_string).collect();
        let list = list.join(", ");
        let text = match gate.refusal {
            _ if list.is_empty() => "no port is guarded: no door has Open".to_owned(),
            Refusal::CountOnly => format!(
                "guarding {list} in a dry run: packets are counted and not refused (see 'nft list table inet knockd')"
            ),
            Refusal::Drop | Refusal::Reject => {
                format!("guarding {list}: only clients that have knocked can connect")
            }
        };
        self.output.text(Kind::Opening, text);
    }

    /// Warns about connections to guarded ports from clients that could not connect again without a knock:
    /// one may be that of the administrator who starts this.
    fn warn_of_connections(&mut self, ports: &[PortRange]) {
        let grants = self.admissions.grants();
        let mut clients = present::clients(ports, &self.local);
        clients.retain(|(client, port)| {
            !grants.iter().any(|grant| grant.client == *client && grant.ports.overlaps(*port))
        });
        let Some((client, port)) = clients.first() else { return };
        let more = present::more_than_one(&clients);
        let text = format!(
            "knockd: warning: {client} is connected to {port}{more}: these connections go on, but new ones \
             need a knock from now on; knock once before you disconnect, or run 'knockctl unguard'"
        );
        self.output.text(Kind::Notice, text);
    }

    /// Changes the ruleset after a reload.
    pub(in crate::runner) fn follow_firewall(&mut self) {
        let wanted = self.wanted_firewall();
        match (self.gate.as_mut(), wanted) {
            (None, None) => {}
            (Some(_), None) => {
                // Only a configuration without any Open can be without a firewall.
                if let Some(Gate { kernel, .. }) = &mut self.gate
                    && let Err(why) = kernel.remove()
                {
                    self.say_failed("cannot remove the guard, which stays", &why);
                    return;
                }
                self.gate = None;
                self.end_admissions_where(|_| true);
                self.output.text(Kind::Opening, "no port is guarded any more");
            }
            (None, Some(_)) => {
                if let Err(why) = self.start_firewall() {
                    let text = format!("knockd: error: {}", why.reason());
                    self.output.text(Kind::Notice, text);
                }
                self.say_firewall();
            }
            (Some(gate), Some(Wanted { ruleset, ports, refusal })) => {
                if gate.ports == ports
                    && gate.refusal == refusal
                    && *gate.kernel.ruleset() == ruleset
                {
                    return;
                }
                let is_guard = ruleset.is_guard();
                match gate.kernel.replace(ruleset) {
                    Ok(_) => {
                        // It watches one table only.
                        if let Ok(watch) = gate.kernel.watch() {
                            gate.watch = watch;
                        }
                        (gate.ports, gate.refusal) = (ports.clone(), refusal);
                        // What no door opens any more is open to everybody, or to nobody.
                        self.end_admissions_where(|one| !without(&one.ports, &ports).is_empty());
                        if is_guard {
                            self.say_guarded();
                        }
                    }
                    Err(why) => {
                        self.say_failed("cannot change the firewall, which stays as it was", &why);
                    }
                }
            }
        }
    }

    /// Notes that the ruleset may have changed.
    pub(in crate::runner) fn take_firewall_changes(&mut self) {
        let Some(gate) = &mut self.gate else { return };
        let now = Instant::now();
        // If the watch fails, looking is all that is left.
        if gate.watch.has_changed().unwrap_or(true) && gate.look.is_none() {
            let earliest = gate.restored.and_then(|restored| restored.checked_add(PAUSE));
            gate.look = Some(earliest.map_or(now, |earliest| earliest.max(now)));
        }
        if gate.look.is_none_or(|look| look > now) {
            return;
        }
        gate.look = None;
        if gate.is_removed {
            return;
        }
        match gate.kernel.condition() {
            Ok(Condition::Intact) => {}
            Ok(Condition::Missing | Condition::Altered) => self.restore(),
            Err(why) => self.cannot_restore(&why),
        }
    }

    /// Makes the ruleset again after another program has removed or changed it. In a table of the
    /// administrator, who was admitted is not any more.
    pub(super) fn restore(&mut self) {
        let Some(gate) = &mut self.gate else { return };
        let place = gate.kernel.ruleset().place().to_string();
        let is_guard = gate.kernel.ruleset().is_guard();
        let grants = if is_guard { self.admissions.grants() } else { Vec::new() };
        if let Err(why) = gate.kernel.restore(&grants) {
            if !is_guard {
                self.lose_admissions(&place);
            }
            self.cannot_restore(&why);
            return;
        }
        (gate.restored, gate.said_lost) = (Some(Instant::now()), false);
        if is_guard {
            let text = format!(
                "knockd: warning: another program had removed or changed the table {place}, so ports were not \
                 guarded; it is restored, with {} admitted",
                counted(self.admissions.len())
            );
            self.output.text(Kind::Notice, text);
        } else {
            self.lose_admissions(&place);
        }
    }

    /// Says that nobody is admitted any more.
    fn lose_admissions(&mut self, place: &str) {
        let lost: Vec<_> =
            self.admissions.iter().map(|one| (one.number, one.door_in_engine())).collect();
        if lost.is_empty() {
            return;
        }
        let text = format!(
            "knockd: warning: another program has removed the sets of the table {place}, so {} not \
             admitted any more and must knock again",
            if lost.len() == 1 {
                "1 client is".to_owned()
            } else {
                format!("{} clients are", lost.len())
            }
        );
        self.output.text(Kind::Notice, text);
        for (number, door) in lost {
            let Some(admission) = self.admissions.remove(number) else { continue };
            let client = admission.client;
            if let Some(door) = door {
                self.lose_admission(door, client);
            }
            let mut text = super::about(&admission.door_name, client);
            text.extend(b"admission ended");
            self.output.text(Kind::Opening, text);
        }
    }

    fn cannot_restore(&mut self, why: &Error) {
        let Some(gate) = &mut self.gate else { return };
        gate.look = Instant::now().checked_add(AGAIN);
        if !std::mem::replace(&mut gate.said_lost, true) {
            let what = if gate.kernel.ruleset().is_guard() {
                "the guard is gone, and cannot be restored, so guarded ports may be open; trying again"
            } else {
                "the sets are gone, and cannot be made again, so nobody is admitted; trying again"
            };
            self.say_failed(what, why);
        }
    }

    /// Removes the guard for good, as `knockctl unguard` asks.
    pub(in crate::runner) fn unguard(&mut self) -> Result<(), String> {
        let Some(gate) = &mut self.gate else { return Err("no port is guarded".to_owned()) };
        gate.kernel.remove().map_err(|error| error.to_string())?;
        gate.is_removed = true;
        self.end_admissions_where(|_| true);
        let text =
            "knockd: warning: the guard is removed, as knockctl asks, until knockd is restarted";
        self.output.text(Kind::Notice, text);
        Ok(())
    }

    fn say_failed(&mut self, what: &str, why: &dyn fmt::Display) {
        self.output.text(Kind::Notice, format!("knockd: error: {what}: {why}"));
    }
}

fn counted(clients: usize) -> String {
    if clients == 1 { "1 client".to_owned() } else { format!("{clients} clients") }
}

//! Doors with `Open`: the kernel lets clients in, and this process tells it whom.
//!
//! What is open is what the kernel has. This process says that a client is let in only after the kernel has
//! taken it, and it never relies on being there at the end: the kernel ends every admission by itself.

mod admissions;
mod first_guard;
mod keeping;
mod present;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use knock_config::{Firewall as Mode, Guard, Options};
use knock_engine::{Door, DoorId, Doors, Effect, Limits, PortRange, Seconds, address};
use knock_firewall::{Error, Family, Firewall, Grant, Place, Refusal, Ruleset, Start, Stay, Watch};

use self::admissions::EngineView;
use self::admissions::without;
pub(super) use self::admissions::{Admission, Admissions};
use super::output::Kind;
use super::{Runner, State};
use crate::boot_time::BootTime;
use crate::wire::Order;

/// What is in the kernel, and what was put there.
pub(super) struct Gate {
    kernel: Firewall,
    watch: Watch,
    ports: Vec<PortRange>,
    refusal: Refusal,
    /// When to look whether another program has changed the ruleset.
    look: Option<Instant>,
    /// When it was last restored.
    restored: Option<Instant>,
    /// Whether it was said that it cannot be restored.
    said_lost: bool,
    /// Whether it was said what is guarded.
    is_said: bool,
    /// Whether `knockctl unguard` was called: nothing is restored then.
    is_removed: bool,
}

impl Gate {
    /// Makes the ruleset, or takes up what is there. Returns who is let in.
    pub(super) fn open(
        mut kernel: Firewall,
        (ports, refusal): (Vec<PortRange>, Refusal),
    ) -> Result<(Self, Vec<Grant>), Error> {
        // Before the start, so that no change is missed.
        let watch = kernel.watch()?;
        let grants = match kernel.start()? {
            Start::Made => Vec::new(),
            Start::TakenUp(grants) => grants,
        };
        let gate = Self {
            kernel,
            watch,
            ports,
            refusal,
            look: None,
            restored: None,
            said_lost: false,
            is_said: false,
            is_removed: false,
        };
        Ok((gate, grants))
    }

    /// Returns the descriptor that can be read when something has changed.
    pub(super) const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Returns when there is something to do.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.look
    }
}

/// The ruleset of a configuration.
pub(super) struct Wanted {
    ruleset: Ruleset,
    ports: Vec<PortRange>,
    refusal: Refusal,
}

/// Returns the ruleset of a configuration; `None` if it has no firewall.
pub(super) fn wanted(
    (mode, guard): (Option<&Mode>, Guard),
    doors: &Doors,
    dry_run: bool,
) -> Option<Wanted> {
    let mode = mode?;
    let admissions = doors.in_order().filter_map(|(_, door)| door.admission.as_ref());
    let mut ports: Vec<PortRange> =
        admissions.flat_map(|admission| admission.ports.ranges()).copied().collect();
    ports.sort_unstable();
    ports.dedup();
    let refusal = match guard {
        _ if dry_run => Refusal::CountOnly,
        Guard::Drop => Refusal::Drop,
        Guard::Reject => Refusal::Reject,
    };
    let ruleset = match mode {
        Mode::Guard => Ruleset::guard(&ports, refusal),
        Mode::Admit(table) => {
            // The configuration has the same rules for names.
            let table = table.as_str().parse().ok()?;
            Ruleset::admit(Place { family: Family::Inet, table }, &ports)
        }
    };
    Some(Wanted { ruleset, ports, refusal })
}

/// Returns what a configuration needs in nftables, as text for nft; `None` if it has no firewall.
pub(crate) fn nft_text(options: &Options, doors: &Doors) -> Option<String> {
    wanted((options.firewall(), options.guard()), doors, false)
        .map(|wanted| wanted.ruleset.nft_text())
}

/// Returns what no rule of an administrator's table uses, as warnings. Without the privilege to look, there is
/// none.
pub(crate) fn unused(options: &Options, doors: &Doors) -> Vec<String> {
    let Some(Wanted { ruleset, .. }) = wanted((options.firewall(), options.guard()), doors, false)
    else {
        return Vec::new();
    };
    if ruleset.is_guard() {
        return Vec::new();
    }
    let place = ruleset.place().to_string();
    let Ok(mut kernel) = Firewall::connect(ruleset) else { return Vec::new() };
    let unused = kernel.sets().into_iter().filter_map(|set| {
        let users = kernel.users(set).ok()?;
        users.is_empty().then(|| {
            format!(
                "no rule of the table {place} uses the set {set}, so nobody in it gets in; add the lines that \
                 'knockd --nft' prints"
            )
        })
    });
    unused.collect()
}

impl Runner {
    fn wanted_firewall(&self) -> Option<Wanted> {
        let mode = (self.settings.firewall.as_ref(), self.settings.guard);
        wanted(mode, &self.doors, self.args.guard_dry_run)
    }

    /// Lets a client in, as the engine asks. Its line is printed when the kernel has taken it.
    pub(super) fn admit(&mut self, client: IpAddr, id: DoorId, lasts: Seconds) {
        let door = self.doors.door(id);
        let Some(admission) = door.admission.clone() else { return };
        let now = BootTime::now();
        let before = self.admissions.find(id, client).cloned();
        let since = before.as_ref().map_or(now, |before| before.since);
        // A sniffer that was taken over, or is new, cannot ask for more than the configuration allows.
        let limits = Limits::with_attempts(self.args.max_attempts);
        let most = usize::try_from(limits.leases.get()).unwrap_or(usize::MAX);
        let wanted = seconds(lasts.min(admission.lasts));
        let longest = admission.max.map(|max| since.after(seconds(max)).left());
        let time = longest.map_or(wanted, |longest| longest.min(wanted));
        let engine = if time < seconds(lasts) { EngineView::EndsLater } else { EngineView::Ends };
        let ends = now.after(time);
        if time.is_zero() || (before.is_none() && self.admissions.len() >= most) {
            self.lose_admission(id, client);
            return;
        }
        let ports = admission.ports.ranges().to_vec();
        let name = door.name.as_bytes().to_vec();
        let longer = self.admissions.others(client, Some(id), ends);
        let has_max = admission.max.is_some();
        let known = self.admissions.since(client, &ports);
        let first = known.into_iter().chain(has_max.then_some(since)).min();
        let stay = Stay { time, since: first.map(BootTime::since_boot) };
        match self.write_admission(client, &without(&ports, &longer), stay) {
            Ok(()) => {
                let effect = Effect::Admit { client, door: id, lasts: whole_seconds(time) };
                self.admissions.set(Admission {
                    number: 0,
                    door: Some(id),
                    door_name: name,
                    client,
                    ports,
                    since,
                    ends,
                    has_max,
                    engine,
                });
                self.print(&effect);
            }
            Err(why) => {
                if let Some(before) = before {
                    self.admissions.leave_to_runner(before.number);
                }
                self.lose_admission(id, client);
                let mut text = about(&name, client);
                text.extend(format!("NOT admitted to {}: {why}", admission.ports).into_bytes());
                self.output.text(Kind::Notice, text);
            }
        }
    }

    /// Tells the kernel. If the ruleset is gone, it is made again first.
    fn write_admission(
        &mut self,
        client: IpAddr,
        ports: &[PortRange],
        stay: Stay,
    ) -> Result<(), String> {
        let Some(gate) = &mut self.gate else {
            return Err("there is no firewall; see the messages above".to_owned());
        };
        if gate.is_removed {
            return Err("the guard was removed by knockctl; restart knockd to guard again".into());
        }
        if ports.is_empty() {
            return Ok(());
        }
        match gate.kernel.admit(client, ports, stay) {
            Err(error) if error.is_gone() => {
                self.restore();
                let Some(gate) = &mut self.gate else { return Err(error.to_string()) };
                gate.kernel.admit(client, ports, stay).map_err(|error| error.to_string())
            }
            result => result.map_err(|error| error.to_string()),
        }
    }

    /// Tells the engine that a client is not let in.
    fn lose_admission(&mut self, door: DoorId, client: IpAddr) {
        let door = u16::try_from(door.index()).unwrap_or(u16::MAX);
        self.sniffer.queue(&Order::AdmissionLost { door, client });
    }

    /// The time of an admission is over, as the engine says. It may be over already.
    pub(super) fn admission_ended(&mut self, client: IpAddr, id: DoorId) {
        let number = self.admissions.find(id, client).map(|one| one.number);
        if let Some(admission) = number.and_then(|number| self.admissions.remove(number)) {
            self.end_admission(&admission);
        }
    }

    /// Ends the admissions that the engine did not end in time.
    pub(super) fn end_admissions(&mut self) {
        let now = BootTime::now();
        while let Some(admission) = self.admissions.take_ended(now) {
            if admission.engine == EngineView::EndsLater
                && let Some(door) = admission.door
            {
                self.lose_admission(door, admission.client);
            }
            self.end_admission(&admission);
        }
    }

    /// Returns when there is something to [end](Self::end_admissions).
    pub(super) fn next_admission_end(&self) -> Option<BootTime> {
        let is_over = matches!(self.state, State::Ending(_)) && self.keeps_doors;
        self.admissions.next_end().filter(|_| !is_over)
    }

    /// Takes the ports of an admission from its client, as far as no other door has given it the same. The
    /// kernel has done so already, unless the machine was suspended meanwhile.
    fn end_admission(&mut self, admission: &Admission) {
        let Admission { client, ports, door, door_name, .. } = admission;
        let others = self.admissions.others(*client, *door, BootTime::now());
        let ports = without(ports, &others);
        let revoked = self.gate.as_mut().map(|gate| gate.kernel.revoke(*client, &ports));
        let mut text = about(door_name, *client);
        match revoked {
            // Where no door opens the ports any more, nothing admits to them either.
            Some(Err(why))
                if !admission.ends.left().is_zero()
                    && !why.is_gone()
                    && !matches!(why, Error::UnknownPorts { .. }) =>
            {
                let left = admission.ends.left().as_secs();
                text.extend(format!("STAYS admitted for {left} s more: {why}").into_bytes());
                self.output.text(Kind::Notice, text);
            }
            Some(Ok(()) | Err(_)) | None => {
                text.extend(b"admission ended");
                self.output.text(Kind::Opening, text);
            }
        }
    }

    /// Ends admissions now, because somebody asks for it at the control socket. Returns how many.
    pub(super) fn end_admissions_where(&mut self, fits: impl Fn(&Admission) -> bool) -> usize {
        let found: Vec<(u64, Option<DoorId>, IpAddr)> = self
            .admissions
            .iter()
            .filter(|one| fits(one))
            .map(|one| (one.number, one.door_in_engine(), one.client))
            .collect();
        for &(number, door, client) in &found {
            let Some(admission) = self.admissions.remove(number) else { continue };
            if let Some(door) = door {
                self.lose_admission(door, client);
            }
            self.end_admission(&admission);
        }
        found.len()
    }

    /// Ends the admissions of a client at the doors with a name that the engine does not end by itself.
    pub(super) fn end_unknown_admissions(&mut self, client: IpAddr, name: &[u8]) {
        self.end_admissions_where(|one| {
            one.client == client && one.door_name == name && one.door_in_engine().is_none()
        });
    }

    /// Remembers who was let in before the start.
    pub(super) fn take_grants(&mut self, grants: &[Grant]) {
        let now = BootTime::now();
        for grant in grants {
            let doors = || self.doors.in_order().filter(|(_, door)| opens(door, grant.ports));
            // Only a door with a maximum has the time noted.
            let is_likely = |door: &Door| max_of(door).is_some() == grant.since.is_some();
            let found = doors().find(|(_, door)| is_likely(door)).or_else(|| doors().next());
            let Some((id, door)) = found else { continue };
            let since = grant.since.map_or(now, BootTime::past);
            let mut ports = vec![grant.ports];
            let before = self.admissions.find(id, grant.client);
            ports.extend(before.into_iter().flat_map(|before| before.ports.clone()));
            let since = before.map_or(since, |before| before.since.min(since));
            let ends = now.after(grant.time_left);
            let ends = before.map_or(ends, |before| before.ends.max(ends));
            // The maximum may have changed since.
            let latest = max_of(door).map(|max| since.after(seconds(max)));
            let ends = latest.map_or(ends, |latest| latest.min(ends));
            self.admissions.set(Admission {
                number: 0,
                door: Some(id),
                door_name: door.name.as_bytes().to_vec(),
                client: grant.client,
                ports,
                since,
                has_max: max_of(door).is_some(),
                ends,
                engine: EngineView::Unaware,
            });
        }
    }
}

fn opens(door: &Door, ports: PortRange) -> bool {
    let opened = door.admission.as_ref().map(|admission| &admission.ports);
    opened.is_some_and(|opened| without(&[ports], opened.ranges()).is_empty())
}

/// Returns how long a door lets a client in, however often it is opened.
fn max_of(door: &Door) -> Option<Seconds> {
    door.admission.as_ref().and_then(|admission| admission.max)
}

fn seconds(seconds: Seconds) -> Duration {
    Duration::from_secs(seconds.get().into())
}

/// Returns a time in seconds. One that is a little shorter than a whole number of seconds, because some time has
/// passed since it was computed, is that number.
fn whole_seconds(time: Duration) -> Seconds {
    let rounded = time.saturating_add(Duration::from_millis(500)).as_secs();
    u32::try_from(rounded).ok().and_then(Seconds::new).unwrap_or(Seconds::MAX)
}

/// Returns the beginning of a line about a client at a door.
fn about(door: &[u8], client: IpAddr) -> Vec<u8> {
    let mut text = [door, b": "].concat();
    address::write(client, &mut text);
    text.extend(b": ");
    text
}

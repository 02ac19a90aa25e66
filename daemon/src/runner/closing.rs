//! Doors are closed: when the engine asks, when it does not ask in time, and again until that succeeds.

use std::net::IpAddr;
use std::time::Duration;

use knock_engine::{CommandStatus, DoorId, Effect, Phase, RunId, address};

use super::commands::CommandRequest;
use super::end::Ending;
use super::leases::{Lease, LeaseState};
use super::output::Kind;
use super::{Exit, Runner, State};
use crate::boot_time::BootTime;
use crate::wire::Order;

/// How often a stop command may fail during the end before the door is left to the next start.
const END_FAILURES: u32 = 4;

/// How often a stop command may fail that probably has nothing to close, and how often during the end.
const DOUBTFUL_FAILURES: u32 = 4;
const DOUBTFUL_END_FAILURES: u32 = 2;

impl Runner {
    /// Runs the stop command that the engine asks for, unless the door is closed already.
    pub(super) fn close_asked(&mut self, run: RunId, client: IpAddr, door: DoorId) {
        let (lease, others) = self.leases.asked(door, client);
        let mut requests: Vec<CommandRequest> = others.iter().map(stop_of).collect();
        match lease {
            Some(lease) => requests.insert(0, CommandRequest { run: Some(run), ..stop_of(&lease) }),
            None => {
                self.sniffer.queue(&Order::CommandEnded { run, status: CommandStatus::SUCCESS });
            }
        }
        self.submit(requests);
    }

    /// Closes the doors that are due and that no engine has asked for, and tries again where a stop
    /// command has failed.
    pub(super) fn close_due(&mut self) {
        if !self.closes_by_itself() {
            return;
        }
        let (now, mut requests) = (BootTime::now(), Vec::new());
        while let Some(lease) = self.leases.take_due(now) {
            if lease.state == LeaseState::Open {
                self.say_due(&lease);
            }
            requests.push(stop_of(&lease));
        }
        self.submit(requests);
    }

    /// Closes doors now, because somebody asks for it at the control socket. Returns how many.
    pub(super) fn close_where(&mut self, fits: impl Fn(&Lease) -> bool) -> usize {
        let leases = self.leases.close_where(fits);
        for lease in &leases {
            let mut text = about(lease, b": closing it for ");
            text.extend(b" now, as knockctl asks");
            self.output.text(Kind::Opening, text);
        }
        self.submit(leases.iter().map(stop_of).collect::<Vec<_>>());
        leases.len()
    }

    /// Closes what a client has open at a door and the engine does not know, because a signed packet asks for it. The
    /// engine asks for the rest. The name of the door counts: a reload may have given it another number since it opened.
    pub(super) fn close_beyond_engine(&mut self, client: IpAddr, door: DoorId) {
        let name = self.doors.door(door).name.clone();
        let leases = self.leases.close_where(|lease| {
            lease.client == client && lease.door_name == name.as_bytes() && !lease.has_engine
        });
        self.submit(leases.iter().map(stop_of).collect::<Vec<_>>());
        self.end_unknown_admissions(client, name.as_bytes());
    }

    /// Returns when there is something to [close](Self::close_due).
    pub(super) fn next_closing(&self) -> Option<BootTime> {
        self.leases.next_due().filter(|_| self.closes_by_itself())
    }

    /// Returns whether doors are closed when they are due. At the end they are all closed together, or not
    /// at all.
    const fn closes_by_itself(&self) -> bool {
        match self.state {
            State::Ending(Ending::Doors(_)) if self.keeps_doors => false,
            State::Starting | State::Listening | State::Ending(Ending::Doors(_)) => true,
            State::Ending(Ending::Sniffer(_) | Ending::GivenUp(_)) => false,
        }
    }

    fn say_due(&mut self, lease: &Lease) {
        if lease.has_engine {
            let mut text = about(lease, b": closing it for ");
            text.extend(b" without a request: the process that reads packets is late or hangs");
            self.output.text(Kind::Notice, text);
        } else if let Some(door) = lease.door {
            self.print(&Effect::CommandTimedOut { client: lease.client, door });
        }
    }

    /// Notes that a start command has ended: from now on it is known when its door is due.
    pub(super) fn start_ended(&mut self, number: u64, status: CommandStatus) {
        let changed = self.leases.opened(number, status, BootTime::now());
        let dues: Vec<_> =
            changed.iter().filter_map(|lease| Some((lease.number, lease.due?))).collect();
        for (number, due) in dues {
            self.remember_due(number, due.left());
        }
    }

    /// Notes that a stop command has ended, or could not be started. The door counts as open until one
    /// succeeds.
    pub(super) fn stop_ended(&mut self, number: u64, status: CommandStatus) {
        if status == CommandStatus::SUCCESS {
            let lease = self.leases.get(number).cloned();
            let failures = self.leases.closed(number).unwrap_or_default();
            self.forget(number);
            self.note_progress();
            if let Some(lease) = lease.filter(|_| failures > 0) {
                let mut text = about(&lease, b": closed for ");
                text.extend(format!(" at try {}", failures.saturating_add(1)).into_bytes());
                self.output.text(Kind::Notice, text);
            }
            return;
        }
        let Some((failures, pause)) = self.leases.failed(number, BootTime::now()) else { return };
        let Some(lease) = self.leases.get(number).cloned() else { return };
        let is_end = matches!(self.state, State::Ending(_));
        if !lease.is_doubtful {
            // After the next start, there is no doubt either.
            self.remember_due(number, Duration::ZERO);
        }
        let doubtful_max = if is_end { DOUBTFUL_END_FAILURES } else { DOUBTFUL_FAILURES };
        if lease.is_doubtful && failures >= doubtful_max {
            self.leases.closed(number);
            self.forget(number);
            let mut text = about(&lease, b": probably closed for ");
            let why = format!("; its stop command fails with status {}: ", status.0);
            text.extend(why.into_bytes());
            text.extend(&lease.stop);
            self.output.text(Kind::Notice, text);
        } else if lease.is_doubtful {
            // It is tried again without another line.
        } else if matches!(self.state, State::Ending(Ending::GivenUp(_))) {
            // It was killed, and was reported.
            self.leases.give_up(number);
        } else if is_end && failures >= END_FAILURES {
            self.leases.give_up(number);
            self.report_open_door(&lease);
        } else {
            let mut text = about(&lease, b": STAYS OPEN for ");
            let seconds = pause.as_secs();
            let why = format!("; its stop command failed with status {}", status.0);
            text.extend(format!("{why} and is tried again in {seconds} s: ").into_bytes());
            text.extend(&lease.stop);
            self.output.text(Kind::Notice, text);
        }
    }

    /// Reports a door that stays open when the daemon exits.
    pub(super) fn report_open_door(&mut self, lease: &Lease) {
        self.exit = Exit::Failed;
        let mut text = about(lease, b": STAYS OPEN for ");
        text.extend(b"; to close it, run: ");
        text.extend(&lease.stop);
        self.output.text(Kind::Notice, text);
    }
}

/// Returns the name of the lease's door, a text, and its client.
fn about(lease: &Lease, text: &[u8]) -> Vec<u8> {
    let mut line = [&lease.door_name[..], text].concat();
    address::write(lease.client, &mut line);
    line
}

/// Returns the request for the stop command of a lease.
pub(super) fn stop_of(lease: &Lease) -> CommandRequest {
    CommandRequest {
        run: None,
        door: lease.door,
        door_name: lease.door_name.clone(),
        client: lease.client,
        phase: Phase::Stop,
        line: lease.stop.clone(),
        lease: Some(lease.number),
    }
}

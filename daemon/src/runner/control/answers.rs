//! What is answered to calls.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use knock_control::{
    Call, CloseParameters, Closing, DaemonState, DoorState, Fault, INTERFACE, Lines, Method,
    OpenDoor, OpenDoors, Reply, Status,
};
use knock_engine::address;
use serde_json::json;

use crate::runner::firewall::Admission;
use crate::runner::leases::{Lease, LeaseState};
use crate::runner::{Runner, State};

/// How a call is answered.
enum Answer {
    /// With this.
    Now(Reply),
    /// With lines from now on.
    Lines,
    /// With the list of attempts, as soon as it has arrived.
    Attempts,
}

impl Runner {
    /// Answers the calls that are there.
    pub(in crate::runner) fn take_calls(&mut self) {
        let Some(mut control) = self.control.take() else { return };
        for (place, call, may_change) in control.calls() {
            let reply = match self.answer(&call, may_change) {
                Ok(Answer::Now(reply)) => Some(reply),
                Ok(Answer::Lines) => {
                    control.follow(place, self.output.recent());
                    None
                }
                Ok(Answer::Attempts) => {
                    if !call.oneway {
                        control.await_attempts(place);
                        self.ask_for_attempts();
                    }
                    None
                }
                Err(fault) => Some(Reply::fault(&fault)),
            };
            if let Some(reply) = reply.filter(|_| !call.oneway) {
                control.reply(place, &reply);
            }
        }
        control.send(self.output.recent());
        // A reload may have moved it.
        self.control = match self.control.take() {
            Some(moved) => Some(moved.with_connections_of(control)),
            None => self.settings.control_socket.is_some().then_some(control),
        };
    }

    /// Returns the answer to a call.
    fn answer(&mut self, call: &Call, may_change: bool) -> Result<Answer, Fault> {
        let method = call.method()?;
        let changes = matches!(method, Method::Close(_) | Method::Reload | Method::Unguard);
        if changes && !may_change {
            return Err(Fault::NotAllowed);
        }
        let reply = match method {
            Method::GetInfo => Reply::answer(&json!({
                "vendor": "knock",
                "product": "knockd",
                "version": env!("CARGO_PKG_VERSION"),
                "url": "",
                "interfaces": ["org.varlink.service", INTERFACE],
            })),
            Method::GetInterfaceDescription(name) => match knock_control::description(&name) {
                Some(text) => Reply::answer(&json!({ "description": text })),
                None => return Err(Fault::InterfaceNotFound(name)),
            },
            Method::Status => Reply::answer(&self.status()),
            Method::List => Reply::answer(&OpenDoors { doors: self.open_doors() }),
            Method::Close(close) => Reply::answer(&self.close(&close)?),
            Method::Unguard => {
                self.must_listen()?;
                self.unguard().map_err(Fault::NotNow)?;
                Reply::answer(&json!({}))
            }
            Method::Reload => {
                self.must_listen()?;
                self.reload();
                Reply::answer(&json!({}))
            }
            Method::Explain(client) => {
                let client = parsed(&client)?;
                let lines = self.output.recent().about(client).map(String::from_utf8_lossy);
                Reply::answer(&Lines { lines: lines.map(Cow::into_owned).collect() })
            }
            Method::Attempts => {
                self.must_listen()?;
                return Ok(Answer::Attempts);
            }
            Method::Events => return Ok(Answer::Lines),
        };
        Ok(Answer::Now(reply))
    }

    const fn daemon_state(&self) -> DaemonState {
        match self.state {
            State::Starting => DaemonState::Starting,
            State::Listening => DaemonState::Listening,
            State::Ending(_) => DaemonState::Ending,
        }
    }

    fn must_listen(&self) -> Result<(), Fault> {
        match self.daemon_state() {
            DaemonState::Listening => Ok(()),
            DaemonState::Starting => Err(Fault::NotNow("starting".to_owned())),
            DaemonState::Ending => Err(Fault::NotNow("ending".to_owned())),
        }
    }

    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            state: self.daemon_state(),
            uptime: milliseconds(self.started.elapsed()),
            interfaces: self.interfaces.wanted_names(),
            doors: number(self.doors.len()),
            open: number(self.leases.iter().count().saturating_add(self.admissions.len())),
            commands: number(self.commands.len()),
            counters: self.totals(),
        }
    }

    fn open_doors(&self) -> Vec<OpenDoor> {
        let admissions = self.admissions.iter().map(admitted);
        self.leases.iter().map(described).chain(admissions).collect()
    }

    fn close(&mut self, close: &CloseParameters) -> Result<Closing, Fault> {
        self.must_listen()?;
        let client = close.client.as_deref().map(parsed).transpose()?;
        let door = close.door.as_deref().map(str::as_bytes);
        let closed = self.close_where(|lease| {
            client.is_none_or(|client| lease.client == client)
                && door.is_none_or(|door| lease.door_name == door)
        });
        let ended = self.end_admissions_where(|admission| {
            client.is_none_or(|client| admission.client == client)
                && door.is_none_or(|door| admission.door_name == door)
        });
        Ok(Closing { closing: number(closed.saturating_add(ended)) })
    }
}

fn described(lease: &Lease) -> OpenDoor {
    let (state, failures) = match lease.state {
        LeaseState::Opening => (DoorState::Opening, 0),
        LeaseState::Open => (DoorState::Open, 0),
        LeaseState::Closing { failures } => (DoorState::Closing, failures),
        LeaseState::Failed { failures } => (DoorState::Failed, failures),
    };
    OpenDoor {
        number: lease.number,
        door: String::from_utf8_lossy(&lease.door_name).into_owned(),
        client: address::text(lease.client),
        state,
        closes_in: lease.due.map(|due| milliseconds(due.left())),
        failures,
    }
}

fn admitted(admission: &Admission) -> OpenDoor {
    OpenDoor {
        number: admission.number,
        door: String::from_utf8_lossy(&admission.door_name).into_owned(),
        client: address::text(admission.client),
        state: DoorState::Open,
        closes_in: Some(milliseconds(admission.ends.left())),
        failures: 0,
    }
}

fn parsed(client: &str) -> Result<IpAddr, Fault> {
    client.parse().map_err(|_| Fault::InvalidParameter("client".to_owned()))
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

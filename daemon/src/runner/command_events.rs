//! What commands did: for the log, the engine and the file of open doors.

use knock_config::text::Cause;
use knock_engine::{CommandStatus, Effect, Phase, address};
use nix::sys::signal::Signal;

use super::commands::{CommandEvent, CommandRequest};
use super::leases::LeaseState;
use super::output::Kind;
use super::totals::Total;
use super::{Runner, State, orphans};
use crate::wire::Order;

/// The status of a command that could not be started: the one that a shell has for a command it does
/// not find.
pub(super) const NOT_STARTED: CommandStatus = CommandStatus(127);

impl Runner {
    /// Queues commands, each to be started when it is its turn, and those that close a door of the file
    /// not before it says so.
    pub(super) fn submit(&mut self, requests: impl IntoIterator<Item = CommandRequest>) {
        let mut others = Vec::new();
        for request in requests {
            match (request.phase, request.lease) {
                (Phase::Stop, Some(number)) => self.remember_closing(number, request),
                (Phase::Start | Phase::Stop, _) => others.push(request),
            }
        }
        self.run(others);
    }

    /// Queues commands of which nothing more has to be noted.
    pub(super) fn run(&mut self, requests: impl IntoIterator<Item = CommandRequest>) {
        let mut events = Vec::new();
        for request in requests {
            self.commands.submit(request, &mut events);
        }
        for event in events {
            self.command_event(event);
        }
    }

    /// Logs what a command did, and passes its end on to the engine.
    pub(super) fn command_event(&mut self, event: CommandEvent) {
        match event {
            // At the end it is the rule.
            CommandEvent::Waits(_) if matches!(self.state, State::Ending(_)) => {}
            CommandEvent::Waits(request) => {
                self.about_command(&request, "waits for its turn, because others are running");
            }
            CommandEvent::Starts(CommandRequest { door_name, line, phase, .. }) => {
                self.totals.add(match phase {
                    Phase::Start => Total::StartCommands,
                    Phase::Stop => Total::StopCommands,
                });
                let text = [&door_name[..], b": running command: ", &line].concat();
                self.output.text(Kind::Opening, text);
            }
            CommandEvent::Runs(
                CommandRequest { lease: Some(number), phase: Phase::Start, .. },
                leader,
            ) => {
                // Otherwise it has ended already.
                if let Some(group) = orphans::group(leader) {
                    self.remember_group(number, group);
                }
            }
            CommandEvent::Runs(..) => {}
            CommandEvent::Ended(request, status) => {
                self.command_ended(&request, status);
                match (request.lease, request.phase) {
                    (Some(number), Phase::Start) => self.start_ended(number, status),
                    (Some(number), Phase::Stop) => self.stop_ended(number, status),
                    (None, _) => {}
                }
            }
            CommandEvent::NotStarted(request, error) => {
                self.about_command(&request, &format!("cannot be started ({})", Cause(&error)));
                self.command_ended(&request, NOT_STARTED);
                match (request.lease, request.phase) {
                    (Some(number), Phase::Start) => {
                        self.withdraw(number);
                    }
                    (Some(number), Phase::Stop) => self.stop_ended(number, NOT_STARTED),
                    (None, _) => {}
                }
            }
            CommandEvent::Postponed(request, error) => {
                let why = Cause(&error);
                let text = format!("cannot be started ({why}), trying again every second");
                self.about_command(&request, &text);
            }
            CommandEvent::RunsLong(request) => {
                self.about_command(&request, "has been running for 60 seconds");
            }
            CommandEvent::OverLimit(request, signal) => {
                let text = format!("ran longer than CommandLimit and was {}", was(signal));
                self.about_command(&request, &text);
            }
            CommandEvent::EndedEarly(request, signal) => {
                let text = format!("was {}, because knockd is exiting", was(signal));
                self.about_command(&request, &text);
            }
            CommandEvent::Wrote { door_name, text } => {
                let text = [&door_name[..], b": output: ", &text].concat();
                self.output.text(Kind::Notice, text);
            }
        }
    }

    fn about_command(&mut self, request: &CommandRequest, text: &str) {
        let mut line = [&request.door_name[..], b": command for "].concat();
        address::write(request.client, &mut line);
        line.extend(format!(" {text}: ").into_bytes());
        line.extend(&request.line);
        self.output.text(Kind::Notice, line);
    }

    fn command_ended(&mut self, request: &CommandRequest, status: CommandStatus) {
        if let Some(run) = request.run {
            self.sniffer.queue(&Order::CommandEnded { run, status });
        }
        if status == CommandStatus::SUCCESS {
            return;
        }
        self.totals.add(Total::FailedCommands);
        let is_end = matches!(self.state, State::Ending(_));
        // Otherwise the engine does it, to which nothing is sent any more once the end has begun.
        if (request.run.is_none() || is_end) && !self.is_another_try(request) {
            self.print_failure(request, status);
        }
    }

    /// Returns whether it is a stop command that has failed before, about which there is another line.
    fn is_another_try(&self, request: &CommandRequest) -> bool {
        let lease = request.lease.and_then(|number| self.leases.get(number));
        lease.is_some_and(|lease| {
            matches!(lease.state, LeaseState::Closing { failures: 1.. } | LeaseState::Failed { .. })
        })
    }

    fn print_failure(&mut self, request: &CommandRequest, status: CommandStatus) {
        if let Some(door) = request.door {
            self.print(&Effect::CommandFailed { door, status });
        } else {
            let text = format!(": command returned non-zero status code ({})", status.0);
            self.output.text(Kind::Notice, [&request.door_name, text.as_bytes()].concat());
        }
    }
}

/// Returns what was done to a command, in words.
fn was(signal: Signal) -> &'static str {
    if signal == Signal::SIGKILL { "killed" } else { "sent SIGTERM" }
}

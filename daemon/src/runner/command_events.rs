//! What commands do, for the log, the engine and the file of open doors.

use knock_engine::{CommandStatus, Effect, Phase};
use nix::sys::signal::Signal;

use super::commands::{CommandEvent, CommandRequest};
use super::end::Ending;
use super::output::Kind;
use super::{Exit, Runner, State};
use crate::wire::Order;

/// The status of a command that could not be started: the one that a shell has for a command it does
/// not find.
pub(super) const NOT_STARTED: CommandStatus = CommandStatus(127);

impl Runner {
    /// Has commands run, each as soon as it is its turn.
    pub(super) fn submit(&mut self, requests: impl IntoIterator<Item = CommandRequest>) {
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
        let about = |name: &[u8], text: &str| [name, b": ", text.as_bytes()].concat();
        match event {
            CommandEvent::Ended(request, status) => {
                self.command_ended(&request, status);
                // A stop command is not run again, whatever it did, unless it was killed for lack of
                // time.
                if let Some(number) = request.closes
                    && !matches!(self.state, State::Ending(Ending::GivenUp(_)))
                {
                    self.forget(number);
                }
            }
            CommandEvent::NotStarted(request, error) => {
                let text = format!("command cannot be started: {error}");
                self.output.text(Kind::Notice, about(&request.door_name, &text));
                self.command_ended(&request, NOT_STARTED);
            }
            CommandEvent::Postponed(request, error) => {
                let text =
                    format!("command cannot be started: {error}; knockd tries again until it can");
                self.output.text(Kind::Notice, about(&request.door_name, &text));
            }
            CommandEvent::RunsLong(request) => {
                let text = about(&request.door_name, "command has been running for 60 seconds: ");
                self.output.text(Kind::Notice, [text, request.line].concat());
            }
            CommandEvent::OverLimit(request, signal) => {
                let what = if signal == Signal::SIGKILL { "killed" } else { "asked to end" };
                let text = format!("command ran longer than CommandLimit and was {what}: ");
                let text = about(&request.door_name, &text);
                self.output.text(Kind::Notice, [text, request.line].concat());
            }
            CommandEvent::Wrote { door_name, text } => {
                let text = [&door_name[..], b": output: ", &text].concat();
                self.output.text(Kind::Notice, text);
            }
        }
    }

    fn command_ended(&mut self, request: &CommandRequest, status: CommandStatus) {
        if let Some(run) = request.run {
            self.sniffer.queue(&Order::CommandEnded { run, status });
        }
        if status == CommandStatus::SUCCESS {
            return;
        }
        let is_end = matches!(self.state, State::Ending(_));
        // Otherwise the engine does it, to which nothing is sent any more once the end has begun.
        if request.run.is_none() || is_end {
            self.print_failure(request, status);
        }
        if request.phase == Phase::Stop && is_end {
            self.exit = Exit::Failed;
        }
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

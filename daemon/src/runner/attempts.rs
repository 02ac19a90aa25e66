//! The list of attempts, for the control socket. The process that reads packets has it.

use knock_control::{Attempt, Attempts, Fault, Reply};
use knock_engine::address;

use super::Runner;
use crate::wire::{ListedAttempt, Order};

/// A list that arrives.
#[derive(Debug, Default)]
pub(super) struct AttemptList {
    /// Whether it was asked for.
    is_asked: bool,
    found: Vec<Attempt>,
}

impl Runner {
    /// Asks for the list, unless it is on its way.
    pub(super) fn ask_for_attempts(&mut self) {
        if !self.attempts.is_asked {
            self.attempts = AttemptList { is_asked: true, found: Vec::new() };
            self.sniffer.queue(&Order::ListAttempts);
        }
    }

    /// Takes an attempt of the list. More than were asked for are not kept.
    pub(super) fn add_attempt(&mut self, listed: &ListedAttempt) {
        let AttemptList { is_asked, found } = &mut self.attempts;
        if !*is_asked || found.len() >= ListedAttempt::MAX {
            return;
        }
        let ListedAttempt { client, door, stage, expires_in } = *listed;
        let door = self.doors.door(door);
        let knocks = door.knock_count().unwrap_or(0);
        found.push(Attempt {
            door: String::from_utf8_lossy(door.name.as_bytes()).into_owned(),
            client: address::text(client),
            stage: stage.get().into(),
            knocks: u64::try_from(knocks).unwrap_or(u64::MAX),
            expires_in,
        });
    }

    /// Answers those who wait for the list.
    pub(super) fn answer_attempts(&mut self, total: u64) {
        let AttemptList { is_asked, found } = std::mem::take(&mut self.attempts);
        if let Some(control) = self.control.as_mut().filter(|_| is_asked) {
            control.answer_attempts(&Reply::answer(&Attempts { attempts: found, total }));
        }
    }

    /// Answers them that there is no list, because the process that has it is gone.
    pub(super) fn give_up_attempts(&mut self) {
        self.attempts = AttemptList::default();
        if let Some(control) = &mut self.control {
            let fault = Fault::NotNow("replacing the process that reads packets".to_owned());
            control.answer_attempts(&Reply::fault(&fault));
        }
    }
}

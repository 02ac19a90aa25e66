//! Which lines of the configuration decided.

use std::net::IpAddr;

use knock_engine::{DoorId, Skip};

use super::admission::{Ended, EndedBy};
use super::explanation::{Explanation, Verdict, Why};
use super::places::ConfigLine;
use super::words::Words;

impl Words<'_> {
    /// Returns the lines of the configuration that decided.
    #[must_use]
    pub fn lines(&self, one: &Explanation) -> Vec<ConfigLine> {
        match one.verdict {
            Verdict::SequenceTimedOut { .. }
            | Verdict::Stage { late: Some(_), .. }
            | Verdict::Ignored(Why::Late(_)) => self.seq_timeout(one.door),
            Verdict::CommandTimedOut => self.cmd_timeout(one.door),
            Verdict::Admitted { .. } => self.places.open(one.door),
            Verdict::AdmissionEnded(Ended { by: EndedBy::Time, .. }) => self.open_for(one.door),
            Verdict::Void { .. }
            | Verdict::Ignored(
                Why::OtherPort { .. }
                | Why::OtherProtocol { .. }
                | Why::NoAttempt { .. }
                | Why::NotNow
                | Why::OtherAttempt { .. },
            ) => self.places.sequence(one.door, one.sequence_line),
            Verdict::Ignored(Why::OtherFlags { .. }) => self.places.flags(one.door),
            Verdict::Ignored(Why::OtherDestination) if self.is_unheard_ipv6(one.packet) => {
                Vec::new()
            }
            Verdict::Ignored(Why::OtherDestination) => self.target(one.door),
            Verdict::Ignored(Why::OtherSource { .. }) => self.sources(one.door, one.client),
            Verdict::Skipped(why @ (Skip::ClientLimit | Skip::DoorLimit)) => {
                self.places.opening_limit(one.door, why)
            }
            Verdict::Stage { late: None, .. }
            | Verdict::Signed { .. }
            | Verdict::Opened
            | Verdict::Closing
            | Verdict::AdmissionEnded(Ended {
                by: EndedBy::Wish(_) | EndedBy::Closing(_), ..
            })
            | Verdict::Refused
            | Verdict::Skipped(_)
            | Verdict::Command(_)
            | Verdict::Evicted { .. }
            | Verdict::SequenceChanged { .. }
            | Verdict::DoorChanged { .. }
            | Verdict::OneTimeUsed { .. }
            | Verdict::Disabled
            | Verdict::VoidedOften { .. }
            | Verdict::Ignored(
                Why::Retransmission { .. }
                | Why::SecondTry { .. }
                | Why::NotSigned(_)
                | Why::Unreadable(_),
            ) => Vec::new(),
        }
    }

    /// Returns the ports that a door opens.
    pub(crate) fn ports(&self, door: DoorId) -> String {
        let admission = self.door_at(door).admission.as_ref();
        admission.map_or_else(String::new, |admission| admission.ports.to_string())
    }

    /// Returns the line of `Open_For`, and that of `Open_Max`, if there is one.
    pub(crate) fn open_for(&self, door: DoorId) -> Vec<ConfigLine> {
        let lasts = self.door_at(door).admission.as_ref().map_or(0, |one| one.lasts.get());
        self.places.open_for(door, format!("no open_for: {lasts} seconds by default"))
    }

    /// Returns the line of `Cmd_Timeout`.
    pub(crate) fn cmd_timeout(&self, door: DoorId) -> Vec<ConfigLine> {
        let seconds = self.door_at(door).cmd_timeout.get();
        self.places.cmd_timeout(door, format!("no cmd_timeout: {seconds} by default"))
    }

    /// Returns the line of `Seq_Timeout`.
    pub(crate) fn seq_timeout(&self, door: DoorId) -> Vec<ConfigLine> {
        let seconds = self.door_at(door).seq_timeout.get();
        self.places.seq_timeout(door, format!("no seq_timeout: {seconds} by default"))
    }

    /// Returns the lines that keep a client out.
    pub(super) fn sources(&self, door: DoorId, client: IpAddr) -> Vec<ConfigLine> {
        let refusal = self.door_at(door).sources.refusal(client);
        refusal.map_or_else(Vec::new, |refusal| self.places.sources(door, refusal))
    }

    pub(super) fn target(&self, door: DoorId) -> Vec<ConfigLine> {
        self.places.target(door, "no target: the local addresses count".to_owned())
    }
}

//! What is explained, in words: the same for all that print it.

use std::fmt::Write as _;

use knock_config::text::printable;
use knock_engine::{Door, DoorId, Doors, Listening, PerMinute, Phase, Skip};

use super::admission::{Ended, EndedBy};
use super::explanation::{Explanation, Verdict};
use super::places::Places;
use super::terms::{seconds, too_late, wrong_port};
use crate::session::names::CaptureNames;

/// What the words are about.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// The doors.
    pub doors: &'a Doors,
    /// The destinations that count.
    pub listening: &'a Listening,
    /// Where the configuration says what.
    pub places: &'a Places,
    /// The captures.
    pub captures: &'a CaptureNames,
}

impl Words<'_> {
    /// Returns the name of a door.
    #[must_use]
    pub fn door(&self, door: DoorId) -> String {
        printable(self.doors.door(door).name.as_bytes())
    }

    /// Returns what happened.
    #[must_use]
    pub fn sentence(&self, one: &Explanation) -> String {
        let of = one.of;
        match one.verdict {
            Verdict::Stage { stage, late: None, again: None } => {
                format!("Stage {} of {of}", stage.get())
            }
            Verdict::Stage { stage, late: None, again: Some(id) } => format!(
                "Stage {} of {of}, begun again: second try of the knock in {}",
                stage.get(),
                self.captures.packet(id)
            ),
            Verdict::Stage { stage, late: Some(late), again: _ } => {
                format!("Stage {} of {of}; for the attempt before, {}", stage.get(), too_late(late))
            }
            Verdict::Signed { key } => format!("signed packet{}", self.of_user(Some(key))),
            Verdict::Opened => "OPEN SESAME".to_owned(),
            Verdict::Refused => {
                "not opened: busy, too many commands and open doors are pending".to_owned()
            }
            Verdict::Skipped(why) => self.omission(one, why),
            Verdict::Admitted { lasts } => {
                format!("admit to {} for {} s", self.ports(one.door), lasts.get())
            }
            Verdict::Closing => "closing, as asked".to_owned(),
            Verdict::AdmissionEnded(ended) => self.ended(ended),
            Verdict::Command(phase) => self.command(one, phase),
            Verdict::SequenceTimedOut { stage, expected } => {
                let missing = expected
                    .map_or(String::new(), |expected| format!(": no {expected} came in time"));
                format!("sequence timeout at stage {} of {of}{missing}", stage.get())
            }
            Verdict::CommandTimedOut => "command timeout".to_owned(),
            Verdict::Evicted { stage } => format!(
                "dropped at stage {} of {of}: evicted for another attempt at the limit (see \
                 --max-attempts)",
                stage.get()
            ),
            Verdict::SequenceChanged { stage } => format!(
                "dropped at stage {} of {of}: another client used the one-time sequence",
                stage.get()
            ),
            Verdict::DoorChanged { stage } => {
                format!("dropped at stage {} of {of}: the door was changed", stage.get())
            }
            Verdict::OneTimeUsed { line } => format!("one-time sequence on line {line} is used up"),
            Verdict::Disabled => "no one-time sequence is left, the door is disabled".to_owned(),
            Verdict::Void { stage, expected, repeats, because_of } => {
                let got = one.packet.and_then(|seen| seen.knock);
                let mut text = format!("void at stage {} of {of}: ", stage.get());
                text += &wrong_port(expected, got);
                if let Some(id) = repeats {
                    let packet = self.captures.packet(id);
                    let _ = write!(
                        text,
                        ": repeats the knock in {packet} (not as a TCP retransmission)"
                    );
                } else if let Some(other) = because_of {
                    let _ = write!(text, ", which is heard because of door {}", self.door(other));
                }
                text
            }
            Verdict::VoidedOften { knock, packets, millis } => {
                let (seconds, tenths) = (millis / 1000, millis % 1000 / 100);
                format!(
                    "voided {packets} times in {seconds}.{tenths} s by packets from the client's \
                     address, the last to {knock}: forged?"
                )
            }
            Verdict::Ignored(why) => self.reason(one, why),
        }
    }

    /// Returns when an admission ended, if it was not the door that said so.
    fn ended(&self, Ended { lasted_nanos, by }: Ended) -> String {
        let lasted = lasted_nanos.map_or(String::new(), |lasted| format!(" {} s", seconds(lasted)));
        let after = if lasted.is_empty() { "" } else { " after" };
        match by {
            EndedBy::Time => "admission ended".to_owned(),
            EndedBy::Wish(id) => {
                let packet = self.captures.packet(id);
                format!("admission ended{after}{lasted}: {packet} asked for no more time")
            }
            EndedBy::Closing(id) => {
                let packet = self.captures.packet(id);
                format!("admission ended{after}{lasted}: closed by {packet}")
            }
        }
    }

    /// Returns why an opening changes nothing.
    fn omission(&self, one: &Explanation, why: Skip) -> String {
        let limits = self.door_at(one.door).opening_limits;
        let limit = |name, limit: Option<PerMinute>| {
            let number = limit.map_or(0, PerMinute::get);
            format!("limit of openings reached ({name} = {number}), ignored")
        };
        match why {
            Skip::Merged => "merged with the opening that waits for the running command",
            Skip::AlreadyOpen => "already open, ignored (On_Reknock = ignore)",
            Skip::AtMax => "already admitted for as long as Open_Max allows, ignored",
            Skip::Cooldown => "opened again too soon (Seq_Cooldown), ignored",
            Skip::PeriodUsed => "opened with this sequence already (Sequence_Period), ignored",
            Skip::ClientLimit => return limit("Client_Openings_Per_Minute", limits.client),
            Skip::DoorLimit => return limit("Openings_Per_Minute", limits.door),
        }
        .to_owned()
    }

    fn command(&self, one: &Explanation, phase: Phase) -> String {
        let (client, door) = (one.client, one.door);
        let mut text = b"running command: ".to_vec();
        if let Some(command) = self.door_at(door).commands.of(phase, client) {
            command.expand(client, &mut text);
        }
        printable(&text)
    }

    pub(super) fn door_at(&self, door: DoorId) -> &Door {
        self.doors.door(door)
    }
}

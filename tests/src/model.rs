//! The rule set `knock` as a naive program.
//!
//! It is compared with the engine, so it shares no code with it. It is obviously correct rather than
//! fast: plain lists, searched from front to back for every packet.
//!
//! Where the written rules leave something open, the model decides as follows.
//! - The stamp of every packet counts for the clock, even that of a packet that no door admits. A packet
//!   stamped earlier than one before it is handled as if it came at the latest stamp.
//! - In a replay a command ends with status 0 at the moment it starts, but the packet that started
//!   it is handled first. So a stop command's timer is younger than the attempts that the same packet
//!   starts, and a stop command due at once runs before the next packet.
//! - In a replay every line of one-time sequences is marked at once. Otherwise its sequence is used at once,
//!   but the door opens only when the line is marked.
//! - An admission ends after everything else that is due at that moment.
//! - A moment that does not fit in 64 bits of nanoseconds is the last one that does.
//! - Only a SYN with a number other than 0 is, or has, a retransmission.
//! - There is no limit on the number of attempts, unless one is set.

mod input;
mod state;
pub mod text;

#[cfg(test)]
mod tests;

pub use input::{
    ACK, Admission, CWR, Derived, Door, ECE, FIN, Knock, OnReknock, PSH, Packet, Protocol, RST,
    SYN, Sequences, Setting, Transport, URG, is_of_a_host,
};
pub use state::ModelState;

/// A line of the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it happened: for a timeout when it was due. Nanoseconds since the epoch.
    pub at_ns: i64,
    /// The text without the newline.
    pub text: Vec<u8>,
}

/// Counters of what no line reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets that some door admitted.
    pub admitted: u64,
    /// Admitted packets that were ignored as retransmissions.
    pub retransmissions: u64,
    /// Attempts that an admitted packet ended.
    pub voided: u64,
    /// Attempts that were opened by their last knock.
    pub opened: u64,
    /// Attempts that timed out.
    pub timed_out: u64,
    /// One-time sequences used up.
    pub one_time_used: u64,
    /// Packets handled later than their stamp, as a later stamp had been seen.
    pub backwards: u64,
    /// Attempts that were evicted at the limit.
    pub evicted: u64,
    /// Openings whose last knock was forgotten early at the limit.
    pub forgotten_knocks: u64,
    /// Openings refused at the limit.
    pub refused: u64,
    /// Openings that did not happen because a line could not be marked.
    pub not_marked: u64,
    /// Openings merged with one whose start command waits.
    pub merged: u64,
    /// Openings ignored because of `On_Reknock`, `Seq_Cooldown` or a limit of openings.
    pub ignored: u64,
    /// Openings ignored because the derived sequence was used before.
    pub repeated: u64,
    /// Cooldowns forgotten before their time at the limit.
    pub forgotten_cooldowns: u64,
    /// Openings that no longer counted before their time at the limit.
    pub forgotten_openings: u64,
}

/// What happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The lines in order.
    pub lines: Vec<Line>,
    /// The counters.
    pub counts: Counts,
}

impl Outcome {
    /// Returns the transcript as standard output has it: each line with a newline.
    #[must_use]
    pub fn transcript(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in &self.lines {
            out.extend_from_slice(&line.text);
            out.push(b'\n');
        }
        out
    }
}

/// Replays packets in the order given, and lets time run until nothing is due.
#[must_use]
pub fn replay(setting: &Setting, packets: &[Packet]) -> Outcome {
    let mut house = ModelState::new(setting).answering_at_once();
    for packet in packets {
        house.packet(packet);
    }
    house.time(i64::MAX);
    house.into_outcome()
}

//! What one effect, or the silence of the engine, means for a client at a door.

use std::net::IpAddr;

use knock_engine::{
    Door, DoorId, DoorSequence, Knock, Note, Packet, Phase, Protocol, Sequence, Stage, Timestamp,
};
use knock_engine::{Effect, OwnEffect, SourceRefusal, TimedEffect};

use super::admission;
use super::explanation::{Attempt, Seen, Verdict, Why};
use super::miss::{Cause, Miss};
use super::track::{Counted, ExpiredAttempt, Live, Track};
use crate::session::names::PacketId;

/// A packet that is handled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled {
    pub(super) packet: Packet,
    pub(super) seen: Seen,
}

/// An effect with what belongs to it.
pub(super) struct Change<'a, X> {
    pub(super) timed: &'a TimedEffect<X>,
    /// The client's packet, if it made it happen.
    pub(super) handled: Option<&'a Handled>,
    /// The door after all effects of the packet.
    pub(super) door: &'a Door,
    /// The packet that closes the door for the client, if it is one.
    pub(super) closed_by: Option<PacketId>,
    /// The packet that asks for as long as the client is admitted now, if one does.
    pub(super) asked_by: Option<PacketId>,
    /// The door that hears the packet, if this one does not name its port.
    pub(super) because_of: Option<DoorId>,
}

/// Returns the client and the door that an effect is about. `sender` is who sent the packet.
pub(super) fn about<X: OwnEffect>(
    effect: &Effect<X>,
    sender: Option<IpAddr>,
) -> Option<(IpAddr, DoorId)> {
    // A failed command is about no client's knock, and in a replay none fails. A retransmission is
    // about no door: it is explained at each door by itself.
    if matches!(effect, Effect::CommandFailed { .. }) {
        return None;
    }
    Some((effect.client().or(sender)?, effect.door()?))
}

impl<X: OwnEffect> Change<'_, X> {
    /// Makes the change, and returns the attempt that it belongs to and what happened.
    pub(super) fn make(&self, track: &mut Track) -> Option<(Option<Attempt>, Verdict)> {
        let verdict = match self.timed.effect {
            Effect::StageReached { stage, .. } => self.stage(stage, track),
            Effect::SequenceTimedOut { stage, .. } => self.timeout(stage, track),
            Effect::Opened { .. } => {
                track.tally.openings = track.tally.openings.saturating_add(1);
                Verdict::Opened
            }
            Effect::OpeningRefused { .. } => {
                let stage = Stage::new(track.sequence.0).unwrap_or(Stage::NONE);
                let seen = self.handled.map(|handled| handled.seen);
                track.tally.miss(stage, Miss::once(Cause::Refused, seen, None));
                Verdict::Refused
            }
            Effect::OpeningSkipped { why, .. } => Verdict::Skipped(why),
            Effect::Admit { lasts, .. } => {
                admission::renew(&mut track.admission, self.timed.at, self.asked_by);
                Verdict::Admitted { lasts }
            }
            Effect::Closing { .. } => Verdict::Closing,
            Effect::AdmissionEnded { .. } => {
                let (at, by) = (self.timed.at, self.closed_by);
                Verdict::AdmissionEnded(admission::end(&mut track.admission, at, by))
            }
            Effect::RunCommand { phase, .. } => Verdict::Command(phase),
            Effect::CommandTimedOut { .. } => Verdict::CommandTimedOut,
            Effect::MarkOneTime { line, .. } => Verdict::OneTimeUsed { line },
            Effect::DoorDisabled { .. } => Verdict::Disabled,
            Effect::VoidedOften { knock, packets, millis, .. } => {
                Verdict::VoidedOften { knock, packets, millis }
            }
            Effect::Note(note) => self.note(note, track)?,
            Effect::CommandFailed { .. }
            | Effect::MarkPeriod { .. }
            | Effect::MarkMoment { .. }
            | Effect::NotSigned { .. }
            | Effect::ReloadRefused
            | Effect::Own(_) => return None,
        };
        // An open door may close when the client is at its next attempt already.
        let is_of_opening = matches!(
            verdict,
            Verdict::CommandTimedOut
                | Verdict::Closing
                | Verdict::AdmissionEnded(_)
                | Verdict::Command(Phase::Stop)
        );
        let attempt = track.attempt.filter(|_| !is_of_opening || track.pending().is_none());
        Some((attempt, verdict))
    }

    fn stage(&self, stage: Stage, track: &mut Track) -> Verdict {
        let at = self.timed.at;
        let mut late = None;
        let is_again = |live: &Live| stage == Stage::FIRST && live.stage == stage;
        let again = track.live.as_ref().filter(|live| is_again(live));
        let again = again.and_then(|_| track.counted.last()).map(Counted::id);
        if stage == Stage::FIRST {
            let knock = self.handled.map(|handled| handled.packet.knock());
            late = track.expired.take().and_then(|expired| {
                let expected = self.door.sequence()?.after(expired.reached());
                if expected == knock { expired.late(at) } else { None }
            });
            let number = track.attempt.map_or(0, |attempt| attempt.number).saturating_add(1);
            track.attempt = Some(Attempt { number, began: at });
            track.tally.attempts = track.tally.attempts.saturating_add(1);
        }
        if let Some(Handled { packet, seen }) = self.handled {
            track.count(Counted::new(seen.id, packet));
        }
        let (of, _) = track.sequence;
        track.live = (stage.get() < of).then(|| {
            let expected = self.door.sequence().and_then(|sequence| sequence.after(stage));
            Live::new(stage, expected)
        });
        Verdict::Stage { stage, late, again }
    }

    fn timeout(&self, stage: Stage, track: &mut Track) -> Verdict {
        let live = track.fail(stage, Live::silence);
        let expected = live.as_ref().and_then(|live| live.expected);
        if let (Some(live), Some(attempt)) = (live, track.attempt) {
            let cause = live.silence().cause;
            track.expired = Some(ExpiredAttempt::new(stage, attempt.began, self.timed.at, cause));
        }
        Verdict::SequenceTimedOut { stage, expected }
    }

    fn note(&self, note: Note, track: &mut Track) -> Option<Verdict> {
        let seen = self.handled.map(|handled| handled.seen);
        let ended = |track: &mut Track, stage, cause| {
            let _ = track.fail(stage, |live| Miss::once(cause, None, live.expected));
        };
        Some(match note {
            Note::OtherFlags { .. } => {
                hinder(track, Cause::OtherFlags, seen);
                Verdict::Ignored(Why::OtherFlags { rule: self.door.flags })
            }
            Note::SecondTry { knock, .. } => {
                let counted = track.counted.iter().rev().find(|counted| counted.knock() == knock);
                Verdict::Ignored(Why::SecondTry { of: counted.map(Counted::id) })
            }
            Note::Voided { stage, knock, .. } => {
                // Those of this attempt are the last ones.
                let mut counted = track.counted.iter().rev().take(stage.get().into());
                let repeats = counted.find(|counted| counted.knock() == knock).map(Counted::id);
                let because_of = self.because_of;
                let cause = match (repeats, because_of) {
                    (Some(_), _) => Cause::Repeat,
                    (None, Some(_)) => Cause::OtherPort,
                    (None, None) => Cause::Wrong,
                };
                let live = track.fail(stage, |live| {
                    live.hindrance().unwrap_or(Miss::once(cause, seen, live.expected))
                });
                let expected = live.and_then(|live| live.expected);
                Verdict::Void { stage, expected, repeats, because_of }
            }
            Note::Evicted { stage, .. } => {
                ended(track, stage, Cause::Evicted);
                Verdict::Evicted { stage }
            }
            Note::SequenceChanged { stage, .. } => {
                ended(track, stage, Cause::SequenceChanged);
                Verdict::SequenceChanged { stage }
            }
            Note::DoorChanged { stage, .. } => {
                ended(track, stage, Cause::DoorChanged);
                Verdict::DoorChanged { stage }
            }
            Note::Retransmission { .. } => return None,
        })
    }
}

/// A packet that a door names the port of and said nothing about.
pub(super) struct Silence<'a> {
    pub(super) at: Timestamp,
    pub(super) handled: &'a Handled,
    pub(super) door: &'a Door,
    /// The door at which it was the next knock.
    pub(super) advanced: Option<DoorId>,
    /// A door at which it counted at all.
    pub(super) counted_at: Option<DoorId>,
    /// The client's last packet to a port of no door, if it may have been meant as the first knock.
    pub(super) behind: Option<Stray>,
}

/// A packet to a port of no door that looks like a knock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stray {
    pub(super) client: IpAddr,
    pub(super) at: Timestamp,
    pub(super) id: PacketId,
    pub(super) knock: Knock,
}

impl Silence<'_> {
    pub(super) fn other_protocol(&self, track: &mut Track) -> (Option<Attempt>, Why) {
        let Knock { port, protocol } = self.handled.packet.knock();
        let protocol = match protocol {
            Protocol::Tcp => Protocol::Udp,
            Protocol::Udp => Protocol::Tcp,
        };
        let expected = Knock { port, protocol };
        self.kept_out(track, Cause::OtherProtocol, expected);
        (track.pending(), Why::OtherProtocol { expected })
    }

    pub(super) fn other_destination(&self, track: &mut Track) -> (Option<Attempt>, Why) {
        self.kept_out(track, Cause::OtherDestination, self.handled.packet.knock());
        (track.pending(), Why::OtherDestination)
    }

    pub(super) fn other_flags(&self, track: &mut Track) -> (Option<Attempt>, Why) {
        self.kept_out(track, Cause::OtherFlags, self.handled.packet.knock());
        (track.pending(), Why::OtherFlags { rule: self.door.flags })
    }

    pub(super) fn other_source(&self, track: &mut Track) -> (Option<Attempt>, Why) {
        let Handled { packet, .. } = self.handled;
        self.kept_out(track, Cause::OtherSource, packet.knock());
        let refusal = self.door.sources.refusal(packet.source).unwrap_or(SourceRefusal::NotAllowed);
        (track.pending(), Why::OtherSource { refusal })
    }

    /// Explains a packet that was heard and neither continued an attempt nor began one.
    pub(super) fn heard(&self, track: &mut Track) -> (Option<Attempt>, Why) {
        let Self { advanced, counted_at, .. } = *self;
        let &Handled { ref packet, seen } = self.handled;
        let knocks = self.door.sequence().map(Sequence::knocks).unwrap_or_default();
        let first = knocks.first().copied();
        if let (Some(door), true) = (advanced, first == Some(packet.knock())) {
            return (track.pending(), Why::OtherAttempt { door });
        }
        if let Some(mut expired) = track.expired
            && self.expected_by(expired.reached()) == Some(packet.knock())
            && let Some(late) = expired.late(self.at)
        {
            let attempt = track.attempt;
            let (of, _) = track.sequence;
            let goes_on = expired.follow(seen, late, of, &mut track.tally);
            track.expired = goes_on.then_some(expired);
            return (attempt, Why::Late(late));
        }
        if let DoorSequence::Derived(_) = self.door.sequence {
            track.fail_to_begin(Miss::once(Cause::NoFirst, Some(seen), None));
            return (track.pending(), Why::NotNow);
        }
        let place = knocks.iter().position(|&knock| knock == packet.knock());
        let place = place.and_then(|place| u8::try_from(place).ok()).unwrap_or(0).saturating_add(1);
        if counted_at.is_none() {
            track.fail_to_begin(Miss::once(Cause::NoFirst, Some(seen), first));
        }
        // Later than it could have been a first knock, or with a door's knock in between, it was none.
        let is_near = |stray: &Stray| {
            let due = stray.at.saturating_add(self.door.seq_timeout);
            due > self.at && track.last.is_none_or(|last| last < stray.at)
        };
        let behind = self.behind.filter(|stray| counted_at.is_none() && is_near(stray));
        let behind = behind.map(|stray| (stray.id, stray.knock));
        (track.pending(), Why::NoAttempt { place, first, counted_at, behind })
    }

    fn expected_by(&self, stage: Stage) -> Option<Knock> {
        self.door.sequence()?.after(stage)
    }

    /// Takes note of a packet that would have been `knock` but for `cause`.
    fn kept_out(&self, track: &mut Track, cause: Cause, knock: Knock) {
        if let Some(live) = &mut track.live {
            if live.expected == Some(knock) {
                live.hinder(Miss::once(cause, Some(self.handled.seen), live.expected));
            }
        } else if self.expected_by(Stage::NONE) == Some(knock) {
            track.fail_to_begin(Miss::once(cause, Some(self.handled.seen), Some(knock)));
        }
    }
}

/// Takes note of a packet that the live attempt ignored, if it was the next knock.
fn hinder(track: &mut Track, cause: Cause, seen: Option<Seen>) {
    if let Some(live) = &mut track.live
        && live.expected == seen.and_then(|seen| seen.knock)
    {
        live.hinder(Miss::once(cause, seen, live.expected));
    }
}

//! Packets about which the engine reports nothing at a door.

use std::net::IpAddr;

use knock_engine::{DoorId, Doors, Hearing, Undecodable as Common};

use super::totals::count_one;
use super::turn::{DoorHearing, Outcome};
use super::{Observer, Tell};
use crate::explain::change::{Handled, Silence};
use crate::explain::explanation::{Explanation, Seen, Verdict, Why};
use crate::explain::miss::{Cause, Miss};
use crate::explain::track::Track;

impl Observer {
    /// Returns the door that hears the packet, if this one does not name its port.
    pub(super) fn because_of(&self, door: DoorId) -> Option<DoorId> {
        let names =
            |heard: &&DoorHearing| heard.door == door && heard.hearing != Hearing::OtherProtocol;
        if self.heard.iter().any(|heard| names(&heard)) {
            return None;
        }
        let mut hears = self.heard.iter().filter(|heard| heard.hearing == Hearing::Heard);
        hears.next().map(|heard| heard.door)
    }

    /// Explains what became of a packet at a door that names its port, where the engine was silent.
    pub(super) fn silent(
        &mut self,
        heard: DoorHearing,
        handled: &Handled,
        outcome: &mut Outcome,
        doors: &Doors,
        tell: &mut Tell<'_>,
    ) {
        let DoorHearing { door, hearing, sequence } = heard;
        let (client, at) = (handled.packet.source, self.now);
        let of = outcome.repeats.then(|| self.clients.repeated(&handled.packet));
        let Some(track) = self.clients.follow(client, door, self.pairs) else {
            outcome.left_out = true;
            return;
        };
        let behind = self.strays.iter().rev().find(|stray| stray.client == client).copied();
        track.look_at(sequence);
        let Outcome { advanced, counted_at, .. } = *outcome;
        let door_now = doors.door(door);
        let silence = Silence { at, handled, door: door_now, advanced, counted_at, behind };
        let (attempt, why) = match (hearing, of) {
            (Hearing::OtherProtocol, _) => silence.other_protocol(track),
            (Hearing::OtherDestination, _) => silence.other_destination(track),
            (Hearing::OtherFlags, _) => silence.other_flags(track),
            (Hearing::OtherSource, _) => silence.other_source(track),
            (Hearing::Heard, Some(of)) => (track.pending(), Why::Retransmission { of }),
            (Hearing::Heard, None) => silence.heard(track),
        };
        outcome.told = true;
        track.last = Some(at);
        track.has_stray_first |= matches!(why, Why::NoAttempt { behind: Some(_), .. });
        let verdict = Verdict::Ignored(why);
        let (of, sequence_line) = track.sequence;
        let packet = Some(handled.seen);
        let one = Explanation { at, client, door, attempt, packet, of, sequence_line, verdict };
        tell(track.number, &one);
    }

    /// Explains what a packet was at doors with live attempts of its client that do not name its port
    /// and have reported nothing about it.
    pub(super) fn elsewhere(
        &mut self,
        handled: &Handled,
        outcome: &mut Outcome,
        tell: &mut Tell<'_>,
    ) {
        let Handled { packet, seen } = *handled;
        if !seen.looks_like_a_knock() {
            return;
        }
        let Self { clients, heard, spoken, now, .. } = self;
        clients.each_of(packet.source, |door, track| {
            let attempt = track.pending();
            let Some(live) = &mut track.live else { return };
            if spoken.contains(&door) || heard.iter().any(|heard| heard.door == door) {
                return;
            }
            let (stage, expected) = (live.stage, live.expected);
            live.hinder(Miss::once(Cause::OtherPort, Some(seen), expected));
            let verdict = Verdict::Ignored(Why::OtherPort { stage, expected });
            let (of, sequence_line) = track.sequence;
            outcome.told = true;
            tell(
                track.number,
                &Explanation {
                    at: *now,
                    client: packet.source,
                    door,
                    attempt,
                    packet: Some(seen),
                    of,
                    sequence_line,
                    verdict,
                },
            );
        });
    }

    /// Explains a frame without ports at the doors with live attempts of the client that sent it.
    pub(super) fn unreadable(
        &mut self,
        client: Option<IpAddr>,
        seen: Seen,
        why: Common,
        tell: &mut Tell<'_>,
    ) {
        if client.is_some_and(|client| !self.is_explained(client)) {
            count_one(&mut self.totals.of_others);
            return;
        }
        let mut told = false;
        let Self { clients, now, .. } = self;
        let mut at_door = |client, door, track: &mut Track| {
            let attempt = track.pending();
            let Some(live) = &mut track.live else { return };
            let miss = Miss::once(Cause::Unreadable, Some(seen), live.expected);
            live.hinder(Miss { why: Some(why), ..miss });
            let (of, sequence_line) = track.sequence;
            told = true;
            tell(
                track.number,
                &Explanation {
                    at: *now,
                    client,
                    door,
                    attempt,
                    packet: Some(seen),
                    of,
                    sequence_line,
                    verdict: Verdict::Ignored(Why::Unreadable(why)),
                },
            );
        };
        if let Some(client) = client {
            clients.each_of(client, |door, track| at_door(client, door, track));
        }
        if told {
            count_one(&mut self.totals.explained);
        } else {
            self.totals.unreadable(seen.id, why);
        }
    }
}

//! Packets that are signed, or may be meant as such.

use knock_engine::{Doors, Effect, NotSigned, OwnEffect, TimedEffect, Timestamp};

use super::turn::{Turn, sequence_of};
use super::{Observer, Tell};
use crate::explain::change::Handled;
use crate::explain::explanation::{Explanation, Verdict, Why};
use crate::explain::miss::{Cause, Miss, NotSignedCause};
use crate::explain::signed::Signer;

impl Observer {
    /// Explains why a packet that may be meant as a signed one opens nothing.
    pub(super) fn not_signed(
        &mut self,
        at: Timestamp,
        refused: NotSigned,
        turn: &mut Turn,
        doors: &Doors,
        tell: &mut Tell<'_>,
    ) {
        let Some(Handled { packet, seen }) = turn.handled else { return };
        let (fault, at_doors) = self.signed.fault(turn.at, refused, doors);
        self.signed.is_told = true;
        for door in at_doors {
            let Some(track) = self.clients.follow(packet.source, door, self.pairs) else {
                turn.outcome.left_out = true;
                continue;
            };
            track.look_at(sequence_of(doors.door(door)));
            let miss = Miss::once(Cause::NotSigned(NotSignedCause::of(fault)), Some(seen), None);
            track.fail_to_begin(Miss { signed: Some(fault), ..miss });
            let (of, sequence_line) = track.sequence;
            turn.outcome.told = true;
            tell(
                track.number,
                &Explanation {
                    at,
                    client: packet.source,
                    door,
                    attempt: None,
                    packet: Some(seen),
                    of,
                    sequence_line,
                    verdict: Verdict::Ignored(Why::NotSigned(fault)),
                },
            );
        }
    }

    /// Explains who has signed the packet that opens a door, or would, or closes it.
    pub(super) fn done_by_signed<X: OwnEffect>(
        &mut self,
        timed: &TimedEffect<X>,
        turn: &mut Turn,
        doors: &Doors,
        tell: &mut Tell<'_>,
    ) {
        let (Effect::Opened { client, door }
        | Effect::Closing { client, door }
        | Effect::OpeningSkipped { client, door, .. }
        | Effect::OpeningRefused { client, door, .. }) = timed.effect
        else {
            return;
        };
        let Some(Handled { seen, .. }) = turn.handled else { return };
        if self.signed.is_told || !self.is_explained(client) {
            return;
        }
        let Some(signer) = self.signed.signer(turn.at, door, doors) else { return };
        self.signed.is_told = true;
        if !matches!(timed.effect, Effect::OpeningRefused { .. }) {
            self.signed.accept(signer, seen.id);
        }
        let Some(track) = self.clients.follow(client, door, self.pairs) else { return };
        track.look_at(sequence_of(doors.door(door)));
        let (of, sequence_line) = track.sequence;
        let Signer { key, asks_for, .. } = signer;
        turn.outcome.asks_for = asks_for;
        turn.outcome.told = true;
        tell(
            track.number,
            &Explanation {
                at: timed.at,
                client,
                door,
                attempt: None,
                packet: Some(seen),
                of,
                sequence_line,
                verdict: Verdict::Signed { key },
            },
        );
    }
}

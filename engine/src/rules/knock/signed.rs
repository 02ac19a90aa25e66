//! Signed packets.

use knock_signed::PACKET_BYTES;

use super::{KnockRules, Site};
use crate::effect::Effect;
use crate::packet::Packet;
use crate::signing::{NotSigned, SignedAction, SignedRequest};
use crate::time::Timestamp;

impl KnockRules {
    /// A packet came that may be a signed one. If it has a right to open a door, that opens when it is written down that
    /// its moment is used. A door that it has a right to close is closed at once: that is never a danger.
    pub(super) fn hear_signed<X>(
        &mut self,
        (at, stamp): (Timestamp, Timestamp),
        packet: &Packet,
        payload: &[u8; PACKET_BYTES],
        site: &mut Site<X>,
    ) {
        if !site.doors.hears_signed(&site.listening, packet) {
            return;
        }
        // As a knock it has been counted already.
        if !site.doors.admit(&site.listening, packet) {
            site.counts.admitted = site.counts.admitted.saturating_add(1);
        }
        let time_of_day = site.time_of_day(stamp);
        match site.doors.judge(packet.source, payload, time_of_day) {
            None => {}
            Some(Err(NotSigned { why, key })) => {
                site.counts.not_signed = site.counts.not_signed.saturating_add(1);
                let client = packet.source;
                site.emit(at, Effect::NotSigned { client, why, key });
            }
            Some(Ok(SignedRequest { door, client, action: SignedAction::Open(_), .. }))
                if self.is_full(door) =>
            {
                Self::refuse(at, client, door, site);
            }
            Some(Ok(request)) => {
                site.doors.use_moment(request);
                self.obey(at, request, site);
            }
        }
    }

    fn obey<X>(&mut self, at: Timestamp, request: SignedRequest, site: &mut Site<X>) {
        let SignedRequest { door, client, key, moment, action } = request;
        let mark = self.marks.ask();
        let (moment, closes) = (moment.0, action == SignedAction::Close);
        site.emit(at, Effect::MarkMoment { mark, client, door, key, moment, closes });
        match action {
            SignedAction::Close => self.close_for(at, client, door, site),
            SignedAction::Open(wish) if site.presumes_marks => {
                self.open_for(at, (client, door, wish), site);
            }
            SignedAction::Open(wish) => self.marks.wait(mark, (client, door, wish)),
        }
    }
}

//! What signed packets say, and why others open nothing.

use std::collections::BTreeMap;

use knock_engine::{
    DoorId, Doors, KeyNumber, LinkType, Listening, NotSigned, Packet, Signing, Timestamp, datagram,
};
use knock_signed::{Digest, Hint, Keyring, Minute, Moment, PACKET_BYTES, Refusal};

use super::explanation::SignedFault;
use crate::session::names::PacketId;

/// How far a clock may be wrong to be found, in hours.
const HOURS: u64 = 24;

/// How many hints may be computed for the search: some seconds of work, and a search takes 2,881 for each key.
const HINTS_MAX: u64 = 5_000_000;

/// How many accepted packets are remembered: of each key, no more than 16 can be repeated.
const ACCEPTED_MAX: usize = 100_000;

/// Reads signed packets with the keys of the server.
#[derive(Debug)]
pub(super) struct SignedPackets {
    /// That of the packet that is handled.
    payload: Option<[u8; PACKET_BYTES]>,
    /// Whether it goes to where signed packets do, and is none by its length.
    pub(super) is_too_short_or_long: bool,
    /// Whether it is explained already.
    pub(super) is_told: bool,
    keyring: Option<Keyring>,
    accepted: BTreeMap<(KeyNumber, Moment), PacketId>,
    /// How many hints may still be computed.
    hints_left: u64,
}

impl SignedPackets {
    pub(super) fn new() -> Self {
        Self {
            payload: None,
            is_too_short_or_long: false,
            is_told: false,
            keyring: None,
            accepted: BTreeMap::new(),
            hints_left: HINTS_MAX,
        }
    }

    /// Takes the packet that comes next, if it may be a signed one.
    pub(super) fn look_at(
        &mut self,
        (link, frame): (LinkType, &[u8]),
        packet: &Packet,
        doors: &Doors,
        listening: &Listening,
    ) {
        self.look_away();
        if doors.hears_signed(listening, packet) {
            self.payload = datagram(link, frame).ok().and_then(|payload| payload.try_into().ok());
            self.is_too_short_or_long = self.payload.is_none();
        }
    }

    /// There is no such packet.
    pub(super) const fn look_away(&mut self) {
        (self.payload, self.is_too_short_or_long, self.is_told) = (None, false, false);
    }

    /// Returns the key of the packet that is handled, if it is one for this door.
    pub(super) fn signer(&mut self, at: Timestamp, door: DoorId, doors: &Doors) -> Option<Signer> {
        let payload = self.payload?;
        doors.door(door).signed.as_ref()?;
        let signing = doors.signing()?;
        let keyring = self.keyring.get_or_insert_with(|| keyring(signing));
        let (place, said) = keyring.open(&payload, at.as_nanos()).ok()?;
        let is_for_it = said.door == Digest::of_door(doors.door(door).name.as_bytes());
        let key = KeyNumber(u16::try_from(place).ok()?);
        is_for_it.then_some(Signer { key, moment: said.moment })
    }

    /// A packet has opened a door.
    pub(super) fn accept(&mut self, Signer { key, moment }: Signer, id: PacketId) {
        if self.accepted.len() < ACCEPTED_MAX {
            self.accepted.entry((key, moment)).or_insert(id);
        }
    }

    /// Returns what is wrong with the packet that is handled, and the doors that it is for: the one that it names, or else
    /// all that hear signed packets.
    pub(super) fn fault(
        &mut self,
        at: Timestamp,
        refused: NotSigned,
        doors: &Doors,
    ) -> (SignedFault, Vec<DoorId>) {
        let NotSigned { why: refusal, key } = refused;
        let plain = SignedFault { refusal, key, ahead: None, repeats: None, named: None };
        let all = || doors.in_order().filter(|(_, door)| door.signed.is_some()).map(|(id, _)| id);
        let (Some(payload), Some(signing)) = (self.payload, doors.signing()) else {
            return (plain, all().collect());
        };
        let key = key.or_else(|| self.search(&payload, at, refusal, signing));
        let of_key = key.and_then(|key| signing.key(key));
        let said = of_key.and_then(|of_key| of_key.key.open(&payload).ok());
        let Some(said) = said else { return (plain, all().collect()) };
        let is_clock = matches!(refusal, Refusal::HintUnknown | Refusal::ClockOff { .. });
        let ahead = is_clock.then(|| {
            let ahead = i128::from(said.moment.0).saturating_sub(at.as_nanos().into());
            i64::try_from(ahead).unwrap_or(if ahead < 0 { i64::MIN } else { i64::MAX })
        });
        let used = key.filter(|_| refusal == Refusal::MomentUsed);
        let repeats = used.and_then(|key| self.accepted.get(&(key, said.moment)));
        let repeats = repeats.copied();
        let fault = SignedFault { refusal, key, ahead, repeats, named: said.admit };
        let named =
            all().find(|&door| said.door == Digest::of_door(doors.door(door).name.as_bytes()));
        (fault, named.map_or_else(|| all().collect(), |door| vec![door]))
    }

    /// Looks for the key of a packet that was made at another time.
    fn search(
        &mut self,
        payload: &[u8; PACKET_BYTES],
        at: Timestamp,
        refusal: Refusal,
        signing: &Signing,
    ) -> Option<KeyNumber> {
        if refusal != Refusal::HintUnknown {
            return None;
        }
        let keys = u64::try_from(signing.keys().len()).unwrap_or(u64::MAX);
        let cost = keys.saturating_mul(HOURS.saturating_mul(120).saturating_add(1));
        self.hints_left = self.hints_left.checked_sub(cost)?;
        let keyring = self.keyring.get_or_insert_with(|| keyring(signing));
        let minute = Minute::of(at.as_nanos());
        let (place, _) = keyring.search(Hint::of(payload), minute, HOURS)?;
        u16::try_from(place).ok().map(KeyNumber)
    }
}

/// Who made a signed packet, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) key: KeyNumber,
    moment: Moment,
}

fn keyring(signing: &Signing) -> Keyring {
    Keyring::new(signing.keys().iter().map(|one| one.key.clone()).collect())
}

//! What signed packets say, and why others open nothing.

use std::collections::BTreeMap;

use knock_engine::{
    DoorId, Doors, Event, KeyNumber, Listening, NotSigned, Seconds, Signing, Timestamp,
};
use knock_signed::{Digest, Hint, Keyring, Minute, Moment, PACKET_BYTES, PacketKey, Refusal};

use super::explanation::SignedFault;
use crate::session::names::PacketId;

/// How far a clock may be wrong to be found, in minutes, and how many minutes of packets the same hints serve.
const NEAR_MAX: u64 = 24 * 60;
const MARGIN: u64 = 60;

/// How many hints are kept. With more keys than 333, clocks are found that are less wrong.
const HINTS_MAX: u64 = 1_000_000;

/// How many hints may be made for the search: some seconds of work.
const WORK_MAX: u64 = 5_000_000;

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
    /// Finds the keys of packets that clocks have made that are wrong.
    wide: Option<Keyring>,
    accepted: BTreeMap<(KeyNumber, Moment), PacketId>,
    /// How many hints may still be made for the search.
    hints_left: u64,
}

impl SignedPackets {
    pub(super) fn new() -> Self {
        Self {
            payload: None,
            is_too_short_or_long: false,
            is_told: false,
            keyring: None,
            wide: None,
            accepted: BTreeMap::new(),
            hints_left: WORK_MAX,
        }
    }

    /// Takes the packet that comes next, if it may be a signed one.
    pub(super) fn look_at(&mut self, event: &Event, doors: &Doors, listening: &Listening) {
        self.look_away();
        if event.packet().is_some_and(|packet| doors.hears_signed(listening, packet)) {
            let Event::SignedPacket(_, payload) = event else {
                self.is_too_short_or_long = true;
                return;
            };
            self.payload = Some(**payload);
        }
    }

    /// Returns whether the packet goes to where signed packets do.
    pub(super) const fn is_meant(&self) -> bool {
        self.payload.is_some() || self.is_too_short_or_long
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
        let asks_for = said.seconds.and_then(|seconds| Seconds::new(seconds.get()));
        is_for_it.then_some(Signer { key, moment: said.moment, asks_for })
    }

    /// A packet has opened a door.
    pub(super) fn accept(&mut self, Signer { key, moment, .. }: Signer, id: PacketId) {
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
        let near = near(signing);
        let wide = self.wide.get_or_insert_with(|| Keyring::wide(keys(signing), near, MARGIN));
        let minute = Minute::of(at.as_nanos());
        if !wide.is_ready_for(minute) {
            self.hints_left = self.hints_left.checked_sub(hints(signing, near))?;
        }
        let place = wide.find(Hint::of(payload), minute)?;
        u16::try_from(place).ok().map(KeyNumber)
    }
}

/// Returns how far a clock may be wrong to be found, in minutes.
fn near(signing: &Signing) -> u64 {
    let fits = |&near: &u64| hints(signing, near) <= HINTS_MAX;
    (0..=NEAR_MAX).rev().find(fits).unwrap_or(0)
}

/// Returns how many hints there are of all keys.
fn hints(signing: &Signing, near: u64) -> u64 {
    let keys = u64::try_from(signing.keys().len()).unwrap_or(u64::MAX);
    let minutes = near.saturating_add(MARGIN).saturating_mul(2).saturating_add(1);
    keys.saturating_mul(minutes)
}

/// Who made a signed packet, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signer {
    pub(super) key: KeyNumber,
    moment: Moment,
    /// How long the door is to be open, if the packet says so.
    pub(super) asks_for: Option<Seconds>,
}

fn keyring(signing: &Signing) -> Keyring {
    Keyring::new(keys(signing))
}

fn keys(signing: &Signing) -> Vec<PacketKey> {
    signing.keys().iter().map(|one| one.key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use knock_engine::{Port, User, UserKey};
    use knock_signed::Key;

    use super::*;

    #[test]
    fn clocks_are_found_that_are_a_day_wrong_or_an_hour_with_thousands_of_keys() {
        for (count, expected) in [(0, 1_440), (1, 1_440), (333, 1_440), (1_000, 439), (4_096, 61)] {
            let user = |number: usize| {
                let mut bytes = [0; 32];
                bytes[..8].copy_from_slice(&number.to_be_bytes());
                let key = Key::take(&mut bytes).for_packets();
                UserKey { user: User::new(b"alice"), key, doors: vec![], until: None }
            };
            let keys = (0..count).map(user).collect();
            let skew = Signing::SKEW_DEFAULT;
            let signing = Signing::new(Port(62_201), b"home", skew, keys).unwrap();
            assert_eq!(near(&signing), expected, "{count} keys");
        }
    }
}

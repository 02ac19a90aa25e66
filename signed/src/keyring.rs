//! All keys of a server.

use alloc::vec::Vec;

use crate::hint_table::{HintTable, Made};
use crate::packet::{PACKET_BYTES, Packet};
use crate::packet_key::{Hint, PacketKey};
use crate::refusal::Refusal;
use crate::time::Minute;

/// A packet whose hint is of this many minutes before or after it came is still known.
const NEAR: u64 = 1;

/// How many minutes the packets may move before hints of other minutes are made. So packets whose times jump
/// about at the end of a minute cost nothing.
const MARGIN: u64 = 1;

/// All keys of a server, each with its place, from 0.
///
/// A packet with an unknown hint costs one look into a table, and takes no memory.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Vec<PacketKey>,
    near: u64,
    margin: u64,
    /// The hints of all keys around the centre: of as many minutes before and after it as packets may be off and move.
    hints: HintTable,
    centre: Option<Minute>,
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// The place of the key whose hint it has.
    pub key: Option<usize>,
    /// What is wrong with it.
    pub refusal: Refusal,
}

impl Keyring {
    /// Takes keys. Of two equal ones the first counts.
    #[must_use]
    pub fn new(keys: Vec<PacketKey>) -> Self {
        Self::wide(keys, NEAR, MARGIN)
    }

    /// Takes keys to find those of packets whose hints are of up to `near` minutes before or after they came: what the
    /// clock of a client was. For each key it takes memory for the hints of `near` and `margin` minutes, on both sides; they
    /// are made again when packets come more than `margin` minutes from where they came then.
    #[must_use]
    pub fn wide(keys: Vec<PacketKey>, near: u64, margin: u64) -> Self {
        let minutes = near.saturating_add(margin).saturating_mul(2).saturating_add(1);
        let minutes = usize::try_from(minutes).unwrap_or(usize::MAX);
        let hints = HintTable::new(keys.len().saturating_mul(minutes));
        Self { keys, near, margin, hints, centre: None }
    }

    /// Returns the keys.
    #[must_use]
    pub fn keys(&self) -> &[PacketKey] {
        &self.keys
    }

    /// Opens a packet that came at a time in nanoseconds since 1970. Returns the place of its key, too.
    ///
    /// # Errors
    /// The first refusal from [`Refusal::Length`] to [`Refusal::Field`] that applies.
    pub fn open(&mut self, payload: &[u8], at: i64) -> Result<(usize, Packet), Unopened> {
        let without_key = |refusal| Unopened { key: None, refusal };
        let Ok(packet) = <&[u8; PACKET_BYTES]>::try_from(payload) else {
            return Err(without_key(Refusal::Length));
        };
        let found = self.find(Hint::of(packet), Minute::of(at));
        let found = found.and_then(|place| Some((place, self.keys.get(place)?)));
        let (place, key) = found.ok_or(without_key(Refusal::HintUnknown))?;
        match key.open(packet) {
            Ok(packet) => Ok((place, packet)),
            Err(refusal) => Err(Unopened { key: Some(place), refusal }),
        }
    }

    /// Returns the place of the key that has a hint near this minute.
    pub fn find(&mut self, hint: Hint, at: Minute) -> Option<usize> {
        if !self.is_ready_for(at) {
            self.fill(at);
        }
        let made = self.hints.get(hint)?;
        made.minute.is_within(self.near, at).then_some(made.key)
    }

    /// Returns whether no hints have to be made to find a key of a packet that came in this minute.
    #[must_use]
    pub fn is_ready_for(&self, at: Minute) -> bool {
        self.centre.is_some_and(|centre| centre.is_within(self.margin, at))
    }

    fn fill(&mut self, centre: Minute) {
        self.hints.clear();
        for (place, key) in self.keys.iter().enumerate() {
            for minute in centre.around(self.near.saturating_add(self.margin)) {
                self.hints.insert(key.hint(minute), Made { key: place, minute });
            }
        }
        self.centre = Some(centre);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::digest::Digest;
    use crate::key::Key;
    use crate::packet::Verb;
    use crate::time::Moment;

    const MINUTE: u64 = 60_000_000_000;

    fn keyring() -> Keyring {
        Keyring::new((0..3).map(|byte| Key::take(&mut [byte; 32]).for_packets()).collect())
    }

    fn packet(minute: u64) -> Packet {
        Packet {
            verb: Verb::Open,
            prefix: None,
            seconds: None,
            moment: Moment(minute.saturating_mul(MINUTE).saturating_add(5)),
            admit: None,
            server: Digest::of_server(b"home.example.com"),
            door: Digest::of_door(b"SSH"),
        }
    }

    fn nanos(minute: u64) -> i64 {
        i64::try_from(minute.saturating_mul(MINUTE)).unwrap().saturating_add(7)
    }

    #[test]
    fn a_packet_is_opened_with_the_key_that_made_it() {
        let mut keyring = keyring();
        for place in [2, 0, 1] {
            let sealed = keyring.keys()[place].seal(&packet(100), &[1; 24]);
            assert_eq!(keyring.open(&sealed, nanos(100)), Ok((place, packet(100))));
        }
    }

    #[test]
    fn every_refusal_has_its_name_and_its_key() {
        let mut keyring = keyring();
        let sealed = keyring.keys()[1].seal(&packet(100), &[1; 24]);
        let mut open = |payload: &[u8], minute| keyring.open(payload, nanos(minute)).unwrap_err();
        let unknown = Unopened { key: None, refusal: Refusal::HintUnknown };
        let length = Unopened { key: None, refusal: Refusal::Length };
        assert_eq!(open(&sealed[1..], 100), length);
        assert_eq!(open(&[], 100), length);
        assert_eq!(open(&[0; 112], 100), unknown);
        assert_eq!(open(&sealed, 102), unknown);
        let mut forged = sealed;
        forged[111] ^= 1;
        assert_eq!(open(&forged, 100), Unopened { key: Some(1), refusal: Refusal::Forged });
    }

    #[test]
    fn of_two_equal_keys_the_first_counts() {
        let keys = keyring().keys().to_vec();
        let mut twice = Keyring::new([keys.clone(), keys].concat());
        let sealed = twice.keys()[4].seal(&packet(9), &[1; 24]);
        assert_eq!(twice.open(&sealed, nanos(9)).map(|(place, _)| place), Ok(1));
    }

    #[test]
    fn a_keyring_without_keys_knows_no_packet() {
        let mut none = Keyring::new(vec![]);
        let refusal = none.open(&[0; 112], 0).map_err(|unopened| unopened.refusal);
        assert_eq!(refusal, Err(Refusal::HintUnknown));
        assert_eq!(none.find(Hint([0; 8]), Minute(5)), None);
    }

    #[test]
    fn a_wrong_clock_is_found_and_hints_are_made_once_for_many_packets() {
        let mut wide = Keyring::wide(keyring().keys().to_vec(), 300, 60);
        for (made, came, found, is_ready) in [
            (1_000, 1_000, true, false),
            (700, 1_000, true, true),
            (1_300, 1_000, true, true),
            (1_301, 1_000, false, true),
            (1_360, 1_060, true, true),
            (640, 940, true, true),
            (761, 1_061, true, false),
        ] {
            assert_eq!(wide.is_ready_for(Minute(came)), is_ready, "{came}");
            let hint = wide.keys()[2].hint(Minute(made));
            assert_eq!(wide.find(hint, Minute(came)), found.then_some(2), "{made} at {came}");
            assert!(wide.is_ready_for(Minute(came)));
        }
    }

    proptest! {
        /// Whatever came before, a hint is known in its minute and the ones beside it, and only then.
        #[test]
        fn a_hint_is_known_for_three_minutes(
            tries in prop::collection::vec((0..3_usize, 0..12_u64, 0..12_u64), 1..40),
        ) {
            let mut keyring = keyring();
            for (place, made, came) in tries {
                let hint = keyring.keys()[place].hint(Minute(made));
                let expected = (made.abs_diff(came) <= 1).then_some(place);
                prop_assert_eq!(keyring.find(hint, Minute(came)), expected);
            }
        }
    }
}

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

/// How many minutes before and after its centre the table has, and how many that are in all.
const REACH: u64 = NEAR.saturating_add(MARGIN);
const MINUTES: usize = 5;
const _: () = assert!(REACH == 2, "two before the centre, and two after it");

/// All keys of a server, each with its place, from 0.
///
/// A packet with an unknown hint costs one look into a table, and takes no memory.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Vec<PacketKey>,
    /// The hints of all keys around the centre.
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
        let hints = HintTable::new(keys.len().saturating_mul(MINUTES));
        Self { keys, hints, centre: None }
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

    /// Returns the place of the key that has a hint in this minute, or the one before or after it.
    pub fn find(&mut self, hint: Hint, at: Minute) -> Option<usize> {
        if !self.centre.is_some_and(|centre| centre.is_within(MARGIN, at)) {
            self.fill(at);
        }
        let made = self.hints.get(hint)?;
        made.minute.is_within(NEAR, at).then_some(made.key)
    }

    /// Searches the hints of all minutes up to some hours before and after, the nearest first: what the clock of a
    /// client was when it made a packet. It takes much time, and is not for packets as they come.
    #[must_use]
    pub fn search(&self, hint: Hint, around: Minute, hours: u64) -> Option<(usize, Minute)> {
        around.around(hours.saturating_mul(60)).find_map(|minute| {
            let place = self.keys.iter().position(|key| key.hint(minute) == hint)?;
            Some((place, minute))
        })
    }

    fn fill(&mut self, centre: Minute) {
        self.hints.clear();
        for (place, key) in self.keys.iter().enumerate() {
            for minute in centre.around(REACH) {
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
        assert_eq!(none.search(Hint([0; 8]), Minute(5), 1), None);
    }

    #[test]
    fn a_wrong_clock_is_found() {
        let keyring = keyring();
        for (made, found) in [(1_000, true), (700, true), (2_440, true), (2_441, false)] {
            let hint = keyring.keys()[2].hint(Minute(made));
            let expected = found.then_some((2, Minute(made)));
            assert_eq!(keyring.search(hint, Minute(1_000), 24), expected);
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

//! The packets of scenarios that are signed.

use std::collections::HashMap;
use std::time::Duration;

use knock_signed::{KeyId, Moment, PACKET_BYTES, Packet};

use super::statement::{Signed, Signer, Skew};

/// Signs packets, the same ones in every run. As a client does, it uses no moment of a key twice.
#[derive(Debug)]
pub(super) struct Sealer {
    /// When the scenario starts, since 1970.
    start: Duration,
    /// The moments that are used, each with a later one: all between them are used, too.
    used: HashMap<(KeyId, u64), u64>,
}

impl Sealer {
    pub(super) fn new(start: Duration) -> Self {
        Self { start, used: HashMap::new() }
    }

    /// Returns the packet of a line that is sent at a time; `None` if the client's clock cannot show its time.
    pub(super) fn seal(
        &mut self,
        line: &Signed<'_>,
        signer: Signer<'_>,
        at: Duration,
    ) -> Option<[u8; PACKET_BYTES]> {
        let Signer { key, server, port: _ } = signer;
        let at = self.start.saturating_add(at);
        let moment = match line.skew {
            Skew::None => at,
            Skew::Ahead(by) => at.saturating_add(by),
            Skew::Behind(by) => at.checked_sub(by)?,
        };
        let moment = self.unused(key.id(), u64::try_from(moment.as_nanos()).ok()?)?;
        Some(key.seal_again(&Packet {
            verb: line.verb,
            prefix: None,
            seconds: line.seconds,
            moment: Moment(moment),
            admit: line.admit,
            server: line.server.unwrap_or(server),
            door: line.door,
        }))
    }

    /// Uses the first moment that is not used before, from this one on.
    fn unused(&mut self, key: KeyId, moment: u64) -> Option<u64> {
        let mut free = moment;
        while let Some(&later) = self.used.get(&(key, free)) {
            free = later;
        }
        let later = free.checked_add(1)?;
        // The next search for any of these goes on from there, so many packets of one time take no longer.
        let mut passed = Some(moment).filter(|moment| *moment != free);
        while let Some(moment) = passed {
            passed = self.used.insert((key, moment), later).filter(|next| *next != free);
        }
        self.used.insert((key, free), later);
        Some(free)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_moment_is_used_twice_and_the_first_free_one_is_taken() {
        let mut sealer = Sealer::new(Duration::ZERO);
        let [alice, bob] = [KeyId([1; 8]), KeyId([2; 8])];
        let mut moments = |key, moments: &[u64]| -> Vec<u64> {
            moments.iter().map(|moment| sealer.unused(key, *moment).unwrap()).collect()
        };
        assert_eq!(moments(alice, &[5, 5, 7, 5, 6, 5]), [5, 6, 7, 8, 9, 10]);
        assert_eq!(moments(bob, &[5]), [5]);
        assert_eq!(sealer.unused(bob, u64::MAX), None);
    }

    #[test]
    fn many_packets_of_one_time_are_soon_made() {
        let mut sealer = Sealer::new(Duration::ZERO);
        // Going through all moments each time would take minutes.
        let last = (0..100_000).map(|_| sealer.unused(KeyId([1; 8]), 7)).last().flatten();
        assert_eq!(last, Some(100_006));
    }
}

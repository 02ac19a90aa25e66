//! How fast packets come, and whether this process should be woken by each.

use std::time::Duration;

use knock_engine::Timestamp;

/// How long packets are counted.
const WINDOW: Duration = Duration::from_millis(1);

/// How many packets in that time are a flood: 32,000 a second. Below, each may wake this process.
const FLOOD: usize = 32;

/// How long this process does not wait for packets during a flood. To be woken and to wait again takes ten times
/// as long as to handle a packet. An honest knock is delayed by no more than this, and the ring has room for
/// far more packets than come meanwhile.
const PAUSE: Duration = Duration::from_micros(100);

/// Counts packets.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// When counting began.
    since: Timestamp,
    count: usize,
    is_flood: bool,
    /// Whether more packets were there than could be read at a time.
    is_behind: bool,
}

impl Arrivals {
    /// Notes how many packets were read at a time, also none, and whether more are there.
    pub(super) fn add(&mut self, now: Timestamp, count: usize, is_behind: bool) {
        if now.since(self.since) >= WINDOW {
            self.is_flood = self.count >= FLOOD;
            (self.since, self.count) = (now, 0);
        }
        self.count = self.count.saturating_add(count);
        self.is_behind = is_behind;
    }

    /// Returns how long to leave packets where they are, so that several are read together.
    pub(super) fn pause(&self) -> Option<Duration> {
        (self.is_flood && !self.is_behind).then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_nanos(micros.saturating_mul(1_000))
    }

    #[test]
    fn it_is_a_flood_while_many_packets_come_in_a_millisecond() {
        let mut arrivals = Arrivals::default();
        arrivals.add(at(5_000), 1, false);
        for micros in 0..31 {
            arrivals.add(at(5_001 + micros), 1, false);
        }
        assert_eq!(arrivals.pause(), None);
        // The millisecond is over.
        arrivals.add(at(6_000), 1, false);
        assert_eq!(arrivals.pause(), Some(PAUSE));
        // There is enough to do.
        arrivals.add(at(6_001), 1, true);
        assert_eq!(arrivals.pause(), None);
        arrivals.add(at(6_999), 29, false);
        assert_eq!(arrivals.pause(), Some(PAUSE));
        arrivals.add(at(7_000), 0, false);
        assert_eq!(arrivals.pause(), None);
    }

    #[test]
    fn a_knock_is_no_flood() {
        let mut arrivals = Arrivals::default();
        for second in 0..100 {
            arrivals.add(at(second * 1_000_000), 31, false);
            arrivals.add(at(second * 1_000_000 + 999), 0, false);
            assert_eq!(arrivals.pause(), None);
        }
    }
}

//! A steady timeline, even if the system clock is set.

use knock_engine::Timestamp;
use nix::time::{ClockId, clock_gettime};

/// The smallest jump between two readings that means that the clock was set, in nanoseconds: 0.1 s.
/// Smaller differences come from gradual corrections, as by NTP.
const STEP: i64 = 100_000_000;

/// A reading of the system's clocks, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    /// The time of day, with which packets are stamped. It can be set.
    wall: i64,
    /// The time since the machine was started. It cannot be set.
    boot: i64,
}

impl Clocks {
    /// Reads the clocks.
    pub(crate) fn look() -> Self {
        let nanos = |clock| {
            clock_gettime(clock).map_or(0, |time| {
                time.tv_sec().saturating_mul(1_000_000_000).saturating_add(time.tv_nsec())
            })
        };
        Self { wall: nanos(ClockId::CLOCK_REALTIME), boot: nanos(ClockId::CLOCK_BOOTTIME) }
    }
}

/// The time of day at the start, running steadily from there on.
///
/// Packets are stamped with the time of day. If the clock is set back while an attempt is under way, its
/// timeout must not come later, and if it is set forward, not earlier.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// How far the time of day was ahead of the steady clock at the last reading.
    ahead: i64,
    /// What to add to a time of day to get a time of the timeline.
    correction: i64,
    /// The time of the last reading.
    now: Timestamp,
}

impl Timeline {
    pub(crate) fn new(clocks: Clocks) -> Self {
        let Clocks { wall, boot } = clocks;
        Self { ahead: wall.saturating_sub(boot), correction: 0, now: Timestamp::from_nanos(wall) }
    }

    /// Returns the time of a reading.
    pub(crate) fn now(&mut self, clocks: Clocks) -> Timestamp {
        let Clocks { wall, boot } = clocks;
        let ahead = wall.saturating_sub(boot);
        let jump = ahead.saturating_sub(self.ahead);
        if jump.saturating_abs() >= STEP {
            self.correction = self.correction.saturating_sub(jump);
        }
        self.ahead = ahead;
        self.now = self.now.max(self.at(wall));
        self.now
    }

    /// Returns the time of a packet with this stamp, in nanoseconds. A stamp from before the clock was
    /// set back may be in the future; the packet then counts as one of the present time.
    pub(crate) fn packet(&mut self, stamp: i64, look: impl FnOnce() -> Clocks) -> Timestamp {
        let at = self.at(stamp);
        if at <= self.now {
            return at;
        }
        let now = self.now(look());
        self.at(stamp).min(now)
    }

    /// Returns how far the time of day is ahead of the timeline, in nanoseconds.
    pub(crate) const fn day_ahead(&self) -> i64 {
        self.correction.saturating_neg()
    }

    fn at(&self, wall: i64) -> Timestamp {
        Timestamp::from_nanos(wall.saturating_add(self.correction))
    }
}

/// Returns how long it is from one time to a later one; zero if it is not later.
pub(crate) fn wait(from: Timestamp, to: Timestamp) -> std::time::Duration {
    let nanos = to.as_nanos().saturating_sub(from.as_nanos());
    std::time::Duration::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

/// Returns the time a number of nanoseconds before another.
pub(crate) fn before(at: Timestamp, nanos: i64) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_sub(nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const DAY: i64 = 86_400 * SECOND;
    /// Some time of day.
    const NOON: i64 = 20_000 * DAY;

    fn clocks(wall: i64, boot: i64) -> Clocks {
        Clocks { wall, boot }
    }

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn the_timeline_is_the_time_of_day_unless_the_clock_is_set() {
        let mut timeline = Timeline::new(clocks(NOON, SECOND));
        assert_eq!(timeline.now(clocks(NOON + SECOND, 2 * SECOND)), at(NOON + SECOND));
        let slewed = NOON + 2 * SECOND + STEP - 1;
        assert_eq!(timeline.now(clocks(slewed, 3 * SECOND)), at(slewed));
        assert_eq!(timeline.packet(slewed - 7, || unreachable!()), at(slewed - 7));
    }

    #[test]
    fn a_clock_that_is_set_changes_no_interval() {
        for step in [-DAY, -STEP, STEP, DAY] {
            let mut timeline = Timeline::new(clocks(NOON, SECOND));
            let set = clocks(NOON + step + SECOND, 2 * SECOND);
            assert_eq!(timeline.now(set), at(NOON + SECOND), "{step}");
            // A packet from after the step.
            let stamp = NOON + step + SECOND;
            assert_eq!(timeline.packet(stamp, || set), at(NOON + SECOND), "{step}");
        }
    }

    #[test]
    fn a_packet_from_before_the_clock_was_set_back_is_not_in_the_future() {
        let mut timeline = Timeline::new(clocks(NOON, SECOND));
        let set = clocks(NOON - DAY + SECOND, 2 * SECOND);
        timeline.now(set);
        assert_eq!(timeline.packet(NOON + 7, || set), at(NOON + SECOND));
    }

    #[test]
    fn a_packet_that_came_after_the_last_reading_has_its_own_time() {
        let mut timeline = Timeline::new(clocks(NOON, SECOND));
        let later = clocks(NOON + 9, SECOND + 9);
        assert_eq!(timeline.packet(NOON + 7, || later), at(NOON + 7));
    }

    #[test]
    fn time_never_runs_backwards() {
        let mut timeline = Timeline::new(clocks(NOON, SECOND));
        assert_eq!(timeline.now(clocks(NOON - 9, SECOND)), at(NOON));
    }

    #[test]
    fn a_wait_for_a_time_in_the_past_is_zero() {
        assert_eq!(wait(at(7), at(5)), std::time::Duration::ZERO);
        assert_eq!(wait(at(5), at(7)), std::time::Duration::from_nanos(2));
        assert_eq!(before(at(7), 5), at(2));
    }
}

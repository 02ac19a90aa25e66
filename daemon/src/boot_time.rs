//! Points in time that neither a clock that is set nor a suspend of the machine moves.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{self, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::{ClockId, clock_gettime};

/// A point in time, as the time since the machine was started. The time of a suspend counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(Duration);

impl BootTime {
    /// Returns the present time.
    pub(crate) fn now() -> Self {
        // Every Linux that this program runs on has the clock.
        Self(clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from))
    }

    /// Returns the time that comes a while after this one.
    pub(crate) const fn after(self, while_: Duration) -> Self {
        Self(self.0.saturating_add(while_))
    }

    /// Returns the time that came a while after the machine was started, and is no later than now.
    pub(crate) fn past(since_boot: Duration) -> Self {
        Self(since_boot).min(Self::now())
    }

    /// Returns the time since the machine was started.
    pub(crate) const fn since_boot(self) -> Duration {
        self.0
    }

    /// Returns how long it is until this time; zero if it has passed.
    pub(crate) fn left(self) -> Duration {
        self.0.saturating_sub(Self::now().0)
    }
}

/// A descriptor that can be read from a given time on. A timeout of `poll` would come late after a
/// suspend.
pub(crate) struct Alarm {
    timer: TimerFd,
    at: Option<BootTime>,
}

impl Alarm {
    pub(crate) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let timer = TimerFd::new(timerfd::ClockId::CLOCK_BOOTTIME, flags)?;
        Ok(Self { timer, at: None })
    }

    /// Sets the time.
    pub(crate) fn set(&mut self, at: Option<BootTime>) -> io::Result<()> {
        if at == self.at {
            return Ok(());
        }
        match at {
            // A time of zero would mean never.
            Some(BootTime(at)) => self.timer.set(
                Expiration::OneShot(TimeSpec::from_duration(at.max(Duration::from_nanos(1)))),
                TimerSetTimeFlags::TFD_TIMER_ABSTIME,
            )?,
            None => self.timer.unset()?,
        }
        self.at = at;
        Ok(())
    }
}

impl AsFd for Alarm {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

    use super::*;

    fn rings(alarm: &Alarm, timeout: PollTimeout) -> bool {
        poll(&mut [PollFd::new(alarm.as_fd(), PollFlags::POLLIN)], timeout).unwrap() > 0
    }

    #[test]
    fn an_alarm_rings_at_its_time_and_until_it_is_set_again() {
        let mut alarm = Alarm::new().unwrap();
        assert!(!rings(&alarm, PollTimeout::ZERO));
        let (begin, wait) = (Instant::now(), Duration::from_millis(50));
        alarm.set(Some(BootTime::now().after(wait))).unwrap();
        assert!(rings(&alarm, PollTimeout::NONE));
        assert!(begin.elapsed() >= wait);
        assert!(rings(&alarm, PollTimeout::ZERO));
        alarm.set(Some(BootTime::now().after(Duration::from_hours(1)))).unwrap();
        assert!(!rings(&alarm, PollTimeout::ZERO));
        alarm.set(Some(BootTime::now())).unwrap();
        assert!(rings(&alarm, PollTimeout::NONE));
        alarm.set(None).unwrap();
        assert!(!rings(&alarm, PollTimeout::ZERO));
    }

    #[test]
    fn a_time_that_has_passed_is_no_time_away() {
        let now = BootTime::now();
        assert_eq!(now.left(), Duration::ZERO);
        assert!(now.after(Duration::from_secs(5)).left() > Duration::from_secs(1));
        assert!(now.after(Duration::MAX) > now);
    }
}

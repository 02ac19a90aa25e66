//! The clocks by which leases are due, also after this process.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

use crate::lease_record::{Due, Place};

/// The clocks of this machine.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    place: Place,
}

impl Clock {
    /// Finds out where this process runs.
    pub(super) fn new() -> Self {
        // Without /proc, nothing is known about the place: then it is the same at every start.
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let network = fs::metadata("/proc/self/ns/net").map_or(0, |file| file.ino());
        Self { place: Place::new(boot.trim(), network) }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the present moment.
    pub(super) fn now(&self) -> Due {
        // The clock exists since Linux 2.6.39.
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Into::into);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Due { place: self.place.clone(), since_boot, wall }
    }
}

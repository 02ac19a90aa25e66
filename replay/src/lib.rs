//! Replays packet captures against a `knockd.conf` and prints the transcript.

pub mod capture;
pub mod report;
pub mod setup;

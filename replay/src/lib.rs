//! Replays packet captures against a `knockd.conf` and prints the transcript.

//! The state of the daemon in the text format of Prometheus.

use std::fmt::Write as _;

use knock_control::{DaemonState, Status};

/// Returns all numbers.
pub(crate) fn text(status: &Status) -> String {
    let mut text = String::new();
    let mut gauge = |name: &str, help: &str, value: u64| {
        let _ = writeln!(text, "# HELP knockd_{name} {help}");
        let _ = writeln!(text, "# TYPE knockd_{name} gauge");
        let _ = writeln!(text, "knockd_{name} {value}");
    };
    let listens = u64::from(status.state == DaemonState::Listening);
    gauge("listening", "Whether knockd listens.", listens);
    gauge("doors", "Configured doors.", status.doors);
    gauge("open_doors", "Open doors that knockd will close.", status.open);
    gauge("commands", "Commands that run or wait.", status.commands);
    gauge(
        "uptime_seconds",
        "Seconds since the start.",
        status.uptime.checked_div(1_000).unwrap_or(0),
    );
    for (name, value) in &status.counters {
        // Names are words with underscores. What is anything else is left out: this is another version.
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            continue;
        }
        let words = name.replace('_', " ");
        let _ = writeln!(text, "# HELP knockd_{name}_total Total of {words} since the start.");
        let _ = writeln!(text, "# TYPE knockd_{name}_total counter");
        let _ = writeln!(text, "knockd_{name}_total {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_type() {
        let counters = [("openings", 3), ("Bad name", 1), ("lost_packets", 0)];
        let status = Status {
            version: "1".to_owned(),
            pid: 7,
            state: DaemonState::Listening,
            uptime: 61_500,
            interfaces: vec!["lo".to_owned()],
            doors: 2,
            open: 1,
            commands: 0,
            counters: counters.map(|(name, count)| (name.to_owned(), count)).into(),
        };
        let text = text(&status);
        for expected in [
            "# TYPE knockd_listening gauge\nknockd_listening 1\n",
            "# TYPE knockd_open_doors gauge\nknockd_open_doors 1\n",
            "# TYPE knockd_uptime_seconds gauge\nknockd_uptime_seconds 61\n",
            "# HELP knockd_openings_total Total of openings since the start.\n\
             # TYPE knockd_openings_total counter\nknockd_openings_total 3\n",
            "knockd_lost_packets_total 0\n",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        assert!(!text.contains("Bad"), "{text}");
    }
}

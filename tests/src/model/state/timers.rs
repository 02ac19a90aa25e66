//! Commands, timers, and the lines.

use std::net::IpAddr;

use super::{Attempt, ModelState, Running};
use crate::model::{Door, Line, text};

impl ModelState {
    // ---- commands

    pub(super) fn run(
        &mut self,
        at_ns: i64,
        client: IpAddr,
        door: usize,
        command: &[u8],
        is_start: bool,
    ) {
        let text = text::command(command, client);
        let line = [&self.doors[door].name, &b": running command: "[..], &text].concat();
        self.out.lines.push(Line { at_ns, text: line });
        self.running.push(Running { number: self.commands_run, client, door, is_start });
        self.commands_run += 1;
    }

    /// Ends running commands, if commands end at once: in order, and after everything that is due by
    /// then.
    pub(super) fn end_commands_at_once(&mut self, at_ns: i64) {
        while self.answers_at_once && !self.running.is_empty() {
            let first = self.running[0].number;
            while self.fire(at_ns).is_some() {}
            self.end_command(at_ns, first);
        }
    }

    // ---- what time does

    /// Fires every timer due at or before now: by due time, ties in order of creation.
    pub(super) fn fire_what_is_due(&mut self) {
        while let Some(due_ns) = self.fire(self.now_ns) {
            self.end_commands_at_once(due_ns);
        }
    }

    /// Fires the first timer that is due by then. Returns when it was due.
    fn fire(&mut self, until_ns: i64) -> Option<i64> {
        let of_attempts = self.attempts.iter().map(|a| (a.due_ns, a.created));
        let of_leases = self.owed.iter().filter_map(|owed| owed.deadline);
        let admitted = self.admitted.iter().map(|one| one.due);
        let (due_ns, created) = of_attempts.chain(of_leases).chain(admitted).min()?;
        if due_ns > until_ns {
            return None;
        }
        if let Some(at) = self.attempts.iter().position(|a| a.created == created) {
            let Attempt { client, door, stage, last_knock, .. } = self.attempts.remove(at);
            // The first knock has been remembered for `seq_timeout` by now.
            if stage > 1 {
                self.remember_from(due_ns, door, last_knock);
            }
            self.out.counts.timed_out += 1;
            let text = format!("sequence timeout (stage {stage})");
            self.push_line_at(due_ns, client, door, &text);
        }
        self.close((due_ns, created));
        self.end_admission((due_ns, created));
        Some(due_ns)
    }

    pub(super) fn next_timer(&mut self) -> u64 {
        self.timers_created += 1;
        self.timers_created
    }

    // ---- lines

    pub(super) fn push_line(&mut self, client: IpAddr, door: usize, text: &str) {
        self.push_line_at(self.now_ns, client, door, text);
    }

    pub(super) fn push_line_at(&mut self, at_ns: i64, client: IpAddr, door: usize, text: &str) {
        let client = text::address(client);
        let name = &self.doors[door].name;
        let line = [client.as_bytes(), b": ", name, b": ", text.as_bytes()].concat();
        self.out.lines.push(Line { at_ns, text: line });
    }
}

pub(super) fn start_command(door: &Door, client: IpAddr) -> Option<Vec<u8>> {
    for_family(client, door.start.as_ref(), door.start_6.as_ref())
}

pub(super) fn stop_command(door: &Door, client: IpAddr) -> Option<Vec<u8>> {
    for_family(client, door.stop.as_ref(), door.stop_6.as_ref())
}

fn for_family(client: IpAddr, any: Option<&Vec<u8>>, ipv6: Option<&Vec<u8>>) -> Option<Vec<u8>> {
    let chosen = match (client, ipv6) {
        (IpAddr::V6(_), Some(ipv6)) => Some(ipv6),
        (IpAddr::V4(_) | IpAddr::V6(_), _) => any,
    };
    chosen.filter(|command| !command.is_empty()).cloned()
}

pub(super) fn later(at_ns: i64, seconds: u32) -> i64 {
    at_ns.saturating_add(i64::from(seconds).saturating_mul(1_000_000_000))
}

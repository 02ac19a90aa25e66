//! Commands, timers, and the lines.

use std::net::IpAddr;

use super::{Attempt, House, Lease, Running};
use crate::model::{Door, Line, text};

impl House {
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

    /// Ends running commands, if commands end at once: in order, and after everything that is due by then.
    pub(super) fn end_commands_at_once(&mut self) {
        while self.ends_commands_at_once && !self.running.is_empty() {
            let first = self.running[0].number;
            self.fire_what_is_due();
            self.end_command(first);
        }
    }

    pub(super) fn end_command(&mut self, number: u64) {
        let at = self.running.iter().position(|running| running.number == number);
        let at = at.expect("only a command that runs can end");
        let Running { client, door, is_start, .. } = self.running.remove(at);
        if is_start && stop_command(&self.doors[door], client).is_some() {
            let due_ns = later(self.now_ns, self.doors[door].cmd_timeout_s);
            let created = self.next_timer();
            self.leases.push(Lease { created, due_ns, client, door });
        }
    }

    // ---- what time does

    /// Fires every timer due at or before now: by due time, ties in order of creation.
    pub(super) fn fire_what_is_due(&mut self) {
        loop {
            let of_attempts = self.attempts.iter().map(|a| (a.due_ns, a.created));
            let of_leases = self.leases.iter().map(|l| (l.due_ns, l.created));
            let Some((due_ns, created)) = of_attempts.chain(of_leases).min() else { return };
            if due_ns > self.now_ns {
                return;
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
            if let Some(at) = self.leases.iter().position(|l| l.created == created) {
                let Lease { client, door, .. } = self.leases.remove(at);
                let stop = stop_command(&self.doors[door], client).expect("a lease has one");
                self.push_line_at(due_ns, client, door, "command timeout");
                self.run(due_ns, client, door, &stop, false);
            }
        }
    }

    pub(super) fn next_timer(&mut self) -> u64 {
        self.timers_created += 1;
        self.timers_created
    }

    // ---- lines

    pub(super) fn push_line(&mut self, client: IpAddr, door: usize, text: &str) {
        self.push_line_at(self.now_ns, client, door, text);
    }

    fn push_line_at(&mut self, at_ns: i64, client: IpAddr, door: usize, text: &str) {
        let client = text::address(client);
        let name = &self.doors[door].name;
        let line = [client.as_bytes(), b": ", name, b": ", text.as_bytes()].concat();
        self.out.lines.push(Line { at_ns, text: line });
    }
}

pub(super) fn start_command(door: &Door, client: IpAddr) -> Option<Vec<u8>> {
    for_family(client, door.start.as_ref(), door.start_6.as_ref())
}

fn stop_command(door: &Door, client: IpAddr) -> Option<Vec<u8>> {
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

//! The behaviour of knockd 0.8 as a naive program: the reference for the rule set `knockd-0.8`.
//!
//! It follows observations of the real program, bugs included, and shares no code with the engine. Times
//! are whole seconds. Between packets, only children act: they end their sleep and run their stop command.
//!
//! Where knockd 0.8 reads invalid memory, the model decides: a TCP header cut before its flags has none
//! set, and the use of the last one-time sequence ends the program. So does a filter that libpcap
//! refuses. The effects of a capture's link type are not modelled.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use crate::model::{Door, Knock, Packet, Protocol, Sequences, Setting, Transport, text};

/// One client part-way through one door's sequence.
#[derive(Clone)]
struct Attempt {
    client: IpAddr,
    /// The index of the door in the file.
    door: usize,
    /// How many knocks were made; `None` after a wrong one, until the next sweep.
    stage: Option<usize>,
    /// The second of the first knock.
    first_s: i64,
}

/// A child that sleeps before its stop command.
#[derive(Clone)]
struct Child {
    due_ns: i64,
    client: IpAddr,
    door: usize,
    stop: Vec<u8>,
}

/// The daemon and its children.
#[derive(Clone)]
pub struct Daemon {
    doors: Vec<Door>,
    /// The sequences in the filter's part for IPv6, by door: it never changes to later ones.
    filter_6: Vec<Vec<Knock>>,
    local: Option<Vec<IpAddr>>,
    ipv4_only: bool,
    /// Oldest first.
    attempts: Vec<Attempt>,
    /// The latest stamp seen.
    now_ns: i64,
    /// In order of birth.
    children: Vec<Child>,
    /// Whether a one-time sequence was the last of its file: then the daemon crashes.
    dead: bool,
    lines: Vec<Vec<u8>>,
}

impl Daemon {
    /// Makes a daemon that has heard nothing yet.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        Self {
            doors: setting.doors.iter().map(with_short_name).collect(),
            filter_6: setting.doors.iter().map(|door| knocks(door).to_vec()).collect(),
            local: setting.local.clone(),
            ipv4_only: setting.ipv4_only,
            attempts: Vec::new(),
            now_ns: i64::MIN,
            children: Vec::new(),
            dead: false,
            lines: Vec::new(),
        }
    }

    /// Returns the lines so far, without newlines.
    #[must_use]
    pub fn lines(&self) -> &[Vec<u8>] {
        &self.lines
    }

    /// Moves time forward: children that have slept enough run their stop commands.
    pub fn time(&mut self, at_ns: i64) {
        self.now_ns = self.now_ns.max(at_ns);
        let awake = |child: &Child| child.due_ns <= self.now_ns;
        let (mut awake, asleep): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.children).into_iter().partition(awake);
        self.children = asleep;
        awake.sort_by_key(|child| child.due_ns);
        for Child { client, door, stop, .. } in awake {
            self.push(client, door, "command timeout");
            self.push_command(client, door, &stop);
        }
    }

    /// Handles a packet.
    pub fn packet(&mut self, packet: &Packet) {
        self.time(packet.at_ns);
        if self.dead || !self.passes_filter(packet) {
            return;
        }
        let now_s = packet.at_ns.div_euclid(1_000_000_000);
        self.sweep(now_s);
        let known = |attempt: &Attempt| {
            attempt.client == packet.src && self.is_for(&self.doors[attempt.door], packet)
        };
        let mine: Vec<usize> =
            (0..self.attempts.len()).filter(|&at| known(&self.attempts[at])).collect();
        if mine.is_empty() {
            self.begin_attempts(packet, now_s);
        } else {
            for at in mine {
                self.continue_attempt(at, packet);
            }
        }
    }

    /// Replays packets in the order given.
    pub fn packets(&mut self, packets: &[Packet]) {
        for packet in packets {
            self.packet(packet);
        }
    }

    /// The filter has a part for each family of local addresses, and tests flags of that family.
    /// Without any local address there is no filter.
    fn passes_filter(&self, packet: &Packet) -> bool {
        let families = self.local_families();
        if families.is_empty() {
            return true;
        }
        let passes = |(door, known_6): (&Door, &Vec<Knock>), is_6: bool| {
            let known = if is_6 { known_6 } else { knocks(door) };
            let with_flags = match packet.transport {
                Transport::Udp => true,
                Transport::Tcp { flags, .. } => {
                    let tested = flags.is_some() && packet.dst.is_ipv6() == is_6;
                    asks_no_flags(door) || (tested && flags_satisfy(packet, door))
                }
            };
            let here = door.target.is_some() || packet.dst.is_ipv6() == is_6;
            here && self.is_for(door, packet) && known.contains(&packet.knock()) && with_flags
        };
        let mut doors = self.doors.iter().zip(&self.filter_6);
        doors.any(|door| families.iter().any(|&is_6| passes(door, is_6)))
    }

    /// libpcap refuses a filter that no packet can pass.
    fn is_filter_refused(&self) -> bool {
        let can_pass = |(door, known_6): (&Door, &Vec<Knock>), is_6: bool| {
            let known = if is_6 { known_6 } else { knocks(door) };
            door.target.is_none_or(|target| target.is_ipv6() == is_6)
                || asks_no_flags(door)
                || known.iter().any(|knock| knock.protocol == Protocol::Udp)
        };
        let families = self.local_families();
        let mut doors = self.doors.iter().zip(&self.filter_6);
        let any_passes = doors.any(|door| families.iter().any(|&is_6| can_pass(door, is_6)));
        !families.is_empty() && !any_passes
    }

    /// Whether each family of the local addresses is IPv6.
    fn local_families(&self) -> Vec<bool> {
        let has = |is_6: bool| match &self.local {
            Some(local) => local.iter().any(|address| address.is_ipv6() == is_6),
            None => true,
        };
        [false, true].into_iter().filter(|&is_6| has(is_6) && !(is_6 && self.ipv4_only)).collect()
    }

    fn is_for(&self, door: &Door, packet: &Packet) -> bool {
        match (door.target, &self.local) {
            (Some(target), _) => packet.dst == target,
            (None, _) if self.ipv4_only && packet.dst.is_ipv6() => false,
            (None, Some(local)) => local.contains(&packet.dst),
            (None, None) => true,
        }
    }

    /// Finished, failed and expired attempts leave the list; if the oldest is among them, all do.
    fn sweep(&mut self, now_s: i64) {
        let mut kept = Vec::new();
        let mut oldest_left = false;
        for (place, attempt) in std::mem::take(&mut self.attempts).into_iter().enumerate() {
            let door = &self.doors[attempt.door];
            let length = knocks(door).len();
            let running = attempt.stage.filter(|&stage| stage < length);
            let late = now_s - attempt.first_s >= i64::from(door.seq_timeout_s);
            if let (Some(stage), true) = (running, late) {
                let line = format!("sequence timeout (stage {stage})");
                self.push(attempt.client, attempt.door, &line);
            }
            if running.is_some() && !late {
                kept.push(attempt);
            } else if place == 0 {
                oldest_left = true;
            }
        }
        if !oldest_left {
            self.attempts = kept;
        }
    }

    fn continue_attempt(&mut self, at: usize, packet: &Packet) {
        if self.dead {
            return;
        }
        let Attempt { door, stage, .. } = self.attempts[at];
        let door = &self.doors[door];
        if !flags_satisfy(packet, door) {
            return;
        }
        let next = stage.and_then(|stage| knocks(door).get(stage));
        if next == Some(&packet.knock()) {
            self.advance(at);
        } else {
            self.attempts[at].stage = None;
        }
    }

    fn begin_attempts(&mut self, packet: &Packet, now_s: i64) {
        for at in 0..self.doors.len() {
            let door = &self.doors[at];
            let begins = !self.dead
                && knocks(door).first() == Some(&packet.knock())
                && flags_satisfy(packet, door)
                && self.is_for(door, packet);
            if begins {
                let attempt =
                    Attempt { client: packet.src, door: at, stage: Some(0), first_s: now_s };
                self.attempts.push(attempt);
                self.advance(self.attempts.len() - 1);
            }
        }
    }

    fn advance(&mut self, at: usize) {
        let Attempt { client, door, stage, .. } = self.attempts[at];
        let stage = stage.expect("a failed attempt does not advance") + 1;
        self.attempts[at].stage = Some(stage);
        self.push(client, door, &format!("Stage {stage}"));
        if stage < knocks(&self.doors[door]).len() {
            return;
        }
        self.push(client, door, "OPEN SESAME");
        self.run_commands(client, door);
        if let Sequences::OneTime(lines) = &mut self.doors[door].sequences {
            lines.remove(0);
            self.dead = lines.is_empty() || self.is_filter_refused();
        }
    }

    fn run_commands(&mut self, client: IpAddr, at: usize) {
        let door = &self.doors[at];
        let of = |any: &Option<Vec<u8>>, ipv6: &Option<Vec<u8>>| {
            if client.is_ipv6() { ipv6.as_ref().or(any.as_ref()).cloned() } else { any.clone() }
        };
        let (start, stop) = (of(&door.start, &door.start_6), of(&door.stop, &door.stop_6));
        let Some(start) = start.filter(|start| !start.is_empty()) else { return };
        let too_long = |command: &Vec<u8>| text::command(command, client).len() >= 4096;
        if too_long(&start) || stop.as_ref().is_some_and(too_long) {
            return;
        }
        self.push_command(client, at, &start);
        if let Some(stop) = stop {
            let due_ns = self.now_ns + i64::from(self.doors[at].cmd_timeout_s) * 1_000_000_000;
            self.children.push(Child { due_ns, client, door: at, stop });
        }
    }

    fn push(&mut self, client: IpAddr, door: usize, what: &str) {
        let client = text::address(client);
        let name = &self.doors[door].name;
        self.lines.push([client.as_bytes(), b": ", name, b": ", what.as_bytes()].concat());
    }

    fn push_command(&mut self, client: IpAddr, door: usize, command: &[u8]) {
        let command = text::command(command, client);
        let name = &self.doors[door].name;
        self.lines.push([name, &b": running command: "[..], &command].concat());
    }
}

/// Names are cut to 127 bytes.
fn with_short_name(door: &Door) -> Door {
    let mut door = door.clone();
    door.name.truncate(127);
    door
}

/// The sequence that opens a door now.
fn knocks(door: &Door) -> &[Knock] {
    door.sequences.current().unwrap_or_default()
}

fn asks_no_flags(door: &Door) -> bool {
    door.wanted == 0 && door.refused == 0
}

fn flags_satisfy(packet: &Packet, door: &Door) -> bool {
    match packet.transport {
        Transport::Udp => true,
        Transport::Tcp { flags, .. } => {
            let flags = flags.unwrap_or(0);
            flags & door.wanted == door.wanted && flags & door.refused == 0
        }
    }
}

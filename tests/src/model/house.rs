//! The house whose doors are knocked at: what is remembered, and what packets and time do to it.

use std::net::IpAddr;

use super::{Door, Knock, Line, Outcome, Packet, Place, SYN, Sequences, Setting, Transport, text};

/// What tells that a later packet is the same SYN sent again.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Syn {
    client: IpAddr,
    sport: u16,
    dport: u16,
    seq: u32,
}

impl Syn {
    fn of(packet: &Packet) -> Option<Self> {
        let Transport::Tcp { seq: Some(seq), flags: Some(flags) } = packet.transport else {
            return None;
        };
        if flags & SYN == 0 || seq == 0 {
            return None;
        }
        Some(Self { client: packet.src, sport: packet.sport, dport: packet.dport, seq })
    }
}

/// One client part-way through one door's sequence.
struct Attempt {
    /// Its place in the order in which timers were created.
    created: u64,
    due_ns: i64,
    client: IpAddr,
    door: usize,
    /// How many knocks are made.
    stage: usize,
    last_knock: Option<Syn>,
}

/// An opening whose last knock may still come again.
struct Opening {
    last_knock: Option<Syn>,
    forgotten_ns: i64,
}

/// A start command that has not ended.
struct Running {
    number: u64,
    client: IpAddr,
    door: usize,
}

/// An open door for one client that a stop command will close.
struct Lease {
    created: u64,
    due_ns: i64,
    client: IpAddr,
    door: usize,
}

/// What is told events one by one, in order of time, and remembers what they did.
///
/// Every event happens at a moment; one before the latest moment so far happens at that one.
pub struct House {
    /// Every door there ever was: attempts and leases name doors by their place here.
    doors: Vec<Door>,
    /// The doors of the configuration, in the order of the file.
    in_order: Vec<usize>,
    place: Place,
    now_ns: i64,
    timers_created: u64,
    commands_started: u64,
    /// In order of creation.
    attempts: Vec<Attempt>,
    openings: Vec<Opening>,
    running: Vec<Running>,
    leases: Vec<Lease>,
    out: Outcome,
}

impl House {
    /// Makes a house where nothing has happened yet.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        Self {
            doors: setting.doors.clone(),
            in_order: (0..setting.doors.len()).collect(),
            place: Place { local: setting.local.clone(), ipv4_only: setting.ipv4_only },
            now_ns: i64::MIN,
            timers_created: 0,
            commands_started: 0,
            attempts: Vec::new(),
            openings: Vec::new(),
            running: Vec::new(),
            leases: Vec::new(),
            out: Outcome::default(),
        }
    }

    /// Lets time run up to a moment.
    pub fn wait(&mut self, at_ns: i64) {
        self.now_ns = self.now_ns.max(at_ns);
        self.fire_what_is_due();
    }

    /// Hears a packet.
    pub fn packet(&mut self, packet: &Packet) {
        if packet.at_ns < self.now_ns {
            self.out.counts.backwards += 1;
        }
        self.wait(packet.at_ns);
        self.hear(packet);
    }

    /// Ends the start command of this number; they are numbered from 0 in the order of their lines.
    /// One that has ended does not end again.
    pub fn end_start_command(&mut self, at_ns: i64, number: u64) {
        self.wait(at_ns);
        let Some(at) = self.running.iter().position(|one| one.number == number) else { return };
        let Running { client, door, .. } = self.running.remove(at);
        if stop_command(&self.doors[door], client).is_some() {
            let due_ns = later(self.now_ns, self.doors[door].cmd_timeout_s);
            let created = self.next_timer();
            self.leases.push(Lease { created, due_ns, client, door });
        }
    }

    /// Ends all start commands that run, in the order in which they were started.
    pub fn end_start_commands(&mut self) {
        while let Some(first) = self.running.first() {
            self.end_start_command(self.now_ns, first.number);
        }
    }

    /// Has other local addresses from a moment on.
    pub fn move_to(&mut self, at_ns: i64, place: Place) {
        self.wait(at_ns);
        self.place = place;
    }

    /// Reads the configuration anew. A door that is the same as one before, with the sequences that
    /// are left, keeps its attempts; of equal doors the first is the same as the first. Commands and
    /// leases belong to the doors that they began with.
    pub fn reload(&mut self, at_ns: i64, doors: &[Door]) {
        self.wait(at_ns);
        let mut before = std::mem::take(&mut self.in_order);
        for door in doors {
            let id = match before.iter().position(|&id| self.doors[id] == *door) {
                Some(at) => before.remove(at),
                None => {
                    self.doors.push(door.clone());
                    self.doors.len() - 1
                }
            };
            self.in_order.push(id);
        }
        self.attempts.retain(|attempt| !before.contains(&attempt.door));
    }

    /// Returns when the next timer is due.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<i64> {
        let of_attempts = self.attempts.iter().map(|attempt| attempt.due_ns);
        of_attempts.chain(self.leases.iter().map(|lease| lease.due_ns)).min()
    }

    /// Returns how many attempts are live.
    #[must_use]
    pub fn live_attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Returns what has happened so far.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.out
    }

    /// Returns the doors of the configuration as they are now.
    #[must_use]
    pub fn doors(&self) -> Vec<Door> {
        self.in_order.iter().map(|&id| self.doors[id].clone()).collect()
    }

    // ---- admission

    fn admits(&self, packet: &Packet) -> bool {
        if self.place.ipv4_only && packet.dst.is_ipv6() {
            return false;
        }
        self.in_order.iter().map(|&id| &self.doors[id]).any(|door| {
            let named = door.sequences.current().is_some_and(|s| s.contains(&packet.knock()));
            self.belongs_to(packet, door) && named && flags_satisfy(packet, door)
        })
    }

    fn belongs_to(&self, packet: &Packet, door: &Door) -> bool {
        match (door.target, &self.place.local) {
            (Some(target), _) => packet.dst == target,
            (None, Some(local)) => local.contains(&packet.dst),
            (None, None) => true,
        }
    }

    fn attempt(&self, created: u64) -> &Attempt {
        let found = self.attempts.iter().find(|attempt| attempt.created == created);
        found.expect("a packet ends no attempt of its client but the one it is compared with")
    }

    // ---- what a packet does

    fn hear(&mut self, packet: &Packet) {
        if !self.admits(packet) {
            return;
        }
        self.out.counts.admitted += 1;
        if self.is_retransmission(packet) {
            self.out.counts.retransmissions += 1;
            return;
        }
        if !self.advance_attempts(packet) {
            self.start_attempts(packet);
        }
    }

    /// Rule 1.
    fn is_retransmission(&self, packet: &Packet) -> bool {
        let syn = Syn::of(packet);
        let again_in_attempt = self.attempts.iter().any(|attempt| attempt.last_knock == syn);
        let again_in_opening = self
            .openings
            .iter()
            .any(|opening| opening.last_knock == syn && self.now_ns < opening.forgotten_ns);
        syn.is_some() && (again_in_attempt || again_in_opening)
    }

    /// Rule 2. Returns whether any attempt advanced.
    fn advance_attempts(&mut self, packet: &Packet) -> bool {
        let of_client = self.attempts.iter().filter(|attempt| attempt.client == packet.src);
        let in_order_of_creation: Vec<u64> = of_client.map(|attempt| attempt.created).collect();
        let mut advanced = false;
        for created in in_order_of_creation {
            let attempt = self.attempt(created);
            let door = &self.doors[attempt.door];
            if !self.belongs_to(packet, door) || !flags_satisfy(packet, door) {
                continue;
            }
            let sequence = door.sequences.current().expect("a disabled door has no attempts");
            if sequence[attempt.stage] == packet.knock() {
                self.count_knock(created, packet);
                advanced = true;
            } else {
                self.attempts.retain(|attempt| attempt.created != created);
                self.out.counts.voided += 1;
            }
        }
        advanced
    }

    /// Rule 3.
    fn start_attempts(&mut self, packet: &Packet) {
        for at in self.in_order.clone() {
            let door = &self.doors[at];
            let first_knock = door.sequences.current().and_then(|knocks| knocks.first());
            let busy = self.attempts.iter().any(|a| a.client == packet.src && a.door == at);
            let starts = !busy
                && first_knock == Some(&packet.knock())
                && self.belongs_to(packet, door)
                && flags_satisfy(packet, door);
            if starts {
                let due_ns = later(self.now_ns, door.seq_timeout_s);
                let created = self.next_timer();
                self.attempts.push(Attempt {
                    created,
                    due_ns,
                    client: packet.src,
                    door: at,
                    stage: 0,
                    last_knock: None,
                });
                self.count_knock(created, packet);
            }
        }
    }

    /// Takes an attempt one stage on, and opens the door at the last.
    fn count_knock(&mut self, created: u64, packet: &Packet) {
        let attempt = self.attempts.iter_mut().find(|attempt| attempt.created == created);
        let attempt = attempt.expect("the caller has seen it");
        attempt.stage += 1;
        attempt.last_knock = Syn::of(packet);
        let Attempt { client, door, stage, .. } = *attempt;
        self.tell_of_client(client, door, &format!("Stage {stage}"));
        if self.doors[door].sequences.current().map(<[Knock]>::len) == Some(stage) {
            self.attempts.retain(|attempt| attempt.created != created);
            self.open(client, door, Syn::of(packet));
        }
    }

    fn open(&mut self, client: IpAddr, door: usize, last_knock: Option<Syn>) {
        self.out.counts.opened += 1;
        self.tell_of_client(client, door, "OPEN SESAME");
        let forgotten_ns = later(self.now_ns, self.doors[door].seq_timeout_s);
        self.openings.push(Opening { last_knock, forgotten_ns });
        if let Some(start) = start_command(&self.doors[door], client) {
            self.tell_command(door, &start, client);
            self.running.push(Running { number: self.commands_started, client, door });
            self.commands_started += 1;
        }
        if let Sequences::OneTime(lines) = &mut self.doors[door].sequences {
            lines.remove(0);
            self.attempts.retain(|other| other.door != door);
            self.out.counts.one_time_used += 1;
        }
    }

    // ---- what time does

    /// Fires every timer due at or before now: by due time, ties in order of creation.
    fn fire_what_is_due(&mut self) {
        loop {
            let of_attempts = self.attempts.iter().map(|a| (a.due_ns, a.created));
            let of_leases = self.leases.iter().map(|l| (l.due_ns, l.created));
            let Some((due_ns, created)) = of_attempts.chain(of_leases).min() else { return };
            if due_ns > self.now_ns {
                return;
            }
            if let Some(at) = self.attempts.iter().position(|a| a.created == created) {
                let Attempt { client, door, stage, .. } = self.attempts.remove(at);
                self.out.counts.timed_out += 1;
                let text = format!("sequence timeout (stage {stage})");
                self.tell_of_client_at(due_ns, client, door, &text);
            }
            if let Some(at) = self.leases.iter().position(|l| l.created == created) {
                let Lease { client, door, .. } = self.leases.remove(at);
                let stop = stop_command(&self.doors[door], client).expect("a lease has one");
                self.tell_of_client_at(due_ns, client, door, "command timeout");
                self.tell_command_at(due_ns, door, &stop, client);
            }
        }
    }

    fn next_timer(&mut self) -> u64 {
        self.timers_created += 1;
        self.timers_created
    }

    // ---- lines

    fn tell_of_client(&mut self, client: IpAddr, door: usize, text: &str) {
        self.tell_of_client_at(self.now_ns, client, door, text);
    }

    fn tell_of_client_at(&mut self, at_ns: i64, client: IpAddr, door: usize, text: &str) {
        let client = text::address(client);
        let name = &self.doors[door].name;
        let line = [client.as_bytes(), b": ", name, b": ", text.as_bytes()].concat();
        self.out.lines.push(Line { at_ns, text: line });
    }

    fn tell_command(&mut self, door: usize, command: &[u8], client: IpAddr) {
        self.tell_command_at(self.now_ns, door, command, client);
    }

    fn tell_command_at(&mut self, at_ns: i64, door: usize, command: &[u8], client: IpAddr) {
        let command = text::command(command, client);
        let line = [&self.doors[door].name, &b": running command: "[..], &command].concat();
        self.out.lines.push(Line { at_ns, text: line });
    }
}

fn flags_satisfy(packet: &Packet, door: &Door) -> bool {
    match packet.transport {
        Transport::Udp => true,
        Transport::Tcp { flags: Some(flags), .. } => {
            flags & door.wanted == door.wanted && flags & door.refused == 0
        }
        Transport::Tcp { flags: None, .. } => door.wanted == 0 && door.refused == 0,
    }
}

fn start_command(door: &Door, client: IpAddr) -> Option<Vec<u8>> {
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

fn later(at_ns: i64, seconds: u32) -> i64 {
    at_ns.saturating_add(i64::from(seconds).saturating_mul(1_000_000_000))
}

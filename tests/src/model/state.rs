//! The doors, and everything that happens at them.

mod hearing;
mod leases;
mod timers;

use std::net::IpAddr;

use self::hearing::Syn;
use super::{Door, Line, Outcome, Packet, Setting};

/// One client part-way through one door's sequence.
#[derive(Clone)]
struct Attempt {
    /// Its place in the order in which timers were created.
    created: u64,
    due_ns: i64,
    client: IpAddr,
    door: usize,
    /// The period whose sequence it is, if the door derives them.
    period: Option<u64>,
    /// How many knocks were made.
    stage: usize,
    /// Its place in the order in which attempts came to the stages that they are at.
    reached: u64,
    last_knock: Option<Syn>,
}

/// A knock of an attempt that has moved on or ended, which may still come again.
#[derive(Clone)]
struct Remembered {
    created: u64,
    knock: Syn,
    forgotten_ns: i64,
}

/// A command that has not ended.
#[derive(Clone)]
struct Running {
    /// Its place in the order of all commands, from 0.
    number: u64,
    client: IpAddr,
    door: usize,
    is_start: bool,
}

/// A stop command that is to come because a start command has ended.
#[derive(Clone)]
struct Owed {
    /// When it is due, and the place of its timer in the order of creation; `None` while a start
    /// command of the same client and door runs or waits. Several can share a timer.
    deadline: Option<(i64, u64)>,
    client: IpAddr,
    door: usize,
}

/// A client that is let in.
#[derive(Clone)]
struct Admitted {
    /// When it ends, and the place of its timer in the order of creation.
    due: (i64, u64),
    since_ns: i64,
    client: IpAddr,
    door: usize,
}

/// A while in which openings are ignored.
#[derive(Clone)]
struct Cooldown {
    created: u64,
    until_ns: i64,
    client: IpAddr,
    door: usize,
}

/// An opening that counts for the limits of its door.
#[derive(Clone)]
struct RecentOpening {
    until_ns: i64,
    client: IpAddr,
    door: usize,
}

/// A derived sequence that a client has used.
#[derive(Clone, PartialEq, Eq)]
struct Used {
    client: IpAddr,
    sequences: SequencesOfDoor,
    period: u64,
}

/// The name and the key of a door, and how many doors before it have the same.
type SequencesOfDoor = ((Vec<u8>, [u8; 32]), usize);

/// The doors, the attempts at them, the commands that run and the leases.
///
/// It receives events, each with its time, and records lines and counts.
#[derive(Clone)]
pub struct ModelState {
    /// Every door that has ever existed.
    doors: Vec<Door>,
    /// Which of them the configuration has, in the order of the file.
    listed: Vec<usize>,
    local: Option<Vec<IpAddr>>,
    ipv4_only: bool,
    answers_at_once: bool,
    /// The most attempts, openings remembered, openings that count, cooldowns, and commands that run, wait or are owed together
    /// with lines to be marked.
    limit: usize,
    now_ns: i64,
    timers_created: u64,
    stages_reached: u64,
    commands_run: u64,
    /// In order of creation.
    attempts: Vec<Attempt>,
    remembered: Vec<Remembered>,
    running: Vec<Running>,
    /// For whom a start command waits for its turn, and at which door.
    waiting: Vec<(IpAddr, usize)>,
    owed: Vec<Owed>,
    /// For whom a stop command that is due waits for its turn, and at which door.
    due_stops: Vec<(IpAddr, usize)>,
    admitted: Vec<Admitted>,
    cooldowns: Vec<Cooldown>,
    /// In order.
    openings: Vec<RecentOpening>,
    used: Vec<Used>,
    /// Periods of which uses were forgotten. Neither these nor earlier ones count.
    forgotten: Vec<(SequencesOfDoor, u64)>,
    /// For whom a line of one-time sequences is being marked, and at which door; each with its place
    /// in the order of all lines, from 0.
    marks: Vec<(u64, IpAddr, usize)>,
    marks_asked: u64,
    out: Outcome,
}

impl ModelState {
    /// Makes a house without limits and without events so far.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        Self {
            doors: setting.doors.clone(),
            listed: (0..setting.doors.len()).collect(),
            local: setting.local.clone(),
            ipv4_only: setting.ipv4_only,
            answers_at_once: false,
            limit: usize::MAX,
            now_ns: i64::MIN,
            timers_created: 0,
            stages_reached: 0,
            commands_run: 0,
            attempts: Vec::new(),
            remembered: Vec::new(),
            running: Vec::new(),
            waiting: Vec::new(),
            owed: Vec::new(),
            due_stops: Vec::new(),
            admitted: Vec::new(),
            cooldowns: Vec::new(),
            openings: Vec::new(),
            used: Vec::new(),
            forgotten: Vec::new(),
            marks: Vec::new(),
            marks_asked: 0,
            out: Outcome::default(),
        }
    }

    /// Returns the same where every command ends with status 0 at the moment it starts, but after
    /// the packet that started it, and where every line of one-time sequences is marked at once.
    #[must_use]
    pub fn answering_at_once(self) -> Self {
        Self { answers_at_once: true, ..self }
    }

    /// Returns the same with a limit for attempts, for remembered openings, and for
    /// commands, leases and lines to be marked together.
    #[must_use]
    pub fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Returns what has happened so far.
    #[must_use]
    pub fn outcome(&self) -> &Outcome {
        &self.out
    }

    /// Returns what has happened.
    #[must_use]
    pub fn into_outcome(self) -> Outcome {
        self.out
    }

    /// Returns the lines that were written since the last call.
    pub fn take_lines(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.out.lines)
    }

    /// Returns the doors of the configuration as they are now, in the order of the file.
    pub fn doors(&self) -> impl Iterator<Item = &Door> {
        self.listed.iter().map(|&at| &self.doors[at])
    }

    /// Returns how many attempts are live.
    #[must_use]
    pub fn live_attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Returns when an attempt or a lease is over next.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<i64> {
        let attempts = self.attempts.iter().map(|attempt| attempt.due_ns);
        let owed = self.owed.iter().filter_map(|owed| owed.deadline);
        let admitted = self.admitted.iter().map(|one| one.due.0);
        attempts.chain(owed.map(|(due_ns, _)| due_ns)).chain(admitted).min()
    }

    // ---- what happens

    /// Only time passes: what is due happens. A clock that goes back counts as stopped.
    pub fn time(&mut self, at_ns: i64) {
        self.now_ns = self.now_ns.max(at_ns);
        self.fire_what_is_due();
    }

    /// A packet comes.
    pub fn packet(&mut self, packet: &Packet) {
        if packet.at_ns < self.now_ns {
            self.out.counts.backwards += 1;
        }
        self.time(packet.at_ns);
        self.hear(packet);
        self.end_commands_at_once(self.now_ns);
    }

    /// The `number`th command ends, counted from 0.
    pub fn command_ended(&mut self, at_ns: i64, number: u64) {
        self.time(at_ns);
        self.end_command(self.now_ns, number);
    }

    /// The `number`th line of one-time sequences is marked, counted from 0, or cannot be.
    pub fn one_time_marked(&mut self, at_ns: i64, number: u64, is_marked: bool) {
        self.time(at_ns);
        self.end_mark(number, is_marked);
    }

    /// The client is not let in, or no longer.
    pub fn admission_lost(&mut self, at_ns: i64, client: IpAddr, door: usize) {
        self.time(at_ns);
        let door = self.listed[door];
        self.admitted.retain(|one| (one.client, one.door) != (client, door));
    }

    /// The local addresses and the support of IPv6 change.
    pub fn addresses(&mut self, at_ns: i64, local: Option<Vec<IpAddr>>, ipv4_only: bool) {
        self.time(at_ns);
        self.local = local;
        self.ipv4_only = ipv4_only;
    }

    /// The doors change. An unchanged door stays the same door; among equal doors, the first matches the
    /// first. Attempts at all others end. Leases stay.
    pub fn reload(&mut self, at_ns: i64, doors: Vec<Door>) {
        self.time(at_ns);
        let mut before = std::mem::take(&mut self.listed);
        for door in doors {
            let same = before.iter().position(|&old| self.doors[old] == door);
            let at = same.map_or(self.doors.len(), |same| before.remove(same));
            if same.is_none() {
                self.doors.push(door);
            }
            self.listed.push(at);
        }
        // Doors that leave, in the order in which they came; the attempts at each by age.
        let mut gone: Vec<Attempt> = self.attempts.clone();
        gone.retain(|attempt| !self.listed.contains(&attempt.door));
        gone.sort_by_key(|attempt| {
            (before.iter().position(|&at| at == attempt.door), attempt.due_ns, attempt.created)
        });
        for attempt in gone {
            self.end(attempt.created);
        }
    }
}

//! Honest clients, one every second.

use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::plan::Plan;
use crate::visits::{Door, visit};
use crate::world::{CLIENTS, World, client, client_6, server_for};

/// How often a client comes.
const PERIOD: Duration = Duration::from_secs(1);

/// How long after an opening its lines may still be on their way to the disk.
const WRITTEN_AFTER: Duration = Duration::from_secs(3);

/// How often a client knocks again at most.
const TRIES_MAX: u32 = 5;

/// A try to open a door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    pub(crate) client: IpAddr,
    pub(crate) door: Door,
    pub(crate) opened: bool,
    /// Whether something was down between the first knock and the opening, or the end of waiting for it.
    pub(crate) is_disturbed: bool,
    /// Whether its lines must be in the log.
    pub(crate) is_logged: bool,
    /// How many tries there were before it, all of which something had disturbed.
    pub(crate) tries_before: u32,
}

/// All tries so far.
pub(crate) type Visits = Arc<Mutex<Vec<Visit>>>;

/// Clients that come.
pub(crate) struct Clients {
    dispatcher: JoinHandle<()>,
    visits: Visits,
}

impl Clients {
    /// Has them come until the end of the plan.
    pub(crate) fn start(world: &World, daemon: &Arc<Daemon>, plan: Plan) -> Self {
        for port in [22, 80] {
            let listener = world.server().open(move || TcpListener::bind(("::", port)).unwrap());
            thread::spawn(move || listener.incoming().for_each(drop));
        }
        let visits = Visits::default();
        let (all, daemon) = (Arc::clone(&visits), Arc::clone(daemon));
        let dispatcher = world.client().spawn(move || dispatch(&daemon, &all, plan));
        Self { dispatcher, visits }
    }

    /// Waits until the last one has gone.
    pub(crate) fn finish(self) -> Vec<Visit> {
        self.dispatcher.join().unwrap();
        self.visits.lock().unwrap().clone()
    }
}

fn dispatch(daemon: &Arc<Daemon>, visits: &Visits, plan: Plan) {
    let mut threads = Vec::new();
    for number in 0_u32.. {
        let due = PERIOD * number;
        // The last ones have time to leave before the end.
        if due + 20 * PERIOD >= plan.end {
            break;
        }
        thread::sleep(due.saturating_sub(plan.now()));
        let client_number = u8::try_from(number % u32::from(CLIENTS)).unwrap();
        // Each door gets clients of both families.
        let from = if number % 4 < 2 { client(client_number) } else { client_6(client_number) };
        let door = if number % 2 == 0 { Door::Ssh } else { Door::Web };
        let (daemon, visits) = (Arc::clone(daemon), Arc::clone(visits));
        threads.push(thread::spawn(move || come(&daemon, &visits, door, from)));
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

fn come(daemon: &Daemon, visits: &Visits, door: Door, client: IpAddr) {
    for tries_before in 0..TRIES_MAX {
        let begin = Instant::now();
        let opened = visit(door, client, server_for(client));
        let end = Instant::now();
        let is_disturbed = daemon.outages.between(begin, end);
        // A kill that comes just after it can take its lines away.
        thread::sleep(if opened { WRITTEN_AFTER } else { Duration::ZERO });
        let is_logged = opened && !daemon.outages.lines_lost_between(begin, end + WRITTEN_AFTER);
        let visit = Visit { client, door, opened, is_disturbed, is_logged, tries_before };
        visits.lock().unwrap().push(visit);
        if opened || !is_disturbed {
            return;
        }
        while daemon.outages.is_now() {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

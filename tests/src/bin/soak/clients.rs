//! Honest clients, one every second.

use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::failures::{Blame, Failure, Trial};
use crate::plan::Plan;
use crate::recorder::Recorder;
use crate::visits::{Door, visit};
use crate::world::{CLIENTS, World, client, client_6, server_for};

/// How long before the end the last one comes: it has time to leave.
const LAST: Duration = Duration::from_secs(20);

/// How long after an opening its lines may still be on their way to the disk.
const WRITTEN_AFTER: Duration = Duration::from_secs(3);

/// How often a client knocks again at most.
const TRIES_MAX: u32 = 5;

/// A try to open a door.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visit {
    pub(crate) client: IpAddr,
    pub(crate) door: Door,
    pub(crate) result: Ending,
    /// Whether something was down between the first knock and the opening, or the end of waiting for it.
    pub(crate) is_disturbed: bool,
    /// Whether its lines must be in the log.
    pub(crate) is_logged: bool,
    /// How many tries there were before it, all of which something had disturbed.
    pub(crate) tries_before: u32,
}

/// What has come of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Opened,
    /// A knock was lost on its way to the server.
    Lost,
    Shut,
}

impl Visit {
    /// Returns whether the door opened.
    pub(crate) fn opened(&self) -> bool {
        self.result == Ending::Opened
    }
}

/// What has come of all of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Visits {
    /// All tries.
    pub(crate) all: Vec<Visit>,
    /// What is known of those that should have opened their door and did not.
    pub(crate) failures: Vec<Failure>,
}

/// Clients that come.
pub(crate) struct Clients {
    dispatcher: JoinHandle<()>,
    visits: Arc<Mutex<Visits>>,
}

/// Where they come to.
#[derive(Clone)]
struct Stage {
    world: Arc<World>,
    daemon: Arc<Daemon>,
    recorder: Recorder,
    plan: Plan,
    visits: Arc<Mutex<Visits>>,
}

impl Clients {
    /// Has this many come in a second, until the end of the plan.
    pub(crate) fn start(
        world: &Arc<World>,
        daemon: &Arc<Daemon>,
        plan: Plan,
        per_second: u32,
    ) -> Self {
        for port in [22, 80] {
            let listener = world.server().open(move || TcpListener::bind(("::", port)).unwrap());
            thread::spawn(move || listener.incoming().for_each(drop));
        }
        let visits = Arc::<Mutex<Visits>>::default();
        let (place, daemon) = (Arc::clone(world), Arc::clone(daemon));
        let recorder = Recorder::start(world);
        let stage = Stage { world: place, daemon, recorder, plan, visits: Arc::clone(&visits) };
        let period = Duration::from_secs(1) / per_second;
        let dispatcher = world.client().spawn(move || dispatch(&stage, period));
        Self { dispatcher, visits }
    }

    /// Waits until the last one has gone.
    pub(crate) fn finish(self) -> Visits {
        self.dispatcher.join().unwrap();
        self.visits.lock().unwrap().clone()
    }
}

fn dispatch(stage: &Stage, period: Duration) {
    let mut threads = Vec::new();
    for number in 0_u32.. {
        let due = period * number;
        if due + LAST >= stage.plan.end {
            break;
        }
        thread::sleep(due.saturating_sub(stage.plan.now()));
        let client_number = u8::try_from(number % u32::from(CLIENTS)).unwrap();
        // Each door gets clients of both families.
        let from = if number % 4 < 2 { client(client_number) } else { client_6(client_number) };
        let door = if number % 2 == 0 { Door::Ssh } else { Door::Web };
        let stage = stage.clone();
        threads.push(thread::spawn(move || stage.come(door, from)));
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

impl Stage {
    fn come(&self, door: Door, client: IpAddr) {
        let Self { world, daemon, recorder, plan, visits } = self;
        for tries_before in 0..TRIES_MAX {
            let trial = Trial::begin(world, daemon, recorder, *plan, (door, client));
            let begin = Instant::now();
            let opened = visit(door, client, server_for(client));
            let end = Instant::now();
            let is_disturbed = daemon.outages.between(begin, end);
            let failure = (!opened && !is_disturbed).then(|| trial.explain());
            let result = match &failure {
                _ if opened => Ending::Opened,
                Some(failure) if failure.blame == Blame::Cable => Ending::Lost,
                _ => Ending::Shut,
            };
            visits.lock().unwrap().failures.extend(failure);
            // A kill that comes just after it can take its lines away.
            thread::sleep(if opened { WRITTEN_AFTER } else { Duration::ZERO });
            let is_logged =
                opened && !daemon.outages.lines_lost_between(begin, end + WRITTEN_AFTER);
            let visit = Visit { client, door, result, is_disturbed, is_logged, tries_before };
            visits.lock().unwrap().all.push(visit);
            if opened || !is_disturbed {
                return;
            }
            while daemon.outages.is_now() {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

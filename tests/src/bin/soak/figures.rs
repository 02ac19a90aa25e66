//! What the kernel says of the processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crate::daemon::Daemon;
use crate::memory::Memory;
use crate::plan::Plan;
use crate::world::World;

/// How often a figure is taken, of which the smallest counts: commands that run, and lines that are being
/// written, come and go.
const SAMPLES: u32 = 10;

/// The processes of a daemon at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// When it was, from the beginning.
    pub(crate) at: Duration,
    /// The process that was started, and the one that reads packets.
    pub(crate) processes: [Figures; 2],
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Its number in its namespace.
    pub(crate) id: u32,
    pub(crate) memory: Memory,
    /// How many descriptors it has.
    pub(crate) descriptors: usize,
}

/// Looks at the processes when the plan says so, and at zombies all the time.
#[derive(Debug)]
pub(crate) struct Watcher {
    plan: Plan,
    /// While no process is killed, in order.
    pub(crate) looks: Vec<Look>,
    /// The zombies of the last time.
    zombies: BTreeSet<u32>,
    /// How many were there twice.
    pub(crate) lasting_zombies: usize,
}

impl Watcher {
    pub(crate) const fn new(plan: Plan) -> Self {
        Self { plan, looks: Vec::new(), zombies: BTreeSet::new(), lasting_zombies: 0 }
    }

    /// Takes the figures that are due.
    pub(crate) fn look(&mut self, world: &World, daemon: &Daemon) {
        let now = self.plan.now();
        let due =
            self.looks.last().map_or(self.plan.first_look, |last| last.at + self.plan.look_every);
        if now >= due && now < self.plan.last_look {
            self.looks.extend(look(world, daemon, now));
        }
        let parents: Vec<u32> =
            [Some(daemon.runner()), daemon.sniffer()].into_iter().flatten().collect();
        let zombies = zombies(world, &parents);
        self.lasting_zombies += zombies.intersection(&self.zombies).count();
        self.zombies = zombies;
    }
}

fn look(world: &World, daemon: &Daemon, now: Duration) -> Option<Look> {
    let (runner, sniffer) = (daemon.runner(), daemon.sniffer()?);
    let mut least = [figures(world, runner)?, figures(world, sniffer)?];
    for _ in 1..SAMPLES {
        thread::sleep(Duration::from_millis(100));
        for least in &mut least {
            let now = figures(world, least.id)?;
            if now.memory.own() < least.memory.own() {
                least.memory = now.memory;
            }
            least.descriptors = least.descriptors.min(now.descriptors);
        }
    }
    Some(Look { at: now, processes: least })
}

fn figures(world: &World, id: u32) -> Option<Figures> {
    let folder = folder(world, id);
    let memory = Memory::read(&fs::read_to_string(folder.join("smaps")).ok()?);
    let descriptors = fs::read_dir(folder.join("fd")).ok()?.count();
    Some(Figures { id, memory, descriptors })
}

/// Returns the children of these processes that have ended and were not waited for.
fn zombies(world: &World, parents: &[u32]) -> BTreeSet<u32> {
    processes(world)
        .into_iter()
        .filter(|(_, state, parent)| state == "Z" && parents.contains(parent))
        .map(|(id, ..)| id)
        .collect()
}

/// Returns the names of what runs on the server after the end of the daemon.
pub(crate) fn left(world: &World) -> Vec<String> {
    let name = |id: u32| fs::read_to_string(folder(world, id).join("comm")).unwrap_or_default();
    // The first process of the namespace does not wait for others, so they stay zombies.
    let others = processes(world).into_iter().filter(|(id, state, _)| *id != 1 && state != "Z");
    others.map(|(id, ..)| name(id).trim().to_owned()).collect()
}

/// Returns all processes of the server: number, state and parent.
fn processes(world: &World) -> Vec<(u32, String, u32)> {
    let names = fs::read_dir(world.server().processes()).unwrap().flatten();
    let ids = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id: u32| {
        let stat = fs::read_to_string(folder(world, id).join("stat")).ok()?;
        // After the name, which may have any characters.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        Some((id, fields.next()?.to_owned(), fields.next()?.parse().ok()?))
    })
    .collect()
}

fn folder(world: &World, id: u32) -> PathBuf {
    world.server().processes().join(id.to_string())
}

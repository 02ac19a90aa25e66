//! Which doors are open, by the firewall.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::visits::Door;
use crate::world::World;

/// How often the firewall is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// A door and the client for which it is open.
type Open = (Door, String);

/// A watch over the firewall.
pub(crate) struct Doors {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Seen>,
    world: Arc<World>,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many openings.
    pub(crate) count: usize,
    /// The longest time for which a door was open.
    pub(crate) longest: Duration,
    /// The doors that are open after the end.
    pub(crate) left: Vec<String>,
}

impl Doors {
    /// Begins to watch.
    pub(crate) fn watch(world: &Arc<World>) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let (stop, place) = (Arc::clone(&is_over), Arc::clone(world));
        let thread = thread::spawn(move || {
            let (mut seen, mut since) = (Seen::default(), BTreeMap::new());
            while !stop.load(Ordering::Relaxed) {
                seen.look(&mut since, open(&place));
                thread::sleep(PERIOD);
            }
            seen
        });
        Self { is_over, thread, world: Arc::clone(world) }
    }

    /// Ends after the daemon.
    pub(crate) fn finish(self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        let mut seen = self.thread.join().unwrap();
        let name = |(door, client): Open| format!("{} for {client}", door.name());
        seen.left = open(&self.world).into_iter().map(name).collect();
        seen
    }
}

impl Seen {
    fn look(&mut self, since: &mut BTreeMap<Open, Instant>, open: Vec<Open>) {
        since.retain(|one, _| open.contains(one));
        for one in open {
            let is_new = !since.contains_key(&one);
            self.count += usize::from(is_new);
            let begin = since.entry(one).or_insert_with(Instant::now);
            self.longest = self.longest.max(begin.elapsed());
        }
    }
}

/// Returns the doors that are open. One with several rules is there as often.
fn open(world: &World) -> Vec<Open> {
    let rules = world.run("iptables -w -S INPUT; ip6tables -w -S INPUT").stdout;
    let rules = rules.lines().filter(|line| line.ends_with("-j ACCEPT"));
    let client = |rule: &str| rule.split("-s ").nth(1)?.split('/').next().map(str::to_owned);
    let by_rule = rules.filter_map(client).map(|client| (Door::Ssh, client));
    let in_sets = ["web", "web6"].into_iter().flat_map(|set| elements(world, set));
    by_rule.chain(in_sets.map(|element| (Door::Web, element))).collect()
}

/// Returns the elements of a set of nftables.
fn elements(world: &World, set: &str) -> Vec<String> {
    let listed = world.run(&format!("nft list set inet knock {set}")).stdout;
    let elements = listed.split_once("elements = {").map_or("", |(_, elements)| elements);
    let elements = elements.split('}').next().unwrap_or_default();
    let elements = elements.split(',').map(str::trim).filter(|element| !element.is_empty());
    elements.map(str::to_owned).collect()
}

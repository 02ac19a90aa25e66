//! A simulation that searches for bugs.
//!
//! A run is a random world from one seed: doors, honest and other clients, a network that loses, repeats
//! and delays, clocks that are set, commands that fail and hang, reloads and limits. It drives an engine
//! through the interface that drivers use, and after every step checks the invariants, by its own record
//! and by the model. It has no clock, no thread and no other source of chance, so a seed and a commit are
//! enough to reproduce a failure.

mod admission;
mod broken;
mod client;
mod honest_run;
mod lease;
mod limits;
mod marks;
mod oracle;
mod place;
mod queue;
mod record;
mod rng;
mod run_parameters;
mod runner;
mod tally;
mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use broken::Invariant;
pub use tally::Tally;

use self::broken::Broken;
use self::world::World;

/// A run that broke an invariant.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// The step, from 1.
    pub step: u64,
    /// The broken invariant.
    pub invariant: Invariant,
    /// What was seen instead.
    pub seen: String,
    /// The last events of the engine: the step, the stamp, the event.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, step, invariant, seen, trace } = self;
        writeln!(f, "seed {seed}, step {step}: broken is {invariant}")?;
        writeln!(f, "{seen}")?;
        writeln!(f, "the last events of the engine:")?;
        for line in trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "reproduce: scripts/simulate --seed {seed} --runs 1")
    }
}

/// Does the run of a seed. Returns counters of what happened.
///
/// # Errors
/// [`Failure`] at the first step that breaks an invariant.
pub fn run(seed: u64) -> Result<Tally, Box<Failure>> {
    let mut world = World::new(seed);
    let result = catch_unwind(AssertUnwindSafe(|| world.run())).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
        let text = text.unwrap_or_else(|| "a panic without a text".into());
        Err(Broken { invariant: Invariant::NothingPanics, seen: text })
    });
    let Err(Broken { invariant, seen }) = result else { return Ok(world.tally) };
    Err(Box::new(Failure { seed, step: world.step, invariant, seen, trace: world.trace() }))
}

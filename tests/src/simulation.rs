//! A simulation that looks for trouble by itself.
//!
//! A run is a world made by chance from one seed: doors, clients honest and not, a network that
//! loses, repeats and delays, clocks that are set, commands that fail and hang, reloads and limits.
//! It drives an engine through the boundary that drivers use, and after every step checks what must
//! hold, by a record of its own and by the model. There is no clock, no thread and no other chance
//! in it, so a seed and a commit are all that is needed to see a failure again.

mod broken;
mod client;
mod lease;
mod oracle;
mod place;
mod queue;
mod record;
mod rng;
mod runner;
mod tally;
mod temper;
mod visit;
mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub use broken::Invariant;
pub use tally::Tally;

use self::broken::Broken;
use self::world::World;

/// A run in which something that must hold did not.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the run.
    pub seed: u64,
    /// The step, from 1.
    pub step: u64,
    /// What does not hold.
    pub invariant: Invariant,
    /// What was seen instead.
    pub seen: String,
    /// What the engine was told last: the step, the stamp, the event.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, step, invariant, seen, trace } = self;
        writeln!(f, "seed {seed}, step {step}: broken is {invariant}")?;
        writeln!(f, "{seen}")?;
        writeln!(f, "the last that the engine was told:")?;
        for line in trace {
            writeln!(f, "{line}")?;
        }
        write!(f, "see it again: scripts/simulate --seed {seed} --runs 1")
    }
}

/// Does the run of a seed. Returns what happened in it.
///
/// # Errors
/// [`Failure`] at the first step after which something does not hold.
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

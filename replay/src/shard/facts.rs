//! What the summary of a shard says beyond that of a replay.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Peaks, Shard};
use crate::session::load::Configuration;
use crate::session::names::CaptureNames;

/// What the summary of a shard says beyond that of a replay: which part it is, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ShardFacts {
    /// Which part, from 1.
    pub(crate) number: u32,
    /// How many parts there are.
    pub(crate) of: u32,
    #[serde(flatten)]
    pub(crate) run: RunFacts,
    pub(crate) peaks: Peaks,
}

/// What all shards of a replay have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RunFacts {
    /// The version of the program.
    pub(crate) program: String,
    /// The names of the captures, in the order of the command line.
    pub(crate) captures: Vec<String>,
    /// The SHA-256 of the configuration, with the files that it includes.
    pub(crate) configuration: String,
    pub(crate) max_attempts: u32,
    pub(crate) verbose: bool,
}

impl ShardFacts {
    /// Takes what is known before the replay. Nothing was used of the limits yet.
    pub(crate) fn new(
        shard: Shard,
        (captures, config): (&CaptureNames, &Configuration),
        (max_attempts, verbose): (u32, bool),
    ) -> Self {
        let Shard { number, of } = shard;
        let mut configuration = String::new();
        for byte in Sha256::digest(config.places.bytes()) {
            // Writing to a string cannot fail.
            let _ = write!(configuration, "{byte:02x}");
        }
        let run = RunFacts {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            captures: captures.all().to_vec(),
            configuration,
            max_attempts,
            verbose,
        };
        Self { number, of, run, peaks: Peaks::default() }
    }

    /// Returns the part.
    pub(crate) const fn shard(&self) -> Shard {
        Shard { number: self.number, of: self.of }
    }
}

//! Many runs of the simulation, always with the same seeds.

#![cfg(test)]

use knock_tests::simulation::{self, Tally};

/// As many runs as deliver a million packets.
const PACKETS: u64 = 1_000_000;

#[test]
fn a_million_packets_break_no_invariant() {
    let mut total = Tally::default();
    let mut seed = 0;
    while total.packets < PACKETS {
        match simulation::run(seed) {
            Ok(tally) => total.add(&tally),
            Err(failure) => panic!("{failure}"),
        }
        seed += 1;
    }
    println!("seeds 0 to {}:\n{total}", seed - 1);
    for (what, count) in total.entries() {
        assert!(count > 0, "no {what}");
    }
}

#[test]
fn a_seed_decides_everything() {
    let tallies =
        || (0..3).map(|seed| simulation::run(seed).map_err(|failure| failure.to_string()));
    assert!(tallies().eq(tallies()));
}

//! The engine against the model: doors, limits, and what happens at them.

#![no_main]

mod plan;
mod play;
mod translate;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

use plan::{Happening, Plan};
use play::Play;

/// The most things that happen.
const HAPPENINGS_MAX: usize = 200;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Unstructured::new(data);
    let Ok(plan) = Plan::draw(&mut bytes) else { return };
    let mut play = Play::new(&plan);
    for _ in 0..HAPPENINGS_MAX {
        if bytes.is_empty() {
            break;
        }
        let Ok((wait_ns, happening)) = Happening::draw(&mut bytes) else { break };
        play.happens(wait_ns, happening);
    }
    play.ends();
});

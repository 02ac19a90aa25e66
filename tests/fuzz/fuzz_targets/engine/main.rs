//! Compares the engine with the model: doors, limits, and events.

#![no_main]

mod plan;
mod play;

use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;

use plan::{Happening, Plan};
use play::{Play, shown};

/// The most events.
const HAPPENINGS_MAX: usize = 200;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Unstructured::new(data);
    let Ok(plan) = Plan::draw(&mut bytes) else { return };
    let mut happenings = Vec::new();
    while happenings.len() < HAPPENINGS_MAX && !bytes.is_empty() {
        let Ok(happening) = Happening::draw(&mut bytes) else { break };
        happenings.push(happening);
    }
    let lines = Play::new(&plan).plays(happenings.clone());
    let Some(rules) = plan.other_rules else { return };
    // Rules for replay only have no reloads, and a program that would not start has no transcript.
    let is_reload = |(_, one): &(i64, Happening)| matches!(one, Happening::Reload { .. });
    if !happenings.iter().any(is_reload) && plan.starts() {
        let other_plan = Plan { rules, ..plan };
        assert_eq!(shown(&lines), shown(&Play::new(&other_plan).plays(happenings)), "{rules:?}");
    }
});

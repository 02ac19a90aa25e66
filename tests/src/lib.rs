//! What the tests share: an independent model of the rules, the real knockd as a judge and on a wire
//! of its own, a forge for captures, generators, the captures of the test data, manual pages, and what
//! tests need of the machine.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "only tests use this crate, and a panic in a test is how it fails"
)]

pub mod arb;
pub mod boundary;
pub mod cases;
pub mod differential;
pub mod drive;
pub mod forge;
pub mod guide;
pub mod live;
pub mod manual;
pub mod model;
pub mod model_08;
pub mod oracle;
pub mod process;
pub mod require;
#[cfg(feature = "schema")]
pub mod schema;
pub mod simulation;
pub mod study;

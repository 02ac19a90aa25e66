//! What the tests share: an independent model of the rules, the real knockd as a judge, a forge for
//! captures, generators, and the captures of the test data.

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
pub mod cases;
pub mod differential;
pub mod forge;
pub mod model;
pub mod oracle;
pub mod require;
pub mod study;

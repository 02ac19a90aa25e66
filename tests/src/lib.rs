//! Code shared by tests: an independent model of the rules, the real knockd as a reference, both offline
//! and on its own wire, a forge for captures, generators, the captures of the test data, manual pages, and
//! the requirements of tests on the machine.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "only tests use this crate, and a panic in a test is how it fails"
)]

pub mod bench;
pub mod boundary;
pub mod capture_builder;
pub mod cases;
pub mod cases_08;
pub mod command_line;
pub mod completions;
pub mod differential;
pub mod drive;
pub mod generators;
pub mod guide;
pub mod in_process;
pub mod live;
pub mod manual;
pub mod model;
pub mod model_08;
pub mod oracle;
pub mod process;
pub mod require;
#[cfg(feature = "schema")]
pub mod schema;
pub mod secrets;
pub mod signed;
pub mod simulation;

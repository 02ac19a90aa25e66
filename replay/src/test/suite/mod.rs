//! `knock-replay test`: folders of tests.
//!
//! `find.rs` finds them, `judge.rs` runs one, `outcome.rs` has its result, and `text.rs`, `json.rs` and
//! `junit.rs` print it.

mod find;
mod json;
mod judge;
mod junit;
mod outcome;
mod run;
mod text;

pub(crate) use run::run;

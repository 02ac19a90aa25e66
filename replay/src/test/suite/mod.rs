//! `knock-replay test`: folders of tests.
//!
//! `find.rs` finds them, `judge.rs` runs one, `outcome.rs` says what came of it, and `text.rs`,
//! `json.rs` and `junit.rs` tell that.

mod find;
mod json;
mod judge;
mod junit;
mod outcome;
mod run;
mod text;

pub(crate) use run::run;

//! `knock-replay init`: a first folder of tests for a configuration.
//!
//! `draft.rs` thinks of tests, `proof.rs` keeps of each what holds, and `run.rs` writes them.

mod draft;
mod proof;
mod run;
mod signed;

pub(crate) use run::run;

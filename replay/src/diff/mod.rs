//! Two runs over the same packets, and where they differ.

pub(crate) mod config;
pub mod rules;

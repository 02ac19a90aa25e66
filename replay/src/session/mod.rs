//! What every run does: loads its inputs, drives an engine, and ends.

pub(crate) mod drive;
pub(crate) mod exit;
pub(crate) mod finish;
pub(crate) mod huge_pages;
pub(crate) mod incoming;
pub(crate) mod interrupt;
pub(crate) mod load;
pub(crate) mod names;
pub(crate) mod outgoing;
pub(crate) mod overwrite;
pub(crate) mod play;
pub(crate) mod player;
pub(crate) mod progress;
pub(crate) mod read_ahead;
pub(crate) mod reader;
mod state;
pub(crate) mod summary;
pub(crate) mod terminal;
pub(crate) mod threads;
pub(crate) mod unwanted;

#[cfg(test)]
mod tests;

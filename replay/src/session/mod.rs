//! What every run does: reads captures, drives an engine, and sums up.

pub(crate) mod drive;
pub(crate) mod huge_pages;
pub(crate) mod overwrite;

pub(crate) mod player;
pub(crate) mod progress;
pub(crate) mod reader;
pub(crate) mod summary;

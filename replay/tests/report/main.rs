//! `report`: the data of the page, and the page in a browser.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod browser;
mod chromium;
mod common;
mod crowd;
mod data;
mod summary;

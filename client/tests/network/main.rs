//! Tests of the client on networks of their own: what leaves, who opens, and what is told.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod bad_networks;
mod daemon;
mod doors;
mod faults;
mod matrix;
mod old;
mod one_time;
mod packets;
#[path = "../manual/prose.rs"]
#[allow(dead_code, reason = "the manual page needs more of it")]
mod prose;
mod relay;
mod scene;
mod ssh;
mod then;

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
mod relay;
mod scene;
mod ssh;
mod then;

//! Tests of the client on networks of their own: what leaves, who opens, and what is told.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod doors;
mod faults;
mod packets;
mod scene;
mod ssh;
mod then;

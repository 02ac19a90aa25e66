//! Tests of the client in network namespaces: what it sends, which doors open, and what it prints.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod bad_networks;
mod daemon;
mod derived;
mod doors;
mod faults;
mod matrix;
mod old;
mod one_time;
mod packets;
mod relay;
mod scene;
mod signed;
mod ssh;
mod then;

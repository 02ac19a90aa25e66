//! Rulesets in real kernels: in network namespaces, with the real nft beside.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod beside;
mod clients;
mod common;
mod faults;
mod guarding;
mod guide;
mod network;
mod same;

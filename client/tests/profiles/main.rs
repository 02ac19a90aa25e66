//! Tests of profiles: what a file of them means, and which errors it gives.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod case_runner;
mod command;
mod diagnostics;
mod example;
mod meaning;
mod one_time;
mod properties;
mod secrets;
mod signed;
mod ssh;

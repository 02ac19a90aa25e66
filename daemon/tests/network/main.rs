//! Tests of the daemon, each on its own network: real packets, firewalls, interfaces and signals, and
//! the programs with which people knock.
//!
//! No test depends on timing. A test waits for lines and conditions, with a timeout only for failures.
//! That something does *not* happen is checked when later packets have been handled.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod commands;
mod common;
mod firewall;
mod flood;
mod following;
mod interfaces;
mod knockers;
mod life;
mod limits;
mod links;
mod open;
mod reknock;
mod reloads;
mod seed;
mod signed;

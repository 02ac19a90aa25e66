//! Tests of the daemon on networks of their own: real packets, firewalls, interfaces and signals, and
//! the programs that people knock with.
//!
//! Nothing here goes by the clock. A test waits for lines and conditions, whose patience bounds a
//! failure only; that something does *not* happen it says when later packets have been handled.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod commands;
mod common;
mod firewall;
mod flood;
mod interfaces;
mod knockers;
mod life;
mod links;
mod seed;

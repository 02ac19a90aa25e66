//! Tests of the daemon as its users run it, with privileges, files, signals and knocks, each on its own
//! network.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod clocks;
mod closing;
mod command_line;
mod commands;
mod common;
#[cfg(target_arch = "x86_64")]
mod confinement;
mod control;
mod daemonizing;
mod derived;
mod directives;
mod grants;
mod hostile;
mod idle;
mod journal;
mod left_open;
mod logs;
mod lookup;
mod no_doors;
mod notify;
mod one_time;
mod open_only;
mod pipes;
mod privileges;
mod reload;
#[cfg(target_arch = "x86_64")]
mod resolver;
mod restart;
mod scheduling;
mod secrets;
mod signals;
mod signed;
mod signed_counts;
mod signed_recording;
mod strict_modes;
mod syslog;
mod takeover;
mod written;

//! Tests of the program as its users run it: a process with arguments, streams and a status.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod against;
mod both;
mod check;
mod common;
mod exit_status;
mod expect;
mod explain;
mod help;
mod hostile;
mod live;
mod manual;
mod objects;
mod one_time;
mod privileges;
mod progress;
mod report;
mod scenario;
mod summary;
mod transcript;

//! Tests of the program as its users run it: a process with arguments, streams and a status.

#![cfg(test)]

mod common;
mod exit_status;
mod help;
mod hostile;
mod live;
mod one_time;
mod privileges;
mod progress;
mod summary;
mod transcript;

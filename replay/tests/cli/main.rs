//! Tests of the program as its users run it: a process with arguments, streams and a status.

#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]

mod against;
mod assert;
mod both;
mod check;
mod common;
mod derived;
mod exit_status;
mod expect;
mod explain;
mod extract;
mod help;
mod hostile;
mod init;
mod legacy;
mod live;
mod manual;
mod much_else;
mod named_files;
mod objects;
mod one_time;
mod open;
mod privileges;
mod progress;
mod report;
mod scenario;
mod sequence_file;
mod shard;
mod signed;
mod signed_doors;
mod suite;
mod summary;
mod threads;
mod transcript;

//! `knockd`: listens for knocks and opens doors.

use std::process::ExitCode;

fn main() -> ExitCode {
    knockd::main().into()
}

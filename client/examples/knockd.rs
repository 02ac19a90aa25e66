//! The daemon, built for the tests of the client, which knock at it.

use std::process::ExitCode;

fn main() -> ExitCode {
    knockd::main().into()
}

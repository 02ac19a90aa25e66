//! The program `knockctl`, which comes with the daemon that it talks to.

use std::process::ExitCode;

fn main() -> ExitCode {
    knockctl::main().into()
}

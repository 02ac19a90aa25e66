//! `knock-replay`: what would a door keeper have done with these packets?

use std::process::ExitCode;

fn main() -> ExitCode {
    knock_replay::main().into()
}

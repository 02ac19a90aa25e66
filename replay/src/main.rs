//! `knock-replay`: what would a port-knocking daemon have done with these packets?

use std::process::ExitCode;

use knock_replay::HugePages;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

fn main() -> ExitCode {
    knock_replay::main().into()
}

//! `knock`: knocks at ports, and reports whether a door has opened.

use std::process::ExitCode;

fn main() -> ExitCode {
    knock::main().into()
}

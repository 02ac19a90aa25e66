//! Completion scripts for shells: made from the command line's definition, for the packages.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::{Generator as _, Shell, generate};

/// The shells that the packages have a script for.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Fails if a script in `packaging/completions` differs from what the command line's definition gives.
/// With `KNOCK_BLESS` they are written first.
///
/// # Panics
/// If so.
pub fn assert_are_committed(command: &Command) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/completions");
    let program = command.get_name();
    for shell in SHELLS {
        let path = folder.join(shell.file_name(program));
        let mut script = Vec::new();
        generate(shell, &mut command.clone(), program, &mut script);
        if std::env::var_os("KNOCK_BLESS").is_some() {
            fs::write(&path, &script).unwrap();
        }
        let committed = fs::read(&path).unwrap_or_default();
        assert!(committed == script, "{} is old: run this test with KNOCK_BLESS=1", path.display());
    }
}

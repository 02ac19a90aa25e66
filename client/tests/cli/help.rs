//! `--help`, `--version` and the completions.

use knock_tests::process::finish;
use knock_tests::require::{Need, require};

use crate::{output, place};

#[test]
fn help_is_short_or_long_and_goes_to_standard_output() {
    for arguments in ["-h", "--help"] {
        insta::assert_snapshot!(output(arguments));
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    for arguments in ["-V", "--version"] {
        assert_eq!(output(arguments), format!("knock {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn help_fits_into_100_columns() {
    for arguments in ["-h", "--help"] {
        let help = output(arguments);
        let longest = help.lines().map(|line| line.chars().count()).max();
        assert!(longest <= Some(100), "{longest:?} columns");
    }
}

#[test]
fn bash_completes_options_and_their_values() {
    let name = "bash_completes_options_and_their_values";
    if !require(name, &["bash"], Need::Programs) {
        return;
    }
    let (_folder, path) = place("knock.bash");
    std::fs::write(&path, output("--completions bash")).unwrap();
    let complete = |words: &str| {
        let script = format!(
            "source {path}; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            _knock knock \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"
            echo \"${{COMPREPLY[@]}}\""
        );
        let outcome = finish(std::process::Command::new("bash").args(["--norc", "-c", &script]));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{words}");
        outcome.stdout.trim().to_owned()
    };
    assert_eq!(complete("knock --dry"), "--dry-run");
    assert_eq!(complete("knock --in"), "--interface");
    assert!(complete("knock --completions z").contains("zsh"));
}

#[test]
fn fish_completes_options_and_their_values() {
    let name = "fish_completes_options_and_their_values";
    if !require(name, &["fish"], Need::Programs) {
        return;
    }
    let (folder, path) = place("knock.fish");
    std::fs::write(&path, output("--completions fish")).unwrap();
    let complete = |line: &str| {
        let mut fish = std::process::Command::new("fish");
        fish.current_dir(&folder).env("HOME", folder.path());
        let outcome = finish(fish.args(["-c", &format!("source {path}; complete -C '{line}'")]));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{line}");
        outcome.stdout
    };
    assert!(complete("knock home 7000 --dry").starts_with("--dry-run\tPrint what would be done"));
    assert_eq!(complete("knock --completions z"), "zsh\n");
    assert_eq!(complete("knock --config kn"), "knock.fish\n");
    assert_eq!(complete("knock --then "), "");
}

#[test]
fn zsh_accepts_its_completions() {
    let name = "zsh_accepts_its_completions";
    if !require(name, &["zsh"], Need::Programs) {
        return;
    }
    let (_folder, path) = place("_knock");
    std::fs::write(&path, output("--completions zsh")).unwrap();
    let outcome = finish(std::process::Command::new("zsh").args(["-f", "-n", &path]));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn there_are_completions_for_every_usual_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = output(&format!("--completions {shell}"));
        for option in ["then", "source", "retry", "dry-run"] {
            assert!(script.contains(option), "{shell}: {option}");
        }
    }
}

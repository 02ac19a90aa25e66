//! The guide `docs/testing.md`, followed word for word.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use knock_tests::guide::{self, Step};
use knock_tests::require::{Need, require};
use tempfile::TempDir;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_step_of_the_guide_does_what_the_guide_says() {
    let programs = require("the steps with git", &["git"], Need::Programs);
    let pre_commit = require("the step with pre-commit", &["pre-commit"], Need::Programs);
    let folder = TempDir::new().unwrap();
    let mut tried = 0;
    for step in guide::read("testing.md") {
        match step {
            Step::File(name, text) => write(&folder.path().join(name), &text),
            // Files for other folders.
            Step::Lines(_) => {}
            Step::Command { line: command, output: expected, .. } => {
                let is_skipped = (!programs && command.starts_with("git "))
                    || (!pre_commit && command.starts_with("pre-commit "));
                if is_skipped {
                    continue;
                }
                let printed = run(&command, folder.path());
                match expected.strip_suffix("...\n") {
                    Some(beginning) => {
                        let is_as_said = printed.starts_with(beginning);
                        assert!(is_as_said, "$ {command}\n{printed}\ninstead of\n{expected}");
                    }
                    None => assert_eq!(printed, expected, "$ {command}"),
                }
                tried += 1;
            }
        }
    }
    assert!(tried >= 20, "only {tried} commands were found");
}

#[test]
fn the_ready_files_are_those_of_the_guide() {
    let guide = fs::read_to_string(root().join("docs/testing.md")).unwrap();
    for name in ["pre-commit", "github-actions.yml", "gitlab-ci.yml"] {
        let text = fs::read_to_string(root().join("docs/examples").join(name)).unwrap();
        let indented: String = text.lines().flat_map(|line| ["    ", line, "\n"]).collect();
        assert!(guide.contains(&indented), "{name}");
    }
}

/// The recipes end with commands that the guide has run.
#[test]
fn the_commands_of_the_recipes_are_understood() {
    let folder = TempDir::new().unwrap();
    let steps = guide::read("testing.md");
    let config = steps.iter().find_map(|step| match step {
        Step::File(name, text) if name == "knockd.conf" => Some(text),
        Step::File(..) | Step::Command { .. } | Step::Lines(_) => None,
    });
    write(&folder.path().join("knockd.conf"), config.unwrap());
    run("knock-replay init knocks --config knockd.conf", folder.path());
    for name in ["github-actions.yml", "gitlab-ci.yml"] {
        let text = fs::read_to_string(root().join("docs/examples").join(name)).unwrap();
        let commands = text.lines().filter_map(|line| {
            let step = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
            step.starts_with("knock-replay ").then_some(step)
        });
        let commands: Vec<&str> = commands.collect();
        assert_eq!(commands.len(), 2, "{name}");
        for command in commands {
            let printed = run(&format!("{command} > all.txt 2>&1; echo $?"), folder.path());
            assert_eq!(printed, "0\n", "{name}: {command}");
        }
    }
}

#[test]
fn the_hook_looks_at_what_is_staged() {
    if !require("the hook of git", &["git"], Need::Programs) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let git = |command: &str| run(command, folder.path());
    let config = "[ssh]\nsequence = 7000,8000,9000\ntcpflags = syn\ncommand = open %IP%\n";
    write(&folder.path().join("knockd.conf"), config);
    git("knock-replay init knocks --config knockd.conf && git init --quiet");
    let hook = root().join("docs/examples/pre-commit").canonicalize().unwrap();
    git(&format!("install -m 755 {} .git/hooks/pre-commit", hook.display()));
    git("git add knockd.conf knocks && git commit --quiet --message first");
    let commit =
        "git commit --quiet --message next >why.txt 2>&1 && echo committed || echo refused";
    // A mistake that is staged counts, also if the file in the folder is right again.
    git(
        "sed -i s/9000/9999/ knockd.conf && git add knockd.conf && sed -i s/9999/9000/ knockd.conf",
    );
    assert_eq!(git(commit), "refused\n");
    assert!(git("cat why.txt").contains("knocks/ssh/opens ... FAILED\n"), "{}", git("cat why.txt"));
    // One that is not staged does not.
    git(
        "git add knockd.conf && echo '# new' >>knockd.conf && git add knockd.conf && echo broken >>knockd.conf",
    );
    assert_eq!(git(commit), "committed\n", "{}", git("cat why.txt"));
    assert_eq!(git("git status --short knockd.conf"), " M knockd.conf\n");
}

#[test]
fn the_hook_for_pre_commit_is_understood() {
    if !require("the hook for pre-commit", &["pre-commit", "git"], Need::Programs) {
        return;
    }
    let folder = TempDir::new().unwrap();
    write(&folder.path().join("x"), "");
    run("git init --quiet && git add x", folder.path());
    let manifest = root().join(".pre-commit-hooks.yaml").canonicalize().unwrap();
    let command = format!("pre-commit validate-manifest {}; echo $?", manifest.display());
    assert_eq!(run(&command, folder.path()), "0\n");
}

/// Returns what both streams of a shell command get.
fn run(command: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_knock-replay"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let output = Command::new("sh")
        .args(["-c", &format!("{{ {command}\n}} 2>&1")])
        .current_dir(folder)
        .env("PATH", path)
        .env("HOME", folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "admin")))
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "admin@example.org")))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

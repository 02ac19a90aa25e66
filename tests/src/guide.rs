//! Guides as steps that a test can follow.
//!
//! What is indented in a guide is one of these:
//!
//! - commands, each after a prompt that ends with `$ `, and below it what it prints;
//! - a file, if the line above ends with its name between backticks and a colon;
//! - lines that a program prints which still runs, or `^C`, which ends it.
//!
//! What is in fences is only shown.

use std::fs;
use std::path::Path;

/// A step of a guide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A file of this name, and its text.
    File(String, String),
    /// A command.
    Command {
        /// Where it runs: the prompt without its `$ `, such as `server`.
        place: String,
        /// The line for the shell.
        line: String,
        /// What it prints.
        output: String,
    },
    /// Lines of a program that still runs.
    Lines(String),
}

/// Reads a guide in the folder `docs`.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn read(name: &str) -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    steps(&fs::read_to_string(path).unwrap())
}

fn steps(guide: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut above = String::new();
    let mut is_fenced = false;
    let mut lines = guide.lines().peekable();
    while let Some(line) = lines.next() {
        is_fenced ^= line.starts_with("```");
        let indented = line.strip_prefix("    ").filter(|_| !is_fenced);
        let Some(first) = indented else {
            if !line.is_empty() {
                line.clone_into(&mut above);
            }
            continue;
        };
        let mut text = vec![first.to_owned()];
        while let Some(next) = lines.next_if(|next| next.is_empty() || next.starts_with("    ")) {
            text.push(next.get(4..).unwrap_or_default().to_owned());
        }
        match (prompt(first), named(&above)) {
            (Some(_), _) => steps.extend(commands(&text)),
            (None, Some(name)) => steps.push(Step::File(name, joined(&text))),
            (None, None) => steps.push(Step::Lines(joined(&text))),
        }
    }
    steps
}

/// Returns where a command runs, and the command.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let (place, command) = line.split_once("$ ")?;
    place.bytes().all(|byte| byte.is_ascii_lowercase()).then_some((place, command))
}

fn commands(lines: &[String]) -> Vec<Step> {
    let mut found: Vec<(&str, &str, Vec<String>)> = Vec::new();
    for line in lines {
        match (prompt(line), found.last_mut()) {
            (Some((place, command)), _) => found.push((place, command, Vec::new())),
            (None, Some((.., output))) => output.push(line.clone()),
            (None, None) => panic!("{line}"),
        }
    }
    let command = |(place, line, output): (&str, &str, Vec<String>)| Step::Command {
        place: place.to_owned(),
        line: line.to_owned(),
        output: joined(&output),
    };
    found.into_iter().map(command).collect()
}

/// Returns lines as a text, without the empty ones at their end.
fn joined(lines: &[String]) -> String {
    let text = lines.join("\n");
    let text = text.trim_end_matches('\n');
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// Returns the name of the file that ends a line, between backticks and before a colon.
fn named(line: &str) -> Option<String> {
    let (_, name) = line.strip_suffix("`:")?.rsplit_once('`')?;
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guide_has_files_commands_lines_and_fences() {
        let guide = "# Guide\n\nThe file `a/b`:\n\n    # x\n\n    y\n\nRun it:\n\n    $ one\n    1\n\n    \
                     server$ two $ x\n\nIt prints:\n\n    2\n    3\n\n```\n    four\n```\n";
        let command = |place: &str, line: &str, output: &str| Step::Command {
            place: place.to_owned(),
            line: line.to_owned(),
            output: output.to_owned(),
        };
        assert_eq!(
            steps(guide),
            [
                Step::File("a/b".to_owned(), "# x\n\ny\n".to_owned()),
                command("", "one", "1\n"),
                command("server", "two $ x", ""),
                Step::Lines("2\n3\n".to_owned()),
            ]
        );
    }
}

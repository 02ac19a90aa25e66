//! The code map names what is there, and leaves out no folder.

#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn code_map() -> String {
    fs::read_to_string(root().join("docs/code-map.md")).unwrap()
}

/// The words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let outside_fences = text.split("\n```").step_by(2);
    outside_fences.flat_map(|part| part.split('`').skip(1).step_by(2))
}

#[test]
fn every_path_of_the_code_map_is_there() {
    let map = code_map();
    let paths: Vec<&str> = quoted(&map).filter(|word| word.contains('/')).collect();
    assert!(paths.len() >= 40, "{paths:?}");
    for path in paths {
        let there = root().join(path);
        assert!(there.exists(), "docs/code-map.md names {path}, which does not exist");
        assert_eq!(path.ends_with('/'), there.is_dir(), "{path}: a folder ends with a slash");
    }
}

#[test]
fn no_folder_is_left_out() {
    let map = code_map();
    let mut folders = folders_in(&root(), "");
    folders.retain(|folder| folder != "target/");
    assert!(folders.len() >= 8, "{folders:?}");
    let sources: Vec<String> = folders.iter().map(|folder| format!("{folder}src/")).collect();
    for sources in sources {
        let inner = folders_in(&root().join(&sources), &sources);
        folders.extend(inner.into_iter().filter(|folder| !is_only_tests(&root().join(folder))));
    }
    assert!(folders.len() >= 30, "{folders:?}");
    for folder in folders {
        assert!(
            quoted(&map).any(|word| word == folder),
            "docs/code-map.md leaves out `{folder}`: say there what it is for"
        );
    }
}

/// Whether a folder has nothing but the unit tests of the file beside it.
fn is_only_tests(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().all(|entry| entry.unwrap().file_name() == "tests.rs")
}

/// The folders in a folder that are not hidden, each with a slash at its end.
fn folders_in(folder: &Path, prefix: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap());
    let names = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let names = names.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).map(|name| format!("{prefix}{name}/")).collect()
}

//! The captures of `testdata/captures` and `testdata/explain` as cases to replay.
//!
//! A folder holds
//! - `knockd.conf`, and optionally `knockd-VARIANT.conf`: each is replayed;
//! - captures, each replayed by itself, except those named `part-*`, which belong together;
//!   `knocks.txt` and `part-*.knocks.txt` are forged into captures first (see [`capture_builder::knocks`]);
//! - optionally `args`: one line of further arguments, separated by blanks;
//! - optionally `expected` and `expected-VARIANT`: what the real knockd 0.8 printed on standard output,
//!   and what the rule set `knock` prints as well;
//! - optionally `sequences.txt` with one-time sequences. A configuration names it relative to the
//!   folder, so a case must run with the folder as its current directory;
//! - `ORIGIN`: where the files come from, under which licence, and what they test.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::capture_builder;

/// A case to replay.
#[derive(Clone, Debug)]
pub struct Case {
    /// The name: the folder, and the variant of the configuration and the capture if the folder has more
    /// than one. Letters, digits, `-`, `.` and `/`.
    pub name: String,
    /// The folder, which must be the current directory.
    pub folder: PathBuf,
    /// The configuration.
    pub conf: PathBuf,
    /// The captures to be read together; mostly one.
    pub captures: Vec<PathBuf>,
    /// The arguments besides those for configuration and captures.
    pub args: Vec<String>,
    /// The expected standard output, if the real knockd printed the same.
    pub expected: Option<Vec<u8>>,
    /// The folder of forged captures, which is removed with the case.
    pub forged: Arc<TempDir>,
}

/// Returns the cases of `testdata/captures`, sorted by name.
///
/// # Panics
/// If a folder is invalid; the message says which and why.
#[must_use]
pub fn all() -> Vec<Case> {
    under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures"))
}

/// Returns the cases of `testdata/explain`, sorted by name.
///
/// # Panics
/// As [`all`].
#[must_use]
pub fn explained() -> Vec<Case> {
    under(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/explain"))
}

/// Returns the cases of the folders under `root`, sorted by name.
fn under(root: &Path) -> Vec<Case> {
    let folders = entries(root).into_iter().filter(|path| path.is_dir());
    let mut cases: Vec<Case> = folders.flat_map(|folder| of_folder(&folder)).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn of_folder(folder: &Path) -> Vec<Case> {
    let folder = folder.canonicalize().unwrap_or_else(|error| fail(folder, &error));
    let files = entries(&folder);
    let forged = Arc::new(forge_captures(&files));
    let captures: Vec<PathBuf> = files.iter().filter(|path| is_capture(path)).cloned().collect();
    let captures = [captures, entries(forged.path())].concat();
    let (parts, singles): (Vec<_>, Vec<_>) =
        captures.into_iter().partition(|path| file_name(path).starts_with("part-"));
    let mut groups: Vec<Vec<PathBuf>> = singles.into_iter().map(|path| vec![path]).collect();
    if !parts.is_empty() {
        groups.push(parts);
    }
    let confs: Vec<&PathBuf> = files.iter().filter(|path| variant(path).is_some()).collect();
    assert!(!confs.is_empty(), "{}: there is no knockd.conf", folder.display());
    assert!(!groups.is_empty(), "{}: there is no capture", folder.display());
    assert!(folder.join("ORIGIN").is_file(), "{}: there is no ORIGIN", folder.display());
    let mut cases = Vec::new();
    for conf in confs {
        let variant = variant(conf).unwrap_or_default();
        for captures in &groups {
            let mut name = file_name(&folder).to_owned();
            if !variant.is_empty() {
                name = format!("{name}/{variant}");
            }
            if groups.len() > 1 {
                name = format!("{name}/{}", file_name(&captures[0]));
            }
            cases.push(Case {
                name,
                folder: folder.clone(),
                conf: conf.clone(),
                captures: captures.clone(),
                args: arguments(&folder),
                expected: expected(&folder, variant),
                forged: Arc::clone(&forged),
            });
        }
    }
    cases
}

/// Returns `VARIANT` of `knockd-VARIANT.conf`, which is empty for `knockd.conf`.
fn variant(conf: &Path) -> Option<&str> {
    let variant = file_name(conf).strip_prefix("knockd")?.strip_suffix(".conf")?;
    if variant.is_empty() { Some("") } else { variant.strip_prefix('-') }
}

fn arguments(folder: &Path) -> Vec<String> {
    let line = fs::read_to_string(folder.join("args")).unwrap_or_default();
    line.split_whitespace().map(str::to_owned).collect()
}

fn expected(folder: &Path, variant: &str) -> Option<Vec<u8>> {
    let name = if variant.is_empty() { "expected".into() } else { format!("expected-{variant}") };
    fs::read(folder.join(name)).ok()
}

fn is_capture(path: &Path) -> bool {
    let name = file_name(path);
    let plain = name.strip_suffix(".gz").or_else(|| name.strip_suffix(".zst")).unwrap_or(name);
    [".pcap", ".pcapng", ".snoop"].iter().any(|ending| plain.ends_with(ending))
}

/// Forges `knocks.txt` as `capture.*` and `NAME.knocks.txt` as `NAME.*`.
fn forge_captures(files: &[PathBuf]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is room for a temporary folder");
    for file in files {
        let stem = match file_name(file).strip_suffix("knocks.txt") {
            None => continue,
            Some("") => "capture",
            Some(stem) => stem.trim_end_matches('.'),
        };
        let text = fs::read_to_string(file).unwrap_or_else(|error| fail(file, &error));
        let capture =
            capture_builder::knocks::parse(file, &text).unwrap_or_else(|error| panic!("{error}"));
        let name = capture.file_name().replacen("capture", stem, 1);
        fs::write(folder.path().join(name), capture.to_bytes()).expect("there is room");
    }
    folder
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let list = fs::read_dir(folder).unwrap_or_else(|error| fail(folder, &error));
    let mut paths: Vec<PathBuf> =
        list.map(|entry| entry.unwrap_or_else(|error| fail(folder, &error)).path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    name.unwrap_or_else(|| fail(path, &"the name is not UTF-8"))
}

fn fail(path: &Path, error: &dyn Display) -> ! {
    panic!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn write(folder: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    #[test]
    fn each_configuration_meets_each_capture_and_parts_belong_together() {
        let root = tempfile::tempdir().unwrap();
        let knocks = "0 192.0.2.1 > 10.0.0.1:7 tcp";
        write(
            &root.path().join("b"),
            &[
                ("ORIGIN", ""),
                ("knockd.conf", ""),
                ("knockd-other.conf", ""),
                ("args", "--local 10.0.0.1\n"),
                ("expected-other", "hello\n"),
                ("sequences.txt", ""),
                ("old.pcapng.zst", ""),
                ("part-2.knocks.txt", knocks),
                ("part-1.pcap", ""),
            ],
        );
        write(
            &root.path().join("a"),
            &[("ORIGIN", ""), ("knockd.conf", ""), ("knocks.txt", knocks), ("expected", "hi\n")],
        );
        let cases = under(root.path());
        let names: Vec<&str> = cases.iter().map(|case| &case.name[..]).collect();
        assert_eq!(
            names,
            [
                "a",
                "b/old.pcapng.zst",
                "b/other/old.pcapng.zst",
                "b/other/part-1.pcap",
                "b/part-1.pcap"
            ]
        );
        assert_eq!(cases[0].expected.as_deref(), Some(&b"hi\n"[..]));
        assert!(cases[0].args.is_empty());
        assert!(cases[3].folder.ends_with("b") && cases[3].conf.ends_with("b/knockd-other.conf"));
        assert_eq!(cases[3].args, ["--local", "10.0.0.1"]);
        assert_eq!(cases[3].expected.as_deref(), Some(&b"hello\n"[..]));
        assert_eq!(cases[4].expected, None);
        let parts: Vec<&str> = cases[3].captures.iter().map(|path| file_name(path)).collect();
        assert_eq!(parts, ["part-1.pcap", "part-2.pcap"]);
    }

    #[test]
    fn a_forged_capture_lives_as_long_as_its_case() {
        let root = tempfile::tempdir().unwrap();
        let knocks = "compress=gz\n0 192.0.2.1 > 10.0.0.1:7 tcp";
        write(
            &root.path().join("a"),
            &[("ORIGIN", ""), ("knockd.conf", ""), ("knocks.txt", knocks)],
        );
        let case = under(root.path()).remove(0);
        let capture = case.captures[0].clone();
        assert!(capture.ends_with("capture.pcap.gz") && capture.is_file());
        drop(case);
        assert!(!capture.exists());
    }

    #[test]
    #[should_panic(expected = "there is no capture")]
    fn a_folder_without_a_capture_is_a_mistake() {
        let root = tempfile::tempdir().unwrap();
        write(&root.path().join("a"), &[("ORIGIN", ""), ("knockd.conf", ""), ("notes.txt", "")]);
        drop(under(root.path()));
    }

    #[test]
    fn the_test_data_has_real_captures_and_written_ones() {
        let cases = all();
        let names: BTreeSet<&str> = cases.iter().map(|case| &case.name[..]).collect();
        assert_eq!(names.len(), cases.len(), "names are unique");
        for name in ["seed", "odd/pktap.pcap", "zeek-hourly-raw/7200", "one-time", "merged-parts"] {
            assert!(names.contains(name), "{name}");
        }
        let seed = cases.iter().find(|case| case.name == "seed").unwrap();
        let expected = seed.expected.as_deref().unwrap();
        assert!(expected.starts_with(b"127.0.0.1: openSSH: Stage 1\n"));
        let known = |name: &str| {
            let fixed = ["ORIGIN", "args", "sequences.txt", "knocks.txt"];
            fixed.contains(&name)
                || name.starts_with("expected")
                || name.ends_with(".knocks.txt")
                || variant(Path::new(name)).is_some()
                || is_capture(Path::new(name))
        };
        for case in &cases {
            for file in entries(&case.folder) {
                assert!(known(file_name(&file)), "no test reads {}", file.display());
            }
        }
    }
}

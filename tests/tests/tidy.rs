//! How the sources are laid out: modules use only what is below them.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The modules of each crate, from the bottom to the top: each uses only those of the lines before its
/// own.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "config",
        &[
            "text",
            "file_faults used wording",
            "lex pattern suggest typography",
            "names directives",
            "config warnings",
            "diagnostics",
            "keys",
            "read",
            "lint",
            "load",
            "command_line json options",
            "verdict",
        ],
    ),
    (
        "compat",
        &[
            "difference effect undecodable",
            "admissions attempts children filter remembered span",
            "decode hearing",
            "machine",
            "neighbours",
            "rules",
        ],
    ),
    (
        "firewall",
        &[
            "pieces place",
            "grant",
            "transaction",
            "error message text",
            "ruleset socket",
            "watch",
            "firewall",
        ],
    ),
    (
        "engine",
        &[
            "address chain door_id packet run time used_periods",
            "signed_door",
            "admission command per_minute ports sources",
            "sequence",
            "derived one_time",
            "door",
            "groups listening limits periods signing",
            "hearing",
            "doors",
            "deadline decode",
            "event",
            "named_ports",
            "effect",
            "filter transcript rules",
            "engine",
        ],
    ),
];

/// Arrows that run up or sideways all the same, until somebody turns them round.
const KNOWN: &[(&str, &str, &str)] = &[];

#[test]
fn modules_use_only_what_is_below_them() {
    for (name, layers) in LAYERS {
        let height = |module: &str| {
            let is_here = |layer: &&str| layer.split(' ').any(|one| one == module);
            layers.iter().position(is_here)
        };
        let mut seen = BTreeSet::new();
        let mut known = BTreeSet::new();
        for source in Source::all_of(name) {
            let Some(module) = source.path.first() else { continue };
            let from = height(module).unwrap_or_else(|| panic!("{name}: where does {module} go?"));
            seen.insert(module.clone());
            for used in source.uses.iter().filter_map(|used| used.first()) {
                let Some(to) = height(used).filter(|_| used != module) else { continue };
                let arrow = (*name, module.as_str(), used.as_str());
                if let Some(arrow) = KNOWN.iter().find(|known| **known == arrow) {
                    known.insert(*arrow);
                } else {
                    assert!(
                        to < from,
                        "{name}: {} uses {used}, which is not below it",
                        source.name
                    );
                }
            }
        }
        let listed: BTreeSet<String> =
            layers.iter().flat_map(|layer| layer.split(' ')).map(str::to_owned).collect();
        assert_eq!(seen, listed, "{name}");
        let of_crate = KNOWN.iter().copied().filter(|(of, ..)| of == name);
        assert_eq!(known, of_crate.collect(), "{name}: is no arrow any more");
    }
}

#[test]
fn no_file_uses_itself_by_way_of_others() {
    for (name, _) in LAYERS {
        let sources = Source::all_of(name);
        let mut arrows: BTreeMap<&[String], BTreeSet<&[String]>> = BTreeMap::new();
        for source in &sources {
            let from = &source.path[..];
            let used = source.uses.iter().filter_map(|used| file_of(used, &sources));
            let used = used.filter(|to| *to != from && !is_known(name, from, to));
            arrows.entry(from).or_default().extend(used);
        }
        for start in arrows.keys() {
            let mut reached: BTreeSet<&[String]> = BTreeSet::new();
            let mut open = vec![*start];
            while let Some(next) = open.pop() {
                for used in arrows.get(next).into_iter().flatten() {
                    assert!(used != start, "{name}: {start:?} and {next:?} use each other");
                    if reached.insert(used) {
                        open.push(used);
                    }
                }
            }
        }
    }
}

#[test]
fn paths_are_found_in_use_declarations_and_in_code() {
    let text = "use super::{a, b::{self, C as D}};\nuse std::fmt; // use crate::no;\n\npub use x::Y;\n\
                fn f() { crate::deep::g(); super::super::h(); }\n#[cfg(test)]\nmod tests { use crate::t; }";
    let found = uses(text, &["m".to_owned(), "n".to_owned()]);
    let found: Vec<String> = found.iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["deep::g", "h", "m::a", "m::b", "m::b::C"]);
}

/// A file of a crate without its tests.
struct Source {
    name: String,
    /// The module that it is.
    path: Vec<String>,
    /// The paths that it uses, from the root of the crate.
    uses: BTreeSet<Vec<String>>,
}

impl Source {
    fn all_of(name: &str) -> Vec<Self> {
        let mut all = Vec::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src");
        Self::read(&root, &[], &mut all);
        assert!(all.len() > 5, "{name}");
        all
    }

    fn read(folder: &Path, path: &[String], all: &mut Vec<Self>) {
        for entry in fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().path();
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let inner = [path, std::slice::from_ref(&stem)].concat();
            if stem == "tests" {
                continue;
            }
            if file.is_dir() {
                Self::read(&file, &inner, all);
            } else if file.extension().is_some_and(|extension| extension == "rs") {
                let is_root = matches!(stem.as_str(), "mod" | "lib" | "main");
                let text = fs::read_to_string(&file).unwrap();
                let path = if is_root { path.to_vec() } else { inner };
                let uses = uses(&text, &path);
                all.push(Self { name: file.display().to_string(), path, uses });
            }
        }
    }
}

fn is_known(name: &str, from: &[String], to: &[String]) -> bool {
    let (Some(from), Some(to)) = (from.first(), to.first()) else { return false };
    KNOWN.contains(&(name, from.as_str(), to.as_str()))
}

/// Returns the file in which a path is; that of the folder, if the folder itself has what is meant.
fn file_of<'a>(path: &[String], sources: &'a [Source]) -> Option<&'a [String]> {
    let files = sources.iter().map(|source| &source.path[..]).filter(|file| !file.is_empty());
    files.filter(|file| path.starts_with(file)).max_by_key(|file| file.len())
}

/// Returns the paths of the crate itself that a text uses, but for its tests.
fn uses(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let code: String = text
        .lines()
        .map(|line| line.split_once("//").map_or(line, |(code, _)| code).to_owned() + "\n")
        .collect();
    let mut found = BTreeSet::new();
    for start in ["crate::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let is_inner =
                code[..at].ends_with("::") || code[..at].ends_with(char::is_alphanumeric);
            if !is_inner {
                expand(&mut code[at..].chars().peekable(), Vec::new(), &mut found);
            }
        }
    }
    found.into_iter().filter_map(|path| from_root(&path, module)).collect()
}

/// Returns a path from the root of the crate.
fn from_root(path: &[String], module: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|word| *word == "super").count();
    if ups == 0 {
        return path.strip_prefix(&["crate".to_owned()]).map(<[_]>::to_vec);
    }
    let base = module.get(..module.len().checked_sub(ups)?)?;
    Some([base, &path[ups..]].concat())
}

/// Adds all paths of a tree such as `crate::{a, b::C}`.
fn expand(
    text: &mut std::iter::Peekable<std::str::Chars<'_>>,
    mut path: Vec<String>,
    found: &mut BTreeSet<Vec<String>>,
) {
    loop {
        let mut word = String::new();
        while let Some(one) = text.next_if(|one| one.is_alphanumeric() || *one == '_') {
            word.push(one);
        }
        if !word.is_empty() && word != "self" {
            path.push(word);
        }
        if text.next_if_eq(&':').is_none() {
            break;
        }
        text.next();
        if text.next_if_eq(&'{').is_some() {
            while text.peek().is_some_and(|one| *one != '}') {
                while text.next_if(|one| one.is_whitespace() || *one == ',').is_some() {}
                if text.peek() == Some(&'}') {
                    break;
                }
                expand(text, path.clone(), found);
                // A new name behind `as` is no path.
                while text.next_if(|one| !matches!(one, ',' | '}')).is_some() {}
            }
            text.next();
            return;
        }
    }
    found.insert(path);
}

/// The crates of programs and libraries, and which of the others each may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("signed", &[]),
    ("engine", &["signed"]),
    ("guard", &[]),
    ("compat", &["engine", "signed"]),
    ("config", &["engine", "guard", "signed"]),
    ("capture", &["config", "engine", "signed"]),
    ("replay", &["capture", "compat", "config", "engine", "guard", "signed"]),
    ("firewall", &["engine"]),
    ("control", &[]),
    ("ctl", &["config", "control"]),
    ("daemon", &["config", "control", "engine", "firewall", "guard", "signed"]),
    ("client", &["capture", "config", "engine", "guard", "signed"]),
];

/// What writes, creates, renames or removes files.
const WRITING: &[&str] = &[
    "File::create",
    "File::options",
    "OpenOptions",
    "DirBuilder",
    "fs::write",
    "fs::copy",
    "fs::rename",
    "fs::hard_link",
    "fs::remove",
    "fs::create_dir",
    "fs::set_permissions",
    "symlink(",
    "O_CREAT",
    "O_TRUNC",
    "renameat",
    "unlinkat",
    "mkdirat",
    "NamedTempFile",
];

/// The files that write without the crate `guard`, and why.
const WRITERS: &[(&str, &str)] = &[
    ("daemon/src/daemonize.rs", "the null device"),
    ("daemon/src/locked_file.rs", "opens a lock, and no link to one"),
    ("daemon/src/run_lock.rs", "its own lock, which it holds"),
    ("daemon/src/resolver/sandbox.rs", "flags of a system call that is forbidden"),
    ("daemon/src/runner/recording.rs", "two files that change names; the start checks both"),
    ("daemon/src/runner/control/server.rs", "a socket and its folder"),
    (
        "daemon/src/runner/lease_store/file.rs",
        "written beside and renamed, step by step for tests of power cuts",
    ),
    ("daemon/src/runner/lease_store/take.rs", "sets files aside, by names that are free"),
    ("daemon/src/runner/lease_store/writer.rs", "removes files that it holds locked"),
    ("daemon/src/runner/used/file.rs", "written beside and renamed, under a lock"),
];

#[test]
fn only_the_guard_writes_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut writers = BTreeSet::new();
    let crates = CRATES.iter().map(|(name, _)| *name).filter(|name| *name != "guard");
    for folder in crates {
        let mut texts = Vec::new();
        read_sources(&root, &format!("{folder}/src"), &mut texts);
        assert!(!texts.is_empty(), "{folder}");
        for (name, text) in texts {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            if let Some(word) = WRITING.iter().find(|word| code.contains(**word)) {
                let is_known = WRITERS.iter().any(|(known, _)| *known == name);
                assert!(is_known, "{name} has `{word}`: let the crate guard write it");
                writers.insert(name);
            }
        }
    }
    let known: BTreeSet<String> = WRITERS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(writers, known, "these write nothing any more");
}

/// They panic where the system starts no thread, as at a limit of processes; those of `thread::Builder` return an error.
#[test]
fn no_thread_is_started_by_functions_that_panic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (folder, _) in CRATES {
        let mut texts = Vec::new();
        read_sources(&root, &format!("{folder}/src"), &mut texts);
        for (name, text) in texts {
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            for word in ["thread::spawn(", "scope.spawn("] {
                assert!(!code.contains(word), "{name} has `{word}`: use `thread::Builder`");
            }
        }
    }
}

/// Reads the sources of a folder, but for files of tests.
fn read_sources(root: &Path, folder: &str, texts: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{folder}/{name}");
        if entry.file_type().unwrap().is_dir() {
            if name != "tests" {
                read_sources(root, &path, texts);
            }
        } else if Path::new(&name).extension().is_some_and(|one| one == "rs") && name != "tests.rs"
        {
            texts.push((path.clone(), fs::read_to_string(root.join(path)).unwrap()));
        }
    }
}

#[test]
fn crates_depend_only_on_those_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, allowed) in CRATES {
        let manifest = fs::read_to_string(root.join(name).join("Cargo.toml")).unwrap();
        let (_, dependencies) = manifest.split_once("[dependencies]").unwrap();
        let dependencies = dependencies.split("\n[").next().unwrap();
        let own = dependencies.lines().filter_map(|line| line.strip_prefix("knock-"));
        let own: BTreeSet<&str> = own.filter_map(|line| line.split(['.', ' ']).next()).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        assert_eq!(own, allowed, "{name}");
    }
}

//! Links between documents lead somewhere, the README names every folder, and differences.md every new directive.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use knock_config::Directive;
use knock_tests::require::{Need, require};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The documents at the top, in `docs`, and beside tests and data.
fn documents() -> Vec<PathBuf> {
    let folders = ["", "docs", "docs/es", "engine", "testdata", "tests/fuzz", "tests/oracle"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The targets of the links of a text: `](TARGET)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

/// The anchors of the headings of a text, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|one| one.is_alphanumeric() || " -_".contains(*one));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut followed = 0_usize;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => document.clone(),
                file => document.parent().unwrap().join(file),
            };
            let place = document.display();
            assert!(target.exists(), "{place} links to {link}, which does not exist");
            if !anchor.is_empty() {
                let headings = anchors(&fs::read_to_string(&target).unwrap());
                assert!(headings.iter().any(|heading| heading == anchor), "{place}: {link}");
            }
            followed += 1;
        }
    }
    assert!(followed >= 60, "only {followed} links were found");
}

/// The programs, by their letters in docs/dependencies.md.
const PROGRAMS: [(char, &str); 4] =
    [('d', "knockd"), ('k', "knock"), ('r', "knock-replay"), ('c', "knockctl")];

/// Returns what a command prints.
fn output(command: &mut Command) -> String {
    let output = command.current_dir(root()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The crates of a program, by the edges between them, except for ours.
fn crates(program: &str, edges: &str) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--package", program, "--edges", edges, "--prefix", "none"]);
    tree.args(["--no-dedupe", "--locked", "--offline", "--format", "{lib} {p}"]);
    let name = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
    let names = output(&mut tree).lines().map(name).collect::<BTreeSet<String>>();
    names.into_iter().filter(|name| !name.starts_with("knock")).collect()
}

#[test]
fn the_page_of_dependencies_names_every_crate_of_every_program() {
    let text = fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let (in_programs, to_build) = text.split_once("## Only while").unwrap();
    for (letter, program) in PROGRAMS {
        let named = |text: &str| -> BTreeSet<String> {
            let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
            let rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
            let rows = rows.filter(|row| row[1].contains(letter) && row[2].len() > 5);
            rows.map(|row| row[0].trim_end_matches('`').to_owned()).collect()
        };
        let linked = crates(program, "normal,no-proc-macro");
        assert!(linked.len() > 20, "{linked:?}");
        assert_eq!(named(in_programs), linked, "{program}");
        let all = crates(program, "normal,build");
        assert_eq!(named(to_build), all.difference(&linked).cloned().collect(), "{program}");
    }
}

#[test]
fn the_bill_of_materials_of_a_package_has_every_crate_with_its_licence() {
    if !require("the_bill_of_materials_of_a_package", &["jq"], Need::Programs) {
        return;
    }
    for (package, programs) in [
        ("knockd", &["knockd", "knockctl"][..]),
        ("knock", &["knock"]),
        ("knock-replay", &["knock-replay"]),
    ] {
        let text =
            output(Command::new("scripts/sbom").arg(package).env("CARGO_NET_OFFLINE", "true"));
        let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
        let components = bill["components"].as_array().unwrap();
        let named: BTreeSet<String> = components
            .iter()
            .filter(|one| one["licenses"][0]["expression"].is_string() && one["hashes"].is_array())
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect();
        let linked = |program: &&str| crates(program, "normal,no-proc-macro");
        assert_eq!(named, programs.iter().flat_map(linked).collect(), "{package}");
    }
}

#[test]
fn the_difference_about_new_directives_names_each() {
    let differences = fs::read_to_string(root().join("docs/differences.md")).unwrap();
    let (_, rest) = differences.split_once("\n### 40. New directives\n").unwrap();
    let (named, _) = rest.split_once("\n### 41. ").unwrap();
    let new = Directive::ALL.iter().filter(|directive| !directive.is_in_08());
    let spelled = new.map(|directive| directive.usage().split(' ').next().unwrap());
    let missing: Vec<&str> = spelled.filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_readme_names_every_folder() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, layout) = readme.split_once("\n## Layout\n").unwrap();
    let mut named = 0_usize;
    for entry in fs::read_dir(root()).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() && !name.starts_with('.') && name != "target" {
            assert!(layout.contains(&format!("| `{name}/` |")), "the README leaves out {name}/");
            named += 1;
        }
    }
    assert!(named >= 8, "{named}");
}

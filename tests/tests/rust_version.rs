//! The oldest Rust that builds the workspace, as far as another version can check it. Clippy's
//! `incompatible_msrv` refuses later additions to `std`; only the old compiler notices new syntax.

#![cfg(test)]

use std::path::Path;
use std::process::Command;

use knock_tests::process::finish;
use serde_json::Value;

/// The content of the workspace's `Cargo.toml`.
const OURS: &str = env!("CARGO_PKG_RUST_VERSION");

/// Asks cargo about the packages of a manifest in the repository.
fn packages(manifest: &str, options: &[&str]) -> Vec<Value> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(manifest);
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--manifest-path"]);
    let outcome = finish(cargo.arg(manifest).args(options));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    let metadata: Value = serde_json::from_str(&outcome.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// `1.93` is `1.93.0`.
fn numbers(version: &str) -> [u32; 3] {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap());
    [(); 3].map(|()| numbers.next().unwrap_or(0))
}

#[test]
fn versions_are_compared_by_their_numbers() {
    assert!(numbers("1.9") < numbers("1.10"));
    assert!(numbers("1.93") < numbers("1.93.1"));
    assert_eq!(numbers("1.93"), numbers("1.93.0"));
}

#[test]
fn every_crate_of_ours_names_the_same_rust_version() {
    for (manifest, least) in
        [("Cargo.toml", 7), ("tests/fuzz/Cargo.toml", 1), ("tests/no-std/Cargo.toml", 1)]
    {
        let packages = packages(manifest, &["--no-deps"]);
        assert!(packages.len() >= least, "{manifest}: {}", packages.len());
        for package in packages {
            assert_eq!(package["rust_version"].as_str(), Some(OURS), "{}", name(&package));
        }
    }
}

#[test]
fn no_dependency_asks_for_a_newer_rust() {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let packages = packages("Cargo.toml", &["--all-features", "--filter-platform", &host]);
    let named: Vec<_> = packages
        .iter()
        .filter_map(|package| Some((name(package), package["rust_version"].as_str()?)))
        .collect();
    assert!(named.len() > 50, "{named:?}");
    let newer = named.iter().filter(|(_, version)| numbers(version) > numbers(OURS));
    assert_eq!(newer.collect::<Vec<_>>(), <Vec<&(&str, &str)>>::new());
}

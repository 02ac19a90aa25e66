//! A manual page as it is in the repository.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::process::finish;
use crate::require::{Need, require};

/// A page and its file.
pub(super) struct Committed {
    pub(super) path: PathBuf,
    /// What the file must be.
    pub(super) text: String,
    /// The headings that a reader must see.
    pub(super) headings: Vec<String>,
}

impl Committed {
    /// Fails if the file differs from the text. With `KNOCK_BLESS` it is written first.
    pub(super) fn assert_is_up_to_date(&self) {
        if std::env::var_os("KNOCK_BLESS").is_some() {
            fs::write(&self.path, &self.text).unwrap();
        }
        let committed = fs::read_to_string(&self.path).unwrap_or_default();
        let path = self.path.display();
        assert!(committed == self.text, "{path} is old: run this test with KNOCK_BLESS=1");
    }

    /// Fails if `man` warns about the file, or does not show a heading.
    pub(super) fn assert_man_accepts_it(&self) {
        let file = self.path.display().to_string();
        if !require(&format!("man shows {file}"), &["man"], Need::Programs) {
            return;
        }
        let mut man = Command::new("man");
        man.args(["--warnings", "--local-file", &file]);
        let outcome = finish(man.env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8"));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
        for heading in &self.headings {
            let shown = outcome.stdout.lines().any(|line| line == heading);
            assert!(shown, "no {heading} in {}", outcome.stdout);
        }
    }
}

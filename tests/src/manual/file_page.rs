//! The manual page of a file that a program reads.

use clap_mangen::roff::{Roff, roman};

use super::committed::Committed;
use super::{Prose, folder, section};

/// A page of section 5. All of it but the name is prose.
#[derive(Clone, Debug)]
pub struct FilePage {
    /// The file's name.
    name: &'static str,
    /// What it is, in a few words.
    about: &'static str,
    /// Which program reads it, with its version.
    source: String,
    prose: Prose,
}

impl FilePage {
    /// Makes the page from the prose in `docs/man/NAME.5.md`.
    ///
    /// # Panics
    /// If the prose contains an element that manual pages do not have.
    #[must_use]
    pub fn new(name: &'static str, about: &'static str, program: &clap::Command) -> Self {
        let version = program.get_version().unwrap();
        Self {
            name,
            about,
            source: format!("{} {version}", program.get_name()),
            prose: Prose::read(&folder().join(format!("{name}.5.md")), &["SEE ALSO"]),
        }
    }

    /// The prose of the page.
    #[must_use]
    pub fn prose(&self) -> &Prose {
        &self.prose
    }

    /// Returns the page as `man` reads it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut roff = Roff::new();
        roff.control("TH", [self.name.to_uppercase().as_str(), "5", "", &self.source, "knock"]);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!("{} - {}", self.name, self.about))]);
        let comment = ".\\\" Made from prose and from the table of directives; do not edit.\n";
        let sections = self.prose.sections().iter().map(|one| section(one).to_roff());
        format!("{comment}{}{}", roff.to_roff(), sections.collect::<String>())
    }

    /// Fails if the page's file differs from this text. With `KNOCK_BLESS` it is written first.
    ///
    /// # Panics
    /// If so.
    pub fn assert_is_committed(&self) {
        self.committed().assert_is_up_to_date();
    }

    /// Fails if `man` warns about the page's file, or does not show a section of the prose.
    ///
    /// # Panics
    /// If so.
    pub fn assert_man_accepts_it(&self) {
        self.committed().assert_man_accepts_it();
    }

    fn committed(&self) -> Committed {
        Committed {
            path: folder().join(format!("{}.5", self.name)),
            text: self.text(),
            headings: std::iter::once("NAME".to_owned()).chain(self.prose.headings()).collect(),
        }
    }
}

//! Manual pages: generated from the definition of a command line and from prose, and checked against
//! both.

mod committed;
mod file_page;
mod prose;

use std::path::{Path, PathBuf};

use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use committed::Committed;

pub use file_page::FilePage;
pub use prose::{Fault, Part, Prose, Section, Spans};

/// A manual page of a program.
///
/// The name, the options, the exit statuses and the examples are those of the command line, whose long
/// help ends with lists under `Examples:` and `Exit status:`. Subcommands have sections of their own, and
/// examples, too.
#[derive(Clone, Debug)]
pub struct Page {
    /// The command line.
    command: clap::Command,
    /// The synopsis.
    usage: &'static str,
    /// The prose, which the help does not have.
    prose: Prose,
}

impl Page {
    /// Makes the page of a program from its command line, its synopsis, and the prose in
    /// `docs/man/PROGRAM.1.md`.
    ///
    /// # Panics
    /// If the prose contains an element that manual pages do not have.
    #[must_use]
    pub fn new(command: clap::Command, usage: &'static str) -> Self {
        let prose = prose(command.get_name());
        Self { command, usage, prose }
    }

    /// Returns the page as `man` reads it.
    ///
    /// # Panics
    /// If the long help lacks one of the lists.
    #[must_use]
    pub fn text(&self) -> String {
        let [description, sections @ .., exit_status, see_also] = self.prose.sections() else {
            panic!("the prose lacks a section");
        };
        let command = self.command.clone().override_usage(self.usage);
        let title = command.get_name().to_uppercase();
        let man = Man::new(command).title(title).manual("knock");
        let mut page =
            b".\\\" Made from the definition of the command line; do not edit.\n".to_vec();
        man.render_title(&mut page).unwrap();
        man.render_name_section(&mut page).unwrap();
        man.render_synopsis_section(&mut page).unwrap();
        if self.command.has_subcommands() {
            self.subcommand_usages().to_writer(&mut page).unwrap();
        }
        section(description).to_writer(&mut page).unwrap();
        man.render_options_section(&mut page).unwrap();
        for subcommand in self.command.get_subcommands() {
            page.extend(self.subcommand(subcommand.clone()));
        }
        for part in sections {
            section(part).to_writer(&mut page).unwrap();
        }
        self.exit_status(exit_status).to_writer(&mut page).unwrap();
        examples(&self.command).to_writer(&mut page).unwrap();
        section(see_also).to_writer(&mut page).unwrap();
        String::from_utf8(page).unwrap()
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
        let headings = ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES"].map(str::to_owned);
        Committed {
            path: folder().join(format!("{}.1", self.command.get_name())),
            text: self.text(),
            headings: headings.into_iter().chain(self.prose.headings()).collect(),
        }
    }

    /// Fails if an option or an example of the help is not in the page.
    ///
    /// # Panics
    /// If so.
    pub fn assert_has_every_option_and_every_example(&self) {
        let page = self.text().replace('\\', "");
        for command in std::iter::once(&self.command).chain(self.command.get_subcommands()) {
            let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
            for option in shown.filter_map(|argument| argument.get_long()) {
                assert!(page.contains(&format!("--{option}")), "{option}");
            }
            if command.get_after_long_help().is_none() {
                continue;
            }
            let examples = help(command, "Examples");
            for example in examples.lines().filter(|line| line.starts_with("      ")) {
                assert!(page.contains(example.trim_start()), "{example}");
            }
        }
    }

    /// The exit statuses in the help, and the prose about them.
    fn exit_status(&self, prose: &Section) -> Roff {
        let mut roff = Roff::new();
        roff.control("SH", ["EXIT STATUS"]);
        let (statuses, _) = exit_statuses(&self.command);
        for (status, meaning) in &statuses {
            tagged(status, meaning, &mut roff);
        }
        parts(prose, &mut roff);
        roff
    }

    /// The synopsis of each subcommand.
    fn subcommand_usages(&self) -> Roff {
        let mut roff = Roff::new();
        for subcommand in self.command.get_subcommands() {
            let name = format!("{} {}", self.command.get_name(), subcommand.get_name());
            let usage = subcommand.clone().bin_name(&name).render_usage().to_string();
            let (_, arguments) = usage.split_once(&name).unwrap();
            roff.control("br", []);
            roff.text([bold(name), roman(arguments)]);
        }
        roff
    }

    /// Returns the section of a subcommand, with its options and examples.
    fn subcommand(&self, subcommand: clap::Command) -> Vec<u8> {
        let name = format!("{} {}", self.command.get_name(), subcommand.get_name());
        let mut roff = Roff::new();
        roff.control("SH", [name.to_uppercase().as_str()]);
        let about = subcommand.get_long_about().or(subcommand.get_about()).unwrap().to_string();
        about.split("\n\n").for_each(|text| paragraph(text, &mut roff));
        let mut section = Vec::new();
        roff.to_writer(&mut section).unwrap();
        // Small ones have no examples and no statuses of their own.
        let lists = subcommand.get_after_long_help().is_some();
        let lists = lists.then(|| (examples(&subcommand), exit_statuses(&subcommand)));
        let mut options = Vec::new();
        Man::new(subcommand.bin_name(name)).render_options_section(&mut options).unwrap();
        let options = String::from_utf8(options).unwrap();
        section.extend(options.replacen(".SH OPTIONS", ".SS Options", 1).into_bytes());
        let Some((examples, (statuses, rest))) = lists else { return section };
        let mut shown = Vec::new();
        examples.to_writer(&mut shown).unwrap();
        let shown = String::from_utf8(shown).unwrap();
        section.extend(shown.replacen(".SH EXAMPLES", ".SS Examples", 1).into_bytes());
        let mut roff = Roff::new();
        roff.control("SS", ["Exit status"]);
        for (status, meaning) in &statuses {
            tagged(status, meaning, &mut roff);
        }
        for text in &rest {
            paragraph(text, &mut roff);
        }
        roff.to_writer(&mut section).unwrap();
        section
    }
}

/// Returns the prose of a program's page.
///
/// # Panics
/// If it contains an element that manual pages do not have.
#[must_use]
pub fn prose(program: &str) -> Prose {
    Prose::read(&folder().join(format!("{program}.1.md")), &["EXIT STATUS", "SEE ALSO"])
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man")
}

/// The examples that the help gives.
fn examples(command: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    let list = help(command, "Examples");
    let lines: Vec<_> = list.lines().filter(|line| !line.is_empty()).collect();
    let is_command = |line: &str| line.starts_with("      ");
    for example in lines.chunk_by(|_, next| is_command(next)) {
        let (what, commands) = example.split_first().unwrap();
        paragraph(what.trim(), &mut roff);
        let commands: Vec<_> = commands.iter().map(|line| line.trim()).collect();
        verbatim(&commands.join("\n"), &mut roff);
    }
    roff
}

/// Returns the statuses that the help lists, each with its meaning, and the paragraphs after them.
fn exit_statuses(command: &clap::Command) -> (Vec<(String, String)>, Vec<String>) {
    let list = help(command, "Exit status");
    let part = |line: &str| {
        let (status, meaning) = line.trim().split_once("  ").unwrap();
        (status.to_owned(), format!("{meaning}."))
    };
    let long = command.get_after_long_help().unwrap().to_string();
    let (_, after) = long.split_once(&list).unwrap();
    let rest = after.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
    (list.lines().map(part).collect(), rest.map(str::to_owned).collect())
}

fn tagged(tag: &str, text: &str, roff: &mut Roff) {
    roff.control("TP", []);
    roff.text([bold(tag)]);
    roff.text([roman(text)]);
}

/// Returns the lines of the long help under a heading, all of which are indented.
fn help(command: &clap::Command, heading: &str) -> String {
    let help = command.get_after_long_help().unwrap().to_string();
    let (_, list) = help.split_once(&format!("{heading}:\n")).unwrap();
    let lines = list.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn section(section: &Section) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [section.heading.as_str()]);
    parts(section, &mut roff);
    roff
}

fn parts(section: &Section, roff: &mut Roff) {
    for part in &section.parts {
        match part {
            Part::Text(text) => {
                roff.control("PP", []);
                roff.text(text.inlines());
            }
            Part::Tagged(tag, text) => {
                roff.control("TP", []);
                roff.text(tag.inlines());
                roff.text(text.inlines());
            }
            Part::Verbatim(text) => verbatim(text, roff),
        }
    }
}

fn paragraph(text: &str, roff: &mut Roff) {
    roff.control("PP", []);
    roff.text(inlines(text));
}

fn verbatim(text: &str, roff: &mut Roff) {
    roff.control("PP", []);
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

/// Text between backticks is bold.
fn inlines(text: &str) -> Vec<Inline> {
    let piece = |(index, piece): (usize, &str)| {
        if index % 2 == 1 { bold(piece) } else { roman(piece) }
    };
    text.split('`').enumerate().map(piece).collect()
}

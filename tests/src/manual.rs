//! Manual pages: made from the definition of a command line and from prose, and held to both.

use std::fs;
use std::path::Path;
use std::process::Command;

use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::process::finish;
use crate::require::{Need, require};

/// A section of a page. Words between backticks are bold.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// What stands above it, in capitals.
    pub heading: &'static str,
    /// What stands in it.
    pub parts: &'static [Part],
}

/// A part of a section.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// A paragraph.
    Text(&'static str),
    /// A tag, and what it means.
    Tagged(&'static str, &'static str),
    /// Lines that are kept as they are.
    Verbatim(&'static str),
}

/// A manual page of a program.
///
/// The name, the options, the exit statuses and the examples are those of the command line, whose long
/// help ends with lists under `Examples:` and `Exit status:`. Subcommands have sections of their own, and
/// examples, too.
#[derive(Clone, Debug)]
pub struct Page {
    /// The command line.
    pub command: clap::Command,
    /// The synopsis.
    pub usage: &'static str,
    /// What stands before the options.
    pub description: Section,
    /// What stands behind the options.
    pub sections: &'static [Section],
    /// What stands behind the list of exit statuses.
    pub exit_status: &'static [&'static str],
    /// What stands behind the examples.
    pub see_also: Section,
}

impl Page {
    /// Returns the page as `man` reads it.
    ///
    /// # Panics
    /// If the long help lacks one of the lists.
    #[must_use]
    pub fn text(&self) -> String {
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
        section(&self.description).to_writer(&mut page).unwrap();
        man.render_options_section(&mut page).unwrap();
        for subcommand in self.command.get_subcommands() {
            page.extend(self.subcommand(subcommand.clone()));
        }
        for part in self.sections {
            section(part).to_writer(&mut page).unwrap();
        }
        self.exit_status().to_writer(&mut page).unwrap();
        examples(&self.command).to_writer(&mut page).unwrap();
        section(&self.see_also).to_writer(&mut page).unwrap();
        String::from_utf8(page).unwrap()
    }

    /// Fails if the file has another text than this. With `KNOCK_BLESS` it is written first.
    ///
    /// # Panics
    /// If so.
    pub fn assert_is(&self, file: &str) {
        let page = self.text();
        if std::env::var_os("KNOCK_BLESS").is_some() {
            fs::create_dir_all(Path::new(file).parent().unwrap()).unwrap();
            fs::write(file, &page).unwrap();
        }
        let committed = fs::read_to_string(file).unwrap_or_default();
        assert!(committed == page, "{file} is old: run this test with KNOCK_BLESS=1");
    }

    /// Fails if an option or an example of the help is not in the page.
    ///
    /// # Panics
    /// If so.
    pub fn assert_has_every_option_and_every_example(&self) {
        let page = self.text().replace('\\', "");
        for command in std::iter::once(&self.command).chain(self.command.get_subcommands()) {
            for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
                assert!(page.contains(&format!("--{option}")), "{option}");
            }
            let examples = help(command, "Examples");
            for example in examples.lines().filter(|line| line.starts_with("      ")) {
                assert!(page.contains(example.trim_start()), "{example}");
            }
        }
    }

    /// The statuses that the help lists.
    fn exit_status(&self) -> Roff {
        let mut roff = Roff::new();
        roff.control("SH", ["EXIT STATUS"]);
        let (statuses, _) = exit_statuses(&self.command);
        for (status, meaning) in &statuses {
            tagged(status, meaning, &mut roff);
        }
        for text in self.exit_status {
            paragraph(text, &mut roff);
        }
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
        let about = subcommand.get_long_about().unwrap().to_string();
        about.split("\n\n").for_each(|text| paragraph(text, &mut roff));
        let mut section = Vec::new();
        roff.to_writer(&mut section).unwrap();
        let examples = examples(&subcommand);
        let (statuses, rest) = exit_statuses(&subcommand);
        let mut options = Vec::new();
        Man::new(subcommand.bin_name(name)).render_options_section(&mut options).unwrap();
        let options = String::from_utf8(options).unwrap();
        section.extend(options.replacen(".SH OPTIONS", ".SS Options", 1).into_bytes());
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

/// The examples that the help gives.
fn examples(command: &clap::Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for example in help(command, "Examples").split("\n\n") {
        let (what, commands) = example.split_once('\n').unwrap();
        paragraph(what.trim(), &mut roff);
        let commands: Vec<_> = commands.lines().map(str::trim).collect();
        verbatim(&commands.join("\n"), &mut roff);
    }
    roff
}

/// Returns the statuses that the help lists, each with its meaning, and the paragraphs behind them.
fn exit_statuses(command: &clap::Command) -> (Vec<(String, String)>, Vec<String>) {
    let list = help(command, "Exit status");
    let part = |line: &str| {
        let (status, meaning) = line.trim().split_once("  ").unwrap();
        (status.to_owned(), format!("{meaning}."))
    };
    let long = command.get_after_long_help().unwrap().to_string();
    let (_, behind) = long.split_once(&list).unwrap();
    let rest = behind.split("\n\n").map(str::trim).filter(|text| !text.is_empty());
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

/// Fails if `man` has something to say against a page, or if one of the headings is not in it.
///
/// # Panics
/// If so.
pub fn assert_man_accepts(file: &str, headings: &[&str]) {
    if !require(&format!("man shows {file}"), &["man"], Need::Programs) {
        return;
    }
    let mut man = Command::new("man");
    man.args(["--warnings", "--local-file", file]).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
    let outcome = finish(&mut man);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""));
    for heading in headings {
        let shown = outcome.stdout.lines().any(|line| line == *heading);
        assert!(shown, "no {heading} in {}", outcome.stdout);
    }
}

fn section(section: &Section) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", [section.heading]);
    for part in section.parts {
        match *part {
            Part::Text(text) => paragraph(text, &mut roff),
            Part::Tagged(tag, text) => {
                roff.control("TP", []);
                roff.text(inlines(tag));
                roff.text(inlines(text));
            }
            Part::Verbatim(text) => verbatim(text, &mut roff),
        }
    }
    roff
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

/// What stands between backticks is bold.
fn inlines(text: &str) -> Vec<Inline> {
    let piece = |(index, piece): (usize, &str)| {
        if index % 2 == 1 { bold(piece) } else { roman(piece) }
    };
    text.split('`').enumerate().map(piece).collect()
}

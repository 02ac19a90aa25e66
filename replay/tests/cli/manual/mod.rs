//! The manual page: made from the command line's definition and [`prose`].

mod prose;

use std::fs;
use std::path::Path;
use std::process::Command;

use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

use crate::common::{Need, require};
use prose::{Part, SEE_ALSO, Section};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/man/knock-replay.1");

#[test]
fn the_manual_page_is_up_to_date() {
    let page = page();
    if std::env::var_os("KNOCK_BLESS").is_some() {
        fs::create_dir_all(Path::new(PAGE).parent().unwrap()).unwrap();
        fs::write(PAGE, &page).unwrap();
    }
    let committed = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(committed == page, "docs/man/knock-replay.1 is old: run this test with KNOCK_BLESS=1");
}

#[test]
fn man_has_nothing_to_say_against_the_manual_page() {
    if !require("man_has_nothing_to_say_against_the_manual_page", &["man"], Need::Programs) {
        return;
    }
    let mut man = Command::new("man");
    man.args(["--warnings", "--local-file", PAGE]).env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8");
    let output = man.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()),
        (Some(0), "")
    );
    for heading in ["NAME", "SYNOPSIS", "OPTIONS", "TRANSCRIPT", "EXIT STATUS", "SEE ALSO"] {
        assert!(text.lines().any(|line| line == heading), "no {heading} in {text}");
    }
}

#[test]
fn the_manual_page_has_every_option_and_every_example() {
    let page = page().replace('\\', "");
    let command = knock_replay::command();
    for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
        assert!(page.contains(&format!("--{option}")), "{option}");
    }
    let help = long_help();
    let examples = help.lines().filter(|line| line.starts_with("      "));
    for example in examples {
        assert!(page.contains(example.trim_start()), "{example}");
    }
}

/// Returns the manual page.
fn page() -> String {
    let command =
        knock_replay::command().override_usage("knock-replay [OPTION]... -c FILE CAPTURE...");
    let man = Man::new(command).title("KNOCK-REPLAY").manual("knock");
    let mut page = b".\\\" Made from the definition of the command line; do not edit.\n".to_vec();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    section(&prose::DESCRIPTION).to_writer(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    for part in prose::SECTIONS {
        section(part).to_writer(&mut page).unwrap();
    }
    exit_status().to_writer(&mut page).unwrap();
    examples().to_writer(&mut page).unwrap();
    section(&SEE_ALSO).to_writer(&mut page).unwrap();
    String::from_utf8(page).unwrap()
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

/// The statuses that `--help` lists.
fn exit_status() -> Roff {
    let help = long_help();
    let (_, list) = help.split_once("Exit status:\n").unwrap();
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in list.lines().map(|line| line.trim().split_once("  ").unwrap()) {
        roff.control("TP", []);
        roff.text([bold(status)]);
        roff.text([roman(format!("{meaning}."))]);
    }
    for text in prose::EXIT_STATUS {
        paragraph(text, &mut roff);
    }
    roff
}

/// The examples that `--help` gives.
fn examples() -> Roff {
    let help = long_help();
    let (_, list) = help.split_once("Examples:\n").unwrap();
    let (list, _) = list.split_once("\n\nExit status:").unwrap();
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for example in list.split("\n\n") {
        let (what, commands) = example.split_once('\n').unwrap();
        paragraph(what.trim(), &mut roff);
        let commands: Vec<_> = commands.lines().map(str::trim).collect();
        verbatim(&commands.join("\n"), &mut roff);
    }
    roff
}

fn long_help() -> String {
    knock_replay::command().get_after_long_help().unwrap().to_string()
}

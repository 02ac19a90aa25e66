//! Characters in commands and names that are not what they look like.

use std::collections::BTreeSet;

use super::commands::{DoorScripts, Line};
use super::firewall;
use crate::config::Options;
use crate::diagnostics::Diagnostics;
use crate::lex::Piece;
use crate::typography::{Lookalike, lookalikes};
use crate::warnings::Warning;

/// Warns about the names of files and interfaces.
pub(super) fn check_options(options: &Options, text: &[u8], diagnostics: &mut Diagnostics) {
    let files = [&options.log_file, &options.pid_file];
    let mut names: Vec<Piece<'_>> =
        files.into_iter().flatten().map(|given| given.value_in(text)).collect();
    names.extend(options.interfaces.as_ref().map(|given| given.value_in(text)));
    for name in names {
        // Other quotes would be part of the name, too.
        let found = lookalikes(name.bytes()).map(|one| match one.instead {
            Some("\"" | "'") => Lookalike { instead: None, ..one },
            _ => one,
        });
        warn(name, found, diagnostics);
    }
}

/// Warns about the name and the commands of a door.
pub(super) fn check(door: &DoorScripts<'_>, text: &[u8], diagnostics: &mut Diagnostics) {
    let name = Piece::of(text, &door.door.name_at);
    // In a name, only another kind of blank is a mistake for certain; what cannot be seen is an error.
    let blanks = lookalikes(name.bytes()).filter(|one| one.instead == Some(" "));
    warn(name, blanks, diagnostics);
    for line in door.all() {
        check_line(line, diagnostics);
    }
}

fn check_line(line: &Line<'_>, diagnostics: &mut Diagnostics) {
    if line.script.commands.is_empty() {
        return warn(line.value, lookalikes(line.value.bytes()), diagnostics);
    }
    for command in &line.script.commands {
        // Texts for people may have any characters.
        if firewall::is_harmless(command) {
            continue;
        }
        let is_firewall = firewall::may_touch_a_firewall(command);
        let words = command.raw_words().iter();
        for word in words.filter(|word| is_firewall || !is_quoted(word.bytes())) {
            warn(*word, lookalikes(word.bytes()), diagnostics);
        }
    }
}

fn is_quoted(word: &[u8]) -> bool {
    word.contains(&b'\'') || word.contains(&b'"')
}

/// Warns about each character once.
fn warn(piece: Piece<'_>, found: impl Iterator<Item = Lookalike>, diagnostics: &mut Diagnostics) {
    let mut seen = BTreeSet::new();
    for one in found {
        if seen.insert(one.character) {
            let Lookalike { start, length, character, name, instead } = one;
            let warning = Warning::TypographicCharacter { character, name, instead };
            diagnostics.warn(warning, piece.part(start, length));
        }
    }
}

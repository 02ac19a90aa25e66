//! Names and commands, which are printed as they are, and what they may therefore not contain.
//!
//! A transcript and a log have them byte for byte, as those of knockd 0.8 do. They are read by people at a
//! terminal, and by services that run the tests of a configuration that somebody else has proposed.

use crate::diagnostics::{Diagnostics, LineFault};
use crate::lex::Piece;
use crate::text::{LOG_COMMAND_PREFIX, LOG_COMMANDS};
use knock_guard::{is_unprintable, turns_text};

/// Reports the first thing in the name of a door that commands what shows it, or cannot be seen.
pub(super) fn check_name(name: Piece<'_>, found: &mut Diagnostics) {
    if let Some(bad) = characters(name.bytes()).find(|one| is_unprintable(one.character)) {
        return report(&bad, name, true, found);
    }
    if let Some(mark) = log_command(&String::from_utf8_lossy(name.bytes())) {
        found.line(LineFault::LogCommand { mark }, name);
    }
}

/// Reports the first character of a command that commands the terminal, or shows what is after it in
/// another order.
///
/// Characters that only cannot be seen belong to the texts of some languages, so they get a warning, and
/// not everywhere (`lint::typography`). So do texts that are not UTF-8, and bytes of theirs that are control
/// characters elsewhere.
pub(super) fn check_command(command: Piece<'_>, found: &mut Diagnostics) {
    let is_bad = |one: char| one != '\t' && (one.is_control() || turns_text(one));
    let bad = characters(command.bytes()).find(|one| one.is_utf8 && is_bad(one.character));
    if let Some(bad) = bad {
        report(&bad, command, false, found);
    }
}

fn report(bad: &Placed, piece: Piece<'_>, is_name: bool, found: &mut Diagnostics) {
    let Placed { start, length, character, is_utf8: _ } = *bad;
    let fault = LineFault::UnprintableCharacter { character, is_name };
    found.line(fault, piece.part(start, length));
}

/// A character in its place.
struct Placed {
    /// Its first byte.
    start: usize,
    /// How many bytes it has.
    length: usize,
    /// Which it is; U+0080 to U+009F, control characters, for a byte of this value that is not UTF-8, and
    /// U+FFFD for the others.
    character: char,
    is_utf8: bool,
}

fn characters(text: &[u8]) -> impl Iterator<Item = Placed> {
    let mut next = 0_usize;
    let pieces = text.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(|one| (one.len_utf8(), one, true));
        let byte = |byte: &u8| if *byte < 0xa0 { char::from(*byte) } else { '\u{fffd}' };
        valid.chain(chunk.invalid().iter().map(move |one| (1, byte(one), false)))
    });
    pieces.map(move |(length, character, is_utf8)| {
        let start = next;
        next = next.saturating_add(length);
        Placed { start, length, character, is_utf8 }
    })
}

/// Returns what makes a name a command for a service that shows logs.
fn log_command(name: &str) -> Option<&'static str> {
    if name.trim_start().starts_with(LOG_COMMAND_PREFIX) {
        return Some(LOG_COMMAND_PREFIX);
    }
    LOG_COMMANDS.into_iter().find(|command| name.contains(command))
}

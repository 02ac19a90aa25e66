//! Words that all texts share.

use std::ffi::OsStr;
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use clap::builder::styling::Style;
use knock_config::text::shown;

/// Returns how many there are of something.
pub(crate) fn number<N: Copy + Display + PartialEq + From<u8>>(
    count: N,
    one: &str,
    many: &str,
) -> String {
    let word = if count == N::from(1) { one } else { many };
    format!("{count} {word}")
}

/// Returns how many there are of something whose plural ends with an `s`.
pub(crate) fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, thing: &str) -> String {
    number(count, thing, &format!("{thing}s"))
}

/// Returns bytes as text that cannot command the terminal.
pub(crate) fn printable(bytes: &[u8]) -> String {
    shown(Path::new(OsStr::from_bytes(bytes)))
}

/// Returns a text in a style, if colours are wanted.
pub(crate) fn painted(colour: bool, style: Style, text: &str) -> String {
    if colour {
        format!("{}{text}{}", style.render(), style.render_reset())
    } else {
        text.to_owned()
    }
}

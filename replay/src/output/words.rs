//! Words that all texts share.

use std::fmt::{self, Display};

use clap::builder::styling::Style;

/// Returns how many there are of something.
pub(crate) fn number<N: Copy + Display + PartialEq + From<u8>>(
    count: N,
    one: &str,
    many: &str,
) -> String {
    let word = if count == N::from(1) { one } else { many };
    format!("{count} {word}")
}

/// Returns several things in a row: `7000/tcp, 8000/tcp and 9000/tcp`.
pub(crate) fn listed(things: &[String]) -> String {
    match things {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A text in a style, if colours are wanted.
pub(crate) struct Painted<T> {
    style: Option<Style>,
    text: T,
}

/// Paints a text, if colours are wanted.
pub(crate) fn painted<T: Display>(colour: bool, style: Style, text: T) -> Painted<T> {
    Painted { style: colour.then_some(style), text }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { style, text } = self;
        match style {
            Some(style) => write!(out, "{}{text}{}", style.render(), style.render_reset()),
            None => write!(out, "{text}"),
        }
    }
}

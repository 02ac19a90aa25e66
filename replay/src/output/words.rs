//! Words that all texts share.

use std::fmt::Display;

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

/// Returns a text in a style, if colours are wanted.
pub(crate) fn painted(colour: bool, style: Style, text: &str) -> String {
    if colour {
        format!("{}{text}{}", style.render(), style.render_reset())
    } else {
        text.to_owned()
    }
}

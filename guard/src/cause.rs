//! What the system says, without what adds nothing.

use std::fmt;
use std::io;

/// Prints the system's text of an error without its number.
pub struct Cause<'a>(pub &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let text = error.to_string();
        out.write_str(text.split_once(" (os error ").map_or(text.as_str(), |(cause, _)| cause))
    }
}

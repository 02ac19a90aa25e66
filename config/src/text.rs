//! Text from outside, made fit to be printed.

use std::fmt;
use std::io;
use std::path::Path;

/// Returns a path fit to be printed: no control characters, U+FFFD for what is not UTF-8.
#[must_use]
pub fn shown(path: &Path) -> String {
    let mut shown = String::new();
    for character in path.to_string_lossy().chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Prints what the system says of an error, without its number, which tells nobody more.
pub struct Cause<'a>(pub &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let text = error.to_string();
        out.write_str(text.split_once(" (os error ").map_or(text.as_str(), |(cause, _)| cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_command_the_terminal() {
        assert_eq!(shown(Path::new("a\u{1b}[31m\r.pcap")), "a\\u{1b}[31m\\r.pcap");
        assert_eq!(shown(Path::new("größe.pcap")), "größe.pcap");
    }

    #[test]
    fn a_cause_is_told_without_its_number() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(Cause(&missing).to_string(), "No such file or directory");
        assert_eq!(Cause(&io::Error::other("cut (twice)")).to_string(), "cut (twice)");
    }
}

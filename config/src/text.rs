//! Text from outside, made fit to be printed.

use std::fmt::{self, Write as _};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use knock_guard::is_unprintable;

/// Commands that services which run tests look for in every line of a log.
pub(crate) const LOG_COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

/// What a command of such a service begins with where it begins the line.
pub(crate) const LOG_COMMAND_PREFIX: &str = "::";

/// Returns a path fit to be printed, also at the start of a line: as [`printable`] does, and no command for
/// a service that shows the log of a test run.
#[must_use]
pub fn shown(path: &Path) -> String {
    let mut text = printable(path.as_os_str().as_bytes());
    for command in LOG_COMMANDS {
        if text.contains(command) {
            text = text.replace(command, &command.replace("##", "#\\u{23}"));
        }
    }
    if text.trim_start().starts_with(LOG_COMMAND_PREFIX) {
        text.insert_str(0, "./");
    }
    text
}

/// Returns text fit to be printed: characters that command the terminal or cannot be seen are escaped, and
/// U+FFFD is there for what is not UTF-8.
#[must_use]
pub fn printable(text: &[u8]) -> String {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~');
    // Nearly all text is, and the same lines are printed for each of thousands of clients.
    if let Ok(plain) = str::from_utf8(text)
        && text.iter().all(is_plain)
    {
        return plain.to_owned();
    }
    let mut out = String::new();
    for character in String::from_utf8_lossy(text).chars() {
        push_printable(character, &mut out);
    }
    out
}

/// Adds a character, escaped if it commands the terminal or cannot be seen.
pub fn push_printable(character: char, out: &mut String) {
    if is_unprintable(character) {
        out.extend(character.escape_default());
    } else {
        out.push(character);
    }
}

/// Returns text fit to be printed where its length matters: U+FFFD is there for each character that commands
/// the terminal or cannot be seen, and for what is not UTF-8.
#[must_use]
pub fn masked(text: &[u8]) -> String {
    String::from_utf8_lossy(text).replace(is_unprintable, "\u{fffd}")
}

/// Prints the system's text of an error without its number, which adds nothing.
pub struct Cause<'a>(pub &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let text = error.to_string();
        out.write_str(text.split_once(" (os error ").map_or(text.as_str(), |(cause, _)| cause))
    }
}

/// Why there is no process or thread, and the way out.
pub struct ProcessFault<'a>(pub &'a io::Error);

impl fmt::Display for ProcessFault<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let kind = error.kind();
        // So the system calls it: it has no error of its own for a limit.
        if kind == io::ErrorKind::WouldBlock {
            out.write_str(
                "the limit of processes and threads is reached; raise it (`ulimit -u`, or TasksMax= of \
                 a service), or end other programs",
            )
        } else if kind == io::ErrorKind::OutOfMemory {
            out.write_str("there is not enough memory; end other programs, or add memory")
        } else {
            write!(out, "{}", Cause(error))
        }
    }
}

/// Why there is no thread, as [`ProcessFault`] says it.
#[derive(Debug)]
pub struct ThreadFault(pub io::Error);

impl fmt::Display for ThreadFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        write!(out, "cannot start a thread: {}", ProcessFault(error))
    }
}

impl std::error::Error for ThreadFault {}

impl From<ThreadFault> for io::Error {
    fn from(error: ThreadFault) -> Self {
        Self::other(error)
    }
}

/// Part of the text, fit for a message: bytes that are not UTF-8 are U+FFFD, control characters are
/// escaped, others that cannot be seen are named when it is printed, and after [`Excerpt::MAX_CHARS`] characters it ends in `...`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Excerpt(Box<str>);

impl Excerpt {
    /// The most characters that are kept.
    pub const MAX_CHARS: usize = 40;

    /// Takes part of a text.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        // No character has more than four bytes, and what is cut off here is cut off below anyway.
        let most = Self::MAX_CHARS.saturating_add(1).saturating_mul(4);
        let text = String::from_utf8_lossy(bytes.get(..most).unwrap_or(bytes));
        let mut excerpt = String::new();
        for (count, character) in text.chars().enumerate() {
            if count == Self::MAX_CHARS {
                excerpt.push_str("...");
                break;
            }
            if character.is_control() {
                push_printable(character, &mut excerpt);
            } else {
                excerpt.push(character);
            }
        }
        Self(excerpt.into_boxed_str())
    }

    /// Returns the excerpt, with what cannot be seen.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_unprintable(character) {
                write!(f, "<U+{:04X}>", u32::from(character))?;
            } else {
                f.write_char(character)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Returns `1 knock`, `2 knocks`.
#[must_use]
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_command_the_terminal() {
        assert_eq!(shown(Path::new("a\u{1b}[31m\r.pcap")), "a\\u{1b}[31m\\r.pcap");
        assert_eq!(shown(Path::new("a\u{202e}b\u{9b}c\u{200b}")), "a\\u{202e}b\\u{9b}c\\u{200b}");
        assert_eq!(shown(Path::new("größe.pcap")), "größe.pcap");
    }

    #[test]
    fn a_path_is_no_command_in_the_log_of_a_test_run() {
        assert_eq!(shown(Path::new("::error file=x::y")), "./::error file=x::y");
        assert_eq!(shown(Path::new(" ::error::y")), "./ ::error::y");
        assert_eq!(shown(Path::new("a/::error::y")), "a/::error::y");
        assert_eq!(shown(Path::new("a ##[error]y ##vso[x]")), "a #\\u{23}[error]y #\\u{23}vso[x]");
        assert_eq!(shown(Path::new("a##b")), "a##b");
    }

    #[test]
    fn a_masked_text_is_as_long_as_it_was() {
        assert_eq!(masked(b"a\x1b[31m\r\xff"), "a\u{fffd}[31m\u{fffd}\u{fffd}");
    }

    #[test]
    fn a_process_that_the_system_does_not_start_has_a_way_out() {
        let fault = |number| ProcessFault(&io::Error::from_raw_os_error(number)).to_string();
        assert!(fault(libc::EAGAIN).starts_with("the limit of processes and threads is reached; "));
        assert!(fault(libc::ENOMEM).starts_with("there is not enough memory; "));
        assert_eq!(fault(libc::EACCES), "Permission denied");
    }

    #[test]
    fn a_cause_is_printed_without_its_number() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(Cause(&missing).to_string(), "No such file or directory");
        assert_eq!(Cause(&io::Error::other("cut (twice)")).to_string(), "cut (twice)");
    }

    #[test]
    fn an_excerpt_shows_no_control_character_and_ends_somewhere() {
        assert_eq!(Excerpt::new(b"a\x1b[31m\xff\x00").as_str(), "a\\u{1b}[31m\u{fffd}\\u{0}");
        assert_eq!(Excerpt::new(b"a\xff").to_string(), "a\u{fffd}");
        let hidden = Excerpt::new("a\u{200b}\u{202e}".as_bytes());
        assert_eq!(hidden.to_string(), "a<U+200B><U+202E>");
        assert_eq!(hidden.as_str(), "a\u{200b}\u{202e}");
        assert_eq!(format!("{:?}", Excerpt::new(b"a\"")), r#""a\"""#);
        assert_eq!(Excerpt::new(&[b'x'; 40]).as_str(), "x".repeat(40));
        assert_eq!(Excerpt::new(&[b'x'; 9000]).as_str(), "x".repeat(40) + "...");
    }

    #[test]
    fn one_thing_is_counted_in_the_singular() {
        assert_eq!(counted(1, "knock"), "1 knock");
        assert_eq!(counted(2, "knock"), "2 knocks");
        assert_eq!(counted(0, "knock"), "0 knocks");
    }
}

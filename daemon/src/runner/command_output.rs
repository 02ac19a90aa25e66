//! What a command writes, as lines that are safe to log.

use std::io::{ErrorKind, PipeReader, Read as _};
use std::os::fd::{AsFd, BorrowedFd};

use knock_config::text::masked;

/// The longest line that is logged whole, in bytes.
const LINE_MAX: usize = 1024;

/// How much output of one command is logged, in bytes.
const TEXT_MAX: usize = 64 * 1024;

/// How much is read at once, in bytes.
const READ_MAX: usize = 64 * 1024;

/// The output of a command: standard output and standard error together.
pub(super) struct CommandOutput {
    /// `None` when everything was read.
    output: Option<PipeReader>,
    /// The beginning of a line.
    partial: Vec<u8>,
    /// How many more bytes may be logged.
    left: usize,
}

impl CommandOutput {
    /// Takes the end of a nonblocking pipe.
    pub(super) fn new(output: PipeReader) -> Self {
        Self { output: Some(output), partial: Vec::new(), left: TEXT_MAX }
    }

    /// Returns whether there may be more output.
    pub(super) const fn is_open(&self) -> bool {
        self.output.is_some()
    }

    /// Reads what is there, and returns the lines that are complete. Output beyond the limit is read, so
    /// that the command does not block, but not returned.
    pub(super) fn read(&mut self) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        let mut bytes = [0; 4096];
        let mut read = 0_usize;
        while let Some(output) = &mut self.output
            && read < READ_MAX
        {
            match output.read(&mut bytes) {
                Ok(0) => self.output = None,
                Ok(length) => {
                    read = read.saturating_add(length);
                    self.take(bytes.get(..length).unwrap_or_default(), &mut lines);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.output = None,
            }
        }
        if self.output.is_none() && !self.partial.is_empty() {
            self.end_line(&mut lines);
        }
        lines
    }

    fn take(&mut self, bytes: &[u8], lines: &mut Vec<Vec<u8>>) {
        for &byte in bytes {
            if byte == b'\n' {
                self.end_line(lines);
            } else if self.partial.len() < LINE_MAX {
                self.partial.push(byte);
            }
        }
    }

    fn end_line(&mut self, lines: &mut Vec<Vec<u8>>) {
        let line = std::mem::take(&mut self.partial);
        if self.left == 0 {
            return;
        }
        self.left = self.left.saturating_sub(line.len().max(1));
        lines.push(if self.left > 0 { printable(&line) } else { b"(output truncated)".to_vec() });
    }
}

impl AsFd for CommandOutput {
    /// # Panics
    /// If everything was read.
    #[expect(clippy::expect_used, reason = "callers first check whether it is open")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_ref().expect("an output that is open").as_fd()
    }
}

/// Returns a line without control characters, which could command a terminal.
fn printable(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    masked(text.trim_end().replace('\t', " ").as_bytes()).into_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};

    use super::*;

    fn written(bytes: &[u8]) -> Vec<String> {
        let (output, mut input) = io::pipe().unwrap();
        let bytes = bytes.to_vec();
        let writing = std::thread::spawn(move || input.write_all(&bytes));
        let mut command = CommandOutput::new(output);
        let mut lines = Vec::new();
        while command.is_open() {
            lines.extend(command.read());
        }
        writing.join().unwrap().unwrap();
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn output_is_split_into_lines_and_the_last_needs_no_newline() {
        assert_eq!(written(b"one\r\n\n two\tx \nthree"), ["one", "", " two x", "three"]);
        assert_eq!(written(b""), Vec::<String>::new());
    }

    #[test]
    fn control_characters_are_replaced() {
        assert_eq!(written(b"\x1b[31m\xff\xc2\x9b\n"), ["\u{fffd}[31m\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn long_lines_are_cut_and_output_beyond_the_limit_is_not_logged() {
        assert_eq!(written(&[b'x'; 5000]), ["x".repeat(LINE_MAX)]);
        let lines = written(&b"0123456789\n".repeat(100_000));
        assert_eq!(lines.len(), TEXT_MAX.div_ceil(10));
        assert_eq!(lines.last().unwrap(), "(output truncated)");
        assert_eq!(written(&b"\n".repeat(TEXT_MAX + 5)).len(), TEXT_MAX);
    }
}

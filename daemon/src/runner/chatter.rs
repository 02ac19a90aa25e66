//! What a command writes, in lines that are fit for a log.

use std::io::{ErrorKind, PipeReader, Read as _};
use std::os::fd::{AsFd, BorrowedFd};

use knock_config::text::masked;

/// The longest line that is told whole, in bytes.
const LINE_MAX: usize = 1024;

/// The most that is told of what one command writes, in bytes.
const TOLD_MAX: usize = 64 * 1024;

/// How much is read at once, in bytes.
const READ_MAX: usize = 64 * 1024;

/// The output of a command, standard output and standard error together.
pub(super) struct Chatter {
    /// `None` when all was read.
    output: Option<PipeReader>,
    /// The beginning of a line.
    partial: Vec<u8>,
    /// How much more may be told.
    left: usize,
}

impl Chatter {
    /// Takes the end of a pipe that does not make a reader wait.
    pub(super) fn new(output: PipeReader) -> Self {
        Self { output: Some(output), partial: Vec::new(), left: TOLD_MAX }
    }

    /// Returns whether there may be more.
    pub(super) const fn is_open(&self) -> bool {
        self.output.is_some()
    }

    /// Reads what is there and returns the lines that are complete. A command that writes without
    /// end is read on, but not told on.
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
        lines.push(if self.left > 0 { printable(&line) } else { b"(more is not told)".to_vec() });
    }
}

impl AsFd for Chatter {
    /// # Panics
    /// If all was read.
    #[expect(clippy::expect_used, reason = "whoever asks has asked whether it is open")]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.output.as_ref().expect("an output that is open").as_fd()
    }
}

/// Returns a line without what would command a terminal.
fn printable(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    masked(text.trim_end().replace('\t', " ").as_bytes()).into_bytes()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};

    use super::*;

    fn said(bytes: &[u8]) -> Vec<String> {
        let (output, mut input) = io::pipe().unwrap();
        let bytes = bytes.to_vec();
        let writing = std::thread::spawn(move || input.write_all(&bytes));
        let mut chatter = Chatter::new(output);
        let mut lines = Vec::new();
        while chatter.is_open() {
            lines.extend(chatter.read());
        }
        writing.join().unwrap().unwrap();
        lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn lines_are_told_one_by_one_the_last_also_without_its_end() {
        assert_eq!(said(b"one\r\n\n two\tx \nthree"), ["one", "", " two x", "three"]);
        assert_eq!(said(b""), Vec::<String>::new());
    }

    #[test]
    fn a_line_cannot_command_the_terminal() {
        assert_eq!(said(b"\x1b[31m\xff\xc2\x9b\n"), ["\u{fffd}[31m\u{fffd}\u{fffd}"]);
    }

    #[test]
    fn long_lines_are_cut_and_endless_output_is_read_but_not_told() {
        assert_eq!(said(&[b'x'; 5000]), ["x".repeat(LINE_MAX)]);
        let lines = said(&b"0123456789\n".repeat(100_000));
        assert_eq!(lines.len(), TOLD_MAX.div_ceil(10));
        assert_eq!(lines.last().unwrap(), "(more is not told)");
        assert_eq!(said(&b"\n".repeat(TOLD_MAX + 5)).len(), TOLD_MAX);
    }
}

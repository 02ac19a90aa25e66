//! Splits simple shell commands into words.

use crate::lex::{Piece, is_blank};

/// A command of one program and plain words.
pub(super) struct Simple<'a> {
    /// The words without their quotes, each with its place: the whole command if quotes prevent finding
    /// it.
    words: Vec<(Vec<u8>, Piece<'a>)>,
    whole: Piece<'a>,
}

impl<'a> Simple<'a> {
    /// Characters that may make a command more than one program with words, even if they are quoted: such
    /// commands are not checked.
    const SPECIAL: &'static [u8] = b";&|<>()$`*?\\~#";

    /// After this many words whose place was not found, the search stops.
    const NOT_FOUND: usize = 8;

    /// Parses a command; `None` if it is anything but one program and its words.
    pub(super) fn new(command: Piece<'a>) -> Option<Self> {
        let bytes = command.bytes();
        if bytes.iter().any(|byte| Self::SPECIAL.contains(byte)) {
            return None;
        }
        let mut shell = shlex::bytes::Shlex::new(bytes);
        let mut words = Vec::new();
        let mut from = 0_usize;
        let mut not_found = 0_usize;
        for word in shell.by_ref() {
            // Each search that fails goes to the end of the line.
            let found = if not_found < Self::NOT_FOUND { command.find(from, &word) } else { None };
            let place = if let Some((start, place)) = found {
                from = start.saturating_add(word.len());
                place
            } else {
                not_found = not_found.saturating_add(1);
                command
            };
            words.push((word, place));
        }
        if shell.had_error || words.first().is_none_or(|(word, _)| word.contains(&b'=')) {
            return None;
        }
        let mut simple = Self { words, whole: command };
        simple.drop_sudo();
        Some(simple)
    }

    fn drop_sudo(&mut self) {
        if self.program() == b"sudo" {
            self.words.remove(0);
            while self.words.first().is_some_and(|(word, _)| word == b"-n") {
                self.words.remove(0);
            }
        }
    }

    /// Returns the name of the program without its folder.
    pub(super) fn program(&self) -> &[u8] {
        let first = self.words.first().map_or(&[][..], |(word, _)| word.as_slice());
        first.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
    }

    /// Returns the place of the program.
    pub(super) fn program_at(&self) -> Piece<'a> {
        self.words.first().map_or(self.whole, |(_, at)| *at)
    }

    /// Returns the words after the program.
    pub(super) fn arguments(&self) -> &[(Vec<u8>, Piece<'a>)] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Returns the whole command.
    pub(super) fn whole(&self) -> Piece<'a> {
        self.whole
    }
}

/// Returns the first word of a command if it names a program for certain.
pub(super) fn program(command: Piece<'_>) -> Option<Piece<'_>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-+./@:,%".contains(&byte);
    let bytes = command.bytes();
    let length = bytes.iter().take_while(|byte| is_plain(**byte)).count();
    let ends_there =
        bytes.get(length).is_none_or(|byte| is_blank(*byte) || b";&|<>".contains(byte));
    let word = command.part(0, length);
    (length > 0 && ends_there && !is_of_the_shell(word.bytes())).then_some(word)
}

/// Returns whether the shell itself knows the word, so that no program is looked for.
fn is_of_the_shell(word: &[u8]) -> bool {
    const WORDS: [&[u8]; 40] = [
        b".",
        b":",
        b"alias",
        b"break",
        b"case",
        b"cd",
        b"command",
        b"continue",
        b"do",
        b"done",
        b"echo",
        b"elif",
        b"else",
        b"esac",
        b"eval",
        b"exec",
        b"exit",
        b"export",
        b"false",
        b"fi",
        b"for",
        b"if",
        b"kill",
        b"local",
        b"printf",
        b"pwd",
        b"read",
        b"readonly",
        b"return",
        b"set",
        b"shift",
        b"test",
        b"then",
        b"times",
        b"trap",
        b"true",
        b"type",
        b"umask",
        b"unset",
        b"wait",
    ];
    const MORE: [&[u8]; 5] = [b"while", b"until", b"ulimit", b"hash", b"getopts"];
    WORDS.contains(&word) || MORE.contains(&word)
}

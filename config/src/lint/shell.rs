//! Splits command lines of the shell into simple commands and their words.
//!
//! `/bin/sh` runs the lines. They are parsed by a library that knows all of the grammar, so that a `;` in
//! quotes or a comment after the command is read as the shell reads it.

mod wrapper;

use rable::{Node, NodeKind};

use crate::lex::{Piece, is_blank};

/// A word without its quotes, and its place.
pub(super) type Word<'a> = (Vec<u8>, Piece<'a>);

/// What a command line runs.
pub(super) struct Script<'a> {
    /// Its simple commands, in the order of the text, also those that run only under a condition.
    pub(super) commands: Vec<Simple<'a>>,
    /// Whether that is everything it runs: false if it cannot be parsed, or runs a text that is not known.
    pub(super) is_whole: bool,
}

impl<'a> Script<'a> {
    /// The most brackets and compound commands in a line that is parsed: the parser calls itself for each.
    const MAX_NESTING: usize = 32;

    /// The most substitutions in a line that is parsed: the time grows with the cube of their depth.
    const MAX_SUBSTITUTIONS: usize = 3;

    /// A line that runs nothing.
    pub(super) fn nothing() -> Self {
        Self { commands: Vec::new(), is_whole: true }
    }

    /// Takes a command line apart.
    pub(super) fn new(line: Piece<'a>) -> Self {
        let mut script = Self::nothing();
        script.add_line(line, true);
        script
    }

    fn add_line(&mut self, line: Piece<'a>, may_nest: bool) {
        let text = one_character_per_byte(line.bytes());
        if nesting(line.bytes()) > Self::MAX_NESTING
            || substitutions(line.bytes()) > Self::MAX_SUBSTITUTIONS
        {
            self.is_whole = false;
            return;
        }
        let Ok(nodes) = rable::parse(&text, false) else {
            self.is_whole = false;
            return;
        };
        for node in &nodes {
            self.add(node, line, may_nest);
        }
    }

    fn add_all<'n>(
        &mut self,
        nodes: impl IntoIterator<Item = &'n Node>,
        line: Piece<'a>,
        may_nest: bool,
    ) {
        for node in nodes {
            self.add(node, line, may_nest);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is not named here is not in scripts of sh"
    )]
    fn add(&mut self, node: &Node, line: Piece<'a>, may_nest: bool) {
        match &node.kind {
            NodeKind::Command { words, .. } => self.add_command(words, line, may_nest),
            NodeKind::Pipeline { commands, .. } => self.add_all(commands, line, may_nest),
            NodeKind::List { items } => {
                self.add_all(items.iter().map(|item| &item.command), line, may_nest);
            }
            NodeKind::If { condition, then_body, else_body, .. } => {
                let bodies = [Some(condition), Some(then_body), else_body.as_ref()];
                self.add_all(bodies.into_iter().flatten().map(|body| &**body), line, may_nest);
            }
            NodeKind::While { condition, body, .. } | NodeKind::Until { condition, body, .. } => {
                self.add_all([&**condition, &**body], line, may_nest);
            }
            NodeKind::For { body, .. }
            | NodeKind::Subshell { body, .. }
            | NodeKind::BraceGroup { body, .. } => self.add(body, line, may_nest),
            NodeKind::Case { patterns, .. } => {
                let bodies = patterns.iter().filter_map(|pattern| pattern.body.as_ref());
                self.add_all(bodies, line, may_nest);
            }
            NodeKind::Negation { pipeline } => self.add(pipeline, line, may_nest),
            NodeKind::Empty | NodeKind::Comment { .. } => {}
            // Functions, and what only other shells know.
            _ => self.is_whole = false,
        }
    }

    fn add_command(&mut self, nodes: &[Node], line: Piece<'a>, may_nest: bool) {
        let raw: Vec<Piece<'a>> = nodes
            .iter()
            .map(|node| line.part(node.span.start, node.span.end.saturating_sub(node.span.start)))
            .collect();
        self.is_whole &= !raw.iter().any(|word| substitutes(word.bytes()));
        let Some(command) = Simple::new(&raw) else { return };
        self.is_whole &= !matches!(command.program(), b"eval" | b"." | b"source");
        let inner = command.inner_line();
        self.commands.push(command);
        match inner {
            Some(Inner::Line(inner)) if may_nest => self.add_line(inner, false),
            Some(_) => self.is_whole = false,
            None => {}
        }
    }
}

/// Returns a text in which the position of a character is that of its byte. Bytes beyond ASCII become
/// characters that no grammar knows.
fn one_character_per_byte(bytes: &[u8]) -> String {
    const PRIVATE_USE: u32 = 0xe000;
    let character = |byte: u8| {
        if byte.is_ascii() {
            char::from(byte)
        } else {
            char::from_u32(PRIVATE_USE.saturating_add(u32::from(byte))).unwrap_or('?')
        }
    };
    bytes.iter().copied().map(character).collect()
}

/// Returns a number that no nesting in the line exceeds.
fn nesting(line: &[u8]) -> usize {
    const OPENS: [&[u8]; 13] = [
        b"if",
        b"elif",
        b"while",
        b"until",
        b"for",
        b"case",
        b"select",
        b"time",
        b"coproc",
        b"function",
        b"then",
        b"else",
        b"do",
    ];
    let brackets = line.iter().filter(|byte| b"({`!".contains(byte)).count();
    let words = line.split(|byte| !byte.is_ascii_alphanumeric());
    brackets.saturating_add(words.filter(|word| OPENS.contains(word)).count())
}

/// Returns how many substitutions begin in the line, or more.
fn substitutions(line: &[u8]) -> usize {
    // Every second piece between backquotes is one.
    let quoted = line.split(|byte| *byte == b'`').count().div_euclid(2);
    let begins = |pair: &&[u8]| matches!(pair, [b'$' | b'<' | b'>', b'('] | [b'$', b'{' | b'[']);
    line.windows(2).filter(begins).count().saturating_add(quoted)
}

/// Shells that run the line after `-c`.
const SHELLS: [&[u8]; 5] = [b"sh", b"bash", b"dash", b"ash", b"ksh"];

/// What a command such as `sh -c` runs.
enum Inner<'a> {
    Line(Piece<'a>),
    Unknown,
}

/// A command of one program and its words.
pub(super) struct Simple<'a> {
    /// The words without their quotes, each with its place.
    words: Vec<Word<'a>>,
    /// The words as they are written.
    raw: Vec<Piece<'a>>,
    /// Whether the words are what the program gets, whatever files and variables there are.
    is_fixed: bool,
    whole: Piece<'a>,
}

impl<'a> Simple<'a> {
    /// Takes the words of a command as they are written; `None` if there are none.
    fn new(raw: &[Piece<'a>]) -> Option<Self> {
        let whole = raw.first()?.to(*raw.last()?);
        let words = raw.iter().map(|word| (unquoted(word.bytes()), *word)).collect();
        let is_fixed = !raw.iter().any(|word| expands(word.bytes()));
        let mut command = Self { words, raw: raw.to_vec(), is_fixed, whole };
        command.drop_wrappers();
        Some(command)
    }

    /// Removes programs that run the program after them, with what is theirs.
    fn drop_wrappers(&mut self) {
        while let Some(own) = wrapper::own_words(self.program(), self.arguments()) {
            self.words.drain(..own.min(self.words.len()));
        }
    }

    /// Returns the line that a shell gets as its argument.
    fn inner_line(&self) -> Option<Inner<'a>> {
        if !SHELLS.contains(&self.program()) {
            return None;
        }
        let is_option = |word: &[u8]| word.starts_with(b"-") && !word.starts_with(b"--");
        let mut words = self
            .arguments()
            .iter()
            .skip_while(|(word, _)| is_option(word) && !word.contains(&b'c'));
        let (Some((option, _)), Some((_, line))) = (words.next(), words.next()) else {
            return Some(Inner::Unknown);
        };
        let quoted = [b'\'', b'"'].into_iter().find_map(|quote| {
            let inner = line.strip_prefix(quote)?.strip_suffix(quote)?;
            let is_same = !inner.bytes().iter().any(|byte| b"'\"\\$`".contains(byte));
            is_same.then_some(inner)
        });
        match quoted {
            Some(inner) if is_option(option) => Some(Inner::Line(inner)),
            Some(_) | None => Some(Inner::Unknown),
        }
    }

    /// Returns whether the words are known: nothing in them is replaced by the shell.
    pub(super) fn is_fixed(&self) -> bool {
        self.is_fixed
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
    pub(super) fn arguments(&self) -> &[Word<'a>] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Returns the words as they are written, with those of programs that run this one.
    pub(super) fn raw_words(&self) -> &[Piece<'a>] {
        &self.raw
    }

    /// Returns the whole command.
    pub(super) fn whole(&self) -> Piece<'a> {
        self.whole
    }

    /// Returns whether the address of the client is in it.
    pub(super) fn has_token(&self) -> bool {
        has_token(self.whole.bytes())
    }
}

/// Returns whether the address of the client is in a text.
pub(super) fn has_token(text: &[u8]) -> bool {
    text.windows(4).any(|window| window == b"%IP%")
}

/// Returns a word without its quotes.
fn unquoted(raw: &[u8]) -> Vec<u8> {
    let mut words = shlex::bytes::Shlex::new(raw);
    match (words.next(), words.next(), words.had_error) {
        (Some(word), None, false) => word,
        _ => raw.to_vec(),
    }
}

/// Returns whether the shell replaces something in a word.
fn expands(raw: &[u8]) -> bool {
    unquoted_bytes(raw).any(|(byte, quote)| match quote {
        None => b"$`*?".contains(&byte),
        Some(quote) => quote == b'"' && b"$`".contains(&byte),
    }) || raw.starts_with(b"~")
}

/// Returns whether the shell runs another command to make a word.
fn substitutes(raw: &[u8]) -> bool {
    let has = |wanted: &[u8]| raw.windows(wanted.len()).any(|window| window == wanted);
    (has(b"$(") || has(b"`") || has(b"<(") || has(b">(")) && expands(raw)
}

/// Returns the bytes of a word that no backslash takes the meaning of, each with the quote it is in.
fn unquoted_bytes(raw: &[u8]) -> impl Iterator<Item = (u8, Option<u8>)> {
    let mut quote = None;
    let mut is_escaped = false;
    raw.iter().filter_map(move |&byte| {
        if std::mem::take(&mut is_escaped) {
            return None;
        }
        match (quote, byte) {
            (None | Some(b'"'), b'\\') => is_escaped = true,
            (None, b'\'' | b'"') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            (quote, _) => return Some((byte, quote)),
        }
        None
    })
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

#[cfg(test)]
mod tests;

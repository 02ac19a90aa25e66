//! Commands of ufw.

use super::{Change, Effect, Source, is_everyone, is_number};
use crate::lint::shell::Word;

impl<'a> Change<'a> {
    /// Reads `[insert NUMBER | prepend] [route] allow WORDS` or `delete [route] allow WORDS`, and the same
    /// with `limit`, `deny` and `reject`.
    pub(super) fn ufw(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let mut words = arguments.iter().filter(|(word, _)| word != b"--force").peekable();
        match words.peek().map(|(word, _)| &word[..]) {
            Some(b"delete") => {
                words.next();
                self.adds = false;
                let number = words.peek().filter(|(word, _)| is_number(word)).map(|(_, at)| *at);
                if number.is_some() {
                    self.number = number;
                    return Some(self);
                }
            }
            Some(b"insert") => {
                self.aside.extend(words.next().cloned());
                words.next();
            }
            Some(b"prepend") => drop(words.next()),
            Some(_) | None => {}
        }
        self.words.extend(words.next_if(|(word, _)| word == b"route").cloned());
        let (action, at) = words.next()?;
        self.effect = match &action[..] {
            b"allow" | b"limit" => Effect::Accepts,
            b"deny" | b"reject" => Effect::Denies,
            _ => return None,
        };
        self.words.push((action.clone(), *at));
        while let Some((word, at)) = words.next() {
            // ufw does not look at comments when it deletes.
            if word == b"comment" {
                words.next();
                continue;
            }
            let is_source =
                word == b"from" && words.peek().is_some_and(|(source, _)| !is_everyone(source));
            if is_source || word == b"out" {
                self.source = Source::Named;
            }
            self.words.push((word.clone(), *at));
        }
        Some(self)
    }
}

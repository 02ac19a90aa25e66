//! Commands of firewall-cmd.

use super::{Change, Effect, Source};
use crate::lint::shell::Word;

impl<'a> Change<'a> {
    /// Reads options of which one is `--add-SOMETHING` or `--remove-SOMETHING`.
    pub(super) fn firewall_cmd(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let mut changes = 0_usize;
        for (word, at) in with_values(arguments) {
            let (adds, what) = match (word.strip_prefix(b"--add-"), word.strip_prefix(b"--remove-"))
            {
                (Some(what), _) => (true, what),
                (None, Some(what)) => (false, what),
                (None, None) => {
                    self.may_expire |= word.starts_with(b"--timeout");
                    if !word.starts_with(b"--timeout") && word != b"-q" && word != b"--quiet" {
                        self.words.push((word, at));
                    }
                    continue;
                }
            };
            self.adds = adds;
            let what = normal(what);
            self.effect = effect(&what);
            if what.starts_with(b"source=") || has_token(&what, b"source") {
                self.source = Source::Named;
            }
            // Each part of a rich rule is a word, so that what differs can be named.
            let parts = what.split(|byte| *byte == b' ');
            self.words.extend(parts.map(|part| (part.to_vec(), at)));
            changes = changes.saturating_add(1);
        }
        (changes == 1).then_some(self)
    }
}

/// Joins options and their values that are words of their own.
fn with_values<'a>(arguments: &[Word<'a>]) -> Vec<Word<'a>> {
    let mut joined: Vec<Word<'a>> = Vec::new();
    for (word, at) in arguments {
        match joined.last_mut() {
            Some((option, _)) if !word.starts_with(b"-") && !option.contains(&b'=') => {
                option.push(b'=');
                option.extend_from_slice(word);
            }
            Some(_) | None => joined.push((word.clone(), *at)),
        }
    }
    joined
}

/// Returns what is added with the parts of a rich rule in one order, and without their quotes.
fn normal(what: &[u8]) -> Vec<u8> {
    let Some(rule) = what.strip_prefix(b"rich-rule=") else { return what.to_vec() };
    let rule: Vec<u8> = rule.iter().copied().filter(|byte| !b"\"'".contains(byte)).collect();
    let mut parts: Vec<&[u8]> =
        rule.split(u8::is_ascii_whitespace).filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    [&b"rich-rule= "[..], &parts.join(&b' ')].concat()
}

/// Returns whether a rich rule in its normal form has this part.
fn has_token(what: &[u8], wanted: &[u8]) -> bool {
    let parts = what.strip_prefix(b"rich-rule= ");
    parts.is_some_and(|parts| parts.split(|byte| *byte == b' ').any(|part| part == wanted))
}

fn effect(what: &[u8]) -> Effect {
    let name = what.split(|byte| *byte == b'=').next().unwrap_or_default();
    match name {
        b"rich-rule" if has_token(what, b"accept") => Effect::Accepts,
        b"rich-rule" if has_token(what, b"drop") || has_token(what, b"reject") => Effect::Denies,
        b"port" | b"service" | b"protocol" | b"source-port" | b"source" => Effect::Accepts,
        _ => Effect::Other,
    }
}

//! Commands of nft.

use super::{Change, Effect, Program, Source, is_number};
use crate::lex::Piece;
use crate::lint::shell::Word;
use crate::warnings::OneFamily;

impl<'a> Change<'a> {
    /// Reads `add element WORDS`, `delete element WORDS`, `add rule WORDS`, `insert rule WORDS` or `delete
    /// rule WORDS`: nft joins its arguments, so they may also be in quotes, in part or all of them.
    pub(super) fn nft(mut self, arguments: &[Word<'a>]) -> Option<Self> {
        let is_option = |word: &[u8]| matches!(word, b"-a" | b"-e" | b"-n" | b"-s" | b"-ae");
        let words = arguments.iter().skip_while(|(word, _)| is_option(word));
        let mut parts = words.flat_map(|(word, at)| {
            let parts = word.split(|byte| b" \t".contains(byte)).filter(|part| !part.is_empty());
            parts.map(|part| (part.to_vec(), *at)).collect::<Vec<_>>()
        });
        self.adds = match &parts.next()?.0[..] {
            b"add" | b"insert" | b"create" => true,
            b"delete" | b"destroy" => false,
            _ => return None,
        };
        let object = parts.next()?.0;
        let parts: Vec<Word<'a>> = parts.collect();
        // Another command of nft follows.
        if parts.iter().any(|(part, _)| part.contains(&b';')) {
            return None;
        }
        match &object[..] {
            b"element" => Some(self.element(&parts)),
            b"rule" => Some(self.rule(parts)),
            _ => None,
        }
    }

    fn element(mut self, parts: &[Word<'a>]) -> Self {
        self.program = Program::NftElement;
        self.effect = Effect::Accepts;
        // The set may have a timeout for all its elements.
        self.may_expire = true;
        let mut parts = parts.iter().flat_map(|(word, at)| {
            let parts = word.split(|byte| b"{},".contains(byte)).filter(|part| !part.is_empty());
            parts.map(|part| (part, *at)).collect::<Vec<_>>()
        });
        while let Some((part, at)) = parts.next() {
            // An element with a timeout is removed by itself.
            if part == b"timeout" {
                parts.next();
            } else {
                if is_address(part) {
                    self.source = Source::Named;
                }
                self.words.push((part.to_vec(), at));
            }
        }
        self
    }

    fn rule(mut self, parts: Vec<Word<'a>>) -> Self {
        self.program = Program::NftRule;
        let has = |wanted: &[u8]| parts.iter().any(|(part, _)| part == wanted);
        if has(b"accept") {
            self.effect = Effect::Accepts;
        } else if has(b"drop") || has(b"reject") {
            self.effect = Effect::Denies;
        }
        // A handle says nothing of the rule that is deleted.
        if !self.adds {
            self.effect = Effect::Other;
        }
        let names = has(b"saddr") && !has(b"!=");
        if names || has(b"established") || has(b"established,related") || has(b"lo") {
            self.source = Source::Named;
        }
        let handle = parts.iter().skip_while(|(part, _)| part != b"handle").nth(1);
        let number = handle.filter(|(number, _)| is_number(number)).map(|(_, at)| *at);
        self.number = number.filter(|_| !self.adds);
        self.words = parts;
        self
    }
}

/// Returns the place where a rule compares the address of the client with one of a family.
pub(super) fn family<'a>(words: &[Word<'a>]) -> Option<(OneFamily, Piece<'a>)> {
    words.windows(3).find_map(|three| {
        let [(family, at), (field, _), (address, _)] = three else { return None };
        let is_address = matches!(&field[..], b"saddr" | b"daddr");
        if !is_address || !address.windows(4).any(|window| window == b"%IP%") {
            return None;
        }
        match &family[..] {
            b"ip" => Some((OneFamily::NftIp, *at)),
            b"ip6" => Some((OneFamily::NftIp6, *at)),
            _ => None,
        }
    })
}

fn is_address(part: &[u8]) -> bool {
    let is_of_ipv4 = |byte: &u8| byte.is_ascii_digit() || b"./-".contains(byte);
    (part.contains(&b'.') && part.iter().all(is_of_ipv4)) || part.contains(&b':')
}
